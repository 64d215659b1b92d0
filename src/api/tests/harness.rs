//! An API over a log in memory, and requests to it.

use super::super::{ApiParts, router};
use crate::clock::{self, Clock as _, Manual};
use crate::config::ProjectConfig;
use crate::control::Control;
use crate::health::{Health, Part};
use crate::http::ClientAddress;
use crate::keyring::Keyring;
use crate::log::memory::MemoryLog;
use crate::log::{EventLog, ReadLimit};
use crate::metrics::Metrics;
use crate::project::own::OwnDesk;
use crate::project::stores::sqlite::{SqliteStore, SqliteTables};
use crate::project::{Projector, ProjectorParts};
use crate::query::Queries;
use crate::secret::Secret;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use bytes::Bytes;
use hooklog_schemas::{
    Append, Event, EventType, Header, Offset, Partition, Position, Timestamp, Topic,
};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// Every route, as the contract with the clients has it.
pub(super) const ROUTES: &[(&str, &str)] = &[
    ("GET", "/api/v1/sources"),
    ("POST", "/api/v1/sources"),
    ("GET", "/api/v1/sources/{name}"),
    ("PUT", "/api/v1/sources/{name}"),
    ("DELETE", "/api/v1/sources/{name}"),
    ("POST", "/api/v1/sources/{name}/pause"),
    ("POST", "/api/v1/sources/{name}/resume"),
    ("POST", "/api/v1/sources/{name}/secrets"),
    ("GET", "/api/v1/sources/{name}/history"),
    ("GET", "/api/v1/subscriptions"),
    ("POST", "/api/v1/subscriptions"),
    ("GET", "/api/v1/subscriptions/{name}"),
    ("PUT", "/api/v1/subscriptions/{name}"),
    ("DELETE", "/api/v1/subscriptions/{name}"),
    ("POST", "/api/v1/subscriptions/{name}/pause"),
    ("POST", "/api/v1/subscriptions/{name}/resume"),
    ("POST", "/api/v1/subscriptions/{name}/secrets"),
    ("GET", "/api/v1/subscriptions/{name}/history"),
    ("GET", "/api/v1/tokens"),
    ("POST", "/api/v1/tokens"),
    ("GET", "/api/v1/tokens/{name}"),
    ("DELETE", "/api/v1/tokens/{name}"),
    ("GET", "/api/v1/tokens/{name}/history"),
    ("GET", "/api/v1/webhooks"),
    ("GET", "/api/v1/webhooks/{receipt}"),
    ("GET", "/api/v1/webhooks/{receipt}/body"),
    ("GET", "/api/v1/webhooks/{receipt}/verification"),
    ("GET", "/api/v1/projections"),
    ("POST", "/api/v1/projections/rebuild"),
    ("POST", "/api/v1/projections/switch"),
    ("POST", "/api/v1/projections/stop"),
    ("DELETE", "/api/v1/projections/sets/{set}"),
    ("GET", "/api/v1/deliveries"),
    ("GET", "/api/v1/deliveries/{id}"),
    ("GET", "/api/v1/dead-letters"),
    ("GET", "/api/v1/dead-letters/{id}"),
    ("GET", "/api/v1/deliveries/{id}/attempts/diff"),
    ("GET", "/api/v1/recipients"),
    ("GET", "/api/v1/body-reads"),
    ("GET", "/api/v1/subscriptions/{name}/received"),
    ("GET", "/api/v1/subscriptions/{name}/blame"),
    ("POST", "/api/v1/subscriptions/{name}/revert"),
    ("GET", "/api/v1/timeline/{guid}"),
    ("GET", "/api/v1/explain/{guid}"),
    ("GET", "/api/v1/explain"),
    ("POST", "/api/v1/what-if"),
    ("POST", "/api/v1/dead-letters/redrive"),
    ("POST", "/api/v1/deliveries/cancel"),
    ("POST", "/api/v1/deliveries/pause"),
    ("POST", "/api/v1/deliveries/resume"),
    ("GET", "/api/v1/replays"),
    ("POST", "/api/v1/replays"),
    ("GET", "/api/v1/replays/{id}"),
    ("GET", "/api/v1/replays/{id}/history"),
    ("POST", "/api/v1/replays/{id}/pause"),
    ("POST", "/api/v1/replays/{id}/resume"),
    ("POST", "/api/v1/replays/{id}/cancel"),
    ("POST", "/api/v1/erasures"),
    ("GET", "/api/v1/counts"),
    ("GET", "/api/v1/bookmarks"),
    ("POST", "/api/v1/bookmarks"),
    ("GET", "/api/v1/bookmarks/{name}"),
    ("DELETE", "/api/v1/bookmarks/{name}"),
    ("GET", "/api/v1/totals"),
    ("GET", "/api/v1/diff"),
    ("GET", "/api/v1/tail"),
    ("GET", "/api/v1/status"),
    ("GET", "/api/v1/format"),
    ("POST", "/api/v1/format"),
];

/// A running API.
pub(super) struct Harness {
    pub(super) log: Arc<MemoryLog>,
    pub(super) control: Arc<Control>,
    pub(super) clock: Arc<Manual>,
    router: axum::Router,
    worker: watch::Sender<bool>,
    /// Why appends are not in time.
    pub(super) late: Arc<Mutex<Option<String>>>,
    /// Stops the process.
    pub(super) stop: CancellationToken,
    following: tokio::task::JoinHandle<()>,
    metrics: Metrics,
    tables: PathBuf,
    _folder: tempfile::TempDir,
}

impl Drop for Harness {
    fn drop(&mut self) {
        self.following.abort();
    }
}

