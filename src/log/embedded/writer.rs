//! The one writer of a journal: places frames, writes a group, syncs once, and tells all who wait.

use super::files::{LogFile, LogFiles, is_full};
use super::frame::{Draft, Place, TRAILER, Trailer};
use super::index::{self, Places, Sealed};
use super::journal::{Active, Journal};
use super::options::Options;
use super::reserve::Reserve;
use super::segment::{Chain, SegmentHeader, file_name, index_name};
use crate::log::AppendError;
use hooklog_schemas::{Offset, Record, Timestamp};
use sha2::{Digest, Sha256};
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;

/// What an append waits for.
pub(crate) type Reply = Result<Vec<Offset>, AppendError>;

/// One append that waits for its group.
pub(crate) struct Request {
    pub(crate) drafts: Vec<Draft>,
    pub(crate) reply: oneshot::Sender<Reply>,
}

impl Request {
    /// Bytes that it needs on disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.drafts.iter().map(|draft| draft.len() as u64).sum()
    }

    /// Whether it holds nothing but tombstones.
    fn erases(&self) -> bool {
        let mut drafts = self.drafts.iter();
        drafts.all(|draft| draft.append.value.is_none())
    }
}

/// The writer's side of a journal.
pub(crate) struct Writer {
    journal: Arc<Journal>,
    options: Options,
    reserve: Reserve,
    file: Arc<dyn LogFile>,
    /// The byte after the last durable group.
    end: u64,
    /// The byte up to which the disk's space is taken.
    allocated: u64,
    chain: Chain,
}

impl Writer {
    /// A writer that goes on at `chain`, which is byte `end` of the active segment.
    pub(crate) fn new(journal: Arc<Journal>, options: Options, chain: Chain, end: u64) -> Self {
        let file = Arc::clone(&journal.view().active.file);
        let reserve = Reserve::new(&journal, &options);
        Self {
            journal,
            options,
            reserve,
            file,
            end,
            allocated: end,
            chain,
        }
    }

    /// What it shares with readers.
    pub(crate) fn journal(&self) -> Arc<Journal> {
        Arc::clone(&self.journal)
    }

    /// Appends all `requests` as one group, with one write and one sync, and answers them.
    pub(crate) fn commit(&mut self, requests: Vec<Request>) {
        let requests = self.admit(requests);
        if requests.is_empty() {
            return;
        }
        if let Err(error) = self.make_room(&requests) {
            return refuse(requests, &error);
        }
        match self.write(requests) {
            Ok(written) => self.publish(written),
            Err((requests, error)) => {
                let error = self.poison("a write or sync failed", &error);
                refuse(requests, &error);
            }
        }
    }

    /// Starts a new segment, unless the present one is empty.
    pub(crate) fn roll(&mut self) -> Result<(), AppendError> {
        self.alive()?;
        if self.journal.view().active.places.is_empty() {
            return Ok(());
        }
        let header = SegmentHeader {
            topic: self.journal.topic,
            journal: self.journal.id,
            created: self.options.clock.now(),
            chain: self.chain.clone(),
        };
        let (file, sealed) = match self.prepare(&header) {
            Ok(prepared) => prepared,
            // Nothing has changed yet but files that nobody looks at.
            Err(error) if is_full(&error) => {
                return Err(AppendError::NoSpace(error.to_string()));
            }
            Err(error) => return Err(self.poison("a segment was not made", &error)),
        };
        let named = name_segment(&*self.journal.files, &self.journal.dir, &header);
        named.map_err(|error| self.poison("a segment was not begun", &error))?;
        self.switch(file, sealed);
        Ok(())
    }

    fn alive(&self) -> Result<(), AppendError> {
        match &*self.journal.poison.borrow() {
            Some(reason) => Err(AppendError::Poisoned(reason.clone())),
            None => Ok(()),
        }
    }

    /// Those that the disk has space for. At the reserve only erasures are left of them.
    fn admit(&mut self, requests: Vec<Request>) -> Vec<Request> {
        let Err(error) = self.fits(&requests) else {
            return requests;
        };
        let (erasing, others): (Vec<_>, Vec<_>) = requests.into_iter().partition(Request::erases);
        refuse(others, &error);
        match self.fits(&erasing) {
            Ok(()) => erasing,
            Err(error) => {
                refuse(erasing, &error);
                Vec::new()
            }
        }
    }

    fn fits(&mut self, requests: &[Request]) -> Result<(), AppendError> {
        self.alive()?;
        let erases = requests.iter().all(Request::erases);
        self.reserve.check(group_bytes(requests), erases)
    }

    /// Sees to it that the group can be written as a whole; nothing is written if not.
    fn make_room(&mut self, requests: &[Request]) -> Result<(), AppendError> {
        let bytes = group_bytes(requests);
        if self.end + bytes > self.options.segment_bytes {
            self.roll()?;
        }
        let needed = self.end + bytes;
        if needed > self.allocated {
            // A small journal takes little, a large one rarely has to ask.
            let step = self.end.max(1 << 20).min(self.options.allocate_bytes);
            let generous = needed + step;
            let taken = self
                .file
                .allocate(self.end, generous - self.end)
                .map(|()| generous);
            let taken = taken.or_else(|_| self.file.allocate(self.end, bytes).map(|()| needed));
            self.allocated = match taken {
                Ok(allocated) => allocated,
                Err(error) if is_full(&error) => {
                    return Err(AppendError::NoSpace(error.to_string()));
                }
                Err(error) => return Err(self.poison("no space could be taken", &error)),
            };
        }
        Ok(())
    }

