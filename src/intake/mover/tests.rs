use super::*;
use crate::clock::System;
use crate::intake::memory::MemoryQueue;
use crate::log::conformance::{append, everything};
use crate::log::memory::MemoryLog;
use async_trait::async_trait;
use hooklog_schemas::{Append, Record};
use prometheus_client::registry::Registry;
use std::sync::{Mutex, PoisonError};

/// An object store that can be away.
#[derive(Default)]
struct Store {
    objects: Mutex<HashMap<String, Bytes>>,
    away: std::sync::atomic::AtomicBool,
}

impl Store {
    fn with<T>(&self, work: impl FnOnce(&mut HashMap<String, Bytes>) -> T) -> T {
        work(&mut self.objects.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_away(&self, away: bool) {
        self.away.store(away, std::sync::atomic::Ordering::SeqCst);
    }
}

#[async_trait]
impl Bodies for Store {
    async fn keep(&self, name: &str, body: Bytes) -> Result<(), BodiesError> {
        self.with(|objects| objects.insert(name.to_owned(), body));
        Ok(())
    }

    async fn fetch(&self, name: &str) -> Result<Bytes, BodiesError> {
        if self.away.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(BodiesError::Unavailable("away".to_owned()));
        }
        let found = self.with(|objects| objects.get(name).cloned());
        found.ok_or_else(|| BodiesError::Missing(name.to_owned()))
    }

    async fn remove(&self, name: &str) -> Result<(), BodiesError> {
        self.with(|objects| objects.remove(name));
        Ok(())
    }
}

/// A queue, a log and a store, with a mover between them.
struct Way {
    queue: Arc<MemoryQueue>,
    log: Arc<dyn EventLog>,
    store: Arc<Store>,
    stop: CancellationToken,
}

const LIMIT: usize = 2_000;

impl Way {
    fn new() -> Self {
        Self {
            queue: Arc::default(),
            log: Arc::new(MemoryLog::new(3)),
            store: Arc::default(),
            stop: CancellationToken::new(),
        }
    }

    fn start(&self) -> tokio::task::JoinHandle<Result<(), AppendError>> {
        let parts = MoverParts {
            intake: Arc::new(self.queue.open(LIMIT)),
            bodies: Some(Arc::clone(&self.store) as Arc<dyn Bodies>),
            log: Arc::clone(&self.log),
            clock: Arc::new(System),
            batch_messages_max: 10,
            metrics: Metrics::register(&mut Registry::default()),
        };
        let (state, _) = watch::channel(Ok(()));
        tokio::spawn(Mover::run(parts, state, self.stop.clone()))
    }

    async fn put(&self, webhook: Append) {
        let metrics = Metrics::register(&mut Registry::default());
        let bodies = Some(Arc::clone(&self.store) as Arc<dyn Bodies>);
        let intake = Arc::new(self.queue.open(LIMIT));
        let inlet = crate::intake::IntoQueue::new(intake, bodies, 1 << 20, metrics);
        crate::receive::Inlet::put(&inlet, webhook).await.unwrap();
    }

    async fn records(&self, partition: u32) -> Vec<Arc<Record>> {
        everything(&self.log, Topic::Webhooks, partition, ReadLimit::default()).await
    }

