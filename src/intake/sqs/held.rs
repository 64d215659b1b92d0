//! Messages that a consumer has: they stay invisible to others while it lives.

use super::BATCH_MAX;
use super::client::Queue;
use crate::intake::Token;
use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::{CancellationToken, DropGuard};

/// After this, a message is left to come again: perhaps nobody has it any more.
const HELD_MAX: Duration = Duration::from_secs(3_600);

/// Tokens, and since when they are held.
#[derive(Clone, Default)]
struct Tokens(Arc<Mutex<HashMap<Token, Instant>>>);

/// Lengthens the time for which messages are invisible; when it is dropped, they are visible.
pub(super) struct Held {
    tokens: Tokens,
    _keeping: DropGuard,
}

impl Held {
    pub(super) fn new(queue: Queue, visibility_seconds: u32) -> Self {
        let (tokens, stop) = (Tokens::default(), CancellationToken::new());
        tokio::spawn(keep(
            queue,
            visibility_seconds,
            tokens.clone(),
            stop.clone(),
        ));
        Self {
            tokens,
            _keeping: stop.drop_guard(),
        }
    }

    pub(super) fn add<'a>(&self, tokens: impl Iterator<Item = &'a Token>) {
        let now = Instant::now();
        let tokens = tokens.map(|token| (token.clone(), now));
        self.tokens.lock().extend(tokens);
    }

    pub(super) fn remove(&self, tokens: &[Token]) {
        let mut held = self.tokens.lock();
        for token in tokens {
            held.remove(token);
        }
    }
}

impl Tokens {
    fn lock(&self) -> MutexGuard<'_, HashMap<Token, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that are held, without those that were held for too long.
    fn current(&self) -> Vec<Token> {
        let mut held = self.lock();
        held.retain(|_, since| since.elapsed() < HELD_MAX);
        held.keys().cloned().collect()
    }
}

async fn keep(queue: Queue, visibility_seconds: u32, tokens: Tokens, stop: CancellationToken) {
    let seconds = i32::try_from(visibility_seconds).unwrap_or(i32::MAX);
    let pause = Duration::from_secs(visibility_seconds.into()) / 3;
    while stop
        .run_until_cancelled(tokio::time::sleep(pause))
        .await
        .is_some()
    {
        change(&queue, &tokens.current(), seconds).await;
    }
    change(&queue, &tokens.current(), 0).await;
}

/// What cannot be changed comes again by itself, so that no error matters.
async fn change(queue: &Queue, tokens: &[Token], seconds: i32) {
    for some in tokens.chunks(BATCH_MAX) {
        let entries = some.iter().enumerate().filter_map(|(number, token)| {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder();
            let entry = entry.id(number.to_string()).receipt_handle(token.as_str());
            entry.visibility_timeout(seconds).build().ok()
        });
        let changing = queue.client.change_message_visibility_batch();
        let changing = changing
            .queue_url(&queue.url)
            .set_entries(Some(entries.collect()));
        if let Err(error) = changing.send().await {
            tracing::debug!(%error, "the time for which messages are invisible is not changed");
        }
    }
}
