//! Drops the bytes that tombstones erase: rewrites the segments that hold them, one at a time.
//!
//! A crash leaves the old file or the new one under the segment's name, both whole; what is left
//! of the other is removed when the log is opened.

use super::files::{LogFile, is_full};
use super::frame::{self, TRAILER};
use super::index::{self, Places, Sealed};
use super::journal::Journal;
use super::recovery::CHUNK;
use super::scan::{self, Check, Seen, Window};
use super::segment::{SegmentHeader, file_name, index_name};
use super::writer::NEW;
use crate::log::AppendError;
use hooklog_schemas::Key;
use std::collections::HashSet;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

/// The keys that tombstones of the journal erase.
pub(crate) fn erased_keys(journal: &Journal) -> HashSet<Key> {
    let view = journal.view();
    let sealed = view.sealed.iter().flat_map(|sealed| &sealed.tombstones);
    sealed
        .chain(&view.active.places.tombstones)
        .copied()
        .collect()
}

/// How many of `keys` may still have their bytes. Each key is one record's, which is counted when
/// its bytes go; so a compaction with nothing left to do reads nothing.
pub(crate) fn outstanding(journal: &Journal, keys: &HashSet<Key>) -> u64 {
    let view = journal.view();
    let sealed: u64 = view.sealed.iter().map(|sealed| sealed.erased).sum();
    let erased = sealed + view.active.places.erased;
    (keys.len() as u64).saturating_sub(erased)
}

/// Whether the active segment holds bytes that `keys` erase, so that it must be sealed first.
pub(crate) fn active_holds(journal: &Journal, keys: &HashSet<Key>) -> Result<bool, AppendError> {
    let (file, end) = {
        let view = journal.view();
        (Arc::clone(&view.active.file), view.active.end)
    };
    let held = Window::new(file, CHUNK).and_then(|mut window| {
        let mut held = false;
        walk(journal, &mut window, end, &mut |seen| {
            held |= is_erased(&seen, keys)
        })?;
        Ok(held)
    });
    held.map_err(|error| unavailable(journal, &error))
}

/// Rewrites every sealed segment that holds bytes which `keys` erase, and tells how many records
/// lost theirs.
///
/// # Errors
/// The disk is full, or a segment cannot be read or written. What was done stays done. An error
/// that leaves open which of two files has the segment's name stops the log.
pub(crate) fn run(journal: &Journal, keys: &HashSet<Key>) -> Result<u64, AppendError> {
    let sealed = journal.view().sealed.clone();
    let outstanding = outstanding(journal, keys);
    let mut count = 0;
    for segment in sealed {
        // All are found: the segments after it need not be read.
        if count >= outstanding {
            break;
        }
        let rewritten = rewrite(journal, &segment, keys);
        let Some(new) = rewritten.map_err(|error| unavailable(journal, &error))? else {
            continue;
        };
        count += new.erased - segment.erased;
        replace(journal, new).map_err(|error| {
            let reason = format!(
                "a segment was not replaced in {}: {error}",
                journal.dir.display()
            );
            journal.stop(&reason);
            AppendError::Poisoned(reason)
        })?;
    }
    journal
        .view_mut()
        .blank(|record| record.value.is_some() && keys.contains(&record.key));
    Ok(count)
}

/// Writes the segment anew beside the old one; `None` if nothing in it is erased.
fn rewrite(journal: &Journal, old: &Sealed, keys: &HashSet<Key>) -> io::Result<Option<Sealed>> {
    let path = journal.dir.join(file_name(old.first));
    let mut window = Window::new(journal.files.open(&path)?, CHUNK)?;
    let mut held = false;
    let mut look = |seen: Seen| held |= is_erased(&seen, keys);
    let header = walk(journal, &mut window, old.end, &mut look)?;
    if !held {
        return Ok(None);
    }
    let new = path.with_extension(NEW);
    let copied = Copy::start(journal, &path, &header, keys).and_then(|mut copy| {
        let mut done = Ok(());
        walk(journal, &mut window, old.end, &mut |seen| {
            if done.is_ok() {
                done = copy.record(&seen);
            }
        })?;
        let (sealed, bytes) = done.and_then(|()| copy.finish(old))?;
        let index = journal
            .dir
            .join(index_name(old.first))
            .with_extension(INDEX_NEW);
        index::store(&*journal.files, &index, &bytes)?;
        Ok(sealed)
    });
    if copied.is_err() {
        // The space is needed; if even this fails, the next opening removes it.
        let _ = journal.files.remove(&new);
    }
    copied.map(Some)
}

/// The extension of an index that is not in place yet. It ends like every unfinished file.
const INDEX_NEW: &str = "index.new";

