//! Rebuilds: fold the log from its start into fresh tables beside those that answer queries, compare
//! them, then switch. Nothing else stops meanwhile: the projector goes on to write the live tables.

mod building;
mod compare;
mod plan;
mod progress;
mod run;

pub use compare::{Compared, Found};
pub use progress::{Phase, Progress, Rebuilt};

use super::ProjectorParts;
use super::runner::ProjectError;
use super::store::{Holder, ProjectionStore, SetKind, StoreError};
use crate::config::ProjectConfig;
use building::Building;
use hooklog_projections::projection::{PROJECTIONS, with_what_they_read};
use run::Run;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// What is to be rebuilt, and how.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// The projections, and those that their folds read; all of them for none.
    pub names: Vec<String>,
    /// Begin anew, whatever an earlier run left.
    pub restart: bool,
    /// Do not compare the new tables with the old ones.
    pub unseen: bool,
    /// Others need the machine: take half of the time at the most, and wait while the live tables
    /// fall behind.
    pub gently: bool,
    /// Ends it between two batches. What is done by then stays, and the next run goes on from there.
    pub stop: CancellationToken,
}

/// Why there was no rebuild. The tables that answer queries are as they were.
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
    /// Another process does it.
    #[error("{by} is at work beside the live tables already; it is followed when it ends")]
    Running {
        /// Who.
        by: String,
    },
    /// It was told to stop.
    #[error("stopped after {folded} of {total} records; the next run goes on from there")]
    Stopped {
        /// Records that are in the new tables.
        folded: u64,
        /// Records in all.
        total: u64,
    },
    /// There is nothing to switch back to.
    #[error(
        "no tables are kept that could be switched back to; `hooklog projection list` shows them"
    )]
    NothingKept,
    /// Somebody else writes the live tables whenever we are about to switch.
    #[error("the live tables were taken back {0} times before the switch; try again")]
    Contended(u32),
    /// The log or the store failed.
    #[error(transparent)]
    Project(#[from] ProjectError),
}

impl RebuildError {
    /// `name` is no projection's.
    pub(super) fn unknown(name: String) -> Self {
        Self::Name {
            name,
            known: PROJECTIONS.map(|p| p.name).join(", "),
        }
    }

    fn of(error: StoreError) -> Self {
        match error {
            StoreError::Held { by, .. } => Self::Running { by },
            error => Self::Project(error.into()),
        }
    }
}

/// Rebuilds `order.names` from the start of the log, or from where an earlier run was stopped.
/// `parts` is as for a projector.
///
/// New tables are filled beside the live ones, brought to where those are, compared with them, and
/// switched to; what they replace is kept. Only for the switch the lease of the live tables is taken
/// from their writer, which takes it back a second later. Tables of another log, or of a release that
/// this one cannot go on with, are all rebuilt, whatever the names.
///
/// # Errors
/// When a name is no projection's, another rebuild is at work, it was stopped, or the log or the
/// store fails. The tables that answer queries have not changed then.
pub async fn rebuild(
    parts: ProjectorParts,
    order: &Order,
    progress: impl FnMut(Progress) + Send,
) -> Result<Rebuilt, RebuildError> {
    let mut chosen = with_what_they_read(&order.names).map_err(RebuildError::unknown)?;
    let mut run = Run::begin(parts, order, progress).await?;
    let live = run.live_checkpoint().await?;
    if live.is_none() {
        chosen = PROJECTIONS.to_vec();
    }
    let patience = run.patience();
    let building = loop {
        match run.plan(&chosen, live.as_ref()).await {
            Err(RebuildError::Running { .. }) if patience.lasts(order) => sleep(WAIT).await,
            planned => break planned?,
        }
    };
    run.complete(building).await
}

/// Switches back to the set `name` of tables that were replaced, or to the last that were, after it
/// was brought to where the live tables are. What it replaces is kept.
///
/// # Errors
/// As for [`rebuild`]; also when there is no such set.
pub async fn switch_back(
    parts: ProjectorParts,
    name: Option<&str>,
    order: &Order,
    progress: impl FnMut(Progress) + Send,
) -> Result<Rebuilt, RebuildError> {
    let mut run = Run::begin(parts, order, progress).await?;
    let sets = run.store.sets().await.map_err(ProjectError::from)?;
    let kept = sets.into_iter().filter(|set| set.kind == SetKind::Kept);
    let set = match name {
        Some(name) => {
            let found = kept.into_iter().find(|set| set.name == name);
            let none = || ProjectError::from(StoreError::NoSet(name.to_owned()));
            found.ok_or_else(none)?
        }
        None => kept
            .max_by_key(|set| set.since)
            .ok_or(RebuildError::NothingKept)?,
    };
    let (writer, config) = (run.writer.clone(), run.config.clone());
    let holder = holder(&writer, &config);
    let patience = run.patience();
    let beside = loop {
        let beside = run.store.reopen(&set.name, holder).await;
        match beside.map_err(RebuildError::of) {
            Err(RebuildError::Running { .. }) if patience.lasts(order) => sleep(WAIT).await,
            opened => break opened?,
        }
    };
    let building = Building::open(Arc::clone(&run.log), run.id, set.name, beside).await?;
    run.complete(building).await
}

/// Drops a set that is kept, or a build that was given up.
///
/// # Errors
/// When there is no such set, a rebuild is at work, or the store fails.
pub async fn drop_set(
    store: &mut dyn ProjectionStore,
    name: &str,
    writer: &str,
    config: &ProjectConfig,
) -> Result<(), RebuildError> {
    let dropped = store.drop_set(name, holder(writer, config)).await;
    dropped.map_err(RebuildError::of)
}

fn holder<'a>(writer: &'a str, config: &ProjectConfig) -> Holder<'a> {
    Holder {
        writer,
        lease: Duration::from_millis(config.lease_ms),
    }
}

/// Until when it is waited for somebody else's lease to end.
struct Patience(Instant);

impl Patience {
    fn lasts(&self, order: &Order) -> bool {
        Instant::now() < self.0 && !order.stop.is_cancelled()
    }
}

/// The pause before somebody else's lease, or the live tables, are looked at again.
const WAIT: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 250 });
