//! What a spool keeps its webhooks in: one journal of one partition, which forgets from its
//! beginning. Segments are those of a log; a file beside them tells how far it was drained.

mod look;
mod position;

pub use look::Held;

use super::blocking;
use super::files::{DiskFiles, LogFiles};
use super::frame::{Draft, SALT};
use super::journal::Journal;
use super::open_error::OpenError;
use super::options::Options;
use super::queue::{self, Queue};
use super::recovery;
use super::reserve::Reserve;
use super::segment::{file_name, index_name, sequence_of};
use super::writer::Request;
use crate::clock::System;
use crate::config::{LogConfig, SpoolConfig};
use crate::log::lock::Lock;
use crate::log::{AppendError, Bounds, ReadError, ReadLimit};
use crate::metrics::Metrics;
use crate::spool::Buffer;
use async_trait::async_trait;
use hooklog_schemas::{Append, EventId, Offset, Partition, Position, Record, Topic};
use position::Drained;
use prometheus_client::registry::Registry;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{oneshot, watch};

const TOPIC: Topic = Topic::Webhooks;
const PARTITION: Partition = Partition(0);

/// Segments are a part of the whole, so that space is given back while it is drained.
const SEGMENTS: u64 = 16;
const SEGMENT_BYTES: std::ops::RangeInclusive<u64> = (1 << 20)..=(64 << 20);
/// A drain that keeps up reads from memory.
const TAIL_BYTES: usize = 4 << 20;

/// A spool's webhooks, in files of this machine, with one process that has them.
pub struct EmbeddedBuffer {
    shared: Arc<Shared>,
    queue: Queue,
    options: Options,
    poison: watch::Sender<Option<String>>,
    _lock: Option<Lock>,
}

struct Shared {
    journal: Arc<Journal>,
    files: Arc<dyn LogFiles>,
    dir: PathBuf,
    log: EventId,
    drained: AtomicU64,
    /// Held while something is forgotten, which takes several steps.
    forgetting: Mutex<()>,
}

impl EmbeddedBuffer {
    /// Opens the spool in the folder `spool` of `folder`, which must be there, or makes an empty
    /// one for webhooks of the log `of`.
    ///
    /// # Errors
    /// Another process has it, it is of another log, it is damaged, or the file system says no.
    pub fn open(folder: &Path, of: EventId, config: &SpoolConfig) -> Result<Self, OpenError> {
        let dir = folder_in(folder);
        let files: Arc<dyn LogFiles> = Arc::new(DiskFiles);
        // A volume that is not mounted must not be taken for an empty spool.
        files
            .list(folder)
            .and_then(|_| files.create_dir(&dir))
            .map_err(|error| OpenError::io(folder, error))?;
        let lock = Lock::take(&dir)?;
        Self::open_with(&files, &dir, of, options(config), Some(lock))
    }

    /// As [`EmbeddedBuffer::open`], on any file system.
    pub(crate) fn open_with(
        files: &Arc<dyn LogFiles>,
        dir: &Path,
        of: EventId,
        options: Options,
        lock: Option<Lock>,
    ) -> Result<Self, OpenError> {
        let drained = position_for(&**files, dir, of)?;
        forget_files(&**files, &dir.join(TOPIC.as_str()), drained.offset)
            .map_err(|error| OpenError::io(dir, error))?;
        let poison = watch::Sender::new(None);
        if !recovery::is_there(&**files, dir, TOPIC)? {
            let id = recovery::draw_id().map_err(|error| OpenError::io(dir, error))?;
            recovery::make(&**files, dir, TOPIC, id, &options)?;
        }
        let (journal, writer) = recovery::open(files, dir, TOPIC, &options, &poison)?;
        drained.check(dir, journal.bounds(PARTITION))?;
        let queue = Queue::start("spool".to_owned(), writer);
        let shared = Shared {
            journal,
            files: Arc::clone(files),
            dir: dir.to_owned(),
            log: of,
            drained: AtomicU64::new(drained.offset),
            forgetting: Mutex::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            queue: queue.map_err(|error| OpenError::io(dir, error))?,
            options,
            poison,
            _lock: lock,
        })
    }

    async fn handed_over(&self, append: Append) -> Result<(), AppendError> {
        let mut salt = [0; SALT];
        let random = getrandom::fill(&mut salt);
        random.map_err(|error| AppendError::Unavailable(error.to_string()))?;
        let partition = PARTITION;
        let append = Append {
            partition,
            ..append
        };
        let drafts = vec![Draft::new(append, salt, self.shared.journal.seed)?];
        let (reply, done) = oneshot::channel();
        self.queue.append(Request { drafts, reply })?;
        done.await.unwrap_or_else(|_| Err(queue::stopped()))?;
        Ok(())
    }
}

#[async_trait]
impl Buffer for EmbeddedBuffer {
    async fn append(&self, webhook: Append) -> Result<(), AppendError> {
        self.handed_over(webhook).await
    }

