//! Why a log in files is not opened: each message says what was found, and what to do.

use crate::log::lock::LockError;
use hooklog_schemas::EventId;
use std::io;
use std::path::Path;

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("another hooklog (process {pid}) owns this folder, see {path}; stop it first")]
    InUse {
        /// The lock file.
        path: String,
        /// Its process id, as it wrote it.
        pid: String,
    },
    /// The file system says no.
    #[error("{path}: {error}")]
    Io {
        /// The file or folder.
        path: String,
        /// What it says.
        error: io::Error,
    },
    /// What was written is not there any more.
    #[error(
        "{file} is damaged at byte {byte}, {position}: {reason}. Nothing was changed. \
         `hooklog log verify --data DIR` tells how much; bring the file back from a copy"
    )]
    Damaged {
        /// The segment.
        file: String,
        /// The byte at which the damage starts.
        byte: u64,
        /// The record that is there, or should be.
        position: String,
        /// What is wrong.
        reason: String,
    },
    /// A journal is gone while another one of the log has records.
    #[error(
        "{path} holds no segment, but {with} has records: a part of the log is missing. Nothing \
         was changed; bring the folder back from a copy"
    )]
    Missing {
        /// The folder without a journal.
        path: String,
        /// The folder of one with records.
        with: String,
    },
    /// Two journals are not of the same log.
    #[error(
        "the journal in {path} is of another log than the one in {beside}. Nothing was changed; \
         bring back the folder that belongs here"
    )]
    Foreign {
        /// The folder of one.
        path: String,
        /// The folder of the other.
        beside: String,
    },
    /// A copy would mix two logs.
    #[error("{path} holds log {found}, not {wanted} or a copy of it; copy into an empty folder")]
    OtherLog {
        /// The folder.
        path: String,
        /// The log that is there.
        found: EventId,
        /// The log that is to be copied.
        wanted: EventId,
    },
    /// A spool holds webhooks that belong into another log.
    #[error(
        "the spool in {path} holds webhooks for log {found}, and this log is {wanted}: drain it into \
         its own with `hooklog spool drain`, or name another folder in spool.folder"
    )]
    OtherSpool {
        /// The folder.
        path: String,
        /// The log that they are for.
        found: EventId,
        /// The log that is open.
        wanted: EventId,
    },
    /// What a spool remembers of its drain does not fit what it holds.
    #[error(
        "{path} does not tell how far the spool beside it was drained: {reason}. Nothing was changed; \
         bring the folder back from a copy"
    )]
    SpoolPosition {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The partitions of a log are fixed when it is made.
    #[error("this log has {found} partitions for ever; set log.partitions to {found}, not {asked}")]
    Partitions {
        /// What the log has.
        found: u32,
        /// What the configuration says.
        asked: u32,
    },
}

impl From<LockError> for OpenError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::InUse { path, pid } => Self::InUse { path, pid },
            LockError::Io { path, error } => Self::Io { path, error },
        }
    }
}

impl OpenError {
    pub(crate) fn io(path: &Path, error: io::Error) -> Self {
        Self::Io {
            path: path.display().to_string(),
            error,
        }
    }
}
