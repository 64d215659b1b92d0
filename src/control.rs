//! The configuration in force: follows the `control` topic, and submits changes to it.

pub mod last_known;

use crate::clock::{self, Clock};
use crate::log::{AppendError, EventLog, ReadError, ReadLimit};
use arc_swap::ArcSwap;
use hooklog_projections::configuration::{Configuration, Folded};
use hooklog_schemas::{Append, DecodeError, Event, EventId, Offset, Partition, Position, Topic};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Follows `control`. Everybody who decides by the configuration holds one of these.
pub struct Control {
    log: Arc<dyn EventLog>,
    clock: Arc<dyn Clock>,
    current: ArcSwap<Configuration>,
    /// The next offset to fold: everything before it is in `current`.
    next: watch::Sender<Offset>,
    /// What became of the latest events, by offset, for those who submitted them.
    outcomes: Mutex<BTreeMap<Offset, Folded>>,
}

/// A change that took effect.
#[derive(Clone, Copy, Debug)]
pub struct Submitted {
    /// Its event.
    pub event: EventId,
    /// Its offset in `control`.
    pub offset: Offset,
}

/// Why a change did not take effect.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Another change of the same object came first.
    #[error("it was changed by somebody else in the meantime; look at it again, then repeat")]
    Conflict,
    /// The object is not there any more.
    #[error("it does not exist, or not any more")]
    Gone,
    /// The log did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The follower has stopped, so nobody knows what became of it.
    #[error("the change was written, but the configuration is not followed any more")]
    Stopped,
}

/// Why an event could not be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The log did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// What it holds cannot be folded.
    #[error(transparent)]
    Follow(#[from] FollowError),
}

/// Why the configuration cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record is not understood.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl FollowError {
    /// Whether it may go on later: the log is away.
    #[must_use]
    pub const fn is_for_a_while(&self) -> bool {
        matches!(self, Self::Read(ReadError::Unavailable(_)))
    }
}

impl Control {
    /// Reads `control` to its end.
    ///
    /// # Errors
    /// When the log cannot be read, or holds an event that this release does not know.
    pub async fn open(
        log: Arc<dyn EventLog>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, FollowError> {
        let control = Self::going_by(Configuration::default(), log, clock);
        while control.step().await? {}
        Ok(control)
    }

    /// Goes by what was `known` of the configuration earlier, while the log is away. When it is
    /// there, [`Control::catch_up`] comes before anything else.
    #[must_use]
    pub fn going_by(
        known: Configuration,
        log: Arc<dyn EventLog>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        Arc::new(Self {
            log,
            clock,
            current: ArcSwap::from_pointee(known),
            next: watch::Sender::new(Offset(0)),
            outcomes: Mutex::default(),
        })
    }

    /// Reads `control` from its start to its end, and only then goes by it.
    ///
    /// # Errors
    /// When the log cannot be read, or holds an event that this release does not know.
    pub async fn catch_up(&self) -> Result<(), FollowError> {
        let mut configuration = Configuration::default();
        let mut at = Position::new(Topic::Control, Partition(0), Offset(0));
        loop {
            let records = self.log.read(at, ReadLimit::default()).await?;
            let Some(last) = records.last() else { break };
            at.offset = last.position.offset.next();
            for record in &records {
                let event = Event::decode(record)?;
                configuration.fold(record.position.offset, record.event_id, &event);
            }
        }
        self.current.store(Arc::new(configuration));
        self.next.send_replace(at.offset);
        Ok(())
    }

    /// Whether everything that is in `control` now is folded.
    ///
    /// # Errors
    /// When the log cannot be asked.
    pub async fn is_current(&self) -> Result<bool, ReadError> {
        let next = *self.next.borrow();
        let bounds = self.log.bounds(Topic::Control, Partition(0)).await?;
        Ok(bounds.tail <= next)
    }

    /// The configuration in force.
    #[must_use]
    pub fn current(&self) -> Arc<Configuration> {
        self.current.load_full()
    }

    /// Tells the next offset to fold, and every change of it.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Offset> {
        self.next.subscribe()
    }

    /// Resolves when everything before `offset` is folded.
    pub async fn reached(&self, offset: Offset) {
        let mut next = self.watch();
        // An error means that the sender is gone, and with it this `Control`.
        let _ = next.wait_for(|next| *next >= offset).await;
    }

    /// Follows until the log fails. Dropping the future stops it.
    ///
    /// # Errors
    /// When the log cannot be read, or holds an event that this release does not know.
    pub async fn follow(&self) -> Result<(), FollowError> {
        loop {
            if !self.step().await? {
                self.log.wait(&[self.position()]).await;
            }
        }
    }

    /// Appends `event` and waits until the follower's fold has decided about it.
    ///
    /// # Errors
    /// When another change came first, or the log does not take it.
    pub async fn submit(&self, event: impl Into<Event>) -> Result<Submitted, SubmitError> {
        let submitted = self.append(event.into()).await?;
        self.decided(submitted.offset).await?;
        Ok(submitted)
    }

    /// Appends `event` and folds up to it here: for the start, when nobody follows yet.
    ///
    /// # Errors
    /// When the log does not take it, or cannot be read.
    pub async fn record(&self, event: impl Into<Event>) -> Result<Submitted, RecordError> {
        let submitted = self.append(event.into()).await?;
        while *self.next.borrow() <= submitted.offset {
            self.step().await?;
        }
        Ok(submitted)
    }

