//! One process at a time in one data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::io::{Read, Write};
use std::path::Path;

/// Why a folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
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
        /// The file.
        path: String,
        /// What it says.
        error: io::Error,
    },
}

impl LockError {
    pub(crate) fn io(path: &Path, error: io::Error) -> Self {
        Self::Io {
            path: path.display().to_string(),
            error,
        }
    }
}

/// Holds the folder of a log until it is dropped, or the process ends however it does.
pub(crate) struct Lock(File);

impl Drop for Lock {
    /// The number of a process that is gone would only mislead.
    fn drop(&mut self) {
        // A reader may not do this, and need not.
        let _ = self.0.set_len(0);
    }
}

impl Lock {
    /// Takes the folder for writing, and leaves the process id in the lock file.
    pub(crate) fn take(dir: &Path) -> Result<Self, LockError> {
        let path = dir.join("lock");
        let fail = |error| LockError::io(&path, error);
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(fail)?;
        held(file.try_lock(), &mut file, &path)?;
        file.set_len(0).map_err(fail)?;
        file.write_all(std::process::id().to_string().as_bytes())
            .map_err(fail)?;
        Ok(Self(file))
    }

    /// Takes the folder for reading, beside other readers, without changing anything in it; `None`
    /// if no process ever opened it.
    pub(crate) fn look(dir: &Path) -> Result<Option<Self>, LockError> {
        let path = dir.join("lock");
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LockError::io(&path, error)),
        };
        held(file.try_lock_shared(), &mut file, &path)?;
        Ok(Some(Self(file)))
    }
}

fn held(locked: Result<(), TryLockError>, file: &mut File, path: &Path) -> Result<(), LockError> {
    match locked {
        Ok(()) => Ok(()),
        Err(TryLockError::Error(error)) => Err(LockError::io(path, error)),
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            // Without the number the message is still true.
            let _ = file.read_to_string(&mut pid);
            let pid = if pid.is_empty() {
                "(unknown)".to_owned()
            } else {
                pid
            };
            Err(LockError::InUse {
                path: path.display().to_string(),
                pid,
            })
        }
    }
}