    fn write(&mut self, mut requests: Vec<Request>) -> Result<Written, (Vec<Request>, io::Error)> {
        let mut chain = self.chain.clone();
        let mut link = Sha256::new_with_prefix(chain.link);
        let first = chain.sequence;
        let mut places = Vec::new();
        let mut at = self.end;
        for draft in requests.iter_mut().flat_map(|request| &mut request.drafts) {
            let place = chain.place(draft);
            draft.place(place, self.journal.seed, &mut link);
            places.push((at, place));
            at += draft.len() as u64;
        }
        chain.link = link.finalize().into();
        let count = places.len() as u32;
        let trailer = Trailer {
            count,
            first,
            link: chain.link,
        }
        .encode(self.journal.seed);
        let drafts = requests.iter().flat_map(|request| &request.drafts);
        let parts = drafts
            .flat_map(Draft::parts)
            .filter(|part| !part.is_empty());
        let mut parts: Vec<_> = parts.chain([&trailer[..]]).map(IoSlice::new).collect();
        let began = Instant::now();
        let done = self
            .file
            .write_at(&mut parts, self.end)
            .and_then(|()| self.file.sync_data());
        drop(parts);
        if let Err(error) = done {
            return Err((requests, error));
        }
        self.options
            .metrics
            .sync(self.journal.topic, began.elapsed(), u64::from(count));
        Ok(Written {
            requests,
            places,
            chain,
            end: at + TRAILER as u64,
        })
    }

    fn publish(&mut self, written: Written) {
        self.chain = written.chain;
        self.end = written.end;
        let topic = self.journal.topic;
        let mut places = written.places.into_iter();
        let mut records = Vec::with_capacity(places.len());
        let mut replies = Vec::with_capacity(written.requests.len());
        for request in written.requests {
            let placed = request.drafts.into_iter().zip(&mut places);
            let offsets = placed.map(|(draft, (at, place))| {
                let record = Record::placed(draft.append, topic, place.offset, place.time);
                records.push((at, Arc::new(record)));
                place.offset
            });
            let offsets = offsets.collect();
            replies.push((request.reply, offsets));
        }
        self.journal.publish(records, self.end);
        for (reply, offsets) in replies {
            // Who no longer waits has dropped the future; the records stay.
            let _ = reply.send(Ok(offsets));
        }
    }

    /// Does what needs space for a new segment, which the index of the present one does, too.
    fn prepare(&mut self, header: &SegmentHeader) -> io::Result<(Arc<dyn LogFile>, Sealed)> {
        let (files, dir) = (&*self.journal.files, &self.journal.dir);
        // Gives back what was taken ahead.
        self.file.set_len(self.end)?;
        self.allocated = self.end;
        let (sealed, bytes) = {
            let active = &self.journal.view().active;
            index::encode(active.first, self.end, &self.chain, &active.places)
        };
        index::store(files, &dir.join(index_name(sealed.first)), &bytes)?;
        Ok((draw_segment(files, dir, header)?, sealed))
    }

    /// Goes on in `file`; the present segment is `sealed`.
    fn switch(&mut self, file: Arc<dyn LogFile>, sealed: Sealed) {
        let start = SegmentHeader::bytes(self.chain.partitions.len()) as u64;
        let active = Active {
            first: self.chain.sequence,
            file: Arc::clone(&file),
            end: start,
            places: Places::after(&self.chain),
        };
        let mut view = self.journal.view_mut();
        view.sealed.push(Arc::new(sealed));
        view.active = active;
        drop(view);
        self.file = file;
        self.end = start;
        self.allocated = start;
    }

    fn poison(&self, what: &str, error: &io::Error) -> AppendError {
        let reason = format!("{what} in {}: {error}", self.journal.dir.display());
        tracing::error!(reason, "the log stopped");
        self.journal.stop(&reason);
        AppendError::Poisoned(reason)
    }
}

/// A group that is durable and not shown yet.
struct Written {
    requests: Vec<Request>,
    places: Vec<(u64, Place)>,
    chain: Chain,
    end: u64,
}

impl Chain {
    /// The next place in the draft's partition.
    fn place(&mut self, draft: &Draft) -> Place {
        let next = &mut self.partitions[draft.append.partition.0 as usize];
        let time: Timestamp = draft.append.at.max(next.time);
        let place = Place {
            offset: Offset(next.offset),
            sequence: self.sequence,
            time,
        };
        next.offset += 1;
        next.time = time;
        self.sequence += 1;
        place
    }
}

/// Makes a file with nothing but `header` in it, which is not a segment yet.
pub(crate) fn draw_segment(
    files: &dyn LogFiles,
    dir: &Path,
    header: &SegmentHeader,
) -> io::Result<Arc<dyn LogFile>> {
    let path = dir.join(file_name(header.chain.sequence));
    let file = files.create(&path.with_extension(NEW))?;
    file.write_at(&mut [IoSlice::new(&header.encode())], 0)?;
    file.sync_data()?;
    Ok(file)
}

/// Gives that file its name, durably.
pub(crate) fn name_segment(
    files: &dyn LogFiles,
    dir: &Path,
    header: &SegmentHeader,
) -> io::Result<()> {
    let path = dir.join(file_name(header.chain.sequence));
    files.rename(&path.with_extension(NEW), &path)?;
    files.sync_dir(dir)
}

/// The extension of files that are not finished; they are removed when the log is opened.
pub(crate) const NEW: &str = "new";

/// Bytes that these requests need on disk as one group.
fn group_bytes(requests: &[Request]) -> u64 {
    requests.iter().map(Request::bytes).sum::<u64>() + TRAILER as u64
}

fn refuse(requests: Vec<Request>, error: &AppendError) {
    for request in requests {
        let _ = request.reply.send(Err(error.clone()));
    }
}
