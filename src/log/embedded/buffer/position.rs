//! How far a spool was drained, and of which log it is: one small file, replaced in one step.

use crate::log::Bounds;
use crate::log::embedded::files::LogFiles;
use crate::log::embedded::open_error::OpenError;
use crate::log::embedded::writer::NEW;
use hooklog_schemas::EventId;
use serde::{Deserialize, Serialize};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};

const FILE: &str = "drained";

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Drained {
    /// The log that the webhooks are for.
    pub(super) log: EventId,
    /// The first offset that is not known to be in it.
    pub(super) offset: u64,
}

impl Drained {
    /// Whether a journal with these `bounds` can be what was drained so far.
    pub(super) fn check(&self, dir: &Path, bounds: Option<Bounds>) -> Result<(), OpenError> {
        let Some(Bounds { start, tail }) = bounds else {
            return Ok(());
        };
        if (start.0..=tail.0).contains(&self.offset) {
            return Ok(());
        }
        let reason = format!(
            "it says {}, but there are the records from {start} to {tail}",
            self.offset
        );
        Err(wrong(dir, &reason))
    }
}

/// Reads the file in `dir`, if there is one.
pub(super) fn read(files: &dyn LogFiles, dir: &Path) -> Result<Option<Drained>, OpenError> {
    let path = path(dir);
    match text(files, &path) {
        Ok(text) => {
            let parsed = serde_json::from_slice(&text);
            let broken = |error: serde_json::Error| wrong(dir, &error.to_string());
            parsed.map(Some).map_err(broken)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OpenError::io(&path, error)),
    }
}

/// Replaces the file in `dir`, durably.
pub(super) fn write(files: &dyn LogFiles, dir: &Path, drained: &Drained) -> io::Result<()> {
    let path = path(dir);
    let new = path.with_extension(NEW);
    let text = serde_json::to_vec(drained)?;
    let file = files.create(&new)?;
    file.write_at(&mut [IoSlice::new(&text)], 0)?;
    file.sync_data()?;
    files.rename(&new, &path)?;
    files.sync_dir(dir)
}

/// The error about a file that does not fit.
pub(super) fn wrong(dir: &Path, reason: &str) -> OpenError {
    OpenError::SpoolPosition {
        path: path(dir).display().to_string(),
        reason: reason.to_owned(),
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

fn text(files: &dyn LogFiles, path: &Path) -> io::Result<Vec<u8>> {
    let file = files.open(path)?;
    let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(0)];
    let got = file.read_at(&mut bytes, 0)?;
    bytes.truncate(got);
    Ok(bytes)
}