/// A receiver that says `late`, and a worker that is ready when told.
fn health(
    worker: &watch::Sender<bool>,
    late: &Arc<Mutex<Option<String>>>,
    registry: Registry,
) -> Arc<Health> {
    let late = Arc::clone(late);
    let receive = Part::new("receive", move || {
        std::future::ready(late.lock().unwrap().clone().map_or(Ok(()), Err))
    });
    let work = Part::watching("work", worker.subscribe());
    Health::new(vec![receive, work], registry)
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    pub(super) json: Value,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl Harness {
    /// The token of the first start.
    pub(super) const BOOTSTRAP: &str = "bootstrap-token";

    pub(super) async fn start() -> Self {
        let log = Arc::new(MemoryLog::new(2));
        let clock = Arc::new(Manual::at(Timestamp::from_secs(1_800_000_000)));
        let control = Control::open(log.clone(), clock.clone()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let keyring = Keyring::create(&folder.path().join("key")).unwrap();
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let tables = folder.path().join("tables.db");
        let worker = watch::Sender::new(false);
        let late = Arc::new(Mutex::new(None));
        let stop = CancellationToken::new();
        let parts = ApiParts {
            log: log.clone(),
            control: control.clone(),
            keyring: Arc::new(keyring),
            clock: clock.clone(),
            metrics: metrics.clone(),
            health: health(&worker, &late, registry),
            queries: Queries::new(Arc::new(SqliteTables::new(&tables)), metrics.clone()),
            desk: None,
            own: OwnDesk::default(),
            check_target: Arc::new(|to| {
                let forbidden = to.contains("//127.").then(|| "it is loopback".to_owned());
                Box::pin(async move { forbidden.map_or(Ok(()), Err) })
            }),
            check_filter: Arc::new(|filter| {
                crate::route::validate(filter).map_err(|error| error.to_string())
            }),
            trusted_proxies: vec!["10.9.0.0/16".parse().unwrap()],
            bootstrap_admin: Some(Secret::new(Self::BOOTSTRAP.into())),
            stop: stop.clone(),
            build: "test".to_owned(),
        };
        let follower = control.clone();
        let following = tokio::spawn(async move { follower.follow().await.unwrap() });
        Self {
            log,
            control,
            clock,
            router: router(parts),
            worker,
            late,
            stop,
            following,
            metrics,
            tables,
            _folder: folder,
        }
    }

    /// Folds the log into the tables, up to its end.
    pub(super) async fn project(&self) {
        let parts = ProjectorParts {
            log: self.log.clone(),
            store: Box::new(SqliteStore::open(&self.tables).await.unwrap()),
            metrics: self.metrics.clone(),
            config: ProjectConfig::default(),
            writer: "a test".to_owned(),
        };
        Projector::open(parts)
            .await
            .unwrap()
            .catch_up()
            .await
            .unwrap();
    }

    /// Appends an event as its writer would, and tells its offset.
    pub(super) async fn append(&self, topic: Topic, event: impl Into<Event>) -> Offset {
        let (event_type, version, value) = event.into().encode().unwrap();
        self.append_raw(topic, event_type, version, Vec::new(), value)
            .await
    }

    pub(super) async fn append_raw(
        &self,
        topic: Topic,
        event_type: EventType,
        version: u16,
        headers: Vec<Header>,
        value: Bytes,
    ) -> Offset {
        let append = Append {
            partition: Partition(0),
            event_id: clock::event_id(),
            key: clock::key(),
            event_type,
            version,
            epoch: None,
            at: self.clock.now(),
            headers,
            value: Some(value),
        };
        self.log.append(topic, vec![append]).await.unwrap()[0]
    }

    pub(super) fn worker_ready(&self) {
        self.worker.send_replace(true);
    }

    /// Sends a request, and leaves the answer's body to be read.
    pub(super) async fn open(&self, path: &str) -> axum::response::Response {
        let token = format!("Bearer {}", Self::BOOTSTRAP);
        let request = Request::get(path).header("authorization", token);
        let request = request.body(Body::empty()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(super) async fn send(&self, mut request: Request<Body>) -> Answer {
        if request.extensions().get::<ClientAddress>().is_none() {
            let address = ClientAddress("192.0.2.7".parse().unwrap());
            request.extensions_mut().insert(address);
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 64 << 20).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            json: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }

    /// Sends a request with `token`, or without one if it is empty.
    pub(super) async fn text(&self, token: &str, method: &str, path: &str, body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_owned())).unwrap())
            .await
    }

    pub(super) async fn get(&self, token: &str, path: &str) -> Answer {
        let answer = self.text(token, "GET", path, "").await;
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.text);
        answer
    }

    /// Posts as the first admin.
    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        self.text(Self::BOOTSTRAP, "POST", path, &body.to_string())
            .await
    }

    pub(super) async fn create_source(&self, name: &str) -> Value {
        let body = json!({ "name": name, "secret": "canary-source" });
        let answer = self.post("/api/v1/sources", body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json
    }

    pub(super) async fn create_subscription(&self, name: &str) -> Value {
        let body = json!({ "name": name, "to": "https://example.com/hook" });
        let answer = self.post("/api/v1/subscriptions", body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json
    }

    /// A new token of this role. The first admin stays valid only while no admin is made.
    pub(super) async fn create_token(&self, name: &str, role: &str) -> String {
        let body = json!({ "name": name, "holder": "person", "role": role });
        let answer = self.post("/api/v1/tokens", body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json["token"].as_str().unwrap().to_owned()
    }

    /// The bodies of all records of `topic`'s partition 0, as text.
    pub(super) async fn records(&self, topic: Topic) -> Vec<String> {
        let from = Position::new(topic, Partition(0), Offset(0));
        let records = self.log.read(from, ReadLimit::default()).await.unwrap();
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        records
            .iter()
            .filter_map(|r| r.value.as_deref().map(text))
            .collect()
    }
}
