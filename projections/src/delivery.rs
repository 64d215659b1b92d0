//! A delivery's states: the fold that retries, dead letters and tables all read.

use hooklog_schemas::Timestamp;
use hooklog_schemas::deliveries::{DeadReason, Verdict};
use serde::{Deserialize, Serialize};

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Owed: the next attempt is due at this time.
    Open {
        /// When.
        due: Timestamp,
    },
    /// Given up.
    Dead {
        /// Why.
        reason: DeadReason,
    },
    /// A subscriber answered 2xx.
    Delivered,
    /// Owed no more.
    Cancelled,
}

impl State {
    /// The state's name, as in tables, in the API and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open { .. } => "open",
            Self::Dead { .. } => "dead",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What happened to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// An attempt ended with this verdict, at this time.
    Attempted(&'a Verdict, Timestamp),
    /// A dead letter is owed again, due at this time.
    Requeued(Timestamp),
    /// It is owed no more.
    Cancelled,
}

/// The state after `step`, or `None` where the step changes nothing (and is counted).
///
/// | now \ step | delivered | retry at T | dead | requeued | cancelled |
/// |---|---|---|---|---|---|
/// | open | delivered | open, due T | dead | open, due now | cancelled |
/// | dead | delivered | – | – | open, due now | – |
/// | cancelled | delivered | – | – | – | – |
/// | delivered | – | – | – | – | – |
///
/// A pausing answer leaves an open delivery open and due at once: it waits for its subscription.
#[must_use]
pub const fn next(now: State, step: Step<'_>) -> Option<State> {
    match (now, step) {
        (State::Delivered, _) => None,
        (_, Step::Attempted(Verdict::Delivered, _)) => Some(State::Delivered),
        (State::Open { .. }, Step::Attempted(Verdict::Retry { at }, _)) => {
            Some(State::Open { due: *at })
        }
        (State::Open { .. }, Step::Attempted(Verdict::Paused, at)) => Some(State::Open { due: at }),
        (State::Open { .. }, Step::Attempted(Verdict::DeadLettered { reason }, _)) => {
            Some(State::Dead { reason: *reason })
        }
        (State::Open { .. } | State::Dead { .. }, Step::Requeued(at)) => {
            Some(State::Open { due: at })
        }
        (State::Open { .. }, Step::Cancelled) => Some(State::Cancelled),
        (State::Dead { .. } | State::Cancelled, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp(9);
    const OPEN: State = State::Open { due: Timestamp(1) };
    const DEAD: State = State::Dead {
        reason: DeadReason::AttemptsExhausted,
    };

    #[test]
    fn the_table_of_the_design_holds() {
        let delivered = Verdict::Delivered;
        let retry = Verdict::Retry { at: Timestamp(7) };
        let dead = Verdict::DeadLettered {
            reason: DeadReason::AttemptsExhausted,
        };
        let steps = [
            Step::Attempted(&delivered, AT),
            Step::Attempted(&retry, AT),
            Step::Attempted(&dead, AT),
            Step::Requeued(AT),
            Step::Cancelled,
        ];
        let again = Some(State::Open { due: Timestamp(7) });
        let now = Some(State::Open { due: AT });
        let done = Some(State::Delivered);
        let table = [
            (OPEN, [done, again, Some(DEAD), now, Some(State::Cancelled)]),
            (DEAD, [done, None, None, now, None]),
            (State::Cancelled, [done, None, None, None, None]),
            (State::Delivered, [None, None, None, None, None]),
        ];
        for (state, expected) in table {
            for (step, expected) in steps.into_iter().zip(expected) {
                assert_eq!(next(state, step), expected, "{state:?} {step:?}");
            }
        }
    }

    #[test]
    fn a_pausing_answer_leaves_it_open() {
        let paused = Step::Attempted(&Verdict::Paused, AT);
        assert_eq!(next(OPEN, paused), Some(State::Open { due: AT }));
        assert_eq!(next(State::Cancelled, paused), None);
    }
}
