//! Which way webhooks go: through, or into the spool behind those that wait there.

use hooklog_schemas::Timestamp;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Knows whether webhooks go into the spool, and how many are on their way into it: only when none
/// is, and none waits there, may the next one overtake by going straight.
#[derive(Default)]
pub(super) struct Gate(Mutex<State>);

#[derive(Default)]
struct State {
    since: Option<Timestamp>,
    on_the_way: usize,
}

/// One webhook on its way into the spool, until it is dropped.
pub(super) struct Entered<'a> {
    gate: &'a Gate,
    /// It is the first one: until now they went through.
    pub(super) first: bool,
}

impl Gate {
    /// Since when webhooks go into the spool, if they do.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.state().since
    }

    /// The way into the spool, if webhooks go there already.
    pub(super) fn queue_behind(&self) -> Option<Entered<'_>> {
        let mut state = self.state();
        state.since?;
        state.on_the_way += 1;
        Some(Entered {
            gate: self,
            first: false,
        })
    }

    /// The way into the spool, which all take from now on.
    pub(super) fn enter(&self, now: Timestamp) -> Entered<'_> {
        let mut state = self.state();
        let first = state.since.is_none();
        state.since.get_or_insert(now);
        state.on_the_way += 1;
        Entered { gate: self, first }
    }

    /// Lets webhooks go through again if none is on its way into the spool and `is_empty`; tells
    /// since when they did not.
    pub(super) fn open_if(&self, is_empty: impl FnOnce() -> bool) -> Option<Timestamp> {
        let mut state = self.state();
        if state.on_the_way > 0 || !is_empty() {
            return None;
        }
        state.since.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.gate.state().on_the_way -= 1;
    }
}
