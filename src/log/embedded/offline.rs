//! Looks at a log that no server has open, and changes nothing.

use super::files::{DiskFiles, LogFiles};
use super::frame::Head;
use super::open_error::OpenError;
use super::recovery::CHUNK;
use super::scan::{self, Check, Flaw, Remains, Seen, Walked, Window};
use super::segment::{Chain, SegmentHeader, file_name, sequence_of};
use crate::log::lock::Lock;
use crate::log::report::{Damage, Depth, PartitionReport, TopicReport};
use bytes::Bytes;
use hooklog_schemas::{Record, Topic};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// A log on disk that is only read.
pub struct OfflineLog {
    dir: PathBuf,
    _lock: Option<Lock>,
}

impl OfflineLog {
    /// The log in the folder `log` of `data`.
    ///
    /// # Errors
    /// There is none, or a process has it open: then [`OpenError::InUse`].
    pub fn open(data: &Path) -> Result<Self, OpenError> {
        let dir = data.join("log");
        DiskFiles
            .list(&dir)
            .map_err(|error| OpenError::io(&dir, error))?;
        let lock = Lock::look(&dir)?;
        Ok(Self { dir, _lock: lock })
    }

    /// The log in the folder `log` of `data`, which a server may have open: fit for `control`, which
    /// only grows and is never compacted. What is being written at this moment is not there yet,
    /// or looks damaged.
    #[must_use]
    pub fn beside(data: &Path) -> Self {
        let dir = data.join("log");
        Self { dir, _lock: None }
    }

    /// Bytes of all segments: what [`OfflineLog::examine`] of all topics goes through.
    ///
    /// # Errors
    /// The file system says no.
    pub fn bytes(&self) -> Result<u64, OpenError> {
        let mut bytes = 0;
        for topic in Topic::ALL {
            for first in self.segments(topic)? {
                let path = self.path(topic, first);
                let file = DiskFiles.open(&path).and_then(|file| file.len());
                bytes += file.map_err(|error| OpenError::io(&path, error))?;
            }
        }
        Ok(bytes)
    }

    /// Goes through a topic, and tells `progress` how many more bytes it has seen.
    ///
    /// # Errors
    /// The file system says no. Damage is no error, but in the report.
    pub fn examine(
        &self,
        topic: Topic,
        depth: Depth,
        progress: &mut dyn FnMut(u64),
    ) -> Result<TopicReport, OpenError> {
        let firsts = self.segments(topic)?;
        let mut report = TopicReport {
            topic,
            segments: firsts.len(),
            partitions: Vec::new(),
            damage: Vec::new(),
            wrong: Vec::new(),
            unfinished: None,
        };
        let mut before: Option<Chain> = None;
        for (index, first) in firsts.iter().enumerate() {
            let path = self.path(topic, *first);
            let last = index + 1 == firsts.len();
            let examined = Examination {
                path: &path,
                first: *first,
                last,
                depth,
            };
            let chain = examined.run(before.as_ref(), &mut report, progress);
            before = chain.map_err(|error| OpenError::io(&path, error))?;
        }
        Ok(report)
    }

    /// Shows `visit` the records of a topic in the order in which they were written, with whether
    /// their bytes were erased, until it breaks.
    ///
    /// # Errors
    /// The file system says no, or something is damaged.
    pub fn records(
        &self,
        topic: Topic,
        visit: &mut dyn FnMut(Record, bool) -> ControlFlow<()>,
    ) -> Result<(), OpenError> {
        for first in self.segments(topic)? {
            let path = self.path(topic, first);
            let fail = |error| OpenError::io(&path, error);
            let mut window = window(&path).map_err(fail)?;
            let mut bodies = window_of(&path, 64 << 10).map_err(fail)?;
            let header = scan::header(&mut window).map_err(fail)?;
            let header = header.map_err(|reason| damaged(&path, 0, "its header", reason))?;
            let mut flow = ControlFlow::Continue(());
            let mut unread = None;
            let walked = scan::walk(&header, &mut window, Check::Sums, &mut |seen| {
                if flow.is_continue() && unread.is_none() {
                    let (at, erased) = (seen.at, seen.head.erased);
                    match record(&mut bodies, seen, topic) {
                        Ok(record) => flow = visit(record, erased),
                        Err(reason) => unread = Some(damaged(&path, at, "a record", reason)),
                    }
                }
            });
            let walked = walked.map_err(fail)?;
            match unread {
                _ if flow.is_break() => return Ok(()),
                Some(error) => return Err(error),
                None => {}
            }
            let last = self.segments(topic)?.last() == Some(&first);
            let damage = rest(&header, &mut window, &walked, last).map_err(fail)?;
            if let Some(Rest::Damage(flaw, _)) = damage {
                return Err(damaged(&path, flaw.at, &place(&flaw), flaw.reason));
            }
        }
        Ok(())
    }

    pub(super) fn segments(&self, topic: Topic) -> Result<Vec<u64>, OpenError> {
        let dir = self.dir.join(topic.as_str());
        match DiskFiles.list(&dir) {
            Ok(names) => Ok(names.iter().filter_map(|name| sequence_of(name)).collect()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(OpenError::io(&dir, error)),
        }
    }

    pub(super) fn path(&self, topic: Topic, first: u64) -> PathBuf {
        self.dir.join(topic.as_str()).join(file_name(first))
    }
}

/// One segment under examination.
struct Examination<'a> {
    path: &'a Path,
    first: u64,
    last: bool,
    depth: Depth,
}

