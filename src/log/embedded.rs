//! The embedded log: one journal per topic, made of segment files. `docs/log-format.md` has the
//! format, byte by byte.

mod buffer;
mod compaction;
mod compare;
mod files;
mod frame;
mod index;
mod journal;
mod offline;
mod open_error;
mod options;
mod origin;
mod queue;
mod reader;
mod recovery;
mod reserve;
mod scan;
mod segment;
mod ties;
mod writer;

pub use buffer::{EmbeddedBuffer, Held};
pub use offline::OfflineLog;
pub use open_error::OpenError;

use super::lock::Lock;
use super::{AppendError, Bounds, EventLog, ReadError, ReadLimit, tell};
use crate::clock::System;
use crate::config::LogConfig;
use crate::metrics::Metrics;
use async_trait::async_trait;
use files::{DiskFiles, LogFiles};
use frame::{Draft, SALT};
use hooklog_schemas::{Append, EventId, Offset, Partition, Position, Record, Timestamp, Topic};
use journal::Journal;
use options::Options;
use queue::Queue;
use reader::no_partition;
use reserve::Reserve;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{oneshot, watch};
use writer::Request;

/// A log in files of this machine, with one process that writes it.
pub struct EmbeddedLog {
    journals: Vec<(Arc<Journal>, Queue)>,
    poison: watch::Sender<Option<String>>,
    options: Options,
    /// The log's id: that of the log of which it is a copy, or its journals'.
    id: EventId,
    compacting: tokio::sync::Mutex<()>,
    // Released last, when no thread writes any more.
    _lock: Lock,
}

impl EmbeddedLog {
    /// Opens the log in the folder `log` of `dir`, or makes an empty one.
    ///
    /// # Errors
    /// Another process has it, it is damaged, or the file system says no. See [`OpenError`].
    pub fn open(dir: &Path, config: &LogConfig, metrics: Metrics) -> Result<Self, OpenError> {
        let dir = dir.join("log");
        let files: Arc<dyn LogFiles> = Arc::new(DiskFiles);
        files
            .create_dir(&dir)
            .map_err(|error| OpenError::io(&dir, error))?;
        let lock = Lock::take(&dir)?;
        let options = Options::new(config, &metrics, Arc::new(System));
        Self::open_with(&files, &dir, options, lock)
    }

    /// Opens the log in the folder `log` of `dir`, or makes an empty one, that is to be a copy of
    /// the log `of`.
    ///
    /// # Errors
    /// There is another log already, and all that [`EmbeddedLog::open`] says.
    pub fn open_copy(
        dir: &Path,
        config: &LogConfig,
        metrics: Metrics,
        of: EventId,
    ) -> Result<Self, OpenError> {
        let log = Self::open(dir, config, metrics)?;
        let path = dir.join("log");
        if log.id == of {
            return Ok(log);
        }
        if log
            .journals
            .iter()
            .any(|(journal, _)| ties::has_records(journal))
        {
            return Err(OpenError::OtherLog {
                path: path.display().to_string(),
                found: log.id,
                wanted: of,
            });
        }
        origin::write(&path, of)?;
        Ok(Self { id: of, ..log })
    }

    fn open_with(
        files: &Arc<dyn LogFiles>,
        dir: &Path,
        options: Options,
        lock: Lock,
    ) -> Result<Self, OpenError> {
        let poison = watch::Sender::new(None);
        let mut journals = Vec::new();
        for (journal, writer) in ties::open(files, dir, &options, &poison)? {
            let queue = Queue::start(format!("log-{}", journal.topic), writer);
            let queue = queue.map_err(|error| OpenError::io(dir, error))?;
            journals.push((journal, queue));
        }
        let own = ties::log_id(journals[slot(Topic::Control)].0.id);
        Ok(Self {
            id: origin::read(dir)?.unwrap_or(own),
            journals,
            poison,
            options,
            compacting: tokio::sync::Mutex::default(),
            _lock: lock,
        })
    }

    /// Why the log stopped, once it did. The process must end then, and recover by opening it anew.
    #[must_use]
    pub fn poisoned(&self) -> watch::Receiver<Option<String>> {
        self.poison.subscribe()
    }

    fn journal(&self, topic: Topic) -> &Arc<Journal> {
        &self.journals[slot(topic)].0
    }

    fn known(&self, topic: Topic, partition: Partition) -> Result<(), ReadError> {
        let journal = self.journal(topic);
        if partition.0 < journal.partitions() {
            return Ok(());
        }
        Err(no_partition(journal, partition))
    }

