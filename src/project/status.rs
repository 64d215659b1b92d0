//! What a projector does, and how far it is, as seen from outside.

use super::feed;
use crate::log::{EventLog, ReadError};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_schemas::Position;
use std::sync::Arc;
use tokio::sync::watch;

/// What a projector does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It writes the tables.
    Writes,
    /// Another process writes them; this one takes over when that one stops.
    StandsBy {
        /// The other.
        writer: String,
    },
    /// It waits for the store, or for the log.
    Waits {
        /// What the store or the log says.
        reason: String,
    },
}

impl Standing {
    pub(super) fn waits(error: &impl std::fmt::Display) -> Self {
        Self::Waits {
            reason: error.to_string(),
        }
    }
}

/// Tells from outside how far a projector is.
#[derive(Clone)]
pub struct Status {
    pub(super) log: Arc<dyn EventLog>,
    pub(super) reached: watch::Receiver<Checkpoint>,
    pub(super) standing: watch::Receiver<Standing>,
}

impl Status {
    /// Records that are not in the tables yet.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn lag(&self) -> Result<u64, ReadError> {
        let checkpoint = self.checkpoint();
        feed::behind(self.log.as_ref(), &checkpoint).await
    }

    /// Up to where the log is in the tables.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        self.reached.borrow().clone()
    }

    /// What it does now.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Resolves when it does this; false if the projector ended before.
    pub async fn stands(&self, wanted: impl Fn(&Standing) -> bool) -> bool {
        let mut standing = self.standing.clone();
        standing.wait_for(wanted).await.is_ok()
    }

    /// Resolves when everything before these positions is in the tables; false if the projector
    /// ended before.
    pub async fn reached(&self, positions: &[Position]) -> bool {
        let mut reached = self.reached.clone();
        let there = |checkpoint: &Checkpoint| {
            let mut all = positions.iter();
            all.all(|p| checkpoint.next(p.topic, p.partition).offset >= p.offset)
        };
        reached.wait_for(there).await.is_ok()
    }
}
