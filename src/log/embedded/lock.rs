//! One process at a time.

use super::recovery::OpenError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

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
    pub(crate) fn take(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join("lock");
        let fail = |error| OpenError::io(&path, error);
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
    pub(crate) fn look(dir: &Path) -> Result<Option<Self>, OpenError> {
        let path = dir.join("lock");
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OpenError::io(&path, error)),
        };
        held(file.try_lock_shared(), &mut file, &path)?;
        Ok(Some(Self(file)))
    }
}

fn held(locked: Result<(), TryLockError>, file: &mut File, path: &Path) -> Result<(), OpenError> {
    match locked {
        Ok(()) => Ok(()),
        Err(TryLockError::Error(error)) => Err(OpenError::io(path, error)),
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            // Without the number the message is still true.
            let _ = file.read_to_string(&mut pid);
            let pid = if pid.is_empty() {
                "(unknown)".to_owned()
            } else {
                pid
            };
            Err(OpenError::InUse {
                path: path.display().to_string(),
                pid,
            })
        }
    }
}
