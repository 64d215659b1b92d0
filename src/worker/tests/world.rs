//! A log in memory, a worker on it, and what a test does to them.

use crate::clock::{self, Clock as _, Manual};
use crate::config::DeliverConfig;
use crate::control::Control;
use crate::deliver::egress::Egress;
use crate::deliver::https::Https;
use crate::deliver::sign;
use crate::keyring::Keyring;
use crate::log::memory::MemoryLog;
use crate::log::{EventLog, ReadLimit};
use crate::metrics::Metrics;
use crate::secret::Secret;
use crate::worker::{SnapshotFiles, Worker, WorkerError, WorkerParts};
use bytes::Bytes;
use hooklog_schemas::control::{
    By, Policy, SealedSecret, Signing, SubscriptionCreated, SubscriptionDeleted, SubscriptionSpec,
};
use hooklog_schemas::deliveries::{Attempted, Routed, Verdict};
use hooklog_schemas::webhook::{Facts, RECEIVED, Received, VERSION};
use hooklog_schemas::{
    Append, Event, EventId, Header, Offset, Partition, Position, ReceiptId, Record, SecretId,
    SourceId, SubscriptionId, Timestamp, Topic,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(super) const P0: Partition = Partition(0);
pub(super) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(super) struct World {
    pub(super) log: Arc<dyn EventLog>,
    pub(super) clock: Arc<Manual>,
    pub(super) control: Arc<Control>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) folder: Arc<tempfile::TempDir>,
    pub(super) config: DeliverConfig,
}

pub(super) struct Running {
    task: tokio::task::JoinHandle<Result<(), WorkerError>>,
    stop: CancellationToken,
    is_ready: watch::Receiver<bool>,
}

impl Running {
    pub(super) async fn stop(self) -> Result<(), WorkerError> {
        self.stop.cancel();
        self.task.await.unwrap()
    }

    pub(super) async fn ready(&mut self) {
        let ready = self.is_ready.wait_for(|ready| *ready);
        let ready = tokio::time::timeout(Duration::from_secs(20), ready).await;
        ready.expect("it did not become ready").unwrap();
    }

    pub(super) fn is_ready(&self) -> bool {
        *self.is_ready.borrow()
    }

    /// As a kill would: nothing is finished, nothing is written.
    pub(super) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    pub(super) async fn ended(self) -> Result<(), WorkerError> {
        self.task.await.unwrap()
    }
}

pub(super) fn by() -> By {
    By {
        actor: "test".into(),
        from: "local".into(),
        at: Timestamp(1),
        why: None,
    }
}

pub(super) fn quick() -> Policy {
    Policy {
        attempts_max: 3,
        delay_first_ms: 1_000,
        delay_max_ms: 10_000,
        deadline_ms: 20_000,
        ..Policy::default()
    }
}

impl World {
    pub(super) async fn new() -> Self {
        Self::on(MemoryLog::new(1)).await
    }

    pub(super) async fn on(log: MemoryLog) -> Self {
        Self::over(Arc::new(log)).await
    }

    pub(super) async fn over(log: Arc<dyn EventLog>) -> Self {
        let clock = Arc::new(Manual::at(Timestamp::from_secs(1_793_534_400)));
        let control = Control::open(log.clone(), clock.clone()).await.unwrap();
        let following = Arc::clone(&control);
        tokio::spawn(async move { following.follow().await });
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let keyring = Arc::new(Keyring::create(&folder.path().join("key")).unwrap());
        let config = DeliverConfig {
            allow: vec!["127.0.0.0/8".parse().unwrap()],
            excerpts_of_allowed: true,
            ..DeliverConfig::default()
        };
        Self {
            log,
            clock,
            control,
            keyring,
            folder,
            config,
        }
    }

    pub(super) async fn start(&self) -> Running {
        let mut running = Self::begin(self.parts());
        running.ready().await;
        running
    }

    /// Starts a worker that may have to wait for what it is to own.
    pub(super) fn begin(parts: WorkerParts) -> Running {
        let (ready, is_ready) = watch::channel(false);
        let stop = CancellationToken::new();
        let task = tokio::spawn(Worker::run(parts, ready, stop.clone()));
        Running {
            task,
            stop,
            is_ready,
        }
    }

    /// Starts a worker that is to refuse, and tells why.
    pub(super) async fn refused(&self) -> WorkerError {
        let ready = watch::Sender::new(false);
        let ended = Worker::run(self.parts(), ready, CancellationToken::new()).await;
        ended.unwrap_err()
    }

