//! A receiver whose broker is killed and comes back, with a spool on its disk. Nobody else runs: the
//! log is read at the end.

use crate::harness::SECRET;
use crate::harness::process::{Process, client, hooklog};
use hooklog::config::{Config, Sources, load};
use hooklog::deliver::sign;
use hooklog::log::{EventLog, ReadLimit};
use hooklog::secret::Secret;
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{Event, Offset, Partition, Position, Record, Timestamp, Topic};
use reqwest::StatusCode;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

const PARTITIONS: u32 = 3;

/// A broker of its own, which may be killed.
struct Broker(TempDir);

impl Broker {
    fn tell(&self, arguments: &[&str]) -> String {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/services");
        let folder = ["--folder", self.0.path().to_str().unwrap()];
        let told = Command::new(program).args(arguments).args(folder).output();
        let told = told.unwrap();
        let problem = String::from_utf8_lossy(&told.stderr);
        assert!(told.status.success(), "{arguments:?}: {problem}");
        String::from_utf8(told.stdout).unwrap()
    }

    fn start(&self) -> String {
        let told = self.tell(&["start", "kafka"]);
        let address = told
            .lines()
            .find_map(|line| line.strip_prefix("HOOKLOG_TEST_KAFKA="));
        address.unwrap().to_owned()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.tell(&["kill"]);
    }
}

/// A receiver, and what it was sent and answered 200, in this order.
struct Given {
    broker: Broker,
    receiver: Process,
    text: String,
    answered: Vec<u64>,
}

fn configuration(broker: &str, roles: &str, volume: &Path) -> String {
    format!(
        "roles = [{roles}]\n[log]\nkind = \"kafka\"\npartitions = {PARTITIONS}\n[log.kafka]\n\
         brokers = [\"{broker}\"]\nreplication_factor = 1\nmin_insync_replicas = 1\n\
         [spool]\nfolder = {volume:?}\npersistent = true\nreserve_bytes = 0\n\
         inlet_deadline_ms = 500\n"
    )
}

/// A receiver that knows the source `github`, which the other roles made and then went away.
async fn given() -> Given {
    let broker = Broker(tempfile::tempdir().unwrap());
    let address = broker.start();
    let folder = tempfile::tempdir().unwrap();
    let volume = folder.path().join("volume");
    std::fs::create_dir(&volume).unwrap();
    let file = folder.path().join("init.toml");
    std::fs::write(&file, configuration(&address, "\"all\"", &volume)).unwrap();
    let made = hooklog(&["log", "init", "--config", file.to_str().unwrap()]).output();
    assert!(made.unwrap().status.success());
    let all = configuration(&address, "\"all\"", &volume);
    let everything = Process::start(folder, &all).await;
    everything.create_source().await;
    let folder = stopped(everything).await;
    let text = configuration(&address, "\"receive\"", &volume);
    let receiver = Process::start(folder, &text).await;
    Given {
        broker,
        receiver,
        text,
        answered: Vec::new(),
    }
}

async fn stopped(mut process: Process) -> TempDir {
    process.guard.signal("TERM");
    assert!(process.ended().await.success());
    process.folder
}

