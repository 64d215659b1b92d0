//! Begins anew after the log was away.

use super::Owner;
use crate::log::{AppendError, ReadError};
use crate::worker::WorkerError;
use crate::worker::batch::{Batch, Term};
use hooklog_schemas::{Event, Offset, Partition};
use std::time::Duration;

/// Outcomes that nobody knows to be recorded, since their append failed.
pub(super) struct Unsettled {
    /// They stand from here on, if anywhere.
    from: Offset,
    events: Vec<(Term, Event)>,
}

/// The pause before a worker that lost its log begins anew.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Owner {
    /// Whether waiting may mend it.
    pub(in crate::worker) const fn passes(error: &WorkerError) -> bool {
        matches!(
            error,
            WorkerError::Append(AppendError::Unavailable(_))
                | WorkerError::Read(ReadError::Unavailable(_))
        )
    }

    /// Gives everything up and takes part again. Nobody knows what of the last append is in the
    /// log, so everything is folded anew from there; attempts under way are not forgotten.
    pub(in crate::worker) async fn recover(
        &mut self,
        error: &WorkerError,
    ) -> Result<(), WorkerError> {
        tracing::error!(%error, "the worker begins anew when the log is back");
        self.ownership.leave().await;
        self.leaving.clear();
        self.restoring.clear();
        self.contested.clear();
        let owned: Vec<_> = self.owned.keys().copied().collect();
        for partition in owned {
            self.drop_partition(partition);
        }
        self.identities.discard();
        self.changes.clear();
        self.fresh.clear();
        self.decided = 0;
        self.told.clear();
        self.assigned = false;
        self.show_ready();
        tokio::select! {
            () = tokio::time::sleep(AGAIN_AFTER) => {}
            () = self.shutdown.cancelled() => {}
        }
        self.ownership = self.parts.log.own()?;
        Ok(())
    }

    /// Keeps the outcomes of a batch whose append failed: what was delivered need not be tried
    /// again.
    pub(super) fn keep_outcomes(&mut self, batch: Batch) {
        for (term, event) in batch.events {
            if !matches!(event, Event::Attempted(_) | Event::Answered(_)) {
                continue;
            }
            let owned = self.owned.get(&term.partition);
            let next = owned.map(|owned| owned.fold.next);
            let unsettled = self.unsettled.entry(term.partition).or_insert(Unsettled {
                from: next.or(term.epoch).unwrap_or_default(),
                events: Vec::new(),
            });
            unsettled.events.push((term, event));
        }
    }

    /// The outcomes whose append failed and which are not in the log after all. They are said again
    /// in the term of their attempt: under a later owner they are evidence.
    pub(super) async fn settle(&mut self) -> Result<Batch, WorkerError> {
        let mut batch = Batch::default();
        while let Some((partition, mut unsettled)) = self.unsettled.pop_first() {
            let settled = self.find(partition, &mut unsettled).await;
            if let Err(error) = settled {
                self.unsettled.insert(partition, unsettled);
                self.keep_outcomes(batch);
                return Err(error);
            }
            batch.events.append(&mut unsettled.events);
        }
        Ok(batch)
    }

    /// Leaves out what is in the log.
    async fn find(
        &self,
        partition: Partition,
        unsettled: &mut Unsettled,
    ) -> Result<(), WorkerError> {
        let mut next = unsettled.from;
        loop {
            let records = self.read(partition, next).await?;
            let Some(last) = records.last() else {
                return Ok(());
            };
            next = last.position.offset.next();
            for record in records.iter().filter(|record| record.value.is_some()) {
                let found = Event::decode(record)?;
                unsettled.events.retain(|(_, event)| !same(event, &found));
            }
        }
    }
}

/// Whether both tell of the same attempt.
fn same(one: &Event, other: &Event) -> bool {
    match (one, other) {
        (Event::Attempted(one), Event::Attempted(other)) => {
            one.delivery == other.delivery && one.started_at == other.started_at
        }
        (Event::Answered(one), Event::Answered(other)) => {
            one.delivery == other.delivery && one.started_at == other.started_at
        }
        _ => false,
    }
}
