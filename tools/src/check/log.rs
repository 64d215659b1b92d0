//! What the log says: a fold of its dump, apart from the product's own folds.

mod control;
mod delivery;
mod line;
mod replay;

use crate::sign::sha256_hex;
use anyhow::{Context as _, Result};
pub(crate) use control::{Asked, Control, Order};
pub(crate) use delivery::{Delivery, State};
use hooklog_schemas::control::{
    ReplayCancelled, SubscriptionChanged, SubscriptionCreated, SubscriptionSpec,
};
use hooklog_schemas::deliveries::{
    Acquired, Attempted, Cancelled, CommandApplied, Match, MatchOutcome, ReplayFinished, Requeued,
    Routed,
};
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{
    DeliveryId, EventId, Position, ReceiptId, SecretId, SubscriptionId, Timestamp, Topic,
};
use line::Line;
pub(crate) use replay::{Replay, Replays};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What only the owner of a partition writes.
const OWNED: [&str; 8] = [
    "webhook.routed",
    "delivery.attempted",
    "delivery.requeued",
    "delivery.cancelled",
    "command.applied",
    "replay.started",
    "replay.progressed",
    "replay.finished",
];

/// The log, folded.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Every receipt that is not erased, in the order of the dump.
    pub(crate) webhooks: Vec<Webhook>,
    /// Every delivery that is or was owed.
    pub(crate) deliveries: BTreeMap<DeliveryId, Delivery>,
    /// Per partition, the offsets at which owners began.
    pub(crate) acquired: BTreeMap<u32, Vec<u64>>,
    /// The same in the order of the dump, with their times: partition, offset, time.
    pub(crate) acquired_at: Vec<(u32, u64, Timestamp)>,
    /// What owners wrote after they were succeeded: how many of each type.
    pub(crate) stale: BTreeMap<String, usize>,
    /// Records whose epoch is none that was begun before them.
    pub(crate) unbegun: Vec<(Position, Option<u64>)>,
    /// What was decided, by partition and offset of the webhook.
    pub(crate) routed: HashMap<(u32, u64), ReceiptId>,
    /// The policy's number of attempts, by subscription, as last configured.
    pub(crate) attempts_max: HashMap<SubscriptionId, u32>,
    /// Deliveries that an effective decision owed a second time.
    pub(crate) owed_twice: Vec<(DeliveryId, String)>,
    /// Attempts of deliveries that no effective decision owes.
    pub(crate) unowed: Vec<DeliveryId>,
    /// Deliveries that a decision left out because they were delivered before.
    pub(crate) left_out: Vec<DeliveryId>,
    /// What `control` says.
    pub(crate) control: Control,
    /// When an owner recorded a command as applied: command, partition, offset.
    pub(crate) applied: Vec<(EventId, u32, u64)>,
    /// Replays, and what there was to replay.
    pub(crate) replays: Replays,
    /// Records whose bytes are gone.
    pub(crate) erased: HashSet<Position>,
    /// The GUID of every decided receipt.
    pub(crate) guids: HashMap<ReceiptId, String>,
    signatures: HashMap<ReceiptId, String>,
    owed: HashMap<(String, SubscriptionId, String), DeliveryId>,
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
    /// What verified it.
    pub(crate) secret: SecretId,
    /// When it was received.
    pub(crate) at: Timestamp,
}

impl Log {
    /// Folds one line of the dump.
    pub(crate) fn add(&mut self, line: &str) -> Result<()> {
        let line: Line = serde_json::from_str(line).context("no record of a dump")?;
        let position = line.position;
        let (partition, offset) = (position.partition.0, position.offset.0);
        if line.erased {
            self.erased.insert(position);
        }
        if line.is_empty() {
            return Ok(());
        }
        match position.topic {
            Topic::Webhooks => self.webhook(&line),
            Topic::Deliveries => self.delivery(&line, partition, offset),
            Topic::Control => self.command(&line),
        }
    }