    /// Encodes and sums the records, so that the writer has little left to do.
    fn draft(&self, topic: Topic, batch: Vec<Append>) -> Result<Vec<Draft>, AppendError> {
        let mut salts = vec![[0; SALT]; batch.len()];
        let random = getrandom::fill(salts.as_flattened_mut());
        random.map_err(|error| AppendError::Unavailable(error.to_string()))?;
        let seed = self.journal(topic).seed;
        let drafts = batch.into_iter().zip(salts).map(|(append, salt)| {
            let known = self.known(topic, append.partition);
            known.map_err(|error| AppendError::Unavailable(error.to_string()))?;
            Draft::new(append, salt, seed)
        });
        drafts.collect()
    }
}

#[async_trait]
impl EventLog for EmbeddedLog {
    fn id(&self) -> Option<EventId> {
        Some(self.id)
    }

    fn partitions(&self, topic: Topic) -> u32 {
        self.journal(topic).partitions()
    }

    async fn append(&self, topic: Topic, batch: Vec<Append>) -> Result<Vec<Offset>, AppendError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let began = Instant::now();
        let drafts = self.draft(topic, batch)?;
        let (reply, done) = oneshot::channel();
        self.journals[slot(topic)]
            .1
            .append(Request { drafts, reply })?;
        let offsets = done.await.unwrap_or_else(|_| Err(queue::stopped()))?;
        self.options.metrics.append(topic, began.elapsed());
        Ok(offsets)
    }

    async fn read(&self, from: Position, limit: ReadLimit) -> Result<Vec<Arc<Record>>, ReadError> {
        self.known(from.topic, from.partition)?;
        let journal = self.journal(from.topic);
        if let Some(recent) = journal.recent(from, limit) {
            return Ok(recent);
        }
        let journal = Arc::clone(journal);
        blocking(move || journal.read(from, limit)).await
    }

    async fn bounds(&self, topic: Topic, partition: Partition) -> Result<Bounds, ReadError> {
        let journal = self.journal(topic);
        let bounds = journal.bounds(partition);
        bounds.ok_or_else(|| no_partition(journal, partition))
    }

    /// Halves on one thread for blocking work, instead of asking for one at every step.
    async fn offset_after(
        &self,
        topic: Topic,
        partition: Partition,
        time: Timestamp,
    ) -> Result<Offset, ReadError> {
        let journal = Arc::clone(self.journal(topic));
        blocking(move || journal.after(partition, time)).await
    }

    async fn wait(&self, any_of: &[Position]) {
        let appended = any_of
            .iter()
            .filter_map(|at| self.journal(at.topic).appended(at.partition));
        let appended: Vec<_> = appended.collect();
        let readable = || any_of.iter().any(|at| self.journal(at.topic).has(*at));
        tell::until(&appended, readable, self.poison.subscribe()).await;
    }

    async fn takes_webhooks(&self) -> Result<(), AppendError> {
        if let Some(reason) = self.poison.borrow().clone() {
            return Err(AppendError::Poisoned(reason));
        }
        let journal = Arc::clone(self.journal(Topic::Webhooks));
        let mut reserve = Reserve::new(&journal, &self.options);
        // Any webhook has a byte.
        blocking(move || reserve.check(1, false)).await
    }

    async fn compact(&self, topic: Topic) -> Result<u64, AppendError> {
        let _one = self.compacting.lock().await;
        let (journal, queue) = &self.journals[slot(topic)];
        let keys = compaction::erased_keys(journal);
        if compaction::outstanding(journal, &keys) == 0 {
            return Ok(0);
        }
        let (theirs, keys) = (Arc::clone(journal), Arc::new(keys));
        let wanted = Arc::clone(&keys);
        if blocking(move || compaction::active_holds(&theirs, &wanted)).await? {
            queue.roll().await?;
        }
        let journal = Arc::clone(journal);
        blocking(move || compaction::run(&journal, &keys)).await
    }
}

async fn blocking<T: Send + 'static, E: From<Stuck> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Stuck(error.to_string()).into()))
}

/// A thread for blocking work did not end as it should.
struct Stuck(String);

impl From<Stuck> for ReadError {
    fn from(stuck: Stuck) -> Self {
        Self::Unavailable(stuck.0)
    }
}

impl From<Stuck> for AppendError {
    fn from(stuck: Stuck) -> Self {
        Self::Unavailable(stuck.0)
    }
}

fn slot(topic: Topic) -> usize {
    match topic {
        Topic::Webhooks => 0,
        Topic::Deliveries => 1,
        Topic::Control => 2,
    }
}

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
pub(crate) mod fault;
#[cfg(test)]
mod tests;
