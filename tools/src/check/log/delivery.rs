//! The life of one delivery, step by step.

use hooklog_schemas::deliveries::{Attempted, Because, Outcome, Routed, Verdict};
use hooklog_schemas::{ReceiptId, SubscriptionId, Timestamp};

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Owed.
    Open,
    /// Given up.
    Dead,
    /// Taken by the subscriber.
    Delivered,
    /// Owed no more.
    Cancelled,
}

impl State {
    /// As tables name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Dead => "dead",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One delivery.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// The receipt that is owed.
    pub(crate) receipt: ReceiptId,
    /// To whom.
    pub(crate) subscription: SubscriptionId,
    /// The partition of its decisions and attempts.
    pub(crate) partition: u32,
    /// Where the decision stands that owes it.
    pub(crate) owed_at: u64,
    /// The offset in `control` of the configuration that owes it.
    pub(crate) configuration: u64,
    /// When its webhook was received.
    pub(crate) received_at: Timestamp,
    /// Its attempts, in the order of the log.
    pub(crate) attempts: Vec<Try>,
    /// Its states; the first is open.
    pub(crate) steps: Vec<Step>,
}

/// A delivery came into a state.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Where the record stands that says so.
    pub(crate) offset: u64,
    /// When that was decided, or when the attempt ended that led to it.
    pub(crate) at: Timestamp,
    /// The state.
    pub(crate) state: State,
    /// What led to it, if it was no attempt.
    pub(crate) because: Option<Because>,
}

/// One recorded attempt.
#[derive(Clone, Debug)]
pub(crate) struct Try {
    /// Counted from 1 since the delivery was owed, or requeued.
    pub(crate) number: u32,
    /// Where the record stands.
    pub(crate) offset: u64,
    /// When it started.
    pub(crate) started_at: Timestamp,
    /// The subscriber answered with a status.
    pub(crate) answered: bool,
}

impl Delivery {
    /// One that a decision owes.
    pub(super) fn owed(
        routed: &Routed,
        subscription: SubscriptionId,
        partition: u32,
        offset: u64,
    ) -> Self {
        let mut delivery = Self {
            receipt: routed.receipt,
            subscription,
            partition,
            owed_at: offset,
            configuration: routed.configuration.offset.0,
            received_at: routed.received_at,
            attempts: Vec::new(),
            steps: Vec::new(),
        };
        delivery.step(offset, routed.at, State::Open, None);
        delivery
    }

    /// Where it stands in the end.
    pub(crate) fn state(&self) -> State {
        self.steps.last().map_or(State::Open, |last| last.state)
    }

    /// The attempt that led to where it stands, or the last before that. What a former owner tells
    /// later decided nothing.
    pub(crate) fn last_try(&self) -> Option<&Try> {
        let stands = self.steps.last()?.offset;
        self.attempts.iter().rfind(|one| one.offset <= stands)
    }

    /// The last step before an offset.
    pub(crate) fn step_before(&self, offset: u64) -> Option<&Step> {
        self.steps.iter().rev().find(|step| step.offset < offset)
    }

    /// Where it was cancelled.
    pub(crate) fn cancellation(&self) -> Option<&Step> {
        let mut steps = self.steps.iter();
        steps.find(|step| step.state == State::Cancelled)
    }

    pub(super) fn attempted(&mut self, attempted: &Attempted, offset: u64, stale: bool) {
        self.attempts.push(Try {
            number: attempted.number,
            offset,
            started_at: attempted.started_at,
            answered: matches!(attempted.outcome, Outcome::Status(_)),
        });
        let micros = i64::try_from(attempted.duration_us).unwrap_or(i64::MAX);
        let ended = Timestamp(attempted.started_at.0.saturating_add(micros));
        match (self.state(), &attempted.verdict) {
            (State::Delivered, _) => {}
            (_, Verdict::Delivered) => self.step(offset, ended, State::Delivered, None),
            (State::Open, Verdict::DeadLettered { .. }) if !stale => {
                self.step(offset, ended, State::Dead, None);
            }
            _ => {}
        }
    }

    pub(super) fn requeued(&mut self, offset: u64, at: Timestamp, because: &Because) {
        self.step(offset, at, State::Open, Some(because.clone()));
    }

    pub(super) fn cancelled(&mut self, offset: u64, at: Timestamp, because: &Because) {
        self.step(offset, at, State::Cancelled, Some(because.clone()));
    }

    fn step(&mut self, offset: u64, at: Timestamp, state: State, because: Option<Because>) {
        self.steps.push(Step {
            offset,
            at,
            state,
            because,
        });
    }
}
