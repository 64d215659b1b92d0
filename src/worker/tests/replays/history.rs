//! Random histories of subscriptions that change, replayed in every mode, against a model that knows
//! nothing of the code: which receipt goes to whom, where.

use super::{ask, finished};
use crate::clock;
use crate::deliver::{Answer, Outgoing, Transport};
use crate::worker::tests::world::{P0, Running, World, attempts, by, quick, routed};
use async_trait::async_trait;
use hooklog_schemas::control::{
    ErasedReceipt, ErasureRequested, Filter, ReplayFilter, ReplayMode, ReplayRange, ReplaySpec,
    SubscriptionChanged,
};
use hooklog_schemas::deliveries::{ErrorClass, MatchOutcome, Outcome, Verdict};
use hooklog_schemas::{DeliveryId, Event, Offset, ReceiptId, ReplayId, SubscriptionId};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const EVENTS: [&str; 3] = ["push", "issues", "star"];
const REPOSITORIES: [&str; 3] = ["acme/api", "acme/web", "other/api"];

/// Takes everything, and remembers where it went under which id.
#[derive(Default)]
struct Recorder(Mutex<Vec<(String, String)>>);

#[async_trait]
impl Transport for Recorder {
    async fn attempt(&self, request: Outgoing) -> Answer {
        let id = request.headers["webhook-id"].to_str().unwrap().to_owned();
        self.0.lock().unwrap().push((id, request.url.to_string()));
        Answer {
            outcome: Outcome::Status(200),
            ..Answer::failed(ErrorClass::Internal, "", Duration::ZERO)
        }
    }
}

/// What the model knows of a subscription.
#[derive(Clone, Debug)]
struct Wants {
    id: SubscriptionId,
    event: Option<&'static str>,
    repository: Option<&'static str>,
    to: String,
    deleted: bool,
}

impl Wants {
    fn this(&self, receipt: &Receipt) -> bool {
        !self.deleted
            && self.event.is_none_or(|event| event == receipt.event)
            && self
                .repository
                .is_none_or(|name| name == receipt.repository)
    }
}

/// What the model knows of a receipt.
#[derive(Clone, Debug)]
struct Receipt {
    id: ReceiptId,
    /// Its place in `webhooks`, where tombstones stand, too.
    offset: Offset,
    guid: String,
    event: &'static str,
    repository: &'static str,
    again: bool,
    erased: bool,
    /// Who was owed it, and where it went.
    owed: Vec<(SubscriptionId, String)>,
}

struct History {
    seed: u64,
    rng: StdRng,
    world: World,
    running: Running,
    recorder: Arc<Recorder>,
    subscriptions: Vec<Wants>,
    receipts: Vec<Receipt>,
    /// Ends of `control`, and the subscriptions that there were.
    points: Vec<(Offset, Vec<Wants>)>,
    asked: Vec<ReplayId>,
}

impl History {
    async fn begin(seed: u64) -> Self {
        let world = World::new().await;
        world.clock.step(Duration::from_millis(1));
        let recorder = Arc::new(Recorder::default());
        let mut history = Self {
            seed,
            rng: StdRng::seed_from_u64(seed),
            running: run(&world, &recorder).await,
            world,
            recorder,
            subscriptions: Vec::new(),
            receipts: Vec::new(),
            points: Vec::new(),
            asked: Vec::new(),
        };
        history.subscribe().await;
        history
    }

    async fn step(&mut self) {
        match self.rng.random_range(0..20) {
            0..2 => self.subscribe().await,
            2..4 => self.change().await,
            4 => self.delete().await,
            5 => self.erase().await,
            6..9 => self.receive(true).await,
            _ => self.receive(false).await,
        }
        let next = self.world.control.current().next;
        self.points.push((next, self.subscriptions.clone()));
    }