impl Examination<'_> {
    /// Adds to the report, and tells where the journal stands after the segment, if it is whole.
    fn run(
        &self,
        before: Option<&Chain>,
        report: &mut TopicReport,
        progress: &mut dyn FnMut(u64),
    ) -> std::io::Result<Option<Chain>> {
        let mut window = window(self.path)?;
        let header = match scan::header(&mut window)? {
            Ok(header) => header,
            Err(reason) => {
                let bytes_after = window.length();
                progress(bytes_after);
                report.damage.push(Damage {
                    bytes_after,
                    ..self.damage(0, "its header", &reason)
                });
                return Ok(None);
            }
        };
        let start = Chain::start(header.chain.partitions.len() as u32);
        let expected = if report.damage.is_empty() {
            before.or(Some(&start))
        } else {
            before
        };
        let known = header.topic == report.topic && header.chain.sequence == self.first;
        if !known || expected.is_some_and(|chain| *chain != header.chain) {
            let reason = "it does not go on where the segment before it ends; one may be missing";
            report.damage.push(self.damage(0, "its header", reason));
        }
        report
            .partitions
            .resize_with(header.chain.partitions.len(), Default::default);
        let check = if self.depth == Depth::Digests {
            Check::Digests
        } else {
            Check::Sums
        };
        let mut at = 0;
        let walked = scan::walk(&header, &mut window, check, &mut |seen| {
            progress(seen.at - at);
            at = seen.at;
            report.partitions[seen.head.partition.0 as usize].add(&seen.head);
        })?;
        progress(window.length().saturating_sub(at));
        match rest(&header, &mut window, &walked, self.last)? {
            None => {}
            Some(Rest::Unfinished(flaw, remains)) => {
                report.unfinished = Some(Damage {
                    bytes_after: remains.bytes,
                    records_after: remains.records,
                    ..self.damage(walked.end, &place(&flaw), &flaw.reason)
                });
            }
            Some(Rest::Damage(flaw, remains)) => {
                report.damage.push(Damage {
                    bytes_after: (walked.end + remains.bytes).saturating_sub(flaw.at),
                    records_after: remains.records,
                    ..self.damage(flaw.at, &place(&flaw), &flaw.reason)
                });
                return Ok(None);
            }
        }
        Ok(Some(walked.chain))
    }

    fn damage(&self, byte: u64, position: &str, reason: &str) -> Damage {
        Damage {
            file: self.path.to_owned(),
            byte,
            position: position.to_owned(),
            reason: reason.to_owned(),
            bytes_after: 0,
            records_after: 0,
        }
    }
}

impl PartitionReport {
    fn add(&mut self, head: &Head) {
        if self.records == 0 {
            self.start = head.place.offset.0;
            self.first = Some(head.place.time);
        }
        self.tail = head.place.offset.0 + 1;
        self.last = Some(head.place.time);
        self.records += 1;
        self.bytes += head.length as u64;
        self.tombstones += u64::from(head.tombstone);
        self.erased += u64::from(head.erased);
    }
}

/// What stands after the last whole group of a segment, if anything does.
enum Rest {
    Unfinished(Flaw, Remains),
    Damage(Flaw, Remains),
}

fn rest(
    header: &SegmentHeader,
    window: &mut Window,
    walked: &Walked,
    last: bool,
) -> std::io::Result<Option<Rest>> {
    let remains = scan::remains(window, walked.end, walked.chain.sequence, header.seed())?;
    if remains.bytes == 0 && walked.flaw.is_none() {
        return Ok(None);
    }
    let zeros = || Flaw {
        at: walked.end,
        sequence: walked.chain.sequence,
        position: None,
        reason: "zeros stand where records were".to_owned(),
    };
    let flaw = walked.flaw.clone().unwrap_or_else(zeros);
    Ok(Some(if last && !remains.damage {
        Rest::Unfinished(flaw, remains)
    } else {
        Rest::Damage(flaw, remains)
    }))
}

fn record(window: &mut Window, seen: Seen, topic: Topic) -> Result<Record, String> {
    let named = seen.head.named();
    let body = window.bytes(seen.at + named as u64, seen.head.length - named);
    let body = Bytes::copy_from_slice(body.map_err(|error| error.to_string())?);
    seen.head.record(topic, &body).map_err(str::to_owned)
}

fn place(flaw: &Flaw) -> String {
    match flaw.position {
        Some(position) => format!("record {position}"),
        None => format!("where the journal's record {} should be", flaw.sequence),
    }
}

fn damaged(path: &Path, byte: u64, position: &str, reason: String) -> OpenError {
    let (file, position) = (path.display().to_string(), position.to_owned());
    OpenError::Damaged {
        file,
        byte,
        position,
        reason,
    }
}

fn window(path: &Path) -> std::io::Result<Window> {
    window_of(path, CHUNK)
}

fn window_of(path: &Path, chunk: usize) -> std::io::Result<Window> {
    Window::new(DiskFiles.open(path)?, chunk)
}
