//! Tells how all projections of somebody's own are, and takes orders about them.

use super::keeper::OwnHandle;
use super::status::{OwnState, OwnStatus};
use super::store::OwnError;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why an order was not taken.
#[derive(Debug, thiserror::Error)]
pub enum OwnDeskError {
    /// There is no such projection.
    #[error("there is no projection {0} of your own; `hooklog projection list` shows them")]
    NoSuch(String),
    /// Another process writes its tables, or it has not begun.
    #[error(
        "{0} is not written by this process: ask the one that writes the tables, or wait until it has begun"
    )]
    Elsewhere(String),
    /// Nothing is kept of this version.
    #[error(
        "{name} keeps no tables of version {version}; `hooklog projection list` shows what it keeps"
    )]
    NotKept {
        /// The projection.
        name: String,
        /// The version.
        version: u32,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] OwnError),
}

/// Tells how they are, and takes orders. Clones share them. The default one has none.
#[derive(Clone, Default)]
pub struct OwnDesk(Arc<Mutex<Kept>>);

/// What is kept.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) handles: BTreeMap<String, OwnHandle>,
    /// What cannot be kept, and why.
    pub(super) failed: BTreeMap<String, String>,
}

impl OwnDesk {
    /// How each of them is, by name.
    #[must_use]
    pub fn statuses(&self) -> Vec<OwnStatus> {
        let kept = self.kept();
        let failed = kept.failed.iter();
        let failed = failed.map(|(name, error)| OwnStatus::failed(name, error.clone()));
        let kept = kept.handles.values().map(OwnHandle::status);
        kept.chain(failed).collect()
    }

    /// Whether there is one with this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.kept().handles.contains_key(name)
    }

    /// Has new tables built from the start of the log, beside the ones that answer.
    ///
    /// # Errors
    /// When there is none with this name.
    pub fn rebuild(&self, name: &str) -> Result<(), OwnDeskError> {
        self.handle(name)?.rebuild();
        Ok(())
    }

    /// Drops the tables that are kept of a version.
    ///
    /// # Errors
    /// When there are none, or the store fails.
    pub async fn drop_kept(&self, name: &str, version: u32) -> Result<(), OwnDeskError> {
        let handle = self.handle(name)?;
        match handle.drop_kept(version).await? {
            true => Ok(()),
            false => Err(OwnDeskError::NotKept {
                name: name.to_owned(),
                version,
            }),
        }
    }

    fn handle(&self, name: &str) -> Result<OwnHandle, OwnDeskError> {
        let handle = self.kept().handles.get(name).cloned();
        let handle = handle.ok_or_else(|| OwnDeskError::NoSuch(name.to_owned()))?;
        match handle.status().state {
            OwnState::Waits => Err(OwnDeskError::Elsewhere(name.to_owned())),
            _ => Ok(handle),
        }
    }

    /// What is kept now; it is not held for long.
    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