    /// Goes on with a log that has all but the webhooks.
    pub(super) async fn lose_webhooks(&mut self) {
        let left = MemoryLog::new(1);
        for topic in [Topic::Deliveries, Topic::Control] {
            let at = Position::new(topic, P0, Offset(0));
            let records = self.log.read(at, ReadLimit::default()).await.unwrap();
            let appends = records.iter().map(|record| again(record)).collect();
            left.append(topic, appends).await.unwrap();
        }
        self.log = Arc::new(left);
    }

    pub(super) fn parts(&self) -> WorkerParts {
        let egress = Arc::new(Egress::new(&self.config));
        let transport = Https::new(Arc::clone(&egress), self.config.excerpt_bytes_max).unwrap();
        WorkerParts {
            log: self.log.clone(),
            control: Arc::clone(&self.control),
            keyring: Arc::clone(&self.keyring),
            clock: self.clock.clone(),
            config: self.config.clone(),
            metrics: Metrics::register(&mut Default::default()),
            transport: Arc::new(transport),
            egress,
            snapshots: Arc::new(self.snapshots()),
            data: self.folder.path().to_owned(),
            process: clock::event_id(),
        }
    }

    pub(super) fn snapshots(&self) -> SnapshotFiles {
        SnapshotFiles::new(self.folder.path().join("snapshots"))
    }

    pub(super) async fn subscribe(&self, name: &str, to: &str, policy: Policy) -> SubscriptionId {
        self.subscribe_signed(name, to, policy, Signing::Standard)
            .await
    }

    pub(super) async fn subscribe_signed(
        &self,
        name: &str,
        to: &str,
        policy: Policy,
        sign: Signing,
    ) -> SubscriptionId {
        let id = SubscriptionId(Uuid::now_v7());
        let secret = SecretId(Uuid::now_v7());
        let sealed = self
            .keyring
            .seal(secret, &Secret::new(SECRET.into()))
            .unwrap();
        let created = SubscriptionCreated {
            id,
            spec: SubscriptionSpec {
                name: name.into(),
                team: "default".into(),
                filter: Default::default(),
                to: to.into(),
                sign,
                policy,
            },
            secret: Some(SealedSecret {
                id: secret,
                sealed,
                organization_ids: vec![],
            }),
            by: by(),
        };
        self.control.submit(created).await.unwrap();
        id
    }

    /// Deletes a subscription, and tells the event that did it.
    pub(super) async fn delete(&self, id: SubscriptionId) -> EventId {
        let expected = self.control.current().subscriptions[&id].version;
        let by = by();
        let deleted = SubscriptionDeleted { id, expected, by };
        self.control.submit(deleted).await.unwrap().event
    }

    /// Appends to `deliveries` as another owner would.
    pub(super) async fn append(&self, event: impl Into<Event>, epoch: Option<Offset>) -> Offset {
        let (event_type, version, value) = event.into().encode().unwrap();
        let append = Append {
            partition: P0,
            event_id: clock::event_id(),
            key: clock::key(),
            event_type,
            version,
            epoch,
            at: self.clock.now(),
            headers: Vec::new(),
            value: Some(value),
        };
        let appended = self.log.append(Topic::Deliveries, vec![append]).await;
        appended.unwrap()[0]
    }

