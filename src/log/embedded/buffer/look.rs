//! What is in a spool, seen from outside: nothing is changed, and a server may have it open.

use super::{PARTITION, TOPIC, folder_in, position};
use crate::log::embedded::files::{DiskFiles, LogFiles};
use crate::log::embedded::open_error::OpenError;
use crate::log::embedded::recovery::CHUNK;
use crate::log::embedded::scan::{self, Check, Seen, Window};
use crate::log::embedded::segment::{file_name, sequence_of};
use crate::log::lock::{Lock, LockError};
use bytes::Bytes;
use hooklog_schemas::{EventId, Record};
use std::io;
use std::path::{Path, PathBuf};

/// Times that a spool is read while a server drains it and removes what is read.
const TRIES: usize = 5;

/// What is in a spool.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its folder.
    pub folder: PathBuf,
    /// The log that its webhooks are for.
    pub log: EventId,
    /// Webhooks that are not known to be in that log.
    pub depth: u64,
    /// What it takes of its disk.
    pub bytes: u64,
    /// The oldest of the webhooks.
    pub oldest: Option<Record>,
    /// The process that has it open.
    pub in_use_by: Option<String>,
}

impl Held {
    /// Looks at the spool in `folder`; `None` if there never was one.
    ///
    /// # Errors
    /// The file system says no, or something is damaged.
    pub fn look(folder: &Path) -> Result<Option<Self>, OpenError> {
        let dir = folder_in(folder);
        let mut held = once(&dir);
        for _ in 1..TRIES {
            match &held {
                Err(OpenError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                    held = once(&dir);
                }
                _ => break,
            }
        }
        held
    }
}

fn once(dir: &Path) -> Result<Option<Held>, OpenError> {
    if !dir.is_dir() {
        return Ok(None);
    }
    let in_use_by = match Lock::look(dir) {
        Ok(_) => None,
        Err(LockError::InUse { pid, .. }) => Some(pid),
        Err(error) => return Err(error.into()),
    };
    let Some(drained) = position::read(&DiskFiles, dir)? else {
        return Ok(None);
    };
    let mut held = Held {
        folder: dir.to_owned(),
        log: drained.log,
        depth: 0,
        bytes: 0,
        oldest: None,
        in_use_by,
    };
    for first in segments(dir)? {
        let path = dir.join(TOPIC.as_str()).join(file_name(first));
        let counted = held.count(&path, drained.offset);
        counted.map_err(|error| OpenError::io(&path, error))?;
    }
    Ok(Some(held))
}

impl Held {
    /// Adds what is in a segment from the offset `from` on.
    fn count(&mut self, path: &Path, from: u64) -> io::Result<()> {
        let mut window = Window::new(DiskFiles.open(path)?, CHUNK)?;
        let mut bodies = Window::new(DiskFiles.open(path)?, CHUNK)?;
        let damaged = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
        let header = scan::header(&mut window)?.map_err(damaged)?;
        let mut read = Ok(());
        // What is being written at this moment ends the walk, and does not count yet.
        let walked = scan::walk(&header, &mut window, Check::Sums, &mut |seen| {
            if seen.head.place.offset.0 < from {
                return;
            }
            self.depth += 1;
            if self.oldest.is_none() && read.is_ok() {
                read = record(&mut bodies, seen).map(|record| self.oldest = Some(record));
            }
        })?;
        self.bytes += walked.end;
        read
    }
}

fn record(window: &mut Window, seen: Seen) -> io::Result<Record> {
    let named = seen.head.named();
    let body = window.bytes(seen.at + named as u64, seen.head.length - named)?;
    let body = Bytes::copy_from_slice(body);
    let record = seen.head.record(TOPIC, &body);
    let record = record.map_err(|reason| io::Error::new(io::ErrorKind::InvalidData, reason))?;
    debug_assert_eq!(record.position.partition, PARTITION);
    Ok(record)
}

fn segments(dir: &Path) -> Result<Vec<u64>, OpenError> {
    let dir = dir.join(TOPIC.as_str());
    match DiskFiles.list(&dir) {
        Ok(names) => Ok(names.iter().filter_map(|name| sequence_of(name)).collect()),
        // A crash right after the folder was made.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(OpenError::io(&dir, error)),
    }
}
