//! A whole server in a temporary folder, a GitHub that signs, and a subscriber that remembers.

mod memory;
#[cfg(feature = "store-mongodb")]
pub(crate) mod mongodb;
#[cfg(feature = "store-postgres")]
pub(crate) mod postgres;
pub(crate) mod process;
#[cfg(any(
    feature = "intake-amqp",
    feature = "intake-eventhubs",
    feature = "intake-sqs"
))]
pub(crate) mod queue;
pub(crate) mod subscriber;
#[cfg(any(feature = "store-mongodb", feature = "store-postgres"))]
pub(crate) mod way;

use hooklog::app::{self, Running};
use hooklog::config::{Loaded, Sources, load};
use hooklog::deliver::sign;
use hooklog::secret::Secret;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// The admin token of every test server.
const TOKEN: &str = "hl_test-token-0123456789";

/// The secret that the tests' GitHub shares with the source `github`.
pub(crate) const SECRET: &str = "It's a Secret to Everybody";

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server and its folder.
pub(crate) struct TestApp {
    pub(crate) folder: TempDir,
    webhooks: String,
    api: String,
    client: Client,
    stop: oneshot::Sender<()>,
    running: JoinHandle<anyhow::Result<()>>,
}

impl TestApp {
    /// A server on an empty folder and a new log, with the source `github`.
    pub(crate) async fn start(on: On) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_configuration(&folder, &on.section(folder.path()));
        let log = configuration(&folder).config.log;
        app::log::init(&log).await.unwrap();
        #[cfg(feature = "store-postgres")]
        postgres::make_schema(&configuration(&folder).config.project).await;
        let app = Self::open(folder).await;
        app.post("sources", json!({"name": "github", "secret": SECRET}))
            .await;
        app
    }

    /// A server on a `folder` that holds its configuration.
    pub(crate) async fn open(folder: TempDir) -> Self {
        let loaded = configuration(&folder);
        let token = Some(TOKEN.to_owned());
        let running = match memory::log(folder.path()) {
            Some(log) => app::start_on(log, &loaded, token).await,
            None => app::start(&loaded, token).await,
        };
        let running = running.unwrap();
        let Running { webhooks, api, .. } = &running;
        let webhooks = format!("http://{}", webhooks.unwrap());
        let api = format!("http://{api}");
        let (stop, told) = oneshot::channel();
        let running = tokio::spawn(running.until(async {
            let _ = told.await;
        }));
        let app = Self {
            folder,
            webhooks,
            api,
            client: process::client(),
            stop,
            running,
        };
        app.eventually("readiness", async || {
            let ready = app
                .client
                .get(format!("{}/readyz", app.api))
                .send()
                .await
                .ok()?;
            ready.status().is_success().then_some(())
        })
        .await;
        app
    }

    /// Stops the server as SIGTERM does, and gives its folder back.
    pub(crate) async fn stop(self) -> TempDir {
        self.stop.send(()).unwrap();
        self.running.await.unwrap().unwrap();
        self.folder
    }

    /// Sends `body` as the event `event`, signed, and gives the GUID.
    pub(crate) async fn github(&self, event: &str, body: &Value) -> String {
        let guid = Uuid::new_v4().to_string();
        let status = self.github_as(&guid, event, body).await;
        assert_eq!(status, StatusCode::OK);
        guid
    }

    /// Sends `body` under this GUID.
    pub(crate) async fn github_as(&self, guid: &str, event: &str, body: &Value) -> StatusCode {
        let body = serde_json::to_vec(body).unwrap();
        let secret = Secret::new(SECRET.into());
        let request = self
            .client
            .post(format!("{}/webhooks/github", self.webhooks))
            .header("x-github-event", event)
            .header("x-github-delivery", guid)
            .header("x-github-hook-id", "1")
            .header("x-hub-signature-256", sign::github(&secret, &body))
            .header("content-type", "application/json");
        request.body(body).send().await.unwrap().status()
    }

    /// What `/readyz` answers.
    #[cfg(any(feature = "store-mongodb", feature = "store-postgres"))]
    pub(crate) async fn ready(&self) -> Value {
        let asked = self.client.get(format!("{}/readyz", self.api)).send();
        asked.await.unwrap().json().await.unwrap()
    }

    /// `GET /api/v1/{path}`, which must succeed.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask(Method::GET, path, None).await;
        assert!(status.is_success(), "GET {path}: {status} {answer}");
        answer
    }

    /// `POST /api/v1/{path}`, which must succeed.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(Method::POST, path, Some(body)).await;
        assert!(status.is_success(), "POST {path}: {status} {answer}");
        answer
    }

    /// Any request to the API.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        self.ask_as(TOKEN, method, path, body).await
    }

    /// Any request to the API, by whoever holds this token.
    pub(crate) async fn ask_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let url = format!("{}/api/v1/{path}", self.api);
        let mut request = self.client.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or(Value::Null))
    }

    /// Waits until the delivery of `guid` to `subscription` is in `state`, and gives it.
    pub(crate) async fn delivery(&self, guid: &str, subscription: &str, state: &str) -> Value {
        self.eventually(&format!("{subscription} {state}"), async || {
            let timeline = self.get(&format!("timeline/{guid}")).await;
            let deliveries = timeline["deliveries"].as_array()?.clone();
            deliveries
                .into_iter()
                .find(|d| d["subscription"] == subscription && d["state"] == state)
        })
        .await
    }

    /// Asks until there is an answer. The API has no signal to wait for, so this polls.
    pub(crate) async fn eventually<T>(&self, what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "{what}: not within {PATIENCE:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// What keeps the log of a server under test, and its tables if that is not a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum On {
    /// Files in its folder.
    Embedded,
    /// The memory of the test, which outlives its servers.
    Memory,
    /// Topics of its own on the broker that `tools/services` started.
    #[cfg(feature = "log-kafka")]
    Kafka,
    /// Files in its folder, and tables in a schema of its own on the server that `tools/services`
    /// started.
    #[cfg(feature = "store-postgres")]
    Postgres,
    /// Files in its folder, and tables in a database of its own on the server that
    /// `tools/services` started.
    #[cfg(feature = "store-mongodb")]
    Mongodb,
    /// Files in its folder, and a stream of its own in front of them, in the Redis that
    /// `tools/services` started.
    #[cfg(feature = "intake-redis")]
    Redis,
    /// Files in its folder, behind a queue of its own.
    #[cfg(any(
        feature = "intake-amqp",
        feature = "intake-eventhubs",
        feature = "intake-sqs"
    ))]
    Behind(queue::Queue),
}