    /// Appends a webhook as a receiver would, and tells its receipt.
    pub(super) async fn receive(&self, guid: &str) -> ReceiptId {
        let signature = format!("sha256={guid}");
        self.receive_by(guid, "1", &signature, br#"{"zen":"Keep it simple."}"#)
            .await
    }

    pub(super) async fn receive_by(
        &self,
        guid: &str,
        hook: &str,
        signature: &str,
        body: &'static [u8],
    ) -> ReceiptId {
        self.receive_as(guid, hook, signature, body, |_| {}).await
    }

    /// Likewise, with what `change` makes of the facts.
    pub(super) async fn receive_as(
        &self,
        guid: &str,
        hook: &str,
        signature: &str,
        body: &'static [u8],
        change: impl FnOnce(&mut Facts),
    ) -> ReceiptId {
        let configuration = self.control.current().version.unwrap();
        let mut received = Received {
            receipt: clock::receipt_id(),
            received_at: self.clock.now(),
            source: SourceId(Uuid::from_u128(7)),
            source_name: "main".into(),
            secret: SecretId(Uuid::from_u128(8)),
            configuration,
            client: "127.0.0.1".into(),
            facts: Facts {
                guid: guid.into(),
                event: "push".into(),
                host: "github.com".into(),
                hook_id: Some(hook.into()),
                repository_id: Some(1),
                repository: Some("acme/web".into()),
                body_bytes: body.len() as u64,
                ..Facts::default()
            },
        };
        change(&mut received.facts);
        let append = Append {
            partition: P0,
            event_id: clock::event_id(),
            key: clock::key(),
            event_type: RECEIVED,
            version: VERSION,
            epoch: None,
            at: self.clock.now(),
            headers: vec![
                received.header(),
                Header::new("content-type", "application/json"),
                Header::new("x-github-event", "push"),
                Header::new("user-agent", "GitHub-Hookshot/044aadd"),
                Header::new("x-github-delivery", guid.to_owned()),
                Header::new("x-hub-signature-256", signature.to_owned()),
            ],
            value: Some(Bytes::from_static(body)),
        };
        self.log
            .append(Topic::Webhooks, vec![append])
            .await
            .unwrap();
        received.receipt
    }

    /// Appends the webhook at an offset once more, as an intake queue may.
    pub(super) async fn hand_over_again(&self, offset: usize) {
        let record = self.records(Topic::Webhooks).await.remove(offset);
        let append = Append {
            partition: P0,
            event_id: clock::event_id(),
            key: clock::key(),
            event_type: RECEIVED,
            version: VERSION,
            epoch: None,
            at: self.clock.now(),
            headers: record.headers.clone(),
            value: record.value.clone(),
        };
        let appended = self.log.append(Topic::Webhooks, vec![append]).await;
        appended.unwrap();
    }

    pub(super) async fn records(&self, topic: Topic) -> Vec<Arc<Record>> {
        let limit = ReadLimit {
            records: 100_000,
            bytes: usize::MAX,
        };
        let from = Position::new(topic, P0, Offset(0));
        self.log.read(from, limit).await.unwrap()
    }

    pub(super) async fn events(&self) -> Vec<Event> {
        let records = self.records(Topic::Deliveries).await;
        records
            .iter()
            .map(|record| Event::decode(record).unwrap())
            .collect()
    }

    /// Waits until the events of `deliveries` are as `wanted`, and tells them.
    pub(super) async fn until(&self, wanted: impl Fn(&[Event]) -> bool) -> Vec<Event> {
        let found = tokio::time::timeout(Duration::from_secs(20), async {
            loop {
                let events = self.events().await;
                if wanted(&events) {
                    return events;
                }
                let tail = Position::new(Topic::Deliveries, P0, Offset(events.len() as u64));
                self.log.wait(&[tail]).await;
            }
        });
        match found.await {
            Ok(events) => events,
            Err(_) => panic!("it never came: {:#?}", self.events().await),
        }
    }
}

pub(super) fn verify(id: &str, timestamp: &str, signature: &str, body: &[u8], now: Timestamp) {
    let headers = sign::StandardHeaders {
        id,
        timestamp,
        signature,
    };
    sign::verify_standard(&Secret::new(SECRET.into()), headers, body, now).unwrap();
}

pub(super) fn attempts(events: &[Event]) -> Vec<Attempted> {
    let attempted = events.iter().filter_map(|event| match event {
        Event::Attempted(attempted) => Some((**attempted).clone()),
        _ => None,
    });
    attempted.collect()
}

pub(super) fn routed(events: &[Event]) -> Vec<Routed> {
    let routed = events.iter().filter_map(|event| match event {
        Event::Routed(routed) => Some((**routed).clone()),
        _ => None,
    });
    routed.collect()
}

/// Attempts after which nothing comes.
pub(super) fn ended(events: &[Event]) -> usize {
    let last =
        |verdict: &Verdict| matches!(verdict, Verdict::Delivered | Verdict::DeadLettered { .. });
    attempts(events)
        .iter()
        .filter(|attempted| last(&attempted.verdict))
        .count()
}

/// The append that made a record.
fn again(record: &Record) -> Append {
    Append {
        partition: record.position.partition,
        event_id: record.event_id,
        key: record.key,
        event_type: record.event_type.clone(),
        version: record.version,
        epoch: record.epoch,
        at: record.appended_at,
        headers: record.headers.clone(),
        value: record.value.clone(),
    }
}
