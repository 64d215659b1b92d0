//! Time and identities: the thin edge through which both come in.

use hooklog_schemas::{EventId, Key, ReceiptId, Timestamp};
use std::sync::atomic::{AtomicI64, Ordering};
use uuid::Uuid;

/// Tells the time. Pure code is handed a [`Timestamp`] instead.
///
/// # Rules for implementers
/// - `now` may go backwards (clocks are set): callers order by the log, never by this.
pub trait Clock: Send + Sync {
    /// The wall clock's time.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Clock for System {
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_microsecond())
    }
}

/// A clock that stands still until it is told otherwise, for tests.
#[derive(Debug, Default)]
pub struct Manual {
    now: AtomicI64,
    /// Microseconds by which every look moves it on.
    step: AtomicI64,
}

impl Manual {
    /// A clock that shows `now`.
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        Self {
            now: AtomicI64::new(now.0),
            step: AtomicI64::new(0),
        }
    }

    /// From now on every look moves the clock on by this.
    pub fn step(&self, by: std::time::Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.step.store(micros, Ordering::SeqCst);
    }

    /// Moves the clock on.
    pub fn advance(&self, by: std::time::Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.now.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for Manual {
    fn now(&self) -> Timestamp {
        let step = self.step.load(Ordering::SeqCst);
        Timestamp(self.now.fetch_add(step, Ordering::SeqCst))
    }
}

/// A new event id (UUIDv7).
#[must_use]
pub fn event_id() -> EventId {
    EventId(Uuid::now_v7())
}

/// A new receipt id (UUIDv7).
#[must_use]
pub fn receipt_id() -> ReceiptId {
    ReceiptId(Uuid::now_v7())
}

/// A new key for one append (UUIDv4).
#[must_use]
pub fn key() -> Key {
    Key(Uuid::new_v4())
}
