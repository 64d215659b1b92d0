//! The fold of decisions and attempts.

use super::memory::is_fresh;
use super::{Decoded, Folding};
use crate::counts::{CountKey, Counted};
use crate::deliveries::{Delivery, because_reason, outcome_reason};
use crate::delivery::{State, Step, next};
use crate::webhooks::{self, Shared};
use crate::{attempts, dead_letters};
use hooklog_schemas::Timestamp;
use hooklog_schemas::deliveries::{
    Attempted, Cancelled, LIVE, Match, MatchOutcome, Requeued, Routed, Verdict,
};
use std::sync::Arc;
use std::time::Duration;

/// One step of a delivery, with what its rows say about it.
struct Stepped<'a> {
    id: [u8; 16],
    step: Step<'a>,
    at: Timestamp,
    reason: Option<Arc<str>>,
    /// The attempts from then on; none where the step does not count them.
    attempts: Option<u32>,
    /// When the attempt began, if it is one.
    began_at: Option<i64>,
}

impl Folding {
    pub(super) fn fold_routed(&mut self, decoded: &Decoded, routed: &Routed) {
        let position = decoded.position;
        let partition = position.partition.0;
        let fences = self.memory.fences(partition);
        if fences.is_late(decoded.epoch.map(|epoch| epoch.0)) {
            return;
        }
        let texts = Shared::of(routed);
        if routed.cause == LIVE {
            if !fences.routed(routed.webhook.0) {
                return;
            }
            self.output
                .webhooks
                .push(webhooks::row(position, routed, &texts));
            let key = CountKey::of(position, routed.received_at.0, &texts.source);
            self.memory.count(key, Counted::Received);
        }
        self.count_left_out(decoded, routed);
        let owed = |m: &&Match| m.outcome == MatchOutcome::Owed;
        for (number, owed) in routed.matches.iter().filter(owed).enumerate() {
            let id = owed.delivery.0.into_bytes();
            // The first decision of a receipt and cause counts.
            if !is_fresh(routed) && self.memory.deliveries.contains_key(&id) {
                continue;
            }
            let delivery = Delivery::owed(partition, position.offset.0, routed, owed, &texts);
            self.output
                .transitions
                .push(delivery.transition(id, number));
            self.memory.owed(id, delivery);
            self.count_replayed(decoded, id, None);
            let key = CountKey::of(position, routed.at.0, &texts.source);
            self.memory.count(key, Counted::Owed);
        }
    }

    pub(super) fn fold_attempted(&mut self, decoded: &Decoded, attempted: &Attempted) {
        let row = attempts::row(decoded.position, decoded.epoch, attempted);
        self.output.attempts.push(row);
        let at = attempted
            .started_at
            .plus(Duration::from_micros(attempted.duration_us));
        let delivered = attempted.verdict == Verdict::Delivered;
        if !delivered {
            self.count(
                decoded,
                attempted.delivery.0.into_bytes(),
                at,
                Counted::Failed,
            );
        }
        // What a former owner tells late is evidence: it may only move a delivery to delivered.
        if self.is_late(decoded) && !delivered {
            return;
        }
        let reason = match &attempted.verdict {
            Verdict::Delivered => None,
            Verdict::DeadLettered { reason } => Some(reason.as_str().into()),
            Verdict::Retry { .. } | Verdict::Paused => Some(outcome_reason(&attempted.outcome)),
        };
        let stepped = Stepped {
            id: attempted.delivery.0.into_bytes(),
            step: Step::Attempted(&attempted.verdict, at),
            at,
            reason,
            attempts: Some(attempted.number),
            began_at: Some(attempted.started_at.0),
        };
        self.step(decoded, stepped);
    }

    pub(super) fn fold_requeued(&mut self, decoded: &Decoded, requeued: &Requeued) {
        if self.is_late(decoded) {
            return;
        }
        let stepped = Stepped {
            id: requeued.delivery.0.into_bytes(),
            step: Step::Requeued(requeued.at),
            at: requeued.at,
            reason: Some(because_reason(&requeued.because)),
            attempts: Some(0),
            began_at: None,
        };
        self.step(decoded, stepped);
    }

    pub(super) fn fold_cancelled(&mut self, decoded: &Decoded, cancelled: &Cancelled) {
        if self.is_late(decoded) {
            return;
        }
        let stepped = Stepped {
            id: cancelled.delivery.0.into_bytes(),
            step: Step::Cancelled,
            at: cancelled.at,
            reason: Some(because_reason(&cancelled.because)),
            attempts: None,
            began_at: None,
        };
        self.step(decoded, stepped);
    }

    fn step(&mut self, decoded: &Decoded, stepped: Stepped<'_>) {
        let Some(held) = self.memory.deliveries.get_mut(&stepped.id) else {
            // Its decision has no effect, so it has none either.
            return;
        };
        let before = held.delivery.state;
        let Some(after) = next(before, stepped.step) else {
            return;
        };
        let delivery = &mut held.delivery;
        held.dirty = true;
        delivery.state = after;
        delivery.reason = stepped.reason;
        delivery.attempts = stepped.attempts.unwrap_or(delivery.attempts);
        delivery.first_attempt_at = delivery.first_attempt_at.or(stepped.began_at);
        delivery.changed_at = stepped.at.0;
        delivery.changed_offset = decoded.position.offset.0;
        self.output
            .transitions
            .push(delivery.transition(stepped.id, 0));
        match (before, after) {
            (_, State::Dead { .. }) => {
                let row = dead_letters::row(delivery.row(stepped.id), stepped.at.0);
                self.output.dead_letters.insert(stepped.id, Some(row));
                self.count(decoded, stepped.id, stepped.at, Counted::Dead);
            }
            (State::Dead { .. }, _) => {
                self.output.dead_letters.insert(stepped.id, None);
            }
            _ => {}
        }
        self.count_replayed(decoded, stepped.id, Some(before));
        if after == State::Delivered {
            self.count(decoded, stepped.id, stepped.at, Counted::Delivered);
        }
    }

    fn count(&mut self, decoded: &Decoded, id: [u8; 16], at: Timestamp, what: Counted) {
        let held = self.memory.deliveries.get(&id);
        if let Some(source) = held.map(|held| Arc::clone(&held.delivery.source)) {
            let key = CountKey::of(decoded.position, at.0, &source);
            self.memory.count(key, what);
        }
    }

    pub(super) fn is_late(&self, decoded: &Decoded) -> bool {
        let fences = self.memory.fences.get(&decoded.position.partition.0);
        let epoch = decoded.epoch.map(|epoch| epoch.0);
        fences.is_some_and(|fences| fences.is_late(epoch))
    }
}
