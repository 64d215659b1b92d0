//! Reads of what is not in memory: consumers that are told where to read, kept where they stand
//! for whoever reads on.

mod blocks;
mod reader;

use super::client::Context;
use super::names::Names;
use crate::log::{ReadError, ReadLimit};
use blocks::Blocks;
use hooklog_schemas::{Offset, Position, Record, Timestamp};
use rdkafka::ClientConfig;
use reader::Reader;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Consumers at the most: one for each partition of the default layout that is folded at a time,
/// and some for single records. Each has a few threads, and some megabytes read ahead.
const READERS_MAX: usize = 16;
/// A consumer that somebody used this lately may be read on from.
const KEPT: Duration = Duration::from_secs(1);
/// A consumer that nobody used in this time is closed.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// What a fetch for a single record may bring along.
const BLOCK: ReadLimit = ReadLimit {
    records: 256,
    bytes: 1 << 20,
};

/// The consumers.
pub(super) struct Readers {
    names: Arc<Names>,
    blocks: Blocks,
    /// Of consumers that read on.
    scans: ClientConfig,
    /// Of consumers that read one record here and one there.
    singles: ClientConfig,
    context: Context,
    idle: Mutex<Vec<Reader>>,
    made: AtomicUsize,
    permits: Semaphore,
}

/// What is to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) from: Position,
    pub(super) limit: ReadLimit,
    /// One record is wanted, and probably no other right after it.
    pub(super) single: bool,
    /// Everything before this is written.
    pub(super) end: Offset,
    /// There is certainly a record to be read: a broker that says otherwise is asked again.
    pub(super) certain: bool,
    /// The append time of what stands before.
    pub(super) floor: Timestamp,
    /// How long brokers may take.
    pub(super) patience: Duration,
}

impl Readers {
    pub(super) fn new(names: Arc<Names>, client: &ClientConfig, context: Context) -> Self {
        let mut scans = client.clone();
        // The end is mostly known, and who is at it leaves; so nobody asks for long.
        scans
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "10");
        let mut singles = scans.clone();
        // A larger record comes whole all the same.
        singles.set("fetch.message.max.bytes", "131072");
        Self {
            blocks: Blocks::new(Arc::clone(&names)),
            names,
            scans,
            singles,
            context,
            idle: Mutex::default(),
            made: AtomicUsize::new(0),
            permits: Semaphore::new(READERS_MAX),
        }
    }

    /// Reads from the brokers; nothing if they have nothing there.
    pub(super) async fn read(
        self: &Arc<Self>,
        wanted: Wanted,
    ) -> Result<Vec<Arc<Record>>, ReadError> {
        if !wanted.single {
            return self.fetch(wanted).await;
        }
        let turn = self.blocks.turn(&wanted.from).await;
        if let Some(found) = self.blocks.find(&wanted.from) {
            return Ok(vec![found]);
        }
        let block = Wanted {
            limit: BLOCK,
            ..wanted
        };
        let records = self.fetch(block).await?;
        let first = records.first().cloned();
        if let Some(turn) = turn {
            self.blocks.keep(&turn, wanted.from, records);
        }
        Ok(first.into_iter().collect())
    }

    /// Forgets what came along of the partition of `at`: a record of it was erased.
    pub(super) fn erase(&self, at: &Position) {
        self.blocks.erase(at);
    }

    async fn fetch(self: &Arc<Self>, wanted: Wanted) -> Result<Vec<Arc<Record>>, ReadError> {
        let closed = |_| unavailable("the log was closed");
        let _permit = self.permits.acquire().await.map_err(closed)?;
        let readers = Arc::clone(self);
        let reading = tokio::task::spawn_blocking(move || {
            let mut reader = readers.take(&wanted)?;
            let read = reader.read(&wanted);
            match &read {
                Ok(_) => readers.lock().push(reader),
                Err(_) => readers.close(reader),
            }
            read
        });
        let read = reading.await;
        read.unwrap_or_else(|error| Err(unavailable(&error.to_string())))
    }

    /// Closes consumers that nobody used for some time. Blocks while it does.
    pub(super) fn close_idle(&self) {
        let now = Instant::now();
        let (stay, go): (Vec<_>, Vec<_>) = self
            .lock()
            .drain(..)
            .partition(|reader| now.duration_since(reader.used) < IDLE_MAX);
        self.lock().extend(stay);
        for reader in go {
            self.close(reader);
        }
    }

    /// The consumer that stands where it is wanted; else one that nobody reads on from, else a new
    /// one.
    fn take(&self, wanted: &Wanted) -> Result<Reader, ReadError> {
        let now = Instant::now();
        let single = wanted.single;
        let mut idle = self.lock();
        let place = |suits: &dyn Fn(&Reader) -> bool| {
            let suits = |reader: &Reader| reader.single == single && suits(reader);
            idle.iter().position(suits)
        };
        let free = |reader: &Reader| reader.at.is_none() || now.duration_since(reader.used) > KEPT;
        let stands = place(&|reader| reader.at == Some(wanted.from));
        if let Some(found) = stands.or_else(|| place(&free)) {
            return Ok(idle.swap_remove(found));
        }
        if self.made.load(Ordering::Relaxed) >= READERS_MAX {
            let oldest = (0..idle.len()).min_by_key(|n| idle.get(*n).map(|reader| reader.used));
            let oldest = oldest.map(|oldest| idle.swap_remove(oldest));
            match oldest {
                Some(oldest) if oldest.single == single => return Ok(oldest),
                Some(oldest) => self.close(oldest),
                None => {}
            }
        }
        drop(idle);
        let client = if single { &self.singles } else { &self.scans };
        let names = Arc::clone(&self.names);
        let reader = Reader::new(client, self.context.clone(), names, single);
        let reader = reader.map_err(|error| unavailable(&error.to_string()))?;
        self.made.fetch_add(1, Ordering::Relaxed);
        Ok(reader)
    }

    fn close(&self, reader: Reader) {
        drop(reader);
        self.made.fetch_sub(1, Ordering::Relaxed);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unavailable(reason: &str) -> ReadError {
    ReadError::Unavailable(reason.to_owned())
}