const EMBEDDED: &str = "[log]\nsegment_bytes = 67108864\nreserve_bytes = 67108864\n";

impl On {
    /// The section `[log]` of its configuration; on a broker, one that no other test has.
    pub(crate) fn section(self, _folder: &Path) -> String {
        match self {
            Self::Embedded => EMBEDDED.to_owned(),
            Self::Memory => memory::make(_folder),
            #[cfg(any(
                feature = "intake-amqp",
                feature = "intake-eventhubs",
                feature = "intake-sqs"
            ))]
            Self::Behind(queue) => format!("{EMBEDDED}{}", queue.section(_folder)),
            #[cfg(feature = "store-postgres")]
            Self::Postgres => format!("{EMBEDDED}{}", postgres::section(&postgres::url())),
            #[cfg(feature = "store-mongodb")]
            Self::Mongodb => format!("{EMBEDDED}{}", mongodb::section(&mongodb::uri())),
            #[cfg(feature = "intake-redis")]
            Self::Redis => {
                let password = _folder.join("redis-password");
                std::fs::write(&password, variable("HOOKLOG_TEST_REDIS_PASSWORD")).unwrap();
                let address = variable("HOOKLOG_TEST_REDIS_ADDRESS");
                let stream = Uuid::now_v7().simple();
                format!(
                    "{EMBEDDED}[intake]\nkind = \"redis\"\n[intake.redis]\n\
                     url = \"redis://{address}\"\npassword_file = {password:?}\n\
                     stream = \"it.{stream}\"\n"
                )
            }
            #[cfg(feature = "log-kafka")]
            Self::Kafka => {
                let broker = variable("HOOKLOG_TEST_KAFKA");
                let prefix = Uuid::now_v7().simple();
                format!(
                    "[log]\nkind = \"kafka\"\npartitions = 3\n[log.kafka]\n\
                     brokers = [\"{broker}\"]\ntopic_prefix = \"it.{prefix}.\"\n\
                     replication_factor = 1\nmin_insync_replicas = 1\n"
                )
            }
        }
    }
}

/// What `tools/services` set for one of the services that it started.
#[cfg(any(
    feature = "log-kafka",
    feature = "store-mongodb",
    feature = "intake-redis",
    feature = "intake-amqp",
    feature = "intake-eventhubs",
    feature = "intake-sqs"
))]
pub(crate) fn variable(name: &str) -> String {
    let value = std::env::var(name);
    assert!(
        value.is_ok(),
        "{name} is not set: run the tests by `tools/services run ferretdb kafka postgres rabbitmq \
         redis sqs -- cargo nextest run --all-features`"
    );
    value.unwrap()
}

/// Free ports, and deliveries to 127.0.0.1 allowed.
pub(crate) fn write_configuration(folder: &TempDir, log: &str) {
    let data = folder.path().join("data");
    let text = format!(
        "data = {data:?}\nlisten = \"127.0.0.1:0\"\napi_listen = \"127.0.0.1:0\"\n\
         {log}[deliver]\nallow = [\"127.0.0.0/8\"]\n"
    );
    std::fs::write(folder.path().join("hooklog.toml"), text).unwrap();
}

/// The configuration in a folder.
pub(crate) fn configuration(folder: &TempDir) -> Loaded {
    let sources = Sources {
        file: Some(folder.path().join("hooklog.toml")),
        environment: std::iter::empty(),
        flags: Vec::new(),
    };
    load(sources).unwrap()
}
