//! Rebuilds: fold the log from its start into fresh tables, then switch to them.

use super::feed;
use super::runner::{ProjectError, load, open_tables};
use super::store::{Advance, ProjectionStore, StoreError};
use super::{Projector, ProjectorParts, Unfit};
use crate::log::EventLog;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::configuration::Configuration;
use hooklog_projections::folding::{Changes, Folding, Holding, Wanted};
use hooklog_projections::projection::{PROJECTIONS, with_what_they_read};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Records folded.
    pub folded: u64,
    /// Records in all.
    pub total: u64,
    /// Since the start.
    pub elapsed: Duration,
    /// All are folded; indexes are being made, then queries are switched.
    pub finishing: bool,
}

impl Progress {
    /// Records folded per second.
    #[must_use]
    pub fn rate(&self) -> u64 {
        let micros = self.elapsed.as_micros().max(1);
        u64::try_from(u128::from(self.folded) * 1_000_000 / micros).unwrap_or(u64::MAX)
    }

    /// How long the rest will take at this rate; none while nothing is known.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        let left = self.total.saturating_sub(self.folded);
        left.checked_div(self.rate()).map(Duration::from_secs)
    }
}

/// Why there was no rebuild. The tables are as they were.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// There is no such projection.
    #[error("{name:?} is not a projection; there are {known}")]
    Name {
        /// The name that was given.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// The log or the store failed.
    #[error(transparent)]
    Project(#[from] ProjectError),
}

/// Records folded between two transactions. Large ones write each page less often.
const EVENTS: usize = 26_000;

/// How many open deliveries are remembered, at about 500 bytes each. Tests have too many for it.
const OPEN_MAX: usize = if cfg!(test) { 20 } else { 100_000 };

/// Rebuilds the projections `names` (all, for none) and those that their folds read, from the start
/// of the log. `parts` is as for a projector. It holds the lease of the tables to the end, so no
/// projector may have it: they stand by meanwhile.
///
/// The tables that stay are first brought to the end of the log, so that all of them stand at the
/// same checkpoint. Tables of another log or another release are all rebuilt, whatever the names.
///
/// # Errors
/// When a name is no projection's, or the log or the store fails. Nothing has changed then.
pub async fn rebuild(
    mut parts: ProjectorParts,
    names: &[String],
    mut progress: impl FnMut(Progress) + Send,
) -> Result<(), RebuildError> {
    let mut chosen = with_what_they_read(names).map_err(|name| RebuildError::Name {
        name,
        known: PROJECTIONS.map(|p| p.name).join(", "),
    })?;
    let log = std::sync::Arc::clone(&parts.log);
    let lease = Duration::from_millis(parts.config.lease_ms);
    let acquired = parts.store.acquire(&parts.writer, lease).await;
    acquired.map_err(ProjectError::from)?;
    let mut store = if chosen.len() < PROJECTIONS.len() {
        match up_to_date(parts).await? {
            Tables::Ready(store) => store,
            Tables::Unfit(store) => {
                chosen = PROJECTIONS.to_vec();
                store
            }
        }
    } else {
        parts.store
    };
    let id = feed::log_id(log.as_ref())
        .await
        .map_err(ProjectError::from)?;
    let start = Checkpoint::start(id.ok_or(ProjectError::Empty)?);
    let built = store.build(&chosen, &start).await;
    let built = built.map_err(ProjectError::from)?;
    drop(store);
    let names: Vec<_> = chosen.iter().map(|p| p.name).collect();
    let started = Instant::now();
    let (built, checkpoint) = fold(log.as_ref(), built, start, &names, &mut progress).await?;
    progress(Progress {
        finishing: true,
        ..told(log.as_ref(), &checkpoint, started).await?
    });
    let switched = built.switch(&checkpoint).await;
    Ok(switched.map_err(ProjectError::from)?)
}

enum Tables {
    Ready(Box<dyn ProjectionStore>),
    Unfit(Box<dyn ProjectionStore>),
}

/// Brings the tables that stay to the end of the log, if they are fit to stay.
async fn up_to_date(mut parts: ProjectorParts) -> Result<Tables, ProjectError> {
    match open_tables(parts.log.as_ref(), parts.store.as_mut()).await {
        Ok(_) => {}
        Err(ProjectError::Unfit(unfit)) => {
            report(&unfit);
            return Ok(Tables::Unfit(parts.store));
        }
        Err(error) => return Err(error),
    }
    let mut projector = Projector::open(parts).await?;
    projector.catch_up().await?;
    Ok(Tables::Ready(projector.into_store()))
}

fn report(unfit: &Unfit) {
    tracing::info!(%unfit, "all projections are rebuilt");
}

type Store = Box<dyn ProjectionStore>;

/// Folds the whole log. While a batch is written, the next one is read and folded.
async fn fold(
    log: &dyn EventLog,
    store: Store,
    start: Checkpoint,
    names: &[&str],
    progress: &mut (impl FnMut(Progress) + Send),
) -> Result<(Store, Checkpoint), ProjectError> {
    let started = Instant::now();
    let mut from = start.clone();
    let mut folding = Folding::resume(start, Configuration::default(), &[], OPEN_MAX)
        .map_err(feed::FeedError::from)?;
    let mut writer = Writer::Idle(store);
    loop {
        let batch = feed::read(log, folding.checkpoint(), EVENTS).await?;
        if batch.records.is_empty() {
            break;
        }
        let wanted = folding.wanted_before(&batch.records);
        if !wanted.keys.is_empty() && is_built(names, &wanted) {
            let mut store = writer.finish().await?;
            load(&mut folding, store.as_mut(), &wanted).await?;
            writer = Writer::Idle(store);
        }
        for some in batch.records.chunks(feed::EVENTS_PER_TURN) {
            some.iter().for_each(|decoded| folding.fold(decoded));
            tokio::task::yield_now().await;
        }
        writer = write(writer, &mut folding, from, names, Holding::Open).await?;
        from = folding.checkpoint().clone();
        progress(told(log, folding.checkpoint(), started).await?);
    }
    let writer = write(writer, &mut folding, from, names, Holding::Nothing).await?;
    let store = writer.finish().await?;
    Ok((store, folding.checkpoint().clone()))
}

/// Whether the table is among those that are built. What the others say is not kept, so it does not
/// matter that their rows are not seen.
fn is_built(names: &[&str], wanted: &Wanted) -> bool {
    let built = PROJECTIONS.iter().filter(|p| names.contains(&p.name));
    let mut tables = built.flat_map(|p| p.tables);
    tables.any(|table| table.name == wanted.table.name)
}

/// A store, or the task that writes to it.
enum Writer {
    Idle(Store),
    Busy(JoinHandle<Result<Store, StoreError>>),
}

impl Writer {
    async fn finish(self) -> Result<Store, ProjectError> {
        match self {
            Self::Idle(store) => Ok(store),
            Self::Busy(task) => {
                let ended = task.await.map_err(|error| StoreError::Failed {
                    doing: "writing rows",
                    reason: error.to_string(),
                })?;
                Ok(ended?)
            }
        }
    }
}

async fn write(
    writer: Writer,
    folding: &mut Folding,
    from: Checkpoint,
    names: &[&str],
    holding: Holding,
) -> Result<Writer, ProjectError> {
    let wanted = folding.wanted_after();
    let mut store = writer.finish().await?;
    for wanted in wanted.iter().filter(|wanted| is_built(names, wanted)) {
        load(folding, store.as_mut(), wanted).await?;
    }
    let mut changes: Changes = folding.take(holding);
    changes.retain(names);
    let to = folding.checkpoint().clone();
    let task = tokio::spawn(async move {
        let advance = Advance {
            from: &from,
            to: &to,
        };
        store.write(changes, advance).await?;
        Ok(store)
    });
    Ok(Writer::Busy(task))
}

async fn told(
    log: &dyn EventLog,
    checkpoint: &Checkpoint,
    started: Instant,
) -> Result<Progress, ProjectError> {
    let folded = checkpoint.positions().map(|p| p.offset.0).sum();
    Ok(Progress {
        folded,
        total: folded + feed::behind(log, checkpoint).await?,
        elapsed: started.elapsed(),
        finishing: false,
    })
}
