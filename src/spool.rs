//! A receiver's own buffer: when the log, or the queue in front of it, is away, webhooks go
//! durably into files on a volume that outlives the process, and are answered 200. They drain in
//! the order in which they came, and new ones queue behind them until there are none left.

mod drain;
mod gate;
mod measure;

pub use drain::{Step, again};

use crate::clock::{self, Clock};
use crate::config::SpoolConfig;
use crate::log::{AppendError, Bounds, ReadError, ReadLimit};
use crate::metrics::Metrics;
use crate::receive::Inlet;
use async_trait::async_trait;
use drain::Pace;
use gate::{Entered, Gate};
use hooklog_schemas::{Append, Offset, Partition, Record, Timestamp};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Keeps webhooks durably, in one order, and forgets them from the beginning.
///
/// # Rules for implementers
/// - When `append` returns, the webhook is durable; the partition that it names does not matter.
/// - What was forgotten is never read again, also after a crash at any moment, unless the crash
///   came before `forget` returned.
/// - The first error of a write or a sync stops it: every later append fails.
#[async_trait]
pub trait Buffer: Send + Sync {
    /// Keeps one more webhook.
    async fn append(&self, webhook: Append) -> Result<(), AppendError>;

    /// Webhooks from `from` on, in their order; none at the end.
    async fn read(&self, from: Offset, limit: ReadLimit) -> Result<Vec<Arc<Record>>, ReadError>;

    /// The first webhook that is not forgotten, and the place of the next one.
    fn bounds(&self) -> Bounds;

    /// What it takes of its disk, in bytes.
    fn bytes(&self) -> u64;

    /// Resolves when there is a webhook at `offset`, or when the buffer stopped.
    async fn wait(&self, offset: Offset);

    /// Forgets everything before `before`, which is durable elsewhere.
    async fn forget(&self, before: Offset) -> Result<(), AppendError>;

    /// Whether a webhook would be taken now.
    ///
    /// # Errors
    /// What an append would fail with.
    async fn takes_webhooks(&self) -> Result<(), AppendError>;

    /// Why it stopped, once it did.
    fn stopped(&self) -> watch::Receiver<Option<String>>;
}

/// Whether the receiver may still verify by the configuration that it has. An error says why not.
pub type Fresh = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What a spool is made of.
pub struct SpoolParts {
    /// Where webhooks go when all is well, and where the spool drains to.
    pub inlet: Arc<dyn Inlet>,
    /// Where they are kept meanwhile.
    pub buffer: Arc<dyn Buffer>,
    /// Partitions of `webhooks` in the log.
    pub partitions: u32,
    /// Whether webhooks that only this process has seen can be trusted.
    pub fresh: Fresh,
    /// Tells the age of what waits.
    pub clock: Arc<dyn Clock>,
    /// Limits.
    pub config: SpoolConfig,
    /// What is counted.
    pub metrics: Metrics,
}

/// An inlet that keeps webhooks while the one behind it does not take them.
pub struct Spool {
    parts: SpoolParts,
    gate: Gate,
    pace: Mutex<Pace>,
    /// When the first webhook that waits was received, once somebody looked.
    oldest: Mutex<Option<Timestamp>>,
    /// Told when the first webhook goes into the spool.
    begun: Notify,
}

impl Spool {
    /// Puts a spool together. What an earlier process left in the buffer comes first.
    #[must_use]
    pub fn new(parts: SpoolParts) -> Arc<Self> {
        let spool = Self {
            parts,
            gate: Gate::default(),
            pace: Mutex::default(),
            oldest: Mutex::default(),
            begun: Notify::new(),
        };
        let left = spool.depth();
        if left > 0 {
            let _entered = spool.gate.enter(spool.parts.clock.now());
            tracing::warn!(
                webhooks = left,
                "the spool holds webhooks; they drain first"
            );
        }
        spool.measure();
        Arc::new(spool)
    }

    /// Webhooks in the spool.
    #[must_use]
    pub fn depth(&self) -> u64 {
        let Bounds { start, tail } = self.parts.buffer.bounds();
        tail.0.saturating_sub(start.0)
    }