    fn delivery(&mut self, line: &Line, partition: u32, offset: u64) -> Result<()> {
        let stale = self.is_stale(line);
        match line.event_type.as_str() {
            "webhook.routed" if !stale => self.decide(line.json()?, partition, offset),
            "delivery.attempted" => self.attempt(line.json()?, offset, stale),
            "delivery.requeued" if !stale => {
                let requeued: Requeued = line.json()?;
                self.requeue(&requeued, offset);
            }
            "delivery.cancelled" if !stale => {
                let cancelled: Cancelled = line.json()?;
                self.cancel(&cancelled, offset);
            }
            "command.applied" if !stale => {
                let applied: CommandApplied = line.json()?;
                self.applied.push((applied.command, partition, offset));
            }
            "replay.finished" if !stale => {
                let finished: ReplayFinished = line.json()?;
                self.replays.finish(finished.replay, partition);
            }
            "partition.acquired" => {
                let acquired: Acquired = line.json()?;
                self.acquired_at.push((partition, offset, acquired.at));
                self.acquired.entry(partition).or_default().push(offset);
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether its writer was succeeded before. `acquired` itself begins an epoch, and what the API
    /// writes there belongs to none.
    fn is_stale(&mut self, line: &Line) -> bool {
        let partition = line.position.partition.0;
        let stale = self.current_epoch(partition) > line.epoch;
        if !OWNED.contains(&line.event_type.as_str()) {
            return stale;
        }
        let begun = self.acquired.get(&partition).map_or(&[][..], Vec::as_slice);
        if !line.epoch.is_some_and(|epoch| begun.contains(&epoch)) {
            self.unbegun.push((line.position, line.epoch));
        }
        if stale {
            *self.stale.entry(line.event_type.clone()).or_default() += 1;
        }
        stale
    }

    fn command(&mut self, line: &Line) -> Result<()> {
        self.control.add(line)?;
        match line.event_type.as_str() {
            "subscription.created" => {
                let created: SubscriptionCreated = line.json()?;
                self.configure(created.id, &created.spec);
            }
            "replay.requested" => self.replays.ask(line.json()?),
            "replay.cancelled" => {
                let cancelled: ReplayCancelled = line.json()?;
                self.replays.cancel(cancelled.id);
            }
            "subscription.changed" => {
                let changed: SubscriptionChanged = line.json()?;
                self.configure(changed.id, &changed.spec);
            }
            _ => {}
        }
        Ok(())
    }

    /// How deliveries ended, in words.
    pub(crate) fn ends(&self) -> String {
        let count = |state| {
            let deliveries = self.deliveries.values();
            deliveries.filter(|one| one.state() == state).count()
        };
        let requeued = self.deliveries.values().flat_map(|one| &one.steps);
        let requeued = requeued.filter(|step| step.state == State::Open && step.because.is_some());
        format!(
            "{} delivered, {} dead, {} cancelled, {} requeued",
            count(State::Delivered),
            count(State::Dead),
            count(State::Cancelled),
            requeued.count()
        )
    }

    /// Where the present owner of a partition began.
    fn current_epoch(&self, partition: u32) -> Option<u64> {
        self.acquired.get(&partition)?.last().copied()
    }

    fn webhook(&mut self, line: &Line) -> Result<()> {
        let metadata = line.header("hooklog_received");
        let metadata = metadata.context("a webhook without the header hooklog_received")?;
        let received: Received = serde_json::from_str(metadata).context("hooklog_received")?;
        let signature = line.header("x-hub-signature-256").unwrap_or_default();
        self.signatures
            .insert(received.receipt, signature.to_owned());
        self.webhooks.push(Webhook {
            receipt: received.receipt,
            guid: received.facts.guid,
            sha256: sha256_hex(&line.body()?),
            partition: line.position.partition.0,
            offset: line.position.offset.0,
            secret: received.secret,
            at: received.received_at,
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
            self.replays.original(place, &routed);
            self.guids
                .insert(routed.receipt, routed.summary.guid.clone());
        } else {
            self.replays.decide(place, &routed);
        }
        for one in &routed.matches {
            match one.outcome {
                MatchOutcome::Owed => self.owe(&routed, one, partition, offset),
                MatchOutcome::AlreadyDelivered => self.left_out.push(one.delivery),
                MatchOutcome::AlreadyOpen
                | MatchOutcome::RequeuedDeadLetter
                | MatchOutcome::SubscriptionDeleted => {}
            }
        }
    }

    /// A delivery that was cancelled may be owed anew when GitHub sends the event again. So may one
    /// that another secret signed: it is recorded as a conflict, for its body may be another. Of
    /// what is erased nobody knows the signature any more.
    fn owe(&mut self, routed: &Routed, one: &Match, partition: u32, offset: u64) {
        let signature = self.signatures.get(&routed.receipt).cloned();
        let signature = signature.unwrap_or_else(|| routed.receipt.to_string());
        let identity = (routed.summary.guid.clone(), one.subscription, signature);
        if routed.cause == "live"
            && let Some(before) = self.owed.insert(identity, one.delivery)
            && self.state(before) != Some(State::Cancelled)
        {
            let what = format!("{} to {}", routed.summary.guid, one.name);
            self.owed_twice.push((one.delivery, what));
        }
        let delivery = Delivery::owed(routed, one.subscription, partition, offset);
        self.deliveries.entry(one.delivery).or_insert(delivery);
    }

    fn state(&self, id: DeliveryId) -> Option<State> {
        Some(self.deliveries.get(&id)?.state())
    }

    fn attempt(&mut self, attempted: Attempted, offset: u64, stale: bool) {
        match self.deliveries.get_mut(&attempted.delivery) {
            Some(delivery) => delivery.attempted(&attempted, offset, stale),
            None => self.unowed.push(attempted.delivery),
        }
    }

    fn requeue(&mut self, requeued: &Requeued, offset: u64) {
        self.step(requeued.delivery, State::Dead, |delivery| {
            delivery.requeued(offset, requeued.at, &requeued.because);
        });
    }

    fn cancel(&mut self, cancelled: &Cancelled, offset: u64) {
        self.step(cancelled.delivery, State::Open, |delivery| {
            delivery.cancelled(offset, cancelled.at, &cancelled.because);
        });
    }

    fn step(&mut self, id: DeliveryId, from: State, step: impl FnOnce(&mut Delivery)) {
        let delivery = self.deliveries.get_mut(&id);
        if let Some(delivery) = delivery.filter(|delivery| delivery.state() == from) {
            step(delivery);
        }
    }

    fn configure(&mut self, id: SubscriptionId, spec: &SubscriptionSpec) {
        self.attempts_max.insert(id, spec.policy.attempts_max);
    }
}
