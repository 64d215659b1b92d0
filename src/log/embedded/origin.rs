//! Of which log a copy is: the file `copy-of`, which stands beside the journals of a copy.

use super::open_error::OpenError;
use hooklog_schemas::EventId;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

const FILE: &str = "copy-of";

/// The log that the one in `dir` is a copy of, if it is one.
pub(crate) fn read(dir: &Path) -> Result<Option<EventId>, OpenError> {
    let path = dir.join(FILE);
    let failed = |error| OpenError::io(&path, error);
    match fs::read_to_string(&path) {
        Ok(text) => {
            let broken = |_| failed(io::Error::other("it does not hold the id of a log"));
            text.trim().parse().map(Some).map_err(broken)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Notes durably that the log in `dir` is to be a copy of the log `of`.
pub(crate) fn write(dir: &Path, of: EventId) -> Result<(), OpenError> {
    let path = dir.join(FILE);
    let fresh = dir.join("copy-of.new");
    let written = || {
        let mut file = File::create(&fresh)?;
        file.write_all(of.to_string().as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &path)?;
        File::open(dir)?.sync_all()
    };
    written().map_err(|error| OpenError::io(&path, error))
}
