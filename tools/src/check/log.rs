//! What the log says: a fold of its dump, apart from the product's own folds.

mod line;

use crate::sign::sha256_hex;
use anyhow::{Context as _, Result};
use hooklog_schemas::control::{SubscriptionChanged, SubscriptionCreated, SubscriptionSpec};
use hooklog_schemas::deliveries::{
    Acquired, Attempted, Cancelled, MatchOutcome, Outcome, Requeued, Routed, Verdict,
};
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{DeliveryId, ReceiptId, SubscriptionId, Topic};
use line::Line;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The log, folded.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Every receipt that is not erased, in the order of the dump.
    pub(crate) webhooks: Vec<Webhook>,
    /// Every delivery that is or was owed.
    pub(crate) deliveries: BTreeMap<DeliveryId, Delivery>,
    /// Per partition, the offsets at which owners began.
    pub(crate) acquired: BTreeMap<u32, Vec<u64>>,
    /// What was decided, by partition and offset of the webhook.
    pub(crate) routed: HashMap<(u32, u64), ReceiptId>,
    /// The policy's number of attempts, by subscription, as last configured.
    pub(crate) attempts_max: HashMap<SubscriptionId, u32>,
    /// Deliveries that an effective decision owed a second time.
    pub(crate) owed_twice: Vec<(DeliveryId, String)>,
    /// Attempts of deliveries that no effective decision owes.
    pub(crate) unowed: Vec<DeliveryId>,
    owed: HashSet<(String, SubscriptionId)>,
}

/// One receipt.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    /// The receipt.
    pub(crate) receipt: ReceiptId,
    /// `X-GitHub-Delivery`.
    pub(crate) guid: String,
    /// SHA-256 of the body in hex.
    pub(crate) sha256: String,
    /// Its partition.
    pub(crate) partition: u32,
    /// Its offset.
    pub(crate) offset: u64,
}

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
    /// Its state.
    pub(crate) state: State,
    /// Its attempts, in the order of the log.
    pub(crate) attempts: Vec<Try>,
}

/// One recorded attempt.
#[derive(Clone, Debug)]
pub(crate) struct Try {
    /// Counted from 1 since the delivery was owed, or requeued.
    pub(crate) number: u32,
    /// Where the record stands.
    pub(crate) offset: u64,
    /// The subscriber answered with a status.
    pub(crate) answered: bool,
}

impl Log {
    /// Folds one line of the dump.
    pub(crate) fn add(&mut self, line: &str) -> Result<()> {
        let line: Line = serde_json::from_str(line).context("no record of a dump")?;
        let position = line.position;
        let (partition, offset) = (position.partition.0, position.offset.0);
        if line.is_empty() {
            return Ok(());
        }
        if position.topic == Topic::Webhooks {
            return self.webhook(&line);
        }
        let stale = self.current_epoch(partition) > line.epoch;
        match line.event_type.as_str() {
            "webhook.routed" if !stale => self.decide(line.json()?, partition, offset),
            "delivery.attempted" => self.attempt(line.json()?, offset, stale),
            "delivery.requeued" if !stale => {
                let requeued: Requeued = line.json()?;
                self.requeue(requeued.delivery);
            }
            "delivery.cancelled" if !stale => {
                let cancelled: Cancelled = line.json()?;
                self.cancel(&cancelled);
            }
            "partition.acquired" => {
                let _: Acquired = line.json()?;
                self.acquired.entry(partition).or_default().push(offset);
            }
            "subscription.created" => {
                let created: SubscriptionCreated = line.json()?;
                self.configure(created.id, &created.spec);
            }
            "subscription.changed" => {
                let changed: SubscriptionChanged = line.json()?;
                self.configure(changed.id, &changed.spec);
            }
            _ => {}
        }
        Ok(())
    }

    /// Where the present owner of a partition began.
    fn current_epoch(&self, partition: u32) -> Option<u64> {
        self.acquired.get(&partition)?.last().copied()
    }

    fn webhook(&mut self, line: &Line) -> Result<()> {
        let metadata = line.header("hooklog_received");
        let metadata = metadata.context("a webhook without the header hooklog_received")?;
        let received: Received = serde_json::from_str(metadata).context("hooklog_received")?;
        self.webhooks.push(Webhook {
            receipt: received.receipt,
            guid: received.facts.guid,
            sha256: sha256_hex(&line.body()?),
            partition: line.position.partition.0,
            offset: line.position.offset.0,
        });
        Ok(())
    }

    fn decide(&mut self, routed: Routed, partition: u32, offset: u64) {
        let place = (partition, routed.webhook.0);
        if routed.cause == "live" {
            if self.routed.contains_key(&place) {
                return;
            }
            self.routed.insert(place, routed.receipt);
        }
        for one in routed.matches {
            match one.outcome {
                MatchOutcome::Owed => {
                    let identity = (routed.summary.guid.clone(), one.subscription);
                    if routed.cause == "live" && !self.owed.insert(identity) {
                        let what = format!("{} to {}", routed.summary.guid, one.name);
                        self.owed_twice.push((one.delivery, what));
                    }
                    let delivery = Delivery {
                        receipt: routed.receipt,
                        subscription: one.subscription,
                        partition,
                        owed_at: offset,
                        state: State::Open,
                        attempts: Vec::new(),
                    };
                    self.deliveries.entry(one.delivery).or_insert(delivery);
                }
                MatchOutcome::AlreadyOpen
                | MatchOutcome::AlreadyDelivered
                | MatchOutcome::RequeuedDeadLetter => {}
            }
        }
    }

    fn attempt(&mut self, attempted: Attempted, offset: u64, stale: bool) {
        let Some(delivery) = self.deliveries.get_mut(&attempted.delivery) else {
            self.unowed.push(attempted.delivery);
            return;
        };
        delivery.attempts.push(Try {
            number: attempted.number,
            offset,
            answered: matches!(attempted.outcome, Outcome::Status(_)),
        });
        delivery.state = match (delivery.state, attempted.verdict) {
            (_, Verdict::Delivered) => State::Delivered,
            (State::Open, Verdict::DeadLettered { .. }) if !stale => State::Dead,
            (now, _) => now,
        };
    }

    fn requeue(&mut self, delivery: DeliveryId) {
        if let Some(delivery) = self.deliveries.get_mut(&delivery)
            && delivery.state == State::Dead
        {
            delivery.state = State::Open;
        }
    }

    fn cancel(&mut self, cancelled: &Cancelled) {
        if let Some(delivery) = self.deliveries.get_mut(&cancelled.delivery)
            && delivery.state == State::Open
        {
            delivery.state = State::Cancelled;
        }
    }

    fn configure(&mut self, id: SubscriptionId, spec: &SubscriptionSpec) {
        self.attempts_max.insert(id, spec.policy.attempts_max);
    }
}
