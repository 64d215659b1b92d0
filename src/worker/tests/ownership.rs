//! Partitions come and go while a worker works.

use super::subscriber::{Reply, Subscriber};
use super::world::{P0, Running, World, attempts, ended, quick, routed};
use crate::clock::Clock as _;
use crate::log::memory::MemoryLog;
use crate::log::ownership::{Change, Handover, Ownership};
use crate::log::{AppendError, Bounds, EventLog, ReadError, ReadLimit};
use crate::metrics::PartitionLabel;
use crate::worker::{SnapshotStore as _, WorkerParts};
use async_trait::async_trait;
use futures_util::FutureExt as _;
use hooklog_schemas::deliveries::{Acquired, MatchOutcome, Verdict};
use hooklog_schemas::{Append, Event, EventId, Offset, Partition, Position, Record, Topic};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, mpsc};
use uuid::Uuid;

/// A worker's view of the log, whose partitions a test assigns, and which is away when it says so.
struct Shared {
    log: Arc<dyn EventLog>,
    changes: Mutex<Option<mpsc::UnboundedReceiver<Change>>>,
    /// Appends that are written and not confirmed, then appends that are not written.
    unconfirmed: AtomicU32,
    refused: AtomicU32,
    asking: Arc<Asking>,
}

/// Whoever asks where webhooks end, or appends a decision, says so, and waits while a test holds
/// the answer.
struct Asking {
    asked: Notify,
    answer: Semaphore,
    deciding: Notify,
    decision: Semaphore,
}

/// What the test says to one worker.
struct Assigner(mpsc::UnboundedSender<Change>, Arc<Asking>);

impl Assigner {
    fn say(&self, change: Change) {
        self.0.send(change).unwrap();
    }
}

struct Scripted(mpsc::UnboundedReceiver<Change>);

#[async_trait]
impl Ownership for Scripted {
    async fn changed(&mut self) -> Change {
        match self.0.recv().await {
            Some(change) => change,
            None => std::future::pending().await,
        }
    }

    fn is_settled(&self) -> bool {
        true
    }
}

fn take_one(left: &AtomicU32) -> bool {
    let order = Ordering::SeqCst;
    left.fetch_update(order, order, |left| left.checked_sub(1))
        .is_ok()
}

#[async_trait]
impl EventLog for Shared {
    fn partitions(&self, topic: Topic) -> u32 {
        self.log.partitions(topic)
    }

    async fn append(&self, topic: Topic, batch: Vec<Append>) -> Result<Vec<Offset>, AppendError> {
        let decision = |append: &Append| append.event_type.as_str() == "webhook.routed";
        if batch.iter().any(decision) {
            self.asking.deciding.notify_one();
            let _go = self.asking.decision.acquire().await.unwrap();
        }
        let away = || AppendError::Unavailable("the brokers are away".into());
        let outcome = |append: &Append| append.event_type.as_str() == "delivery.attempted";
        if batch.iter().any(outcome) {
            if take_one(&self.unconfirmed) {
                self.log.append(topic, batch).await?;
                return Err(away());
            }
            if take_one(&self.refused) {
                return Err(away());
            }
        }
        self.log.append(topic, batch).await
    }

    async fn read(&self, from: Position, limit: ReadLimit) -> Result<Vec<Arc<Record>>, ReadError> {
        self.log.read(from, limit).await
    }

    async fn bounds(&self, topic: Topic, partition: Partition) -> Result<Bounds, ReadError> {
        if topic == Topic::Webhooks {
            self.asking.asked.notify_one();
            let _go = self.asking.answer.acquire().await.unwrap();
        }
        self.log.bounds(topic, partition).await
    }

    async fn wait(&self, any_of: &[Position]) {
        self.log.wait(any_of).await;
    }

    async fn compact(&self, topic: Topic) -> Result<u64, AppendError> {
        self.log.compact(topic).await
    }

    /// The first time by the test's script; who takes part again is assigned everything.
    fn own(&self) -> Result<Box<dyn Ownership>, ReadError> {
        let changes = self.changes.lock().unwrap().take();
        Ok(Box::new(Scripted(changes.unwrap_or_else(|| {
            let (tell, changes) = mpsc::unbounded_channel();
            tell.send(Change::Assigned(vec![P0])).unwrap();
            changes
        }))))
    }
}

