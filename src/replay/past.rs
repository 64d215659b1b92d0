//! The destinations that subscriptions had earlier.

use super::ReplayError;
use crate::log::{EventLog, ReadLimit};
use hooklog_projections::configuration::{Configuration, Folded};
use hooklog_schemas::{Event, Offset, Partition, Position, SubscriptionId, Topic};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every destination that a subscription ever had, by the event of `control` that set it.
#[derive(Clone, Debug, Default)]
pub struct Destinations {
    next: Offset,
    by: BTreeMap<SubscriptionId, Vec<(Offset, Arc<str>)>>,
}

impl Destinations {
    /// Reads them from the start of `control` up to `end`.
    ///
    /// # Errors
    /// When the log cannot be read, or holds an event that this release does not know.
    pub async fn read(log: &dyn EventLog, end: Offset) -> Result<Self, ReplayError> {
        let mut found = Self::default();
        let mut configuration = Configuration::default();
        each(log, end, |at, id, event| {
            if configuration.fold(at, id, &event) == Folded::Applied {
                found.note(at, &event);
            }
        })
        .await?;
        found.next = end;
        Ok(found)
    }

    /// Whether everything before `offset` of `control` is in it.
    #[must_use]
    pub fn reach(&self, offset: Offset) -> bool {
        offset <= self.next
    }

    /// Whether it holds all that the other one holds.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.reach(other.next)
    }

    /// The destination that a subscription had by the configuration that ends with the event at `at`,
    /// and the event that set it.
    #[must_use]
    pub fn at(&self, subscription: SubscriptionId, at: Offset) -> Option<(Offset, &str)> {
        let all = self.by.get(&subscription)?;
        let (set_by, to) = all.iter().rev().find(|(set_by, _)| *set_by <= at)?;
        Some((*set_by, to))
    }

    /// The destination that an event set.
    #[must_use]
    pub fn set_by(&self, subscription: SubscriptionId, event: Offset) -> Option<&str> {
        let all = self.by.get(&subscription)?;
        let (_, to) = all.iter().find(|(set_by, _)| *set_by == event)?;
        Some(to)
    }

    fn note(&mut self, at: Offset, event: &Event) {
        let (id, to) = match event {
            Event::SubscriptionCreated(created) => (created.id, &created.spec.to),
            Event::SubscriptionChanged(changed) => (changed.id, &changed.spec.to),
            _ => return,
        };
        let all = self.by.entry(id).or_default();
        if all.last().is_none_or(|(_, last)| **last != **to) {
            all.push((at, to.as_str().into()));
        }
    }
}

async fn each(
    log: &dyn EventLog,
    end: Offset,
    mut with: impl FnMut(Offset, hooklog_schemas::EventId, Event),
) -> Result<(), ReplayError> {
    let mut at = Position::new(Topic::Control, Partition(0), Offset(0));
    while at.offset < end {
        let records = log.read(at, ReadLimit::default()).await?;
        let Some(last) = records.last() else { break };
        at.offset = last.position.offset.next();
        let inside = records.iter().filter(|r| r.position.offset < end);
        for record in inside {
            with(
                record.position.offset,
                record.event_id,
                Event::decode(record)?,
            );
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}
