//! Pauses subscriptions whose subscribers answered 410 Gone.

use super::Owner;
use crate::control::{Control, SubmitError};
use hooklog_schemas::control::{By, SubscriptionPaused};
use hooklog_schemas::{EventId, SubscriptionId};
use std::sync::Arc;
use std::time::Duration;

/// The pause between two tries while the log does not take it.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Owner {
    /// The subscriber answered 410: its subscription is paused, unless somebody changed it since.
    pub(super) fn pause(&mut self, id: SubscriptionId, expected: EventId) {
        // Other attempts of the same version that were under way say the same.
        if !self.pausing.insert((id, expected)) {
            return;
        }
        let by = By {
            actor: "hooklog".to_owned(),
            from: "local".to_owned(),
            at: self.parts.clock.now(),
            why: Some("the subscriber answered 410 Gone".to_owned()),
        };
        let event = SubscriptionPaused { id, expected, by };
        tokio::spawn(pause(Arc::clone(&self.parts.control), event));
    }

    /// Forgets what was asked for about versions that are not in force any more.
    pub(super) fn forget_pauses(&mut self) {
        let subscriptions = &self.configuration.subscriptions;
        self.pausing.retain(|(id, expected)| {
            let current = subscriptions.get(id);
            current.is_some_and(|subscription| subscription.version == *expected)
        });
    }
}

/// Tries until it is durable, or overtaken: nothing starts meanwhile, and only the event shows why.
async fn pause(control: Arc<Control>, event: SubscriptionPaused) {
    let subscription = event.id;
    loop {
        match control.submit(event.clone()).await {
            Ok(_) => return,
            Err(SubmitError::Append(error)) => {
                tracing::error!(%subscription, %error, "the subscriber answered 410; the pause is tried again");
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            // Another 410 of the changed subscription will ask again.
            Err(error @ (SubmitError::Conflict | SubmitError::Gone | SubmitError::Stopped)) => {
                tracing::info!(%subscription, %error, "the subscription was not paused");
                return;
            }
        }
    }
}
