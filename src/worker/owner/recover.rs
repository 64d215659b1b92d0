//! Begins anew after the log was away.

use super::Owner;
use crate::log::{AppendError, ReadError};
use crate::worker::WorkerError;
use crate::worker::batch::Batch;
use hooklog_schemas::Event;
use std::time::Duration;

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

    /// Keeps the outcomes of a batch whose append failed: they are said again as evidence, since
    /// what was delivered need not be tried again.
    pub(super) fn keep_outcomes(&mut self, batch: Batch) {
        let outcome = |event: &Event| matches!(event, Event::Attempted(_));
        let outcomes = batch.events.into_iter().filter(|(_, event)| outcome(event));
        self.unrecorded.extend(outcomes);
    }
}
