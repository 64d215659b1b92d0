//! Opens a journal: what was acknowledged is there, what was torn is cut, damage is refused.

use super::files::{LogFile, LogFiles};
use super::frame::{Frame, TRAILER};
use super::index::{self, Places, Sealed};
use super::journal::{Active, Journal};
use super::open_error::OpenError;
use super::options::Options;
use super::scan::{self, Check, Found, Walked, Window};
use super::segment::{Chain, JournalId, SegmentHeader, file_name, index_name, sequence_of};
use super::writer::{NEW, Writer, draw_segment, name_segment};
use hooklog_schemas::{Position, Topic};
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

/// Files are walked in pieces of this.
pub(crate) const CHUNK: usize = 1 << 20;

/// Whether there is a journal of `topic` below `dir`. Its folder is made if need be.
pub(crate) fn is_there(files: &dyn LogFiles, dir: &Path, topic: Topic) -> Result<bool, OpenError> {
    let dir = dir.join(topic.as_str());
    let names = files.create_dir(&dir).and_then(|()| files.list(&dir));
    let names = names.map_err(|error| OpenError::io(&dir, error))?;
    Ok(names.iter().any(|name| sequence_of(name).is_some()))
}

/// The id of a new log's journals.
pub(crate) fn draw_id() -> io::Result<JournalId> {
    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    Ok(id)
}

/// Makes an empty journal of `topic` below `dir`.
pub(crate) fn make(
    files: &dyn LogFiles,
    dir: &Path,
    topic: Topic,
    id: JournalId,
    options: &Options,
) -> Result<(), OpenError> {
    let dir = dir.join(topic.as_str());
    let header = SegmentHeader {
        topic,
        journal: id,
        created: options.clock.now(),
        chain: Chain::start(options.partitions(topic)),
    };
    let made = files
        .create_dir(&dir)
        .and_then(|()| draw_segment(files, &dir, &header))
        .and_then(|_| name_segment(files, &dir, &header));
    made.map_err(|error| OpenError::io(&dir, error))
}

/// Opens the journal of `topic` below `dir`, which must be there.
pub(crate) fn open(
    files: &Arc<dyn LogFiles>,
    dir: &Path,
    topic: Topic,
    options: &Options,
    poison: &watch::Sender<Option<String>>,
) -> Result<(Arc<Journal>, Writer), OpenError> {
    let dir = dir.join(topic.as_str());
    let opening = Opening {
        files: &**files,
        dir: &dir,
        topic,
        options,
    };
    let mut firsts = opening.tidy().map_err(|error| OpenError::io(&dir, error))?;
    let last = firsts.pop().unwrap_or_default();
    let mut sealed = Vec::new();
    let mut before: Option<SegmentHeader> = None;
    for first in firsts {
        let header = opening.header(first, before.as_ref())?;
        let found = opening.sealed(&header)?;
        before = Some(SegmentHeader {
            chain: found.chain.clone(),
            ..header
        });
        sealed.push(Arc::new(found));
    }
    let header = opening.header(last, before.as_ref())?;
    let (active, chain) = opening.active(&header)?;
    let end = active.end;
    let tails: Vec<_> = chain.partitions.iter().map(|next| next.offset).collect();
    let journal = Arc::new(Journal::new(
        topic,
        dir.clone(),
        Arc::clone(files),
        header.journal,
        poison.clone(),
        &tails,
        (sealed, active),
        options.tail_bytes,
    ));
    let writer = Writer::new(Arc::clone(&journal), options.clone(), chain, end);
    Ok((journal, writer))
}

struct Opening<'a> {
    files: &'a dyn LogFiles,
    dir: &'a Path,
    topic: Topic,
    options: &'a Options,
}

