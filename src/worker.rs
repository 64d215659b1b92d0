//! Owns partitions: folds them, routes, schedules attempts and records their outcomes.
//!
//! One loop owns all partitions that are assigned to this process. A turn of it gathers all that is to be recorded (decisions,
//! outcomes, effects of commands), appends it at once, folds it in log order, and only then acts
//! on it. So what a worker does is always a consequence of what stands in the log.

mod attempt;
mod batch;
mod commands;
mod erasure;
mod fold;
mod identities;
mod lines;
mod owner;
mod replays;
mod room;
mod routing;
mod schedule;
pub(crate) mod snapshot;

pub use fold::{Aim, Change, Delivery, Fold};
pub use schedule::{Ended, Entry, Limits, Queue, Schedule, Slot};
pub use snapshot::{Found, Sealed, SnapshotFiles, SnapshotStore};

use crate::clock::Clock;
use crate::config::DeliverConfig;
use crate::control::Control;
use crate::deliver::Transport;
use crate::deliver::egress::Egress;
use crate::keyring::Keyring;
use crate::log::{AppendError, EventLog, ReadError};
use crate::metrics::Metrics;
use hooklog_schemas::{DecodeError, EventId, Offset};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What a worker is made of.
pub struct WorkerParts {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// The configuration in force. Somebody else follows it; the worker reads and waits.
    pub control: Arc<Control>,
    /// Opens the secrets that sign.
    pub keyring: Arc<Keyring>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Limits.
    pub config: DeliverConfig,
    /// What is counted.
    pub metrics: Metrics,
    /// Makes attempts.
    pub transport: Arc<dyn Transport>,
    /// The egress rules.
    pub egress: Arc<Egress>,
    /// Where folds are saved, which can be thrown away.
    pub snapshots: Arc<dyn SnapshotStore>,
    /// The data folder: the index of identities, which can be thrown away.
    pub data: PathBuf,
    /// The `process.started` event of this process.
    pub process: EventId,
}

/// Why a worker stopped. Starting again is always safe: all that it owes stands in the log.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The log did not take what the worker recorded.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record is not understood.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Another worker owns a partition now, and nobody settles who should.
    #[error("another worker has taken over deliveries/{0}; this one stops")]
    Superseded(u32),
    /// Webhooks that have their decision are not in the log: what comes in at their offsets now
    /// would never be routed.
    #[error(
        "webhooks/{partition} ends before {tail}, but webhooks before {routed} were routed: a part \
         of the log is missing; bring the folder of webhooks back from a copy"
    )]
    Missing {
        /// The partition.
        partition: u32,
        /// The end of what was routed.
        routed: Offset,
        /// The end of what is there.
        tail: Offset,
    },
    /// The index of identities cannot be used.
    #[error(
        "the index of identities: {0}; the folder can be deleted while the server is stopped, and is filled again from the log"
    )]
    Identities(#[from] fjall::Error),
}

/// The owner of the partitions that are assigned to this process.
pub struct Worker;

impl Worker {
    /// Owns what is assigned to it until `shutdown`; `ready` is true while all of that is restored and
    /// acquired. While the log is away it begins anew.
    ///
    /// After `shutdown` no attempt starts; those under way are awaited for a few seconds and
    /// recorded, then a snapshot is written.
    ///
    /// # Errors
    /// When the log fails, holds what this release does not know, or another worker took over.
    pub async fn run(
        parts: WorkerParts,
        ready: watch::Sender<bool>,
        shutdown: CancellationToken,
    ) -> Result<(), WorkerError> {
        let mut owner = owner::Owner::open(parts, ready.clone(), shutdown.clone())?;
        loop {
            let ended = owner.work().await;
            ready.send_replace(false);
            match ended {
                Err(error) if owner::Owner::passes(&error) && !shutdown.is_cancelled() => {
                    owner.recover(&error).await?;
                }
                ended => return ended,
            }
        }
    }
}

#[cfg(test)]
mod tests;