impl World {
    fn share(&self, unconfirmed: u32, refused: u32) -> (WorkerParts, Assigner, tempfile::TempDir) {
        self.share_on(Arc::clone(&self.log), unconfirmed, refused)
    }

    /// Likewise, on the log as another process sees it.
    fn share_on(
        &self,
        log: Arc<dyn EventLog>,
        unconfirmed: u32,
        refused: u32,
    ) -> (WorkerParts, Assigner, tempfile::TempDir) {
        let (tell, changes) = mpsc::unbounded_channel();
        let asking = Arc::new(Asking {
            asked: Notify::new(),
            answer: Semaphore::new(1),
            deciding: Notify::new(),
            decision: Semaphore::new(1),
        });
        let log = Arc::new(Shared {
            log,
            changes: Mutex::new(Some(changes)),
            unconfirmed: AtomicU32::new(unconfirmed),
            refused: AtomicU32::new(refused),
            asking: Arc::clone(&asking),
        });
        let folder = tempfile::tempdir().unwrap();
        let parts = WorkerParts {
            log,
            data: folder.path().to_owned(),
            process: EventId(Uuid::new_v4()),
            ..self.parts()
        };
        (parts, Assigner(tell, asking), folder)
    }

    /// A worker of its own folder that owns the only partition.
    async fn owner(&self) -> (Running, Assigner, tempfile::TempDir) {
        let (parts, assigner, folder) = self.share(0, 0);
        let mut running = Self::begin(parts);
        assigner.say(Change::Assigned(vec![P0]));
        running.ready().await;
        (running, assigner, folder)
    }
}

fn acquired(events: &[Event]) -> usize {
    let acquired = |event: &&Event| matches!(event, Event::Acquired(_));
    events.iter().filter(acquired).count()
}

