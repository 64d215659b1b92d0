//! One log on a broker, shared by processes that have a role each.

use crate::format::raise;
use crate::harness::process::{Process, client, hooklog};
use crate::harness::subscriber::Subscriber;
use crate::harness::{On, SECRET, configuration, write_configuration};
use hooklog::app;
use hooklog::deliver::sign;
use hooklog::secret::Secret;
use reqwest::Client;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::watch;
use uuid::Uuid;

/// How long anything may take: on a machine with two processors a process starts in seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A new log on the broker, and the key file of its processes.
struct Shared {
    folder: TempDir,
    log: String,
}

impl Shared {
    async fn new() -> Self {
        Self::with(|_| String::new()).await
    }

    /// With a queue of RabbitMQ in front of it.
    #[cfg(feature = "intake-amqp")]
    async fn behind_a_queue() -> Self {
        Self::with(|folder| crate::harness::queue::Queue::Amqp.section(folder)).await
    }

    async fn with(more: impl Fn(&Path) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = On::Kafka.section(folder.path()) + &more(folder.path());
        write_configuration(&folder, &log);
        let config = configuration(&folder).config;
        app::log::init(&config.log).await.unwrap();
        let shared = Self { folder, log };
        let file = shared.key_file().display().to_string();
        let made = hooklog(&["key", "create", "--key-file", &file]).output();
        assert!(made.unwrap().status.success());
        shared
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("key")
    }

    fn configuration(&self, roles: &str) -> String {
        let (key, log) = (self.key_file(), &self.log);
        format!("roles = {roles}\nkey_file = {key:?}\n{log}[deliver]\nallow = [\"127.0.0.0/8\"]\n")
    }

    /// A process with `roles`, in a folder of its own.
    async fn process(&self, roles: &str) -> Process {
        self.on(tempfile::tempdir().unwrap(), roles).await
    }

    async fn on(&self, folder: TempDir, roles: &str) -> Process {
        Process::start(folder, &self.configuration(roles)).await
    }

    /// Stops a process as a rollout does, and starts it again.
    async fn restart(&self, mut process: Process, roles: &str) -> Process {
        process.guard.signal("TERM");
        assert!(process.ended().await.success());
        self.on(process.folder, roles).await
    }
}

const RECEIVE: &str = "[\"receive\"]";
#[cfg(feature = "intake-amqp")]
const APPEND: &str = "[\"append\"]";
const WORK: &str = "[\"work\"]";
const REST: &str = "[\"project\", \"api\"]";

/// Sends a webhook to a receiver, and tells whether it was answered 200.
async fn accepted(http: &Client, receiver: SocketAddr, guid: &str) -> bool {
    let body = br#"{"ref":"refs/heads/main"}"#;
    let signature = sign::github(&Secret::new(SECRET.into()), body);
    let request = http
        .post(format!("http://{receiver}/webhooks/github"))
        .header("x-github-event", "push")
        .header("x-github-delivery", guid)
        .header("x-hub-signature-256", &signature)
        .header("content-type", "application/json");
    let answer = request.body(&body[..]).send().await;
    answer.is_ok_and(|answer| answer.status().as_u16() == 200)
}

/// Asks until there is an answer; another process has no signal to wait for.
async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
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

async fn subscribe(api: &Process, to: &str) {
    api.create_source().await;
    let body = json!({"name": "ci", "to": to, "sign": "none"});
    let (status, answer) = api.post("subscriptions", &body).await;
    assert_eq!(status, 201, "{answer}");
}

