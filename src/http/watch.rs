//! The deadlines of one connection, in one place that looks at all of them.
//!
//! Progress only notes the time, which is cheap; a timer per connection looks at the notes now and
//! then. So a deadline fires at most a quarter of the shortest one late.

use super::HttpLimits;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a closing connection waits for the client to close too, so that the answer to a
/// request whose body was not read is not lost to a reset.
const LINGER: Duration = Duration::from_secs(1);

/// What happens on a connection, as far as its deadlines care.
pub(super) struct Watch {
    header: Duration,
    idle: Duration,
    request: Duration,
    write: Duration,
    notes: Mutex<Notes>,
    /// The framing of a request is ambiguous: it is answered 400, and the connection ends.
    pub(super) ambiguous: AtomicBool,
}

struct Notes {
    /// Since when there is neither a request under way, nor the head of one.
    idle_since: Instant,
    /// When the first byte of an unfinished head came.
    head_since: Option<Instant>,
    /// When the first byte of the latest head came.
    began: Instant,
    /// When the request that has no answer yet began.
    request_since: Option<Instant>,
    /// The answer is being written.
    answering: bool,
    /// Since when the client takes nothing.
    stalled_since: Option<Instant>,
    closing_since: Option<Instant>,
}

/// A request under way, until the last byte of its answer is handed on.
pub(super) struct Underway(Arc<Watch>);

impl Watch {
    pub(super) fn new(limits: &HttpLimits) -> Arc<Self> {
        Arc::new(Self {
            header: limits.header_deadline,
            idle: limits.idle_deadline,
            request: limits.request_deadline,
            write: limits.write_deadline,
            notes: Mutex::new(Notes {
                idle_since: Instant::now(),
                head_since: None,
                began: Instant::now(),
                request_since: None,
                answering: false,
                stalled_since: None,
                closing_since: None,
            }),
            ambiguous: AtomicBool::new(false),
        })
    }

    /// Bytes came; `in_head` tells whether they end in the middle of a head.
    pub(super) fn read(&self, in_head: bool) {
        self.note(|notes| {
            let now = Instant::now();
            notes.began = notes.head_since.unwrap_or(now);
            notes.head_since = in_head.then_some(notes.began);
            notes.idle_since = now;
        });
    }

    /// The head of a request is complete. Tells when its first byte came.
    pub(super) fn begin(self: &Arc<Self>) -> (Underway, Instant) {
        let began = self.note(|notes| {
            notes.request_since = Some(Instant::now());
            notes.began
        });
        (Underway(Arc::clone(self)), began)
    }

    /// The client takes nothing.
    pub(super) fn stalled(&self) {
        self.note(|notes| {
            notes.stalled_since.get_or_insert_with(Instant::now);
        });
    }

    /// The client took something.
    pub(super) fn progressed(&self) {
        self.note(|notes| notes.stalled_since = None);
    }

    /// Everything is written; the client is to close.
    pub(super) fn closing(&self) {
        self.note(|notes| {
            notes.closing_since.get_or_insert_with(Instant::now);
        });
    }

    /// The head that is being read is ambiguous.
    pub(super) fn refuse(&self) {
        self.ambiguous.store(true, Ordering::Relaxed);
    }

    /// Resolves when a deadline has passed, with its name.
    pub(super) async fn passed(&self) -> &'static str {
        let shortest = self.header.min(self.idle).min(self.write);
        let tick = (shortest / 4).clamp(Duration::from_millis(5), Duration::from_secs(1));
        loop {
            let now = Instant::now();
            let (deadline, name) = self.note(|notes| self.next(notes));
            if deadline <= now {
                return name;
            }
            tokio::time::sleep_until(deadline.min(now + tick)).await;
        }
    }

    fn next(&self, notes: &Notes) -> (Instant, &'static str) {
        if let Some(since) = notes.closing_since {
            return (since + LINGER, "linger");
        }
        let stalled = notes
            .stalled_since
            .map(|since| (since + self.write, "write"));
        let waiting = match (notes.request_since, notes.answering, notes.head_since) {
            (Some(since), _, _) => Some((since + self.request, "request")),
            (None, true, _) => None,
            (None, false, Some(since)) => Some((since + self.header, "header")),
            (None, false, None) => Some((notes.idle_since + self.idle, "idle")),
        };
        // While an answer streams to a client that takes it, nothing is due.
        let idle = || (Instant::now() + self.idle, "idle");
        stalled
            .into_iter()
            .chain(waiting)
            .min()
            .unwrap_or_else(idle)
    }

    fn note<T>(&self, change: impl FnOnce(&mut Notes) -> T) -> T {
        // Each note is one assignment, so a poisoned lock guards sound notes.
        change(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Underway {
    /// The answer begins.
    pub(super) fn answering(&self) {
        self.0.note(|notes| {
            notes.request_since = None;
            notes.answering = true;
        });
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.note(|notes| {
            let now = Instant::now();
            notes.request_since = None;
            notes.answering = false;
            notes.idle_since = now;
            // The next head may have begun meanwhile; its time counts from when we could look.
            notes.head_since = notes.head_since.map(|_| now);
            notes.began = now;
        });
    }
}