    /// Waits until the queue has so many messages, and so many are set aside.
    async fn reaches(&self, waiting: u64, aside: u64) {
        let queue = self.queue.open(LIMIT);
        let began = Instant::now();
        loop {
            let depth = queue.depth().await.unwrap();
            if (depth.waiting, depth.aside) == (Some(waiting), Some(aside)) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{depth:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn received(partition: u32, body: impl Into<Bytes>) -> Append {
    Append {
        epoch: None,
        at: crate::clock::Clock::now(&System),
        ..append(partition, body)
    }
}

#[tokio::test]
async fn what_is_in_the_queue_comes_into_the_log_and_is_forgotten() {
    let way = Way::new();
    let moving = way.start();
    let sent: Vec<_> = (0..25).map(|n| received(n % 3, n.to_string())).collect();
    for one in &sent {
        way.put(one.clone()).await;
    }
    way.reaches(0, 0).await;
    way.stop.cancel();
    moving.await.unwrap().unwrap();
    for one in &sent {
        let records = way.records(one.partition.0).await;
        let found = records
            .iter()
            .find(|record| record.event_id == one.event_id)
            .unwrap();
        assert_eq!((&found.headers, &found.value), (&one.headers, &one.value));
        assert_ne!(found.key, one.key, "a key is drawn for every append");
    }
}

#[tokio::test]
async fn a_message_that_comes_twice_adds_a_record_under_another_key() {
    let way = Way::new();
    let one = Message::of(received(0, "{}")).encode();
    way.queue
        .open(LIMIT)
        .enqueue(vec![one.clone(), one])
        .await
        .unwrap();
    way.start();
    way.reaches(0, 0).await;
    way.stop.cancel();
    let records = way.records(0).await;
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].event_id, records[1].event_id);
    assert_ne!(records[0].key, records[1].key);
}

#[tokio::test]
async fn what_cannot_be_read_is_set_aside_and_holds_up_nobody() {
    let way = Way::new();
    let mut newer = Message::of(received(0, "{}")).encode().to_vec();
    newer[4] = 2;
    let beyond = Message::of(received(9, "{}")).encode();
    let foreign = Bytes::from_static(b"a task");
    let batch = vec![
        newer.into(),
        foreign,
        beyond,
        Message::of(received(0, "{}")).encode(),
    ];
    way.queue.open(LIMIT).enqueue(batch).await.unwrap();
    way.start();
    way.reaches(0, 3).await;
    assert_eq!(way.records(0).await.len(), 1);
    way.stop.cancel();
}

#[tokio::test]
async fn a_large_body_goes_by_the_store_and_comes_into_the_log_byte_for_byte() {
    let way = Way::new();
    let body: Bytes = (0..=255).cycle().take(50_000).collect();
    way.put(received(1, body.clone())).await;
    assert_eq!(way.store.with(|objects| objects.len()), 1);
    way.start();
    way.reaches(0, 0).await;
    assert_eq!(way.records(1).await[0].value, Some(body));
    while way.store.with(|objects| !objects.is_empty()) {
        tokio::task::yield_now().await;
    }
    way.stop.cancel();
}

#[tokio::test]
async fn while_the_store_is_away_others_go_on_and_nothing_is_lost() {
    let way = Way::new();
    way.store.set_away(true);
    way.put(received(1, vec![b'x'; 9_000])).await;
    way.put(received(0, "{}")).await;
    way.start();
    way.reaches(1, 0).await;
    assert_eq!(way.records(0).await.len(), 1);
    assert!(way.records(1).await.is_empty());
    way.store.set_away(false);
    way.reaches(0, 0).await;
    assert_eq!(way.records(1).await.len(), 1);
    way.stop.cancel();
}

#[tokio::test]
async fn a_body_that_is_gone_or_another_is_set_aside_and_one_in_the_log_is_done() {
    let way = Way::new();
    let (gone, other) = (
        received(0, vec![b'x'; 9_000]),
        received(0, vec![b'y'; 9_000]),
    );
    for one in [&gone, &other] {
        way.put(one.clone()).await;
    }
    way.store.with(|objects| {
        objects.remove(&gone.event_id.to_string());
        objects.insert(other.event_id.to_string(), Bytes::from_static(b"another"));
    });
    let moved = received(0, vec![b'z'; 9_000]);
    way.put(moved.clone()).await;
    way.log
        .append(Topic::Webhooks, vec![moved.clone()])
        .await
        .unwrap();
    way.store
        .with(|objects| objects.remove(&moved.event_id.to_string()));
    way.start();
    way.reaches(0, 2).await;
    assert_eq!(way.records(0).await.len(), 1, "nothing was added");
    way.stop.cancel();
}

#[tokio::test]
async fn a_queue_that_is_away_is_asked_again_and_a_new_mover_tries_what_was_set_aside() {
    let way = Way::new();
    let one = received(0, vec![b'x'; 9_000]);
    way.put(one.clone()).await;
    let kept = way
        .store
        .with(|objects| objects.remove(&one.event_id.to_string()))
        .unwrap();
    way.queue.set_away(true);
    let moving = way.start();
    tokio::task::yield_now().await;
    way.queue.set_away(false);
    way.reaches(0, 1).await;
    way.stop.cancel();
    moving.await.unwrap().unwrap();
    way.store
        .with(|objects| objects.insert(one.event_id.to_string(), kept));
    let again = Way {
        stop: CancellationToken::new(),
        ..way
    };
    again.start();
    again.reaches(0, 0).await;
    assert_eq!(again.records(0).await.len(), 1);
    again.stop.cancel();
}
