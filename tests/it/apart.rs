//! Roles in processes of their own, on one log and one server of tables.

use crate::harness::process::{Process, client, hooklog};
use crate::harness::subscriber::Subscriber;
use crate::harness::{SECRET, postgres};
use crate::way::push;
use hooklog::config::{Sources, load};
use hooklog::deliver::sign;
use hooklog::secret::Secret;
use reqwest::StatusCode;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use uuid::Uuid;

/// How long anything may take: leases end, and groups of consumers settle.
const PATIENCE: Duration = Duration::from_secs(40);

/// Processes, and what all of them are told.
struct Given {
    common: TempDir,
    text: String,
    work: Process,
    api: Process,
    projectors: Vec<Process>,
}

impl Given {
    async fn start() -> Self {
        let common = tempfile::tempdir().unwrap();
        let text = configuration(common.path());
        let file = common.path().join("init.toml");
        std::fs::write(&file, &text).unwrap();
        let init = hooklog(&["log", "init", "--config", file.to_str().unwrap()]).output();
        assert!(init.unwrap().status.success());
        let sources = Sources {
            file: Some(file),
            environment: std::iter::empty(),
            flags: Vec::new(),
        };
        postgres::make_schema(&load(sources).unwrap().config.project).await;
        let work = process(&text, "\"receive\", \"work\"").await;
        let mut projectors = Vec::new();
        for _ in 0..2 {
            projectors.push(process(&text, "\"project\"").await);
        }
        let api = process(&text, "\"api\"").await;
        Self {
            common,
            text,
            work,
            api,
            projectors,
        }
    }

    /// Sends a webhook, and waits until the tables say that it was delivered.
    async fn passes(&self) {
        let guid = Uuid::new_v4().to_string();
        let body = serde_json::to_vec(&push()).unwrap();
        let secret = Secret::new(SECRET.into());
        let request = client()
            .post(format!("http://{}/webhooks/github", self.work.webhooks))
            .header("x-github-event", "push")
            .header("x-github-delivery", &guid)
            .header("x-github-hook-id", "1")
            .header("x-hub-signature-256", sign::github(&secret, &body))
            .header("content-type", "application/json");
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        eventually("the delivery in the tables", async || {
            let timeline = self.api.get(&format!("timeline/{guid}")).await;
            timeline["deliveries"][0]["state"] == "delivered"
        })
        .await;
    }

    /// The place of the projector that writes; the others stand by.
    async fn writer(&self) -> usize {
        let mut writers = Vec::new();
        for (place, projector) in self.projectors.iter().enumerate() {
            if !stands_by(&projector.ready(200).await) {
                writers.push(place);
            }
        }
        assert_eq!(writers.len(), 1);
        writers[0]
    }

    /// The hash of the tables on the server, and of tables folded from the log into a file.
    fn hashes(&self) -> (String, String) {
        let server = self.common.path().join("init.toml");
        let data = self.common.path().join("rebuilt");
        let file = self.common.path().join("file.toml");
        let in_a_file = self
            .text
            .replace("store = \"postgres\"", "store = \"sqlite\"");
        std::fs::write(&file, in_a_file).unwrap();
        let (server, data) = (server.to_str().unwrap(), data.to_str().unwrap());
        let file = file.to_str().unwrap();
        told(&["rebuild", "--config", file, "--data", data]);
        (
            told(&["projection", "hash", "--config", server]),
            told(&["projection", "hash", "--config", file, "--data", data]),
        )
    }
}

fn configuration(common: &Path) -> String {
    let broker = std::env::var("HOOKLOG_TEST_KAFKA").unwrap();
    let prefix = Uuid::now_v7().simple();
    let key = common.join("key");
    let tables = postgres::section(&postgres::url());
    let tables = tables.replacen("[project]\n", "[project]\nlease_ms = 1000\n", 1);
    format!(
        "key_file = {key:?}\n[log]\nkind = \"kafka\"\npartitions = 3\n[log.kafka]\n\
         brokers = [\"{broker}\"]\ntopic_prefix = \"apart.{prefix}.\"\n\
         replication_factor = 1\nmin_insync_replicas = 1\n[deliver]\nallow = [\"127.0.0.0/8\"]\n\
         {tables}"
    )
}

async fn process(text: &str, roles: &str) -> Process {
    let folder = tempfile::tempdir().unwrap();
    Process::start(folder, &format!("roles = [{roles}]\n{text}")).await
}

fn stands_by(ready: &Value) -> bool {
    ready.to_string().contains("stands by")
}

fn told(arguments: &[&str]) -> String {
    let output = hooklog(arguments).output().unwrap();
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {problem}");
    String::from_utf8(output.stdout).unwrap()
}

/// Asks until it is so: a process has no signal for this.
async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(
            start.elapsed() < PATIENCE,
            "{what}: not within {PATIENCE:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_projectors_one_writes_and_one_that_is_paused_is_followed_and_writes_nothing() {
    let mut given = Given::start().await;
    given.api.create_source().await;
    let subscriber = Subscriber::answering(&[200]).await;
    let create = [
        "subscription",
        "create",
        "ci",
        "--to",
        &subscriber.url,
        "--sign",
        "none",
    ];
    let created = given.api.client(&create);
    assert!(created.status.success(), "{created:?}");
    given.passes().await;
    let paused = given.writer().await;
    given.projectors[paused].guard.signal("STOP");
    given.passes().await;
    given.projectors[paused].guard.signal("CONT");
    eventually("the standby", async || {
        stands_by(&given.projectors[paused].ready(200).await)
    })
    .await;
    assert_eq!(given.writer().await, 1 - paused);
    given.passes().await;
    // One that is stopped hands over.
    let mut writer = given.projectors.remove(1 - paused);
    writer.guard.signal("TERM");
    assert!(writer.ended().await.success());
    given.passes().await;
    given.projectors.clear();
    given.work.guard.signal("TERM");
    given.work.ended().await;
    let (server, file) = given.hashes();
    assert_eq!(server, file);
}
