//! A log as receivers, owners and an operator write it whose clocks are seconds apart.

use super::super::causes::Causes;
use super::super::{Point, PointError, PointSpec, at, range, resolve};
use crate::log::EventLog;
use crate::log::memory::MemoryLog;
use hooklog_projections::configuration::Configuration;
use hooklog_schemas::control::{
    ConfigurationVersion, ErasedReceipt, ErasureRequested, Holder, LogCreated, RedriveRequested,
    Role, Scope, TokenCreated,
};
use hooklog_schemas::deliveries::{
    Acquired, Attempted, Because, CommandApplied, Outcome, Requeued, Routed, Verdict,
};
use hooklog_schemas::webhook::{Facts, RECEIVED, Received};
use hooklog_schemas::{
    Append, DeliveryId, Event, EventId, Key, Offset, Partition, Position, ReceiptId, Record,
    SecretId, SourceId, SubscriptionId, Timestamp, TokenId, Topic,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use uuid::Uuid;

const PARTITIONS: u32 = 2;
const RECEIVERS: usize = 3;
/// How far a clock is off, at the most.
const SKEW: i64 = 3_000_000;

pub(super) struct World {
    pub(super) log: Arc<MemoryLog>,
    pub(super) configuration: Configuration,
    rng: StdRng,
    ids: u128,
    now: i64,
    operator: i64,
    /// The operator gives commands.
    commands: bool,
    receivers: Vec<Receiver>,
    owners: Vec<Owner>,
    /// Every version of the configuration so far.
    versions: Vec<ConfigurationVersion>,
    receipts: Vec<(ErasedReceipt, Key)>,
    pub(super) tombstones: Vec<Position>,
}

/// All that is named in a log, and where events of `control` stand.
pub(super) struct Named {
    all: Vec<(Position, Causes)>,
    control: HashMap<EventId, Offset>,
}

struct Receiver {
    clock: i64,
    knows: usize,
}

struct Owner {
    partition: u32,
    clock: i64,
    epoch: Option<Offset>,
    knows: usize,
    to_route: VecDeque<(Offset, ReceiptId, usize)>,
    under_way: Vec<(Option<Offset>, usize)>,
}

impl World {
    pub(super) async fn written(seed: u64) -> Self {
        Self::written_to(MemoryLog::new(PARTITIONS), seed).await
    }

    /// The same on a log whose compaction leaves gaps.
    pub(super) async fn written_with_gaps(seed: u64) -> Self {
        Self::written_to(MemoryLog::new(PARTITIONS).leaving_gaps(), seed).await
    }

    async fn written_to(log: MemoryLog, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut clock = || rng.random_range(-SKEW..=SKEW);
        let operator = clock();
        let receivers = (0..RECEIVERS).map(|_| Receiver {
            clock: clock(),
            knows: 0,
        });
        let receivers = receivers.collect();
        let owners = (0..PARTITIONS).map(|partition| Owner {
            partition,
            clock: clock(),
            epoch: None,
            knows: 0,
            to_route: VecDeque::new(),
            under_way: Vec::new(),
        });
        let owners = owners.collect();
        let mut world = Self {
            log: Arc::new(log),
            configuration: Configuration::default(),
            rng,
            ids: 0,
            now: 1_790_000_000_000_000,
            operator,
            commands: seed.is_multiple_of(2),
            receivers,
            owners,
            versions: Vec::new(),
            receipts: Vec::new(),
            tombstones: Vec::new(),
        };
        let log_id = EventId(world.id());
        let created = LogCreated {
            log_id,
            partitions: PARTITIONS,
            key: None,
            at: Timestamp(0),
        };
        world.control(created).await;
        world.change().await;
        world.go_on(1_500).await;
        world
    }

    pub(super) async fn go_on(&mut self, steps: usize) {
        for _ in 0..steps {
            self.now += self.rng.random_range(100..20_000);
            let owner = self.rng.random_range(0..PARTITIONS as usize);
            match self.rng.random_range(0..100) {
                0..35 => self.receive().await,
                35..65 => self.route(owner).await,
                65..90 => self.attempt(owner).await,
                90..93 => self.change().await,
                93..94 if self.commands => self.redrive().await,
                94..96 => self.acquire(owner).await,
                96..98 => self.erase().await,
                _ => self.quiet(owner).await,
            }
        }
    }

    pub(super) async fn resolve(&self, spec: &PointSpec) -> Result<Point, PointError> {
        resolve(self.log.as_ref(), &self.configuration, spec).await
    }

    pub(super) async fn up_to(&self, time: Timestamp) -> Point {
        let (id, _) = self.configuration.log.unwrap();
        let log = self.log.as_ref();
        at(log, &self.configuration, id, time).await.unwrap()
    }

    /// The first and the last time of anything.
    pub(super) fn times(&self) -> (Timestamp, Timestamp) {
        let from = Timestamp(1_790_000_000_000_000 + SKEW);
        (from, Timestamp(self.now + SKEW))
    }

    pub(super) fn some_positions(&self, count: u64) -> Vec<Position> {
        let mut rng = StdRng::seed_from_u64(count);
        let all = [Topic::Webhooks, Topic::Deliveries].into_iter();
        let some = all.flat_map(|topic| {
            (0..count).map(move |n| (topic, Partition((n % u64::from(PARTITIONS)) as u32)))
        });
        let erased = |at: &Position| {
            let erased = self.configuration.erased.at(at.partition, at.offset);
            at.topic == Topic::Webhooks && (erased.is_some() || self.tombstones.contains(at))
        };
        some.map(|(topic, partition)| {
            Position::new(topic, partition, Offset(rng.random_range(0..200)))
        })
        .filter(|at| !erased(at))
        .collect()
    }

    /// All that is named in the log.
    pub(super) async fn named(&self) -> Named {
        let mut all = Vec::new();
        for topic in [Topic::Webhooks, Topic::Deliveries] {
            for partition in 0..PARTITIONS {
                for record in self.all(topic, partition).await {
                    let causes = Causes::of(&record, &self.configuration).unwrap();
                    all.push((record.position, causes));
                }
            }
        }
        let control = self.all(Topic::Control, 0).await;
        let place = |record: &Arc<Record>| (record.event_id, record.position.offset);
        let control = control.iter().map(place).collect();
        Named { all, control }
    }

    /// The largest part of `point` that names nothing outside, found by reading all of it.
    pub(super) fn closed(named: &Named, mut point: Point) -> Point {
        for topic in [Topic::Webhooks, Topic::Deliveries] {
            for partition in 0..PARTITIONS {
                let mut end = point.end(topic, Partition(partition));
                let of_it =
                    |at: &&(Position, Causes)| at.0.topic == topic && at.0.partition.0 == partition;
                for (position, causes) in named.all.iter().filter(of_it) {
                    let webhooks = point.end(Topic::Webhooks, Partition(partition));
                    let event = causes.event.and_then(|id| named.control.get(&id).copied());
                    let outside = causes.webhook.is_some_and(|webhook| webhook >= webhooks)
                        || causes.configuration.max(event) >= Some(point.control);
                    if outside {
                        end = end.min(position.offset);
                    }
                }
                match topic {
                    Topic::Webhooks => point.webhooks[partition as usize] = end,
                    _ => point.deliveries[partition as usize] = end,
                }
            }
        }
        point
    }

    async fn all(&self, topic: Topic, partition: u32) -> Vec<Arc<Record>> {
        let start = Position::new(topic, Partition(partition), Offset(0));
        range::read(self.log.as_ref(), start, Offset(u64::MAX))
            .await
            .unwrap()
    }

    pub(super) async fn control(&mut self, event: impl Into<Event>) -> (Offset, EventId) {
        let event = event.into();
        let append = self.append(0, self.operator, None, &event);
        let id = append.event_id;
        let offsets = self.log.append(Topic::Control, vec![append]).await.unwrap();
        self.configuration.fold(offsets[0], id, &event);
        let version = self.configuration.version;
        if version != self.versions.last().copied() {
            self.versions.extend(version);
        }
        (offsets[0], id)
    }

    async fn change(&mut self) {
        let id = TokenId(self.id());
        let by = super::by();
        self.control(TokenCreated {
            id,
            name: id.to_string(),
            holder: Holder::Service,
            role: Role::Read,
            sha256: String::new(),
            by,
        })
        .await;
    }

    async fn receive(&mut self) {
        let newest = self.versions.len() - 1;
        let partition = self.rng.random_range(0..PARTITIONS);
        let place = self.rng.random_range(0..RECEIVERS);
        let learns = self.rng.random_range(0..3) == 0;
        let receiver = &mut self.receivers[place];
        if learns {
            receiver.knows = newest;
        }
        let (knows, clock) = (receiver.knows, receiver.clock);
        let receipt = ReceiptId(self.id());
        let received = Received {
            receipt,
            received_at: Timestamp(self.now),
            source: SourceId(Uuid::nil()),
            source_name: "acme".into(),
            secret: SecretId(Uuid::nil()),
            configuration: self.versions[knows],
            client: "192.0.2.1".into(),
            facts: Facts::default(),
        };
        let append = Append {
            partition: Partition(partition),
            event_id: EventId(self.id()),
            key: Key(self.id()),
            event_type: RECEIVED,
            version: 1,
            epoch: None,
            at: Timestamp(self.now + clock),
            headers: vec![received.header()],
            value: Some("{}".into()),
        };
        let key = append.key;
        let offsets = self
            .log
            .append(Topic::Webhooks, vec![append])
            .await
            .unwrap();
        let owner = &mut self.owners[partition as usize];
        owner.to_route.push_back((offsets[0], receipt, knows));
        let erased = ErasedReceipt {
            receipt,
            partition,
            offset: offsets[0],
        };
        self.receipts.push((erased, key));
    }

    async fn route(&mut self, place: usize) {
        let newest = self.versions.len() - 1;
        let learns = self.rng.random_range(0..3) == 0;
        let owner = &mut self.owners[place];
        let Some((webhook, receipt, stamped)) = owner.to_route.pop_front() else {
            return;
        };
        owner.knows = match learns {
            true => newest,
            false => owner.knows.max(stamped),
        };
        let knows = owner.knows;
        for _ in 0..2 {
            let epoch = owner.epoch;
            owner.under_way.push((epoch, knows));
        }
        let routed = Routed {
            receipt,
            webhook,
            cause: "live".into(),
            at: Timestamp(self.now),
            received_at: Timestamp(self.now),
            source: SourceId(Uuid::nil()),
            source_name: "acme".into(),
            summary: Default::default(),
            configuration: self.versions[knows],
            matcher: 1,
            matches: Vec::new(),
            repeats: None,
            error: None,
        };
        let epoch = self.owners[place].epoch;
        self.deliveries(place, epoch, routed).await;
    }

    async fn attempt(&mut self, place: usize) {
        let count = self.owners[place].under_way.len();
        if count == 0 {
            return;
        }
        let one = self.rng.random_range(0..count);
        let (epoch, knows) = self.owners[place].under_way.swap_remove(one);
        let attempted = Attempted {
            delivery: DeliveryId(Uuid::nil()),
            receipt: ReceiptId(Uuid::nil()),
            subscription: SubscriptionId(Uuid::nil()),
            number: 1,
            started_at: Timestamp(self.now),
            duration_us: 1,
            resolve_us: None,
            connect_us: None,
            headers_us: None,
            headers_sha256: None,
            target: String::new(),
            address: None,
            outcome: Outcome::Status(204),
            verdict: Verdict::Delivered,
            configuration: self.versions[knows],
        };
        self.deliveries(place, epoch, attempted).await;
    }

    /// Nothing comes for a while, but what is due again is tried, by what is known by now.
    async fn quiet(&mut self, place: usize) {
        let newest = self.versions.len() - 1;
        self.owners[place].knows = newest;
        let epoch = self.owners[place].epoch;
        for _ in 0..40 {
            self.owners[place].under_way.push((epoch, newest));
            self.now += 1_000;
            self.attempt(place).await;
        }
    }

    async fn redrive(&mut self) {
        let by = super::by();
        let scope = Scope::default();
        let at = Timestamp(self.now);
        let (_, command) = self.control(RedriveRequested { scope, by }).await;
        for place in 0..PARTITIONS as usize {
            let epoch = self.owners[place].epoch;
            for _ in 0..20 {
                let requeued = Requeued {
                    delivery: DeliveryId(Uuid::nil()),
                    receipt: ReceiptId(Uuid::nil()),
                    subscription: SubscriptionId(Uuid::nil()),
                    because: Because::Command(command),
                    at,
                };
                self.deliveries(place, epoch, requeued).await;
            }
            let applied = CommandApplied {
                command,
                count: 20,
                left: 0,
                at,
            };
            self.deliveries(place, epoch, applied).await;
        }
    }

    /// A new owner knows all that is in `control`; the former one's attempts go on.
    async fn acquire(&mut self, place: usize) {
        let process = EventId(self.id());
        let at = Timestamp(self.now);
        self.owners[place].clock = self.rng.random_range(-SKEW..=SKEW);
        let bounds = self.log.bounds(Topic::Deliveries, Partition(place as u32));
        let tail = bounds.await.unwrap().tail;
        self.deliveries(place, Some(tail), Acquired { process, at })
            .await;
        self.owners[place].epoch = Some(tail);
        self.owners[place].knows = self.versions.len() - 1;
    }

    async fn erase(&mut self) {
        let Some((erased, key)) = self.receipts.pop() else {
            return;
        };
        self.control(ErasureRequested {
            receipts: vec![erased],
            repository_id: None,
            sender_id: None,
            by: super::by(),
        })
        .await;
        let tombstone = Append {
            partition: Partition(erased.partition),
            event_id: EventId(self.id()),
            key,
            event_type: RECEIVED,
            version: 1,
            epoch: None,
            at: Timestamp(self.now),
            headers: Vec::new(),
            value: None,
        };
        let partition = tombstone.partition;
        let appended = self.log.append(Topic::Webhooks, vec![tombstone]).await;
        let position = Position::new(Topic::Webhooks, partition, appended.unwrap()[0]);
        self.tombstones.push(position);
    }

    async fn deliveries(&mut self, place: usize, epoch: Option<Offset>, event: impl Into<Event>) {
        let (partition, clock) = (self.owners[place].partition, self.owners[place].clock);
        let append = self.append(partition, clock, epoch, &event.into());
        self.log
            .append(Topic::Deliveries, vec![append])
            .await
            .unwrap();
    }

    fn append(
        &mut self,
        partition: u32,
        clock: i64,
        epoch: Option<Offset>,
        event: &Event,
    ) -> Append {
        let (event_type, version, value) = event.encode().unwrap();
        Append {
            partition: Partition(partition),
            event_id: EventId(self.id()),
            key: Key(self.id()),
            event_type,
            version,
            epoch,
            at: Timestamp(self.now + clock),
            headers: Vec::new(),
            value: Some(value),
        }
    }

    fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }
}