impl Given {
    /// Sends webhooks one after the other, which must all be answered 200.
    async fn send(&mut self, numbers: std::ops::Range<u64>) {
        let client = client();
        let secret = Secret::new(SECRET.into());
        for number in numbers {
            let body = json!({"repository": {"id": number % 7, "full_name": "acme/web"}});
            let body = serde_json::to_vec(&body).unwrap();
            let request = client
                .post(format!("http://{}/webhooks/github", self.receiver.webhooks))
                .header("x-github-event", "push")
                .header("x-github-delivery", guid(number))
                .header("x-github-hook-id", "1")
                .header("x-hub-signature-256", sign::github(&secret, &body))
                .header("content-type", "application/json");
            let answer = request.body(body).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "webhook {number}");
            self.answered.push(number);
        }
    }

    /// What the receiver says of its spool, if it has anything to say.
    async fn note(&self) -> Option<String> {
        let ready = self.receiver.ready(200).await;
        ready["parts"][0]["note"].as_str().map(str::to_owned)
    }

    /// Waits until the spool is empty.
    async fn drained(&self) {
        let empty = async {
            while self.note().await.is_some() {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        let patience = std::time::Duration::from_secs(60);
        let empty = tokio::time::timeout(patience, empty).await;
        assert!(empty.is_ok(), "the spool does not drain");
    }

    /// Every webhook that was answered 200 is in the log, in the order of the receipts.
    async fn check(self) -> Vec<String> {
        let file = self.receiver.folder.path().join("hooklog.toml");
        let Self {
            receiver,
            answered,
            broker: _broker,
            ..
        } = self;
        let _folder = stopped(receiver).await;
        let mut config = config(&file);
        let reader = tempfile::tempdir().unwrap();
        config.data = reader.path().to_owned();
        let log = hooklog::app::log::open(&config, &metrics()).await.unwrap();
        let mut found: BTreeMap<u64, Timestamp> = BTreeMap::new();
        for partition in 0..PARTITIONS {
            let mut last = Timestamp(0);
            for record in all(&log.log, Topic::Webhooks, partition).await {
                let received = Received::decode(&record).unwrap();
                let number = number(&received.facts.guid);
                if found.insert(number, received.received_at).is_none() {
                    assert!(received.received_at >= last, "webhook {number} overtook");
                    last = received.received_at;
                }
            }
        }
        let there: Vec<u64> = found.keys().copied().collect();
        assert_eq!(there, answered);
        assert!(found.values().is_sorted(), "the times are the receipts'");
        let mut roles = Vec::new();
        for record in all(&log.log, Topic::Control, 0).await {
            if let Ok(Event::ProcessStarted(started)) = Event::decode(&record) {
                roles.push(started.role.clone());
            }
        }
        roles
    }
}

fn config(file: &Path) -> Config {
    let sources = Sources {
        file: Some(file.to_owned()),
        environment: std::iter::empty(),
        flags: Vec::new(),
    };
    load(sources).unwrap().config
}

fn metrics() -> hooklog::metrics::Metrics {
    hooklog::metrics::Metrics::register(&mut Default::default())
}

async fn all(log: &Arc<dyn EventLog>, topic: Topic, partition: u32) -> Vec<Arc<Record>> {
    let mut all = Vec::new();
    let mut at = Position::new(topic, Partition(partition), Offset(0));
    loop {
        let some = log.read(at, ReadLimit::default()).await.unwrap();
        let Some(last) = some.last() else { return all };
        at.offset = last.position.offset.next();
        all.extend(some);
    }
}

fn guid(number: u64) -> String {
    format!("{number:08}-79f7-11ed-859f-f1aec1003817")
}

fn number(guid: &str) -> u64 {
    guid[..8].parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_200_while_the_broker_was_dead_is_in_the_log_when_it_is_back() {
    let mut given = given().await;
    given.send(0..20).await;
    given.broker.tell(&["kill"]);
    given.send(20..220).await;
    let note = given.note().await.unwrap();
    assert!(note.contains("200 wait"), "{note}");
    given.broker.start();
    given.send(220..260).await;
    given.drained().await;
    given.send(260..280).await;
    assert_eq!(given.check().await, ["all", "receive"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_starts_while_the_broker_is_dead_takes_webhooks_and_drains_them_later() {
    let mut given = given().await;
    given.send(0..10).await;
    given.broker.tell(&["kill"]);
    given.send(10..20).await;
    let Given {
        broker,
        mut receiver,
        text,
        answered,
    } = given;
    receiver.guard.signal("KILL");
    receiver.ended().await;
    let receiver = Process::start(receiver.folder, &text).await;
    let mut given = Given {
        broker,
        receiver,
        text,
        answered,
    };
    given.send(20..60).await;
    let note = given.note().await.unwrap();
    assert!(note.contains("50 wait"), "{note}");
    given.broker.start();
    given.drained().await;
    given.send(60..70).await;
    let roles = given.check().await;
    assert_eq!(roles, ["all", "receive", "receive"], "the late start too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_without_a_known_configuration_does_not_start_without_its_log() {
    let given = given().await;
    given.broker.tell(&["kill"]);
    let Given {
        broker: _broker,
        mut receiver,
        text,
        ..
    } = given;
    receiver.guard.signal("KILL");
    receiver.ended().await;
    let folder = receiver.folder;
    std::fs::remove_file(folder.path().join("data/configuration.sealed")).unwrap();
    let file = folder.path().join("hooklog.toml");
    std::fs::write(&file, text).unwrap();
    let data = folder.path().join("data");
    let mut serve = hooklog(&["serve", "--listen", "127.0.0.1:0"]);
    serve.args(["--api-listen", "127.0.0.1:0"]);
    serve.arg("--config").arg(&file).arg("--data").arg(&data);
    let ended = serve.output().unwrap();
    assert!(!ended.status.success());
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(
        said.contains("no configuration is known from earlier"),
        "{said}"
    );
}
