//! Random histories, seeded: what sources, owners and operators might have written, also late,
//! twice, and in odd order.

// The bench reads this file too, from another folder.
#[path = "history/steps.rs"]
mod steps;

use hooklog_schemas::control::{
    By, ConfigurationVersion, LogCreated, Policy, SealedSecret, Signing, SourceCreated, SourceSpec,
    SubscriptionCreated, SubscriptionSpec,
};
use hooklog_schemas::deliveries::{DeadReason, ErrorClass, Outcome, RepeatKind, Repeats, Verdict};
use hooklog_schemas::{
    Append, DeliveryId, Event, EventId, Key, Offset, Partition, ReceiptId, Sealed, SecretId,
    SourceId, SubscriptionId, Timestamp, Topic,
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
    /// The events that changed them last; what was not asked for has a nil one.
    replays: [EventId; REPLAYS.len()],
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
/// The replays of histories that have some.
const REPLAYS: [u128; 2] = [0xaa, 0xab];

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
            replays: [EventId(Uuid::nil()); REPLAYS.len()],
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
                95..96 => self.read_body(),
                96..97 => self.change(),
                97..99 => self.replay(),
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
            key: None,
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