    /// What an operator should know of it, while webhooks go into it or wait in it.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let since = self.gate.since()?;
        let (depth, bytes) = (self.depth(), self.parts.buffer.bytes());
        Some(format!(
            "webhooks go into the spool since {since}: {depth} wait, in {bytes} bytes"
        ))
    }

    /// Why the buffer stopped, once it did. The process must end then, and recover what it has.
    #[must_use]
    pub fn stopped(&self) -> watch::Receiver<Option<String>> {
        self.parts.buffer.stopped()
    }

    /// Hands the webhook to the inlet, which gets its share of the time that is left.
    async fn through(&self, webhook: Append, due: Instant) -> Result<(), AppendError> {
        let now = Instant::now();
        let share = due.saturating_duration_since(now) / 2;
        let share = share.min(Duration::from_millis(self.parts.config.inlet_deadline_ms));
        let putting = self.parts.inlet.put_by(webhook, now + share);
        let late = || {
            let reason = format!("it did not take a webhook within {} ms", share.as_millis());
            AppendError::Unavailable(reason)
        };
        let put = tokio::time::timeout(share, putting).await;
        put.unwrap_or_else(|_| Err(late()))
    }

    /// Keeps the webhook here, behind those that are here already.
    async fn keep(&self, webhook: Append, _entered: Entered<'_>) -> Result<(), AppendError> {
        self.begun.notify_one();
        self.has_room(webhook_bytes(&webhook))?;
        let webhook = Append {
            // The first try may have come into the log after all, and no two records share a key.
            key: clock::key(),
            partition: Partition(0),
            ..webhook
        };
        self.parts.buffer.append(webhook).await.map_err(refused)?;
        self.parts.metrics.spooled.inc();
        Ok(())
    }

    fn has_room(&self, bytes: u64) -> Result<(), AppendError> {
        (self.parts.fresh)().map_err(AppendError::Unavailable)?;
        let (taken, most) = (self.parts.buffer.bytes(), self.parts.config.bytes_max);
        if taken + bytes <= most {
            return Ok(());
        }
        Err(AppendError::Unavailable(format!(
            "the log is away, and the spool is full: it takes {taken} bytes of spool.bytes_max = {most}"
        )))
    }

    fn tell_that_it_began(&self, error: &AppendError) {
        tracing::warn!(%error, "the log does not take webhooks; they go into the spool");
        self.measure();
    }
}

#[async_trait]
impl Inlet for Spool {
    async fn put(&self, webhook: Append) -> Result<(), AppendError> {
        let ample = Duration::from_millis(self.parts.config.inlet_deadline_ms) * 2;
        self.put_by(webhook, Instant::now() + ample).await
    }

    async fn put_by(&self, webhook: Append, due: Instant) -> Result<(), AppendError> {
        if let Some(entered) = self.gate.queue_behind() {
            return self.keep(webhook, entered).await;
        }
        let error = match self.through(webhook.clone(), due).await {
            Ok(()) => return Ok(()),
            Err(error @ AppendError::TooLarge { .. }) => return Err(error),
            Err(error) => error,
        };
        let entered = self.gate.enter(self.parts.clock.now());
        if entered.first {
            self.tell_that_it_began(&error);
        }
        self.keep(webhook, entered).await
    }

    async fn takes_webhooks(&self) -> Result<(), AppendError> {
        if self.gate.since().is_none() && self.parts.inlet.takes_webhooks().await.is_ok() {
            return Ok(());
        }
        self.has_room(1)?;
        self.parts.buffer.takes_webhooks().await.map_err(refused)
    }
}

fn webhook_bytes(webhook: &Append) -> u64 {
    let headers = webhook.headers.iter();
    let headers: usize = headers.map(|h| h.name.len() + h.value.len()).sum();
    (headers + webhook.value.as_ref().map_or(0, bytes::Bytes::len)) as u64
}

/// Why the spool did not take it either. The log may still get what it was handed first.
fn refused(error: AppendError) -> AppendError {
    match error {
        AppendError::TooLarge { .. } | AppendError::Poisoned(_) => error,
        AppendError::NoSpace(_) => AppendError::Unavailable(
            "the log is away, and the spool's disk is full down to spool.reserve_bytes".to_owned(),
        ),
        error => AppendError::Unavailable(format!("the log is away, and so is the spool: {error}")),
    }
}

#[cfg(test)]
pub(crate) mod tests;