/// Puts the new files in the place of the old ones. Readers that have the old ones open go on.
fn replace(journal: &Journal, new: Sealed) -> io::Result<()> {
    let path = journal.dir.join(file_name(new.first));
    let index = journal.dir.join(index_name(new.first));
    let mut view = journal.view_mut();
    // The old index would not fit the new segment: it goes first, and is made anew if need be.
    journal
        .files
        .rename(&index.with_extension(INDEX_NEW), &index)?;
    journal.files.rename(&path.with_extension(NEW), &path)?;
    if let Some(slot) = view
        .sealed
        .iter_mut()
        .find(|sealed| sealed.first == new.first)
    {
        *slot = Arc::new(new);
    }
    drop(view);
    journal.files.sync_dir(&journal.dir)
}

/// A segment on its way into a new file.
struct Copy<'a> {
    old: Window,
    file: Arc<dyn LogFile>,
    keys: &'a HashSet<Key>,
    seed: u32,
    places: Places,
    /// The byte of the old file up to which all is copied.
    from: u64,
    /// Copied and not written yet.
    bytes: Vec<u8>,
    written: u64,
}

impl<'a> Copy<'a> {
    fn start(
        journal: &Journal,
        path: &Path,
        header: &SegmentHeader,
        keys: &'a HashSet<Key>,
    ) -> io::Result<Self> {
        let mut copy = Self {
            old: Window::new(journal.files.open(path)?, CHUNK)?,
            file: journal.files.create(&path.with_extension(NEW))?,
            keys,
            seed: journal.seed,
            places: Places::after(&header.chain),
            from: 0,
            bytes: Vec::new(),
            written: 0,
        };
        copy.take(
            0,
            SegmentHeader::bytes(header.chain.partitions.len()) as u64,
        )?;
        Ok(copy)
    }

    fn record(&mut self, seen: &Seen) -> io::Result<()> {
        // What stands between two records is a trailer.
        self.take(self.from, seen.at)?;
        let end = seen.at + seen.head.length as u64;
        let at = self.written + self.bytes.len() as u64;
        let tombstone = seen.head.tombstone.then_some(seen.head.key);
        self.places
            .push(seen.head.partition.0 as usize, at, tombstone);
        let erased = is_erased(seen, self.keys);
        self.places.erased += u64::from(erased || seen.head.erased);
        if erased {
            let named = self.old.bytes(seen.at, seen.head.named())?;
            self.bytes
                .extend_from_slice(&frame::erase(named, self.seed));
            self.from = end;
            Ok(())
        } else {
            self.take(seen.at, end)
        }
    }

    fn finish(mut self, old: &Sealed) -> io::Result<(Sealed, Vec<u8>)> {
        self.take(self.from, old.end)?;
        self.flush()?;
        self.file.sync_data()?;
        Ok(index::encode(
            old.first,
            self.written,
            &old.chain,
            &self.places,
        ))
    }

    fn take(&mut self, from: u64, end: u64) -> io::Result<()> {
        let count = usize::try_from(end - from).unwrap_or(usize::MAX);
        let bytes = self.old.bytes(from, count)?;
        if bytes.len() < count {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.bytes.extend_from_slice(bytes);
        self.from = end;
        if self.bytes.len() >= CHUNK {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file
            .write_at(&mut [IoSlice::new(&self.bytes)], self.written)?;
        self.written += self.bytes.len() as u64;
        self.bytes.clear();
        Ok(())
    }
}

/// Walks the segment up to `end`, all of which must verify: what is damaged is not rewritten.
fn walk(
    journal: &Journal,
    window: &mut Window,
    end: u64,
    visit: &mut dyn FnMut(Seen),
) -> io::Result<SegmentHeader> {
    let damaged = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    let header = scan::header(window)?.map_err(damaged)?;
    window.limit(end);
    let walked = scan::walk(&header, window, Check::Sums, visit)?;
    match walked.flaw {
        Some(flaw) => Err(damaged(format!("byte {}: {}", flaw.at, flaw.reason))),
        None if walked.end != end || header.journal != journal.id || end < TRAILER as u64 => Err(
            damaged(format!("it ends at byte {}, not {end}", walked.end)),
        ),
        None => Ok(header),
    }
}

fn is_erased(seen: &Seen, keys: &HashSet<Key>) -> bool {
    !seen.head.erased && !seen.head.tombstone && keys.contains(&seen.head.key)
}

fn unavailable(journal: &Journal, error: &io::Error) -> AppendError {
    let reason = format!("{} cannot be compacted: {error}", journal.dir.display());
    if is_full(error) {
        AppendError::NoSpace(reason)
    } else {
        AppendError::Unavailable(reason)
    }
}