impl Opening<'_> {
    /// Removes what a crash left unfinished, and tells the first sequences of the segments.
    fn tidy(&self) -> io::Result<Vec<u64>> {
        let names = self.files.list(self.dir)?;
        for name in names
            .iter()
            .filter(|name| Path::new(name).extension() == Some(NEW.as_ref()))
        {
            self.files.remove(&self.dir.join(name))?;
        }
        Ok(names.iter().filter_map(|name| sequence_of(name)).collect())
    }

    /// The header of a segment, which must go on where the one `before` ended.
    fn header(
        &self,
        first: u64,
        before: Option<&SegmentHeader>,
    ) -> Result<SegmentHeader, OpenError> {
        let path = self.dir.join(file_name(first));
        let mut window = self.window(&path)?;
        let header = scan::header(&mut window).map_err(|error| OpenError::io(&path, error))?;
        let damaged = |reason: String| self.damaged(first, 0, None, reason);
        let header = header.map_err(damaged)?;
        let (found, asked) = (
            header.chain.partitions.len() as u32,
            self.options.partitions(self.topic),
        );
        if header.topic != self.topic || header.chain.sequence != first {
            return Err(damaged("it belongs elsewhere".to_owned()));
        }
        if found != asked {
            return Err(OpenError::Partitions { found, asked });
        }
        let start = Chain::start(found);
        let begun = if self.options.forgets {
            &header.chain
        } else {
            &start
        };
        let chain = before.map_or(begun, |before| &before.chain);
        let same = before.is_none_or(|before| before.journal == header.journal);
        if *chain != header.chain || !same {
            let reason = "it does not go on where the segment before it ends; one may be missing";
            return Err(damaged(reason.to_owned()));
        }
        Ok(header)
    }

    /// What memory keeps of a sealed segment: from its index, or from the segment itself.
    fn sealed(&self, header: &SegmentHeader) -> Result<Sealed, OpenError> {
        let first = header.chain.sequence;
        let path = self.dir.join(file_name(first));
        let index = self.dir.join(index_name(first));
        let known = index::load(self.files, &index).map_err(|e| OpenError::io(&index, e))?;
        if let Some(known) = known {
            let fits = self.fits(&path, header, &known);
            if fits.map_err(|error| OpenError::io(&path, error))? {
                return Ok(known);
            }
        }
        let mut places = Places::after(&header.chain);
        let (mut window, walked) = self.walk(&path, header, &mut places)?;
        self.whole(&mut window, header, &walked)?;
        self.trim(&path, window.length(), walked.end)
            .map_err(|e| OpenError::io(&path, e))?;
        let (sealed, bytes) = index::encode(first, walked.end, &walked.chain, &places);
        index::store(self.files, &index, &bytes).map_err(|e| OpenError::io(&index, e))?;
        Ok(sealed)
    }

    /// Whether the index belongs to the segment: same length, same last trailer.
    fn fits(&self, path: &Path, header: &SegmentHeader, known: &Sealed) -> io::Result<bool> {
        let mut window = Window::new(self.files.open(path)?, TRAILER)?;
        let same = known.first == header.chain.sequence
            && known.spans.len() == header.chain.partitions.len()
            && window.length() == known.end
            && known.end >= TRAILER as u64;
        if !same {
            return Ok(false);
        }
        let last = scan::frame_at(&mut window, known.end - TRAILER as u64, header.seed())?;
        Ok(matches!(last, Found::Frame(Frame::Group(trailer)) if trailer.link == known.chain.link))
    }

    /// The active segment, without a torn tail.
    fn active(&self, header: &SegmentHeader) -> Result<(Active, Chain), OpenError> {
        let first = header.chain.sequence;
        let path = self.dir.join(file_name(first));
        let mut places = Places::after(&header.chain);
        let (mut window, walked) = self.walk(&path, header, &mut places)?;
        let sequence = walked.chain.sequence;
        let remains = scan::remains(&mut window, walked.end, sequence, header.seed());
        let remains = remains.map_err(|error| OpenError::io(&path, error))?;
        if remains.damage {
            return Err(self.flawed(header, &walked));
        }
        if remains.bytes > 0 {
            tracing::warn!(
                file = %path.display(),
                byte = walked.end,
                bytes = remains.bytes,
                records = remains.records,
                "an unfinished group was cut off; it was never acknowledged"
            );
        }
        let trimmed = self.trim(&path, window.length(), walked.end);
        let file = trimmed.map_err(|error| OpenError::io(&path, error))?;
        let durable = self.persist(&mut window, &*file, &walked);
        durable.map_err(|error| OpenError::io(&path, error))?;
        Ok((
            Active {
                first,
                file,
                end: walked.end,
                places,
            },
            walked.chain,
        ))
    }

    /// Makes durable what can be read. The last group may be in the machine's memory only: its
    /// process was killed before the sync, or the sync failed and left the pages marked clean, so
    /// that a sync alone would do nothing. All groups before it were synced.
    fn persist(&self, window: &mut Window, file: &dyn LogFile, walked: &Walked) -> io::Result<()> {
        let count = usize::try_from(walked.end - walked.last).unwrap_or(usize::MAX);
        let group = window.bytes(walked.last, count)?;
        file.write_at(&mut [IoSlice::new(group)], walked.last)?;
        file.sync_data()?;
        self.files.sync_dir(self.dir)
    }

    fn walk(
        &self,
        path: &Path,
        header: &SegmentHeader,
        places: &mut Places,
    ) -> Result<(Window, Walked), OpenError> {
        let mut window = self.window(path)?;
        #[cfg(test)]
        let check = if self.options.trust_tail {
            Check::Nothing
        } else {
            Check::Sums
        };
        #[cfg(not(test))]
        let check = Check::Sums;
        let walked = scan::walk(header, &mut window, check, &mut |seen| places.add(&seen));
        Ok((window, walked.map_err(|error| OpenError::io(path, error))?))
    }

    /// Refuses a sealed segment with anything but zeros after its last group.
    fn whole(
        &self,
        window: &mut Window,
        header: &SegmentHeader,
        walked: &Walked,
    ) -> Result<(), OpenError> {
        let path = self.dir.join(file_name(header.chain.sequence));
        let remains = scan::remains(window, walked.end, walked.chain.sequence, header.seed());
        let remains = remains.map_err(|error| OpenError::io(&path, error))?;
        if walked.flaw.is_some() || remains.bytes > 0 {
            return Err(self.flawed(header, walked));
        }
        Ok(())
    }

    /// Cuts the file to `end`, durably, if it is longer.
    fn trim(&self, path: &Path, length: u64, end: u64) -> io::Result<Arc<dyn LogFile>> {
        let file = self.files.open_writable(path)?;
        if length > end {
            file.set_len(end)?;
            file.sync_data()?;
        }
        Ok(file)
    }

    fn window(&self, path: &Path) -> Result<Window, OpenError> {
        let window = self
            .files
            .open(path)
            .and_then(|file| Window::new(file, CHUNK));
        window.map_err(|error| OpenError::io(path, error))
    }

    fn flawed(&self, header: &SegmentHeader, walked: &Walked) -> OpenError {
        let first = header.chain.sequence;
        match &walked.flaw {
            Some(flaw) => self.damaged(first, flaw.at, flaw.position, flaw.reason.clone()),
            None => self.damaged(
                first,
                walked.end,
                None,
                "zeros stand where records were".to_owned(),
            ),
        }
    }

    fn damaged(
        &self,
        first: u64,
        byte: u64,
        position: Option<Position>,
        reason: String,
    ) -> OpenError {
        let file = self.dir.join(file_name(first)).display().to_string();
        let start = || format!("a record of {} ", self.topic);
        let position = position.map_or_else(start, |at| format!("record {at}"));
        OpenError::Damaged {
            file,
            byte,
            position: position.trim_end().to_owned(),
            reason,
        }
    }
}