    fn any<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(&mut self.rng).unwrap()
    }

    fn maybe(&mut self, of: &[&'static str]) -> Option<&'static str> {
        self.rng.random_bool(0.5).then(|| self.any(of))
    }

    fn address(&mut self) -> String {
        format!("https://a.example/{}", self.rng.random_range(0..4))
    }

    async fn subscribe(&mut self) {
        let name = format!("s{}", self.subscriptions.len());
        let to = self.address();
        let id = self.world.subscribe(&name, &to, quick()).await;
        self.subscriptions.push(Wants {
            id,
            event: None,
            repository: None,
            to,
            deleted: false,
        });
    }

    fn live(&mut self) -> Option<usize> {
        let live = (0..self.subscriptions.len()).filter(|n| !self.subscriptions[*n].deleted);
        let live: Vec<_> = live.collect();
        live.choose(&mut self.rng).copied()
    }

    async fn change(&mut self) {
        let Some(number) = self.live() else { return };
        let (event, repository) = (self.maybe(&EVENTS), self.maybe(&REPOSITORIES));
        let to = self.address();
        let id = self.subscriptions[number].id;
        let known = Arc::clone(&self.world.control.current().subscriptions[&id]);
        let mut spec = known.spec.clone();
        let list = |name: Option<&str>| name.iter().map(ToString::to_string).collect();
        spec.filter = Filter {
            events: list(event),
            repositories: list(repository),
            ..Filter::default()
        };
        spec.to = to.clone();
        let changed = SubscriptionChanged {
            id,
            expected: known.version,
            spec,
            by: by(),
        };
        self.world.control.submit(changed).await.unwrap();
        let wants = &mut self.subscriptions[number];
        (wants.event, wants.repository, wants.to) = (event, repository, to);
    }

    async fn delete(&mut self) {
        if let Some(number) = self.live() {
            self.world.delete(self.subscriptions[number].id).await;
            self.subscriptions[number].deleted = true;
        }
    }

    async fn erase(&mut self) {
        if self.receipts.is_empty() {
            return;
        }
        let number = self.rng.random_range(0..self.receipts.len());
        let receipt = &mut self.receipts[number];
        receipt.erased = true;
        let erased = ErasedReceipt {
            receipt: receipt.id,
            partition: P0.0,
            offset: receipt.offset,
        };
        let order = ErasureRequested {
            receipts: vec![erased],
            repository_id: None,
            sender_id: None,
            by: by(),
        };
        let command = self.world.control.submit(order).await.unwrap().event;
        let applied = |event: &Event| match event {
            Event::CommandApplied(applied) => applied.command == command,
            _ => false,
        };
        self.world.until(|events| events.iter().any(applied)).await;
    }

    /// A new event, or one that GitHub sends again.
    async fn receive(&mut self, again: bool) {
        let earlier = self.receipts.choose(&mut self.rng).cloned();
        let earlier = earlier.filter(|_| again);
        let (guid, event, repository) = match &earlier {
            Some(earlier) => (earlier.guid.clone(), earlier.event, earlier.repository),
            None => {
                let guid = format!("{}-{}", self.seed, self.receipts.len());
                (guid, self.any(&EVENTS), self.any(&REPOSITORIES))
            }
        };
        let signature = format!("sha256={guid}");
        let facts = |facts: &mut hooklog_schemas::webhook::Facts| {
            facts.event = event.into();
            facts.repository = Some(repository.into());
        };
        let id = self
            .world
            .receive_as(&guid, "1", &signature, b"{}", facts)
            .await;
        let mut receipt = Receipt {
            id,
            offset: Offset(0),
            guid,
            event,
            repository,
            again: earlier.is_some(),
            erased: false,
            owed: Vec::new(),
        };
        let had = |wants: &&Wants| {
            let same = self.receipts.iter().filter(|r| r.guid == receipt.guid);
            same.flat_map(|r| &r.owed).any(|(id, _)| *id == wants.id)
        };
        let wanting = self.subscriptions.iter().filter(|w| w.this(&receipt));
        let owed = wanting.filter(|wants| !had(wants));
        receipt.owed = owed.map(|wants| (wants.id, wants.to.clone())).collect();
        self.receipts.push(receipt);
        let count = self.receipts.len();
        // The model goes by what was configured when the webhook came, so it must be decided now.
        let live = |events: &[Event]| {
            let decided = routed(events);
            decided
                .iter()
                .filter(|routed| routed.cause == "live")
                .count()
        };
        let events = self.world.until(|events| live(events) == count).await;
        let decided = routed(&events);
        let decision = decided.iter().find(|routed| routed.receipt == id).unwrap();
        self.receipts.last_mut().unwrap().offset = decision.webhook;
        let owed: usize = self.receipts.iter().map(|receipt| receipt.owed.len()).sum();
        self.world
            .until(|events| self.delivered_live(events) == owed)
            .await;
    }

    fn delivered_live(&self, events: &[Event]) -> usize {
        let done = attempts(events);
        let live = self.receipts.iter().flat_map(|receipt| {
            let id = receipt.id;
            receipt
                .owed
                .iter()
                .map(move |(to, _)| DeliveryId::derive(id, *to, "live"))
        });
        let live: BTreeSet<_> = live.collect();
        done.iter()
            .filter(|done| live.contains(&done.delivery))
            .count()
    }

    /// Asks for a replay, and compares what comes with what the model says.
    async fn replay(&mut self) {
        let (point, then) = self.points.choose(&mut self.rng).cloned().unwrap();
        let modes = [
            ReplayMode::OriginalTargets,
            ReplayMode::CurrentRouting,
            ReplayMode::AsOfRouting {
                control: point,
                point: "then".into(),
            },
        ];
        let mode = modes.choose(&mut self.rng).cloned().unwrap();
        let all = self.receipts.last().unwrap().offset.0 + 1;
        let from = self.rng.random_range(0..all);
        let to = self.rng.random_range(from..=all);
        let only = self.live().filter(|_| self.rng.random_bool(0.3));
        let elsewhere = self.rng.random_bool(0.2);
        let spec = ReplaySpec {
            mode: mode.clone(),
            subscription: only.map(|number| self.subscriptions[number].id),
            to: elsewhere.then(|| "https://debug.example/".to_owned()),
            filter: ReplayFilter {
                event: self.maybe(&EVENTS).map(ToOwned::to_owned),
                repository: self.rng.random_bool(0.3).then(|| "acme/*".to_owned()),
                ..ReplayFilter::default()
            },
            range: vec![ReplayRange {
                from: Offset(from),
                to: Offset(to),
            }],
            rate_per_second: 10_000,
            counted: None,
        };
        let routing = match mode {
            ReplayMode::AsOfRouting { .. } => then,
            _ => self.subscriptions.clone(),
        };
        let id = ask(&self.world, spec.clone()).await;
        self.asked.push(id);
        let expected = self.model(id, &spec, &routing);
        self.compare(id, &spec, expected).await;
    }

    /// Which deliveries there must be, and where each goes.
    fn model(
        &self,
        id: ReplayId,
        spec: &ReplaySpec,
        routing: &[Wants],
    ) -> BTreeMap<String, String> {
        let range = spec.range[0].from..spec.range[0].to;
        let mut expected = BTreeMap::new();
        let inside = |receipt: &&Receipt| range.contains(&receipt.offset);
        for receipt in self.receipts.iter().filter(inside) {
            let event = spec.filter.event.as_deref();
            let outside = event.is_some_and(|event| event != receipt.event)
                || spec.filter.repository.is_some() && !receipt.repository.starts_with("acme/");
            if outside || receipt.erased {
                continue;
            }
            let targets: Vec<(SubscriptionId, Option<&String>)> = match spec.mode {
                ReplayMode::OriginalTargets => receipt
                    .owed
                    .iter()
                    .map(|(id, to)| (*id, Some(to)))
                    .collect(),
                _ if receipt.again => Vec::new(),
                _ => {
                    let wanting = routing.iter().filter(|wants| wants.this(receipt));
                    wanting.map(|wants| (wants.id, None)).collect()
                }
            };
            for (subscription, former) in targets {
                let now = self
                    .subscriptions
                    .iter()
                    .find(|s| s.id == subscription)
                    .unwrap();
                if now.deleted || spec.subscription.is_some_and(|only| only != subscription) {
                    continue;
                }
                let to = spec.to.as_ref().or(former).unwrap_or(&now.to);
                let delivery = DeliveryId::derive(receipt.id, subscription, &id.to_string());
                expected.insert(delivery.to_string(), to.clone());
            }
        }
        expected
    }

    async fn compare(&self, id: ReplayId, spec: &ReplaySpec, expected: BTreeMap<String, String>) {
        let empty = spec.range[0].is_empty();
        let done = |events: &[Event]| {
            let owed: BTreeSet<DeliveryId> = routed(events)
                .iter()
                .filter(|routed| routed.cause == id.to_string())
                .flat_map(|routed| &routed.matches)
                .filter(|found| found.outcome == MatchOutcome::Owed)
                .map(|found| found.delivery)
                .collect();
            let delivered = attempts(events);
            let delivered = delivered.iter().filter(|attempted| {
                attempted.verdict == Verdict::Delivered && owed.contains(&attempted.delivery)
            });
            (empty || finished(events, id)) && delivered.count() == owed.len()
        };
        self.world.until(done).await;
        let live: BTreeSet<String> = self
            .receipts
            .iter()
            .flat_map(|r| {
                r.owed
                    .iter()
                    .map(|(to, _)| DeliveryId::derive(r.id, *to, "live"))
            })
            .map(|delivery| delivery.to_string())
            .collect();
        let mut sent = self.recorder.0.lock().unwrap();
        let mut found = BTreeMap::new();
        for (delivery, to) in sent.drain(..) {
            if !live.contains(&delivery) {
                let twice = found.insert(delivery, to);
                assert_eq!(twice, None, "seed {}: {spec:?}", self.seed);
            }
        }
        assert_eq!(found, expected, "seed {}: {spec:?}", self.seed);
    }
}

async fn run(world: &World, recorder: &Arc<Recorder>) -> Running {
    let mut parts = world.parts();
    parts.transport = recorder.clone();
    parts.process = clock::event_id();
    let mut running = World::begin(parts);
    running.ready().await;
    running
}

#[tokio::test]
async fn each_mode_delivers_what_an_independent_model_says() {
    for seed in 0..6 {
        let mut history = History::begin(seed).await;
        for _ in 0..3 {
            for _ in 0..14 {
                history.step().await;
            }
            for _ in 0..5 {
                if !history.receipts.is_empty() {
                    history.replay().await;
                }
            }
        }
        assert!(history.asked.len() > 5, "seed {seed}");
        history.running.stop().await.unwrap();
    }
}