    async fn read(&self, from: Offset, limit: ReadLimit) -> Result<Vec<Arc<Record>>, ReadError> {
        let from = from.max(self.bounds().start);
        let at = Position::new(TOPIC, PARTITION, from);
        if let Some(recent) = self.shared.journal.recent(at, limit) {
            return Ok(recent);
        }
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.journal.read(at, limit)).await
    }

    fn bounds(&self) -> Bounds {
        let start = Offset(self.shared.drained.load(Ordering::SeqCst));
        let tail = self.shared.journal.bounds(PARTITION);
        Bounds {
            start,
            tail: tail.map_or(start, |bounds| bounds.tail),
        }
    }

    fn bytes(&self) -> u64 {
        let view = self.shared.journal.view();
        let sealed: u64 = view.sealed.iter().map(|sealed| sealed.end).sum();
        sealed + view.active.end
    }

    async fn wait(&self, offset: Offset) {
        let at = Position::new(TOPIC, PARTITION, offset);
        let appended = self.shared.journal.appended(PARTITION);
        let appended: Vec<_> = appended.into_iter().collect();
        let readable = || self.shared.journal.has(at);
        super::tell::until(&appended, readable, self.poison.subscribe()).await;
    }

    async fn forget(&self, before: Offset) -> Result<(), AppendError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.note(before)).await?;
        // Bodies that are in the log need not lie about here.
        if before == self.bounds().tail {
            self.queue.roll().await?;
        }
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.drop_drained()).await
    }

    async fn takes_webhooks(&self) -> Result<(), AppendError> {
        if let Some(reason) = self.poison.borrow().clone() {
            return Err(AppendError::Poisoned(reason));
        }
        let mut reserve = Reserve::new(&self.shared.journal, &self.options);
        // Any webhook has a byte.
        blocking(move || reserve.check(1, false)).await
    }

    fn stopped(&self) -> watch::Receiver<Option<String>> {
        self.poison.subscribe()
    }
}

impl Shared {
    /// Remembers durably that everything before `offset` is elsewhere.
    fn note(&self, offset: Offset) -> Result<(), AppendError> {
        let _one = self
            .forgetting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let drained = Drained {
            log: self.log,
            offset: offset.0,
        };
        // From now on nobody reads it, whether or not the file says so after a crash.
        self.drained.fetch_max(offset.0, Ordering::SeqCst);
        let written = position::write(&*self.files, &self.dir, &drained);
        written.map_err(|error| self.unavailable(&error))
    }

    /// Removes the segments that are drained as a whole.
    fn drop_drained(&self) -> Result<(), AppendError> {
        let _one = self
            .forgetting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let drained = self.drained.load(Ordering::SeqCst);
        {
            let mut view = self.journal.view_mut();
            let kept = view
                .sealed
                .partition_point(|sealed| sealed.chain.sequence <= drained);
            if kept == 0 {
                return Ok(());
            }
            view.sealed.drain(..kept);
        }
        let removed = forget_files(&*self.files, &self.journal.dir, drained);
        removed.map_err(|error| self.unavailable(&error))
    }

    fn unavailable(&self, error: &io::Error) -> AppendError {
        AppendError::Unavailable(format!("{}: {error}", self.dir.display()))
    }
}

/// Where the spool is in the folder that the operator named. Of its own, since the mode of a
/// volume's root is not ours to choose.
pub(crate) fn folder_in(folder: &Path) -> PathBuf {
    folder.join("spool")
}

fn options(config: &SpoolConfig) -> Options {
    let part = config.bytes_max / SEGMENTS;
    let log = LogConfig {
        partitions: 1,
        segment_bytes: part.clamp(*SEGMENT_BYTES.start(), *SEGMENT_BYTES.end()),
        reserve_bytes: config.reserve_bytes,
        tail_bytes: TAIL_BYTES,
        ..LogConfig::default()
    };
    // Its syncs and records are not the log's.
    let apart = Metrics::register(&mut Registry::default());
    Options {
        forgets: true,
        ..Options::new(&log, &apart, Arc::new(System))
    }
}

/// How far the spool was drained; notes it for a new one before that has its first segment.
fn position_for(files: &dyn LogFiles, dir: &Path, of: EventId) -> Result<Drained, OpenError> {
    let drained = match position::read(files, dir)? {
        Some(drained) => drained,
        None if recovery::is_there(files, dir, TOPIC)? => {
            return Err(position::wrong(dir, "it is missing"));
        }
        None => {
            let new = Drained { log: of, offset: 0 };
            let written = position::write(files, dir, &new);
            written.map_err(|error| OpenError::io(dir, error))?;
            new
        }
    };
    match drained.log == of {
        true => Ok(drained),
        false => Err(OpenError::OtherSpool {
            path: dir.display().to_string(),
            found: drained.log,
            wanted: of,
        }),
    }
}

/// Removes every segment after which another one starts that is not beyond `drained`. It is told
/// by names alone, so that what a crash left of it is removed by the next call.
fn forget_files(files: &dyn LogFiles, dir: &Path, drained: u64) -> io::Result<()> {
    files.create_dir(dir)?;
    let names = files.list(dir)?;
    let firsts: Vec<u64> = names.iter().filter_map(|name| sequence_of(name)).collect();
    let gone = firsts
        .windows(2)
        .filter(|two| two[1] <= drained)
        .map(|two| two[0]);
    let gone: Vec<u64> = gone.collect();
    for first in &gone {
        // The index first: one without a segment would stay for ever.
        let index = index_name(*first);
        if names.contains(&index) {
            files.remove(&dir.join(index))?;
        }
        files.remove(&dir.join(file_name(*first)))?;
    }
    match gone.is_empty() {
        true => Ok(()),
        false => files.sync_dir(dir),
    }
}

#[cfg(test)]
mod tests;