    async fn append(&self, event: Event) -> Result<Submitted, AppendError> {
        let id = clock::event_id();
        let nothing = || AppendError::Unavailable("a tombstone is no change".into());
        let (event_type, version, value) = event.encode().ok_or_else(nothing)?;
        let append = Append {
            partition: Partition(0),
            event_id: id,
            key: clock::key(),
            event_type,
            version,
            epoch: None,
            at: self.clock.now(),
            headers: Vec::new(),
            value: Some(value),
        };
        let offsets = self.log.append(Topic::Control, vec![append]).await?;
        let lost = || AppendError::Unavailable("the log gave no offset".into());
        let offset = offsets.first().copied().ok_or_else(lost)?;
        Ok(Submitted { event: id, offset })
    }

    async fn decided(&self, offset: Offset) -> Result<(), SubmitError> {
        self.reached(offset.next()).await;
        let remembered = self.with_outcomes(|outcomes| outcomes.remove(&offset));
        match remembered {
            Some(Folded::Applied | Folded::Evidence) => Ok(()),
            Some(Folded::Conflict) => Err(SubmitError::Conflict),
            Some(Folded::Ignored) => Err(SubmitError::Gone),
            None => Err(SubmitError::Stopped),
        }
    }

    /// Folds what is there; tells whether there was anything.
    async fn step(&self) -> Result<bool, FollowError> {
        let records = self.log.read(self.position(), ReadLimit::default()).await?;
        let Some(last) = records.last() else {
            return Ok(false);
        };
        let mut configuration = Configuration::clone(&self.current());
        for record in &records {
            let event = Event::decode(record)?;
            let offset = record.position.offset;
            let folded = configuration.fold(offset, record.event_id, &event);
            self.remember(offset, folded);
        }
        let next = last.position.offset.next();
        self.current.store(Arc::new(configuration));
        self.next.send_replace(next);
        Ok(true)
    }

    fn remember(&self, offset: Offset, folded: Folded) {
        self.with_outcomes(|outcomes| {
            outcomes.insert(offset, folded);
            // A submitter asks within moments; what nobody asked for is forgotten.
            while outcomes.len() > OUTCOMES_MAX {
                outcomes.pop_first();
            }
        });
    }

    fn with_outcomes<T>(&self, work: impl FnOnce(&mut BTreeMap<Offset, Folded>) -> T) -> T {
        work(&mut self.outcomes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn position(&self) -> Position {
        Position::new(Topic::Control, Partition(0), *self.next.borrow())
    }
}

/// How many outcomes of changes are remembered for those who submitted them.
const OUTCOMES_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::memory::MemoryLog;
    use hooklog_schemas::control::{
        By, FormatRaised, SealedSecret, SourceCreated, SourcePaused, SourceSpec,
    };
    use hooklog_schemas::{FORMAT, Sealed, SecretId, SourceId, Timestamp};
    use uuid::Uuid;

    const ID: SourceId = SourceId(Uuid::from_u128(1));

    fn by() -> By {
        By {
            actor: "ann".into(),
            from: "local".into(),
            at: Timestamp(1),
            why: None,
        }
    }

    fn source() -> SourceCreated {
        let sealed = Sealed {
            key_id: "k".into(),
            box_base64: String::new(),
        };
        let id = SecretId(Uuid::from_u128(2));
        SourceCreated {
            id: ID,
            spec: SourceSpec {
                name: "a".into(),
                host: "github.com".into(),
                allow: Vec::new(),
                rate_per_second: None,
            },
            secret: SealedSecret {
                id,
                sealed,
                organization_ids: Vec::new(),
            },
            by: by(),
        }
    }

    async fn control() -> Arc<Control> {
        let log = Arc::new(MemoryLog::new(1));
        Control::open(log, Arc::new(clock::System)).await.unwrap()
    }

    #[tokio::test]
    async fn of_two_racing_changes_one_wins_and_the_other_is_told() {
        let control = control().await;
        let created = control.record(source()).await.unwrap();
        let pause = || SourcePaused {
            id: ID,
            expected: created.event,
            by: by(),
        };
        let race = async { tokio::join!(control.submit(pause()), control.submit(pause())) };
        let (first, second) = tokio::select! {
            both = race => both,
            stopped = control.follow() => panic!("{stopped:?}"),
        };
        assert!(first.is_ok());
        assert!(matches!(second, Err(SubmitError::Conflict)));
        assert!(control.current().source("a").unwrap().paused);
    }

    #[tokio::test]
    async fn a_follower_stops_at_a_format_that_it_does_not_read() {
        let control = control().await;
        let format = FORMAT + 1;
        let raised = FormatRaised { format, by: by() };
        control.append(raised.into()).await.unwrap();
        for stopped in [control.follow().await, control.catch_up().await] {
            let outgrown = DecodeError::Outgrown {
                position: "control/0@0".into(),
                format,
            };
            assert_eq!(stopped.unwrap_err().to_string(), outgrown.to_string());
        }
    }

    #[tokio::test]
    async fn a_change_of_nothing_is_told() {
        let control = control().await;
        let pause = SourcePaused {
            id: ID,
            expected: clock::event_id(),
            by: by(),
        };
        let result = tokio::select! {
            result = control.submit(pause) => result,
            stopped = control.follow() => panic!("{stopped:?}"),
        };
        assert!(matches!(result, Err(SubmitError::Gone)));
    }
}