#[tokio::test]
async fn who_owns_nothing_is_ready_and_does_nothing_until_it_is_assigned_something() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[], Reply::Status(200)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    world.receive("g1").await;
    let (parts, assigner, _folder) = world.share(0, 0);
    let mut running = World::begin(parts);
    assert!(!running.is_ready());
    assigner.say(Change::Assigned(vec![]));
    running.ready().await;
    assert!(world.events().await.is_empty());
    assigner.say(Change::Assigned(vec![P0]));
    world.until(|events| ended(events) == 1).await;
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_revoked_partition_is_handed_over_when_its_attempts_have_ended() {
    let world = World::new().await;
    let go = Arc::new(Notify::new());
    let subscriber = Subscriber::start(&[Reply::Held(go.clone())], Reply::Status(200)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    let (first, assigner, _first_folder) = world.owner().await;
    world.receive("g1").await;
    world.until(|events| routed(events).len() == 1).await;
    let (held, handed_over) = Handover::new();
    assigner.say(Change::Revoked(vec![P0], held));
    world.receive("g2").await;
    go.notify_one();
    let waited = tokio::task::spawn_blocking(move || handed_over.wait(Duration::from_secs(20)));
    assert!(waited.await.unwrap(), "it was not handed over");
    let events = world.events().await;
    assert_eq!((ended(&events), routed(&events).len()), (1, 1));
    let (second, _assigner, _second_folder) = world.owner().await;
    let events = world.until(|events| ended(events) == 2).await;
    assert_eq!((attempts(&events).len(), acquired(&events)), (2, 2));
    assert_eq!(subscriber.requests().len(), 2);
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}

#[tokio::test]
async fn what_an_attempt_of_a_lost_partition_delivered_is_evidence_for_the_next_owner() {
    let world = World::new().await;
    let go = Arc::new(Notify::new());
    let script = [Reply::Held(go.clone()), Reply::Status(500)];
    let subscriber = Subscriber::start(&script, Reply::Status(200)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    let (first, assigner, _first_folder) = world.owner().await;
    world.receive("g1").await;
    world.until(|events| routed(events).len() == 1).await;
    while subscriber.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    assigner.say(Change::Lost(vec![P0]));
    let (second, _assigner, _second_folder) = world.owner().await;
    world.until(|events| attempts(events).len() == 1).await;
    go.notify_one();
    let events = world.until(|events| ended(events) == 1).await;
    let verdicts: Vec<_> = attempts(&events).into_iter().map(|a| a.verdict).collect();
    assert!(matches!(
        verdicts[..],
        [Verdict::Retry { .. }, Verdict::Delivered]
    ));
    // What is due then is nothing.
    world.clock.advance(Duration::from_secs(60));
    world.receive("g2").await;
    world.until(|events| ended(events) == 2).await;
    assert_eq!(subscriber.requests().len(), 3);
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_partition_that_somebody_late_took_over_is_acquired_again() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[], Reply::Status(200)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    let (mut running, _assigner, _folder) = world.owner().await;
    let late = Acquired {
        process: EventId(Uuid::new_v4()),
        at: world.clock.now(),
    };
    world.append(late, None).await;
    world.receive("g1").await;
    // Its decision counts for nothing, since it found the other one before it.
    world.until(|events| routed(events).len() == 1).await;
    while running.is_ready() {
        tokio::task::yield_now().await;
    }
    world.clock.advance(Duration::from_secs(5));
    running.ready().await;
    let events = world.until(|events| ended(events) == 1).await;
    assert_eq!((acquired(&events), routed(&events).len()), (3, 2));
    assert_eq!(subscriber.requests().len(), 1);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_partition_that_is_being_left_is_not_contended_for() {
    let world = World::new().await;
    let go = Arc::new(Notify::new());
    let subscriber = Subscriber::start(&[Reply::Held(go.clone())], Reply::Status(200)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    let (first, assigner, _first_folder) = world.owner().await;
    world.receive("g1").await;
    world.until(|events| routed(events).len() == 1).await;
    while subscriber.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    let (held, handed_over) = Handover::new();
    assigner.say(Change::Revoked(vec![P0], held));
    // The handover took too long, so the next owner began; the outcome comes after that.
    let next = Acquired {
        process: EventId(Uuid::new_v4()),
        at: world.clock.now(),
    };
    world.append(next, None).await;
    go.notify_one();
    let waited = tokio::task::spawn_blocking(move || handed_over.wait(Duration::from_secs(20)));
    assert!(waited.await.unwrap(), "it was not handed over");
    world.until(|events| ended(events) == 1).await;
    world.clock.advance(Duration::from_secs(5));
    let (second, _assigner, _second_folder) = world.owner().await;
    world.receive("g2").await;
    let events = world.until(|events| ended(events) == 2).await;
    assert_eq!(acquired(&events), 3, "who left acquired it again");
    assert!(first.is_ready());
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_partition_that_is_assigned_again_while_it_is_being_left_is_acquired_again() {
    for under_way in [false, true] {
        let world = World::new().await;
        let go = Arc::new(Notify::new());
        let subscriber = Subscriber::start(&[Reply::Held(go.clone())], Reply::Status(200)).await;
        world.subscribe("one", &subscriber.url, quick()).await;
        let (first, assigner, _folder) = world.owner().await;
        if under_way {
            world.receive("g1").await;
            while subscriber.requests().is_empty() {
                tokio::task::yield_now().await;
            }
        }
        // The worker hears of both at once, since a turn of it was slow.
        let (held, _handed_over) = Handover::new();
        assigner.say(Change::Revoked(vec![P0], held));
        assigner.say(Change::Assigned(vec![P0]));
        world.until(|events| acquired(events) == 2).await;
        if !under_way {
            world.receive("g1").await;
        }
        go.notify_one();
        let events = world.until(|events| ended(events) == 1).await;
        assert_eq!((acquired(&events), subscriber.requests().len()), (2, 1));
        first.stop().await.unwrap();
    }
}

#[tokio::test]
async fn what_was_decided_before_a_succession_and_written_after_it_counts_for_nothing() {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new(1));
    decided_late(Arc::clone(&log), log).await;
}

#[cfg(feature = "log-kafka")]
#[tokio::test(flavor = "multi_thread")]
async fn on_a_broker_what_was_decided_before_a_succession_and_written_after_it_counts_for_nothing()
{
    let topics = crate::log::kafka::tests::broker::Topics::make().await;
    let (one, other) = (topics.open().await, topics.open().await);
    decided_late(Arc::new(one), Arc::new(other)).await;
}

/// A worker is paused with an append under way, which comes after its successor began. The two
/// see the log as processes of their own do.
async fn decided_late(one: Arc<dyn EventLog>, other: Arc<dyn EventLog>) {
    let world = World::over(one).await;
    let subscriber = Subscriber::start(&[], Reply::Status(200)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    let (first, late, _first_folder) = world.owner().await;
    let Assigner(_, asking) = &late;
    let held = asking.decision.acquire().await.unwrap();
    world.receive("g1").await;
    asking.deciding.notified().await;
    let (parts, assigner, _second_folder) = world.share_on(Arc::clone(&other), 0, 0);
    let mut second = World::begin(parts);
    assigner.say(Change::Assigned(vec![P0]));
    second.ready().await;
    world.until(|events| ended(events) == 1).await;

    drop(held);
    let events = world.until(|events| routed(events).len() == 2).await;
    assert_eq!(acquired(&events), 2);
    let records = world.records(Topic::Deliveries).await;
    let epochs: Vec<_> = records
        .iter()
        .filter(|record| record.event_type.as_str() == "webhook.routed")
        .map(|record| record.epoch)
        .collect();
    assert!(
        epochs[0] > epochs[1],
        "the later one is not late: {epochs:?}"
    );
    late.say(Change::Lost(vec![P0]));
    world.receive("g2").await;
    world.until(|events| ended(events) == 2).await;
    second.stop().await.unwrap();
    // Nor does it for a worker that folds from the start.
    let (parts, assigner, _third_folder) = world.share_on(other, 0, 0);
    let third = World::begin(parts);
    assigner.say(Change::Assigned(vec![P0]));
    world.receive("g3").await;
    world.until(|events| ended(events) == 3).await;
    assert_eq!(subscriber.requests().len(), 3);
    first.stop().await.unwrap();
    third.stop().await.unwrap();
}

#[tokio::test]
async fn the_next_owner_knows_what_others_decided_before_its_snapshot() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[], Reply::Status(200)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    let (first, _assigner, _first_folder) = world.owner().await;
    world.receive("g1").await;
    world.until(|events| ended(events) == 1).await;
    first.stop().await.unwrap();
    let (parts, assigner, _folder) = world.share(0, 0);
    assert!(world.snapshots().get(P0).await.unwrap().is_some());
    let mut second = World::begin(parts);
    assigner.say(Change::Assigned(vec![P0]));
    second.ready().await;
    world.receive("g1").await;
    let events = world.until(|events| routed(events).len() == 2).await;
    let outcomes: Vec<_> = routed(&events)[1]
        .matches
        .iter()
        .map(|m| m.outcome)
        .collect();
    assert_eq!(outcomes, [MatchOutcome::AlreadyDelivered]);
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_worker_begins_anew_when_the_log_was_away_and_forgets_no_outcome() {
    for (unconfirmed, refused) in [(1, 0), (0, 1), (1, 1), (0, 2)] {
        let world = World::new().await;
        let subscriber = Subscriber::start(&[], Reply::Status(200)).await;
        world.subscribe("one", &subscriber.url, quick()).await;
        let (parts, assigner, _folder) = world.share(unconfirmed, refused);
        let mut running = World::begin(parts);
        assigner.say(Change::Assigned(vec![P0]));
        running.ready().await;
        world.receive("g1").await;
        world.until(|events| ended(events) == 1).await;
        world.receive("g2").await;
        let events = world.until(|events| ended(events) == 2).await;
        assert_eq!(attempts(&events).len(), 2, "{unconfirmed} {refused}");
        assert!(acquired(&events) > 1, "{unconfirmed} {refused}");
        assert_eq!(subscriber.requests().len(), 2);
        running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn nobody_shows_what_is_not_routed_of_a_partition_that_went_to_another_worker() {
    let world = World::new().await;
    let (parts, assigner, _folder) = world.share(0, 0);
    let metrics = parts.metrics.clone();
    let mut running = World::begin(parts);
    assigner.say(Change::Assigned(vec![P0]));
    running.ready().await;
    let Assigner(_, asking) = &assigner;
    let shown = || metrics.lag.get(&PartitionLabel { partition: 0 }).is_some();
    world.clock.advance(Duration::from_secs(6));
    while !shown() {
        tokio::task::yield_now().await;
    }
    let held = asking.answer.acquire().await.unwrap();
    // What was asked before is of no interest.
    while asking.asked.notified().now_or_never().is_some() {}
    world.clock.advance(Duration::from_secs(6));
    asking.asked.notified().await;
    let (handover, handed_over) = Handover::new();
    assigner.say(Change::Revoked(vec![P0], handover));
    let waited = tokio::task::spawn_blocking(move || handed_over.wait(Duration::from_secs(20)));
    assert!(waited.await.unwrap(), "it was not handed over");
    drop(held);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!shown());
    running.stop().await.unwrap();
}
