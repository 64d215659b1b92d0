//! Lines of the program's log about the life of one event: each has its GUID, and from routing on
//! the delivery.
//!
//! Under the target `hooklog::life`. What goes well is at debug, so that the default level costs an
//! event nothing: four lines of it take tens of microseconds, and the same stands in the log for
//! ever. What fails is at info. A decision's line comes when it is made; the log says when it counts.

use super::attempt::Finished;
use crate::log::{EventLog, ReadLimit};
use hooklog_schemas::deliveries::{
    Because, Cancelled, MatchOutcome, Outcome, RepeatKind, Requeued, Routed, Verdict,
};
use hooklog_schemas::{DeliveryId, Event, Position, ReceiptId, Record};
use std::sync::Arc;
use tracing::field::display;
use tracing::{Level, debug, enabled, info};

/// What the lines of an event's life are filtered by.
const LIFE: &str = "hooklog::life";

/// Whether anybody wants the lines of what goes well.
pub(super) fn wanted() -> bool {
    enabled!(target: LIFE, Level::DEBUG)
}

/// The decision about a webhook, and a line for each match.
pub(super) fn routed(webhook: Position, decision: &Routed) {
    if !wanted() {
        return;
    }
    let (guid, receipt) = (decision.summary.guid.as_str(), decision.receipt);
    let repeats = decision.repeats.as_ref();
    debug!(
        target: LIFE, guid, %receipt, %webhook, event = decision.summary.event,
        matches = decision.matches.len(), error = decision.error.as_deref(),
        repeats = repeats.map(|repeats| repeated(repeats.kind)),
        earlier = repeats.map(|repeats| display(repeats.receipt)),
        "routed"
    );
    for found in &decision.matches {
        let (delivery, subscription) = (found.delivery, found.name.as_str());
        let line = standing(found.outcome);
        debug!(target: LIFE, guid, %receipt, %delivery, subscription, "{line}");
    }
}

/// An attempt that was made.
pub(super) fn attempted(finished: &Finished) {
    let attempted = &finished.attempted;
    let (verdict, due, reason) = match &attempted.verdict {
        Verdict::Delivered => ("delivered", None, None),
        Verdict::Retry { at } => ("retry", Some(display(at)), None),
        Verdict::DeadLettered { reason } => ("dead_lettered", None, Some(reason.as_str())),
        Verdict::Paused => ("paused", None, None),
    };
    let (status, error, detail) = match &attempted.outcome {
        Outcome::Status(status) => (Some(*status), None, None),
        Outcome::Error { class, detail } => (None, Some(class.as_str()), Some(detail.as_str())),
    };
    macro_rules! line {
        ($level:ident, $text:literal) => {
            $level!(
                target: LIFE, guid = finished.guid, receipt = %attempted.receipt,
                delivery = %attempted.delivery,
                subscription = finished.target.subscription().spec.name,
                number = attempted.number, micros = attempted.duration_us,
                status, error, detail, verdict, due, reason,
                $text
            )
        };
    }
    if attempted.verdict == Verdict::Delivered {
        line!(debug, "delivered");
    } else {
        line!(info, "an attempt failed");
    }
}

/// A dead letter that a redelivery opens again: both receipts have the same GUID.
pub(super) fn requeued(guid: &str, requeued: &Requeued) {
    Effect::requeued(requeued).show(guid);
}

/// What a command or a deletion does to one delivery, and where its webhook stands.
pub(super) struct Effect {
    receipt: ReceiptId,
    delivery: DeliveryId,
    subscription: String,
    because: String,
    line: &'static str,
}

impl Effect {
    /// Of a requeued or cancelled delivery; other events are none.
    pub(super) fn of(event: &Event) -> Option<Self> {
        match event {
            Event::Requeued(requeued) => Some(Self::requeued(requeued)),
            Event::Cancelled(cancelled) => Some(Self::cancelled(cancelled)),
            _ => None,
        }
    }

    /// Its delivery.
    pub(super) const fn delivery(&self) -> DeliveryId {
        self.delivery
    }

    fn requeued(event: &Requeued) -> Self {
        Self {
            receipt: event.receipt,
            delivery: event.delivery,
            subscription: event.subscription.to_string(),
            because: reason(&event.because),
            line: "requeued",
        }
    }

    fn cancelled(event: &Cancelled) -> Self {
        Self {
            receipt: event.receipt,
            delivery: event.delivery,
            subscription: event.subscription.to_string(),
            because: reason(&event.because),
            line: "cancelled",
        }
    }

    fn show(&self, guid: &str) {
        let Self {
            receipt,
            delivery,
            subscription,
            because,
            line,
        } = self;
        debug!(target: LIFE, guid, %receipt, %delivery, subscription, because, "{line}");
    }
}

/// Shows effects with the GUIDs of their webhooks, which stand in the log alone.
pub(super) async fn effects(log: Arc<dyn EventLog>, all: Vec<(Position, Effect)>) {
    let one = ReadLimit {
        records: 1,
        bytes: 0,
    };
    for (webhook, effect) in all {
        let found = log.read(webhook, one).await.unwrap_or_default();
        let record = found.first().filter(|record| record.position == webhook);
        effect.show(&record.map(|record| guid(record)).unwrap_or_default());
    }
}

/// The GUID of a webhook, as GitHub sent it.
pub(super) fn guid(webhook: &Record) -> String {
    let guid = webhook.header("x-github-delivery");
    let guid = guid.map(|guid| String::from_utf8_lossy(guid).into_owned());
    guid.unwrap_or_default()
}

fn reason(because: &Because) -> String {
    match because {
        Because::Command(command) => format!("command {command}"),
        Because::Redelivery(receipt) => format!("redelivery {receipt}"),
        Because::SubscriptionDeleted(event) => format!("subscription deleted by {event}"),
    }
}

const fn standing(outcome: MatchOutcome) -> &'static str {
    match outcome {
        MatchOutcome::Owed => "owed",
        MatchOutcome::AlreadyOpen => "not owed again: it is open",
        MatchOutcome::AlreadyDelivered => "not owed again: it was delivered",
        MatchOutcome::RequeuedDeadLetter => "owed again: it was a dead letter",
        MatchOutcome::SubscriptionDeleted => "not owed: the subscription is deleted",
    }
}

const fn repeated(kind: RepeatKind) -> &'static str {
    match kind {
        RepeatKind::Redelivery => "redelivery",
        RepeatKind::OtherHook => "other_hook",
        RepeatKind::Conflict => "conflict",
        RepeatKind::ReplaySuspect => "replay_suspect",
    }
}
