//! Writes snapshots of partitions now and then, in another task, and at the end.

use super::Owner;
use crate::worker::snapshot::Saved;
use hooklog_schemas::{EventId, Partition};
use std::io;
use std::sync::Arc;
use uuid::Uuid;

/// Records of a partition after which it is saved again, at the least.
const SAVE_EVERY: u64 = 20_000;

impl Owner {
    /// Starts to save the first partition that has moved on far enough, unless one is being saved.
    pub(super) fn save_some(&mut self) {
        if self.saving.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let due = self.owned.values_mut().find(|owned| {
            // The more there is to write, the rarer: the work stays a fraction of the folding.
            let open = u64::try_from(owned.fold.deliveries.len()).unwrap_or(u64::MAX);
            owned.fold.next.0 - owned.saved.0 >= SAVE_EVERY.max(open / 4)
        });
        if let Some(owned) = due {
            owned.saved = owned.fold.next;
            let (partition, saved) = (owned.partition, owned.fold.save());
            self.saving = Some(self.save(partition, saved));
        }
    }

    /// Saves every partition that has moved on.
    pub(super) async fn save_all(&mut self) {
        if let Some(saving) = self.saving.take() {
            // Its own outcome was logged where it ran.
            let _ = saving.await;
        }
        let all: Vec<Partition> = self.owned.keys().copied().collect();
        for partition in all {
            self.save_one(partition).await;
        }
    }

    /// Saves a partition if it has moved on.
    pub(super) async fn save_one(&mut self, partition: Partition) {
        if let Some(owned) = self.owned.get_mut(&partition)
            && owned.fold.next > owned.saved
        {
            owned.saved = owned.fold.next;
            let saved = owned.fold.save();
            let _ = self.save(partition, saved).await;
        }
    }

    fn save(&self, partition: Partition, saved: Saved) -> tokio::task::JoinHandle<()> {
        let snapshots = Arc::clone(&self.parts.snapshots);
        let (marker, log) = (self.identities.marker(), log_id(&self.parts.control));
        tokio::spawn(async move {
            let next = saved.head.next;
            let sealing = tokio::task::spawn_blocking(move || {
                // What the snapshot's position lies behind is not replayed into the index again.
                let marked = marker.mark(partition, next);
                marked
                    .and_then(|()| marker.persist())
                    .map_err(io::Error::other)?;
                saved.seal(log, partition).map_err(io::Error::other)
            });
            let written = match sealing.await.map_err(io::Error::other) {
                Ok(Ok(sealed)) => snapshots.put(partition, sealed).await,
                Ok(Err(error)) | Err(error) => Err(error),
            };
            if let Err(error) = written {
                tracing::warn!(%partition, %error, "no snapshot was written; the next start folds more");
            }
        })
    }
}

/// The log's id; before the log is named, that of no log.
pub(super) fn log_id(control: &crate::control::Control) -> EventId {
    let named = control.current().log.map(|(id, _)| id);
    named.unwrap_or(EventId(Uuid::nil()))
}
