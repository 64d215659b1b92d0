//! Empties the spool into the inlet behind it, a bounded batch at a time, and forgets a batch only
//! when it is durable there.

use super::Spool;
use crate::clock;
use crate::log::{AppendError, Bounds, ReadError, ReadLimit};
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{Append, DecodeError, Offset, Record, Timestamp, partition_of};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A batch has so many webhooks at the most, and so many bytes.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 4 << 20;
/// A batch that takes longer counts as refused; it is tried again.
const BATCH_DEADLINE: Duration = Duration::from_secs(30);
/// How long to wait after the inlet refused a batch: the first time, and at the most.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long to wait for what is on its way into the spool.
const SOON: Duration = Duration::from_millis(5);
/// The age of the oldest webhook is told this often, also while nothing happens.
const MEASURED: Duration = Duration::from_secs(1);

/// How fast it goes. After a refusal one webhook tries whether all is well again: of a batch whose
/// outcome is unknown, everything would come twice.
pub(super) struct Pace {
    batch: usize,
    pause: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            batch: 1,
            pause: PAUSE,
        }
    }
}

impl Pace {
    fn faster(&mut self) {
        self.batch = (self.batch * 4).min(BATCH);
        self.pause = PAUSE;
    }

    /// Tells how long to wait.
    fn slower(&mut self) -> Duration {
        let pause = self.pause;
        self.batch = 1;
        self.pause = (pause * 2).min(PAUSE_MAX);
        pause
    }
}

/// What became of a batch.
#[derive(Debug)]
pub enum Step {
    /// So many webhooks are durable behind the spool, and forgotten.
    Drained(usize),
    /// There is nothing in the spool.
    Empty,
    /// The inlet did not take them.
    Refused(AppendError),
}

/// Why the spool cannot be drained.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// It cannot be read.
    #[error("the spool cannot be read: {0}")]
    Read(#[from] ReadError),
    /// A newer release wrote it, or it is none of ours.
    #[error("a webhook in the spool is not understood: {0}")]
    Decode(#[from] DecodeError),
    /// A write or a sync of its files failed.
    #[error("the spool stopped ({0}); start again to recover what it has")]
    Stopped(String),
}

impl Spool {
    /// Drains whenever there is something, until `stop` is cancelled; then goes on for as long as
    /// `grace` and the inlet allow. What is left stays for the next start.
    ///
    /// # Errors
    /// When the spool's files fail, or hold what is not understood.
    pub async fn run(
        self: Arc<Self>,
        stop: CancellationToken,
        grace: Duration,
    ) -> Result<(), DrainError> {
        while !stop.is_cancelled() {
            self.round(&stop).await?;
        }
        let last = Instant::now() + grace;
        while let Ok(step) = tokio::time::timeout_at(last, self.step()).await {
            match step? {
                Step::Drained(_) => {}
                Step::Empty | Step::Refused(_) => break,
            }
        }
        match self.depth() {
            0 => {}
            left => tracing::warn!(
                webhooks = left,
                "stopping with webhooks in the spool: they drain after the next start, or by \
                 `hooklog spool drain`"
            ),
        }
        Ok(())
    }

    /// Waits until there is something to drain, and drains a batch. Only its waiting is cut short by
    /// `stop`: nobody would know the outcome of a batch that is cut short.
    async fn round(&self, stop: &CancellationToken) -> Result<(), DrainError> {
        stop.run_until_cancelled(self.until_there_is_something())
            .await;
        if let Some(reason) = self.stopped().borrow().clone() {
            return Err(DrainError::Stopped(reason));
        }
        let wait = match self.step().await? {
            Step::Drained(_) => return Ok(()),
            // Something is on its way into the spool.
            Step::Empty => SOON,
            Step::Refused(error) => {
                tracing::debug!(%error, "the spool is not drained yet");
                self.with_pace(Pace::slower)
            }
        };
        stop.run_until_cancelled(self.pause(wait)).await;
        Ok(())
    }

    async fn until_there_is_something(&self) {
        if self.gate.since().is_some() {
            return;
        }
        let next = self.parts.buffer.bounds().start;
        let mut stopped = self.stopped();
        tokio::select! {
            () = self.begun.notified() => {}
            // An error means that the buffer is gone.
            _ = stopped.wait_for(Option::is_some) => {}
            () = self.parts.buffer.wait(next) => {
                // Its receiver gave up while it was being written: it drains like any other.
                drop(self.gate.enter(self.parts.clock.now()));
            }
        }
    }

    /// Moves the next few webhooks out of the spool.
    ///
    /// # Errors
    /// When the spool's files fail, or hold what is not understood.
    pub async fn step(&self) -> Result<Step, DrainError> {
        let limit = ReadLimit {
            records: self.with_pace(|pace| pace.batch),
            bytes: BATCH_BYTES,
        };
        let from = self.parts.buffer.bounds().start;
        let records = self.parts.buffer.read(from, limit).await?;
        self.note_oldest(records.first())?;
        let Some(last) = records.last() else {
            self.open_the_gate();
            return Ok(Step::Empty);
        };
        let next = last.position.offset.next();
        let now = self.parts.clock.now();
        let again = records
            .iter()
            .map(|record| again(record, self.parts.partitions, now));
        let batch: Vec<Append> = again.collect::<Result<_, _>>()?;
        let count = batch.len();
        let putting = tokio::time::timeout(BATCH_DEADLINE, self.parts.inlet.put_all(batch));
        let step = match putting.await {
            Ok(Ok(())) => {
                self.forget(next, count).await;
                Step::Drained(count)
            }
            Ok(Err(error)) => Step::Refused(error),
            Err(_) => Step::Refused(AppendError::Unavailable("it took too long".to_owned())),
        };
        self.measure();
        Ok(step)
    }

    async fn forget(&self, next: Offset, count: usize) {
        if let Err(error) = self.parts.buffer.forget(next).await {
            // They are in the log: after a crash they would come there once more.
            tracing::warn!(%error, "the spool does not give back its space");
        }
        self.parts.metrics.drained.inc_by(count as u64);
        self.with_pace(Pace::faster);
    }

    fn open_the_gate(&self) {
        let is_empty = || {
            let Bounds { start, tail } = self.parts.buffer.bounds();
            start == tail
        };
        if let Some(since) = self.gate.open_if(is_empty) {
            tracing::info!(%since, "the spool is empty; webhooks go to the log again");
            self.with_pace(|pace| *pace = Pace::default());
        }
        self.measure();
    }

    /// Waits, and tells meanwhile how the oldest webhook ages.
    async fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while Instant::now() < until {
            tokio::time::sleep_until(until.min(Instant::now() + MEASURED)).await;
            self.measure();
        }
    }

    fn with_pace<T>(&self, with: impl FnOnce(&mut Pace) -> T) -> T {
        with(&mut self.pace.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The append that brings a webhook from the spool into the log: its event and its receipt stay,
/// its key is drawn anew, and it is appended `now`.
///
/// # Errors
/// When it is none that a receiver of this release, or an older one, put there.
pub fn again(record: &Record, partitions: u32, now: Timestamp) -> Result<Append, DecodeError> {
    let received = Received::decode(record)?;
    Ok(Append {
        partition: partition_of(&received.facts.partition_subject(), partitions),
        event_id: record.event_id,
        key: clock::key(),
        event_type: record.event_type.clone(),
        version: record.version,
        epoch: record.epoch,
        at: now,
        headers: record.headers.clone(),
        value: record.value.clone(),
    })
}
