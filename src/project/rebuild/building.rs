//! A set of tables that is being filled, with the fold that fills it.

use crate::log::EventLog;
use crate::project::feed;
use crate::project::fits;
use crate::project::runner::{ProjectError, load};
use crate::project::store::{Advance, ProjectionStore, StoreError, Stored};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::folding::Folding;
use hooklog_projections::layout::Layout;
use hooklog_schemas::EventId;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// How many open deliveries are remembered, at about 500 bytes each. Tests have too many for it.
const OPEN_MAX: usize = if cfg!(test) { 20 } else { 100_000 };

type Store = Box<dyn ProjectionStore>;

/// A set that is being filled. Every write is complete, its checkpoint too, so that whoever goes on
/// with the set after any end goes on where the last write was.
pub(super) struct Building {
    log: Arc<dyn EventLog>,
    pub(super) name: String,
    pub(super) versions: BTreeMap<String, u32>,
    layout: Layout,
    folding: Folding,
    writer: Writer,
    /// Up to where it is written, or being written.
    written: Checkpoint,
}

/// A store, or the task that writes to it.
enum Writer {
    Idle(Store),
    Busy(JoinHandle<Result<Store, StoreError>>),
    /// A write failed.
    Gone,
}

impl Building {
    /// Goes on with the set `name`.
    pub(super) async fn open(
        log: Arc<dyn EventLog>,
        id: EventId,
        name: String,
        mut store: Store,
    ) -> Result<Self, ProjectError> {
        let stored: Option<Stored> = store.stored().await?;
        let stored = stored.ok_or_else(|| StoreError::NoSet(name.clone()))?;
        let layout = fits(&stored, id)?;
        if let Some(unfit) = feed::is_within(log.as_ref(), &stored.checkpoint).await? {
            return Err(unfit.into());
        }
        let written = stored.checkpoint.clone();
        let at = stored.checkpoint;
        let folding = feed::resume(log.as_ref(), store.as_mut(), &layout, at, OPEN_MAX).await?;
        Ok(Self {
            log,
            name,
            versions: stored.versions,
            layout,
            folding,
            writer: Writer::Idle(store),
            written,
        })
    }

    /// Up to where it has folded.
    pub(super) const fn checkpoint(&self) -> &Checkpoint {
        self.folding.checkpoint()
    }

    /// Folds up to `events` records, none at or after `until`, and begins to write what changed;
    /// tells how many there were.
    pub(super) async fn step(
        &mut self,
        events: usize,
        until: Option<&Checkpoint>,
    ) -> Result<u64, ProjectError> {
        let batch = feed::read(self.log.as_ref(), self.checkpoint(), events, until).await?;
        if batch.records.is_empty() {
            // Behind the last record that is there compaction may have taken some.
            if let Some(until) = until {
                self.folding.read_up_to(until);
            }
            self.write().await?;
            self.settle().await?;
            return Ok(0);
        }
        let wanted = self.folding.wanted_before(&batch.records);
        if let Some(wanted) = self.layout.wanted(wanted) {
            let mut store = self.settled().await?;
            load(&mut self.folding, store.as_mut(), &self.layout, wanted).await?;
            self.writer = Writer::Idle(store);
        }
        for some in batch.records.chunks(feed::EVENTS_PER_TURN) {
            some.iter().for_each(|decoded| self.folding.fold(decoded));
            tokio::task::yield_now().await;
        }
        self.write().await?;
        Ok(batch.records.len() as u64)
    }

    /// While this is written, the next batch can be read and folded.
    async fn write(&mut self) -> Result<(), ProjectError> {
        if self.written == *self.folding.checkpoint() {
            return Ok(());
        }
        let mut store = self.settled().await?;
        for wanted in self.folding.wanted_after() {
            if let Some(wanted) = self.layout.wanted(wanted) {
                load(&mut self.folding, store.as_mut(), &self.layout, wanted).await?;
            }
        }
        let changes = self.layout.narrow(self.folding.take());
        let to = self.folding.checkpoint().clone();
        let from = std::mem::replace(&mut self.written, to.clone());
        self.writer = Writer::Busy(tokio::spawn(async move {
            let advance = Advance {
                from: &from,
                to: &to,
            };
            store.write(changes, advance).await?;
            Ok(store)
        }));
        Ok(())
    }

    /// The store, when all is written.
    pub(super) async fn settle(&mut self) -> Result<&mut dyn ProjectionStore, ProjectError> {
        let store = self.settled().await?;
        self.writer = Writer::Idle(store);
        match &mut self.writer {
            Writer::Idle(store) => Ok(store.as_mut()),
            Writer::Busy(_) | Writer::Gone => Err(gone().into()),
        }
    }

    async fn settled(&mut self) -> Result<Store, ProjectError> {
        match std::mem::replace(&mut self.writer, Writer::Gone) {
            Writer::Idle(store) => Ok(store),
            Writer::Busy(task) => {
                let ended = task.await.map_err(|error| StoreError::Failed {
                    doing: "writing rows",
                    reason: error.to_string(),
                })?;
                Ok(ended?)
            }
            Writer::Gone => Err(gone().into()),
        }
    }
}

fn gone() -> StoreError {
    StoreError::Failed {
        doing: "writing rows",
        reason: "an earlier write failed".to_owned(),
    }
}