/// How often each GUID came.
fn arrivals(subscriber: &Subscriber) -> BTreeMap<String, usize> {
    let mut arrivals = BTreeMap::new();
    for got in subscriber.seen() {
        let guid = got.header("x-github-delivery").to_owned();
        *arrivals.entry(guid).or_default() += 1;
    }
    arrivals
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_goes_its_way_through_processes_with_a_role_each() {
    let shared = Shared::new().await;
    // All at once, on a log that is empty.
    let (receiver, worker, rest) = tokio::join!(
        shared.process(RECEIVE),
        shared.process(WORK),
        shared.process(REST),
    );
    let subscriber = Subscriber::answering(&[200]).await;
    subscribe(&rest, &subscriber.url).await;
    let (http, guid) = (client(), Uuid::new_v4().to_string());
    eventually("the receiver knows the source", async || {
        accepted(&http, receiver.webhooks, &guid)
            .await
            .then_some(())
    })
    .await;
    let delivery = eventually("the delivery", async || {
        let timeline = rest.get(&format!("timeline/{guid}")).await;
        let delivery = timeline["deliveries"].as_array()?.first()?.clone();
        (delivery["state"] == "delivered").then_some(delivery)
    })
    .await;
    assert_eq!(delivery["subscription"], "ci");
    assert_eq!(arrivals(&subscriber), [(guid, 1)].into());

    let parts = |answer: &Value| -> Vec<String> {
        let parts = answer["parts"].as_array().unwrap().iter();
        parts
            .map(|part| part["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(parts(&receiver.ready(200).await), ["receive"]);
    assert_eq!(parts(&worker.ready(200).await), ["work"]);
    assert_eq!(parts(&rest.ready(200).await), ["project", "api"]);
    // What a role does not need is not made.
    let made =
        |process: &Process, name: &str| process.folder.path().join("data").join(name).exists();
    for name in ["tables.sqlite", "admin-token", "key", "identities"] {
        assert!(!made(&receiver, name), "{name}");
    }
    assert!(!made(&worker, "tables.sqlite") && made(&rest, "tables.sqlite"));
    let (status, answer) = receiver.post("sources", &json!({})).await;
    let said = answer["detail"].as_str().unwrap();
    assert!(status == 404 && said.contains("only `receive`"), "{answer}");
    assert!(
        !accepted(&http, worker.webhooks, "g").await,
        "nobody listens there"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_of_receivers_and_of_the_worker_under_load_lose_nothing() {
    let shared = Shared::new().await;
    let (first, second, worker, rest) = tokio::join!(
        shared.process(RECEIVE),
        shared.process(RECEIVE),
        shared.process(WORK),
        shared.process(REST),
    );
    let subscriber = Subscriber::answering(&[200]).await;
    subscribe(&rest, &subscriber.url).await;
    let (receivers, told) = watch::channel([first.webhooks, second.webhooks]);
    for receiver in *told.borrow() {
        let http = client();
        eventually("the receiver knows the source", async || {
            accepted(&http, receiver, &Uuid::new_v4().to_string())
                .await
                .then_some(())
        })
        .await;
    }
    let (stop, stopped) = watch::channel(false);
    let github = tokio::spawn(send(told, stopped));
    let first = shared.restart(first, RECEIVE).await;
    receivers.send_replace([first.webhooks, second.webhooks]);
    let _worker = shared.restart(worker, WORK).await;
    let second = shared.restart(second, RECEIVE).await;
    receivers.send_replace([first.webhooks, second.webhooks]);
    stop.send_replace(true);
    let sent = github.await.unwrap();
    assert!(sent.len() > 20, "only {} were sent", sent.len());
    eventually("every webhook arrives", async || {
        let arrived = arrivals(&subscriber);
        sent.iter()
            .all(|guid| arrived.contains_key(guid))
            .then_some(())
    })
    .await;
    let twice: Vec<_> = arrivals(&subscriber)
        .into_iter()
        .filter(|(_, times)| *times > 1)
        .collect();
    assert_eq!(
        twice,
        [],
        "a worker that is told to stop leaves nothing in flight"
    );
}

#[cfg(feature = "intake-amqp")]
#[tokio::test(flavor = "multi_thread")]
async fn restarts_of_who_appends_between_a_queue_and_the_brokers_lose_nothing() {
    let shared = Shared::behind_a_queue().await;
    let (receiver, mut append, _worker, rest) = tokio::join!(
        shared.process(RECEIVE),
        shared.process(APPEND),
        shared.process(WORK),
        shared.process(REST),
    );
    let parts = append.ready(200).await["parts"].clone();
    assert_eq!(parts[0]["name"], "append", "{parts}");
    let subscriber = Subscriber::answering(&[200]).await;
    subscribe(&rest, &subscriber.url).await;
    let http = client();
    eventually("the receiver knows the source", async || {
        accepted(&http, receiver.webhooks, &Uuid::new_v4().to_string())
            .await
            .then_some(())
    })
    .await;
    let (stop, stopped) = watch::channel(false);
    let (_told, told) = watch::channel([receiver.webhooks, receiver.webhooks]);
    let github = tokio::spawn(send(told, stopped));
    // As a rollout stops it, and as a machine does that fails: receivers notice neither.
    append = shared.restart(append, APPEND).await;
    append.guard.signal("KILL");
    append.ended().await;
    let _append = shared.on(append.folder, APPEND).await;
    stop.send_replace(true);
    let sent = github.await.unwrap();
    assert!(sent.len() > 20, "only {} were sent", sent.len());
    let arrived = eventually("every webhook arrives", async || {
        let arrived = arrivals(&subscriber);
        let all = sent.iter().all(|guid| arrived.contains_key(guid));
        all.then_some(arrived)
    })
    .await;
    // What was carried and not acknowledged is carried again, and owed once.
    assert!(arrived.values().all(|times| *times == 1), "{arrived:?}");
}

/// Sends about fifty webhooks a second, as a load balancer passes them on: to a receiver that takes
/// them. Gives the GUIDs of those that were answered 200, which all are.
async fn send(
    receivers: watch::Receiver<[SocketAddr; 2]>,
    stop: watch::Receiver<bool>,
) -> Vec<String> {
    let http = client();
    let mut sent = Vec::new();
    while !*stop.borrow() {
        let guid = Uuid::new_v4().to_string();
        let mut taken = false;
        let receivers = *receivers.borrow();
        for receiver in [receivers[sent.len() % 2], receivers[(sent.len() + 1) % 2]] {
            taken = taken || accepted(&http, receiver, &guid).await;
        }
        assert!(taken, "one receiver is always there");
        sent.push(guid);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_stops_when_its_log_outgrows_it() {
    let shared = Shared::new().await;
    let (receiver, worker, rest) = tokio::join!(
        shared.process(RECEIVE),
        shared.process(WORK),
        shared.process(REST),
    );
    let starts = eventually("all starts are known", async || {
        let starts = rest.get("format").await["starts"].as_array()?.clone();
        (starts.len() == 3).then_some(starts)
    })
    .await;
    for start in starts {
        assert!(
            start["host"].is_string() && start["would_stop"] == false,
            "{start}"
        );
    }
    let upgrade = rest.client(&["log", "upgrade"]);
    let said = String::from_utf8_lossy(&upgrade.stdout).into_owned();
    assert!(said.contains("there is nothing to raise"), "{said}");

    raise(&configuration(&shared.folder).config).await;
    for mut process in [receiver, worker, rest] {
        assert!(!process.ended().await.success());
    }
}
