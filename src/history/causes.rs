//! What a record names that stands elsewhere in the log. Pure.

use hooklog_projections::configuration::Configuration;
use hooklog_schemas::deliveries::Because;
use hooklog_schemas::webhook::{RECEIVED, Received};
use hooklog_schemas::{DecodeError, Event, EventId, Offset, Record, Topic};

/// What one record names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Causes {
    /// A webhook, by its offset in the partition of the same number.
    pub(super) webhook: Option<Offset>,
    /// A configuration, by its offset in `control`.
    pub(super) configuration: Option<Offset>,
    /// A command or a deletion in `control`, by its id.
    pub(super) event: Option<EventId>,
    /// An owner routed a webhook that just came, in their order, by all that it knew.
    pub(super) live: bool,
}

impl Causes {
    /// What `record` names. What was ordered to be erased names nothing and is not named, so that it
    /// makes no difference whether its bytes are gone, or even its place.
    pub(super) fn of(record: &Record, configuration: &Configuration) -> Result<Self, DecodeError> {
        match record.position.topic {
            Topic::Webhooks => Self::of_webhook(record, configuration),
            Topic::Deliveries => {
                let mut causes = Self::of_event(&Event::decode(record)?);
                let gone = |offset| configuration.erased.at(record.position.partition, offset);
                if causes.webhook.and_then(gone).is_some() {
                    causes.webhook = None;
                    causes.live = false;
                }
                Ok(causes)
            }
            Topic::Control => Ok(Self::default()),
        }
    }

    fn of_webhook(record: &Record, configuration: &Configuration) -> Result<Self, DecodeError> {
        let position = record.position;
        let erased = configuration.erased.at(position.partition, position.offset);
        if record.value.is_none() || record.event_type != RECEIVED || erased.is_some() {
            return Ok(Self::default());
        }
        let received = Received::decode(record)?;
        Ok(Self {
            configuration: Some(received.configuration.offset),
            ..Self::default()
        })
    }

    /// Receipts and deliveries are named too, by records behind the decision that made them, in the
    /// same partition, so they are inside when those are. The process that acquired a partition is
    /// neither a webhook nor a configuration.
    fn of_event(event: &Event) -> Self {
        match event {
            Event::Routed(routed) => Self {
                webhook: Some(routed.webhook),
                configuration: Some(routed.configuration.offset),
                event: None,
                live: routed.cause == "live",
            },
            Event::Attempted(attempted) => Self {
                configuration: Some(attempted.configuration.offset),
                ..Self::default()
            },
            Event::Requeued(requeued) => Self::because(&requeued.because),
            Event::Cancelled(cancelled) => Self::because(&cancelled.because),
            Event::CommandApplied(applied) => Self::event(applied.command),
            _ => Self::default(),
        }
    }

    fn because(because: &Because) -> Self {
        match because {
            Because::Command(id) | Because::SubscriptionDeleted(id) => Self::event(*id),
            Because::Redelivery(_) => Self::default(),
        }
    }

    fn event(id: EventId) -> Self {
        Self {
            event: Some(id),
            ..Self::default()
        }
    }
}
