//! Random histories, seeded: what sources, owners and operators might have written, also late,
//! twice, and in odd order.

use hooklog_schemas::control::{
    By, ConfigurationVersion, ErasedReceipt, ErasureRequested, LogCreated, Policy, SealedSecret,
    Signing, SourceCreated, SourcePaused, SourceSpec, SubscriptionChanged, SubscriptionCreated,
    SubscriptionSpec,
};
use hooklog_schemas::deliveries::{
    Acquired, Answered, Attempted, Because, Cancelled, DeadReason, ErrorClass, Match, MatchOutcome,
    Outcome, RepeatKind, Repeats, Requeued, Routed, Summary, Verdict,
};
use hooklog_schemas::{
    Append, DeliveryId, Event, EventId, EventType, Key, Offset, Partition, ReceiptId, Sealed,
    SecretId, SourceId, SubscriptionId, Timestamp, Topic,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A history being written.
pub(crate) struct History {
    rng: StdRng,
    partitions: u32,
    /// What was written, in the order of writing.
    pub(crate) appends: Vec<(Topic, Append)>,
    tails: BTreeMap<(Topic, u32), u64>,
    /// The ids of everything are drawn from here.
    ids: u128,
    now: i64,
    subscriptions: Vec<(SubscriptionId, EventId)>,
    epochs: Vec<Vec<u64>>,
    webhooks: Vec<u64>,
    owed: Vec<Owed>,
    receipts: Vec<(ReceiptId, u32, u64)>,
    keys: Vec<(u32, Key)>,
    odd: bool,
}

#[derive(Clone, Copy)]
struct Owed {
    delivery: DeliveryId,
    receipt: ReceiptId,
    subscription: SubscriptionId,
    partition: u32,
    attempts: u32,
}

const START: i64 = 1_790_000_000_000_000;
const SOURCE: u128 = 77;

impl History {
    /// The beginning of a history: a log, a source, a few subscriptions, and owners.
    pub(crate) fn begin(seed: u64, partitions: u32) -> Self {
        let mut history = Self {
            rng: StdRng::seed_from_u64(seed),
            partitions,
            appends: Vec::new(),
            tails: BTreeMap::new(),
            ids: u128::from(seed) << 64,
            now: START,
            subscriptions: Vec::new(),
            epochs: vec![Vec::new(); partitions as usize],
            webhooks: vec![0; partitions as usize],
            owed: Vec::new(),
            receipts: Vec::new(),
            keys: Vec::new(),
            odd: true,
        };
        history.create();
        history
    }

    /// Without late, repeated and odd records: as it is on a good day.
    pub(crate) fn calm(seed: u64, partitions: u32) -> Self {
        let mut history = Self::begin(seed, partitions);
        history.odd = false;
        history
    }

    /// Writes about `count` events more.
    pub(crate) fn write(&mut self, count: usize) {
        let until = self.appends.len() + count;
        while self.appends.len() < until {
            self.now += self.rng.random_range(1..200_000);
            match self.rng.random_range(0..100) {
                _ if !self.odd => self.ordinary(),
                0..40 => self.route(),
                40..80 => self.attempt(),
                80..84 => self.requeue(),
                84..87 => self.cancel(),
                87..90 => self.acquire_some(),
                90..93 => self.repeat(),
                93..95 => self.tombstone(),
                95..97 => self.change(),
                _ => self.erase(),
            }
        }
    }

    fn ordinary(&mut self) {
        self.route();
        for _ in 0..2 {
            self.attempt();
        }
    }

    fn create(&mut self) {
        let log_id = EventId(self.id());
        let created = LogCreated {
            log_id,
            partitions: self.partitions,
            at: Timestamp(self.now),
        };
        self.control(created);
        let spec = SourceSpec {
            name: "acme".into(),
            host: "github.com".into(),
            allow: Vec::new(),
            rate_per_second: None,
        };
        let secret = self.secret();
        let by = self.by();
        let id = SourceId(Uuid::from_u128(SOURCE));
        self.control(SourceCreated {
            id,
            spec,
            secret,
            by,
        });
        for n in 0..4 {
            let id = SubscriptionId(self.id());
            let spec = spec_of(n);
            let (secret, by) = (None, self.by());
            let event = self.control(SubscriptionCreated {
                id,
                spec,
                secret,
                by,
            });
            self.subscriptions.push((id, event));
        }
        for partition in 0..self.partitions {
            self.acquire(partition);
        }
    }

    fn route(&mut self) {
        let partition = self.partition();
        let webhook = self.webhooks[partition as usize];
        let skipped = u64::from(self.odd && self.chance(5));
        self.webhooks[partition as usize] += 1 + skipped;
        let receipt = ReceiptId(Uuid::from_u128(
            (self.now as u128) << 64 | self.id().as_u128() & 0xffff_ffff,
        ));
        let repeats = (self.odd && self.chance(10))
            .then(|| self.earlier())
            .flatten();
        let routed = self.routed(receipt, webhook + skipped, repeats);
        let epoch = self.epoch(partition);
        for owed in routed
            .matches
            .iter()
            .filter(|m| m.outcome == MatchOutcome::Owed)
        {
            self.owed.push(Owed {
                delivery: owed.delivery,
                receipt,
                subscription: owed.subscription,
                partition,
                attempts: 0,
            });
        }
        self.receipts.push((receipt, partition, webhook));
        self.deliveries(partition, epoch, routed.clone());
        if self.odd && skipped > 0 && self.chance(50) {
            // What was skipped is decided after what came behind it.
            let receipt = ReceiptId(self.id());
            let late = self.routed(receipt, webhook, None);
            self.deliveries(partition, epoch, late);
        }
        if self.odd && self.chance(5) {
            // Another owner decided the same, differently.
            let again = self.routed(receipt, routed.webhook.0, None);
            self.deliveries(partition, epoch, again);
        }
    }

    fn routed(&mut self, receipt: ReceiptId, webhook: u64, repeats: Option<Repeats>) -> Routed {
        let replay = self.odd && self.chance(5);
        let cause = if replay { "replay-1" } else { "live" };
        let count = if self.odd {
            self.rng.random_range(0..4)
        } else {
            1
        };
        let matches = (0..count).map(|n| {
            let (subscription, _) = self.subscriptions[n];
            Match {
                subscription,
                name: format!("subscription-{n}"),
                team: "default".into(),
                destination: format!("https://subscriber-{n}.example/hooks"),
                delivery: DeliveryId::derive(receipt, subscription, cause),
                outcome: match n {
                    2 => MatchOutcome::AlreadyDelivered,
                    _ => MatchOutcome::Owed,
                },
            }
        });
        let matches = matches.collect();
        let number = self.rng.random_range(0..50);
        Routed {
            receipt,
            webhook: Offset(webhook),
            cause: cause.into(),
            at: Timestamp(self.now),
            received_at: Timestamp(self.now - 1_500),
            source: SourceId(Uuid::from_u128(SOURCE)),
            source_name: "acme".into(),
            summary: Summary {
                guid: self.id().to_string(),
                event: ["push", "pull_request", "workflow_run"][number % 3].into(),
                action: (number % 3 == 1).then(|| "opened".into()),
                host: "github.com".into(),
                hook_id: Some("4711".into()),
                git_ref: (number % 3 == 0).then(|| "refs/heads/main".into()),
                repository_id: Some(number as i64),
                repository: Some(format!("acme/repository-{number}")),
                organization_id: Some(9),
                sender_id: Some(1_000 + (number % 7) as i64),
                body_bytes: 9_000,
                unparsed: false,
            },
            configuration: self.configuration(),
            matcher: 1,
            matches,
            repeats,
            error: (self.odd && self.chance(2)).then(|| "it broke\u{0}".into()),
        }
    }

    fn attempt(&mut self) {
        let Some(place) = self.any_owed() else {
            return self.route();
        };
        let owed = self.owed[place];
        let number = owed.attempts + 1;
        self.owed[place].attempts = number;
        let started_at = Timestamp(self.now);
        let retry = Verdict::Retry {
            at: Timestamp(self.now + 5_000_000),
        };
        let (outcome, verdict) = match self.rng.random_range(0..20) {
            _ if number > 5 => (Outcome::Status(500), dead()),
            0..13 => (Outcome::Status(204), Verdict::Delivered),
            13..16 => (Outcome::Status(503), retry),
            16 => (Outcome::Status(410), Verdict::Paused),
            17 => (Outcome::Status(500), dead()),
            _ => (error(), retry),
        };
        let ended = verdict == Verdict::Delivered || !self.odd && verdict == dead();
        let answered = matches!(outcome, Outcome::Status(500..));
        let attempted = Attempted {
            delivery: owed.delivery,
            receipt: owed.receipt,
            subscription: owed.subscription,
            number,
            started_at,
            duration_us: self.rng.random_range(1_000..90_000),
            headers_us: Some(900),
            target: "https://subscriber-0.example/hooks".into(),
            address: Some("192.0.2.7:443".into()),
            outcome,
            verdict,
            configuration: self.configuration(),
        };
        let epoch = self.epoch(owed.partition);
        self.deliveries(owed.partition, epoch, attempted);
        if answered {
            let key = self.deliveries(
                owed.partition,
                epoch,
                Answered {
                    delivery: owed.delivery,
                    receipt: owed.receipt,
                    number,
                    started_at,
                    excerpt: "no".into(),
                    truncated: false,
                },
            );
            self.keys.push((owed.partition, key));
        }
        // In an odd history some are tried again after their end.
        if ended && !(self.odd && self.chance(20)) {
            self.owed.swap_remove(place);
        }
    }

    fn requeue(&mut self) {
        let Some(place) = self.any_owed() else {
            return self.route();
        };
        let owed = self.owed[place];
        self.owed[place].attempts = 0;
        let because = Because::Command(EventId(self.id()));
        let epoch = self.epoch(owed.partition);
        let requeued = Requeued {
            delivery: owed.delivery,
            receipt: owed.receipt,
            subscription: owed.subscription,
            because,
            at: Timestamp(self.now),
        };
        self.deliveries(owed.partition, epoch, requeued);
    }

    fn cancel(&mut self) {
        let Some(place) = self.any_owed() else {
            return self.route();
        };
        let owed = self.owed[place];
        let because = Because::SubscriptionDeleted(EventId(self.id()));
        let epoch = self.epoch(owed.partition);
        let cancelled = Cancelled {
            delivery: owed.delivery,
            receipt: owed.receipt,
            subscription: owed.subscription,
            because,
            at: Timestamp(self.now),
        };
        self.deliveries(owed.partition, epoch, cancelled);
    }

    /// A record stands twice: its append was repeated.
    fn repeat(&mut self) {
        let place = self.rng.random_range(0..self.appends.len());
        let (topic, mut append) = self.appends[place].clone();
        if topic == Topic::Deliveries && append.value.is_some() {
            append.key = Key(self.id());
            self.push(topic, append);
        }
    }

    fn tombstone(&mut self) {
        if let Some((partition, key)) = self.keys.pop() {
            let append = Append {
                partition: Partition(partition),
                event_id: EventId(self.id()),
                key,
                event_type: EventType::known("delivery.answered"),
                version: 1,
                epoch: self.epoch(partition).map(Offset),
                at: Timestamp(self.now),
                headers: Vec::new(),
                value: None,
            };
            self.push(Topic::Deliveries, append);
        }
    }

    fn change(&mut self) {
        let place = self.rng.random_range(0..self.subscriptions.len());
        let (id, seen) = self.subscriptions[place];
        let conflict = self.chance(30);
        let expected = if conflict { EventId(self.id()) } else { seen };
        let by = self.by();
        let spec = spec_of(place);
        let event = self.control(SubscriptionChanged {
            id,
            expected,
            spec,
            by,
        });
        if !conflict {
            self.subscriptions[place].1 = event;
        }
        if self.chance(20) {
            let (id, by) = (SourceId(Uuid::from_u128(SOURCE)), self.by());
            let expected = EventId(self.id());
            self.control(SourcePaused { id, expected, by });
        }
    }

    fn erase(&mut self) {
        let Some(&(receipt, partition, offset)) = self.receipts.last() else {
            return;
        };
        let erased = ErasedReceipt {
            receipt,
            partition,
            offset: Offset(offset),
        };
        let order = ErasureRequested {
            receipts: vec![erased],
            repository_id: self.chance(50).then_some(4),
            sender_id: None,
            by: self.by(),
        };
        self.control(order);
    }

    fn acquire_some(&mut self) {
        let partition = self.partition();
        self.acquire(partition);
    }

    fn acquire(&mut self, partition: u32) {
        let acquired = Acquired {
            process: EventId(self.id()),
            at: Timestamp(self.now),
        };
        let tail = self.tail(Topic::Deliveries, partition);
        self.deliveries(partition, Some(tail), acquired);
        self.epochs[partition as usize].push(tail);
    }

    /// Mostly the owner's epoch; in an odd history sometimes a former owner's.
    fn epoch(&mut self, partition: u32) -> Option<u64> {
        let late = self.odd && self.chance(7);
        let epochs = &self.epochs[partition as usize];
        let place = epochs.len().saturating_sub(if late { 2 } else { 1 });
        epochs.get(place).copied()
    }

    fn control(&mut self, event: impl Into<Event>) -> EventId {
        let append = self.append(0, None, event);
        let id = append.event_id;
        self.push(Topic::Control, append);
        id
    }

    fn deliveries(&mut self, partition: u32, epoch: Option<u64>, event: impl Into<Event>) -> Key {
        let append = self.append(partition, epoch, event);
        let key = append.key;
        self.push(Topic::Deliveries, append);
        key
    }

    fn append(&mut self, partition: u32, epoch: Option<u64>, event: impl Into<Event>) -> Append {
        let (event_type, version, value) = event.into().encode().unwrap();
        Append {
            partition: Partition(partition),
            event_id: EventId(self.id()),
            key: Key(self.id()),
            event_type,
            version,
            epoch: epoch.map(Offset),
            at: Timestamp(self.now),
            headers: Vec::new(),
            value: Some(value),
        }
    }

    fn push(&mut self, topic: Topic, append: Append) {
        *self.tails.entry((topic, append.partition.0)).or_default() += 1;
        self.appends.push((topic, append));
    }

    fn tail(&self, topic: Topic, partition: u32) -> u64 {
        self.tails
            .get(&(topic, partition))
            .copied()
            .unwrap_or_default()
    }

    fn earlier(&mut self) -> Option<Repeats> {
        let (receipt, ..) = *self.receipts.last()?;
        Some(Repeats {
            kind: RepeatKind::Redelivery,
            receipt,
        })
    }

    fn any_owed(&mut self) -> Option<usize> {
        // The oldest of a few: most deliveries are tried soon after they are owed.
        let from = self.owed.len().saturating_sub(200);
        (from < self.owed.len()).then(|| self.rng.random_range(from..self.owed.len()))
    }

    fn configuration(&mut self) -> ConfigurationVersion {
        ConfigurationVersion {
            offset: Offset(5),
            event: self.subscriptions[0].1,
        }
    }

    fn secret(&mut self) -> SealedSecret {
        SealedSecret {
            id: SecretId(self.id()),
            sealed: Sealed {
                key_id: "00000000".into(),
                box_base64: String::new(),
            },
            organization_ids: Vec::new(),
        }
    }

    fn by(&self) -> By {
        By {
            actor: "ann".into(),
            from: "192.0.2.1".into(),
            at: Timestamp(self.now),
            why: Some("because".into()),
        }
    }

    fn partition(&mut self) -> u32 {
        self.rng.random_range(0..self.partitions)
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }
}

fn spec_of(n: usize) -> SubscriptionSpec {
    SubscriptionSpec {
        name: format!("subscription-{n}"),
        team: "default".into(),
        filter: Default::default(),
        to: format!("https://subscriber-{n}.example/hooks"),
        sign: Signing::Standard,
        policy: Policy::default(),
    }
}

fn dead() -> Verdict {
    Verdict::DeadLettered {
        reason: DeadReason::AttemptsExhausted,
    }
}

fn error() -> Outcome {
    Outcome::Error {
        class: ErrorClass::Timeout,
        detail: "nobody answered".into(),
    }
}
