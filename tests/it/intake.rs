//! A queue in front of the log: it goes away, and bodies are larger than it takes.

use crate::harness::subscriber::Subscriber;
use crate::harness::{On, SECRET, TestApp, configuration, write_configuration};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use uuid::Uuid;

/// A Redis that the test has for itself, so that it may be killed.
struct Redis {
    folder: TempDir,
    port: u16,
    process: Child,
}

impl Redis {
    fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let folder = tempfile::tempdir().unwrap();
        let process = run(folder.path(), port);
        Self {
            folder,
            port,
            process,
        }
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn restart(&mut self) {
        self.process = run(self.folder.path(), self.port);
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have been killed by its test.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(folder: &Path, port: u16) -> Child {
    let mut command = Command::new("redis-server");
    command
        .arg("--port")
        .arg(port.to_string())
        .arg("--dir")
        .arg(folder);
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]);
    command.args(["--appendfsync", "always"]);
    let process = command.stdout(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(10));
    }
    process
}

/// A server behind that Redis, with small messages and a folder for large bodies.
async fn behind(redis: &Redis) -> (TestApp, Subscriber) {
    let folder = tempfile::tempdir().unwrap();
    write_configuration(&folder, &On::Embedded.section(folder.path()));
    let bodies = folder.path().join("bodies");
    std::fs::create_dir(&bodies).unwrap();
    let path = folder.path().join("hooklog.toml");
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str(&format!(
        "[intake]\nkind = \"redis\"\n[intake.redis]\nurl = \"redis://127.0.0.1:{}\"\n\
         message_bytes_max = 65536\ntimeout_ms = 1000\nredelivery_ms = 1000\n\
         [intake.claim_check]\nurl = \"file://{}\"\n",
        redis.port,
        bodies.display()
    ));
    std::fs::write(&path, text).unwrap();
    assert_eq!(
        configuration(&folder).config.intake.redis.message_bytes_max,
        65536
    );
    let app = TestApp::open(folder).await;
    app.post("sources", json!({"name": "github", "secret": SECRET}))
        .await;
    let subscriber = Subscriber::answering(&[200]).await;
    let body = json!({"name": "billing", "to": subscriber.url, "sign": "none"});
    app.post("subscriptions", body).await;
    (app, subscriber)
}

fn push(note: &str) -> Value {
    json!({"ref": "refs/heads/main", "note": note,
           "repository": {"id": 42, "full_name": "acme/payments",
                          "owner": {"login": "acme", "id": 7, "type": "Organization"}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_queue_is_away_the_answer_is_503_and_what_was_confirmed_is_delivered() {
    let mut redis = Redis::start();
    let (app, _subscriber) = behind(&redis).await;
    let mut confirmed = Vec::new();
    for _ in 0..20 {
        confirmed.push(app.github("push", &push("before")).await);
    }
    redis.kill();
    let guid = Uuid::new_v4().to_string();
    let refused = app.github_as(&guid, "push", &push("lost")).await;
    assert_eq!(refused, StatusCode::SERVICE_UNAVAILABLE);
    redis.restart();
    app.eventually("the queue is back", async || {
        let status = app.github_as(&guid, "push", &push("again")).await;
        (status == StatusCode::OK).then_some(())
    })
    .await;
    confirmed.push(guid);
    for guid in &confirmed {
        app.delivery(guid, "billing", "delivered").await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_queue_s_limit_is_delivered_byte_for_byte_and_its_copy_is_gone() {
    let redis = Redis::start();
    let (app, subscriber) = behind(&redis).await;
    let large = push(&"x".repeat(300_000));
    let guid = app.github("push", &large).await;
    app.delivery(&guid, "billing", "delivered").await;
    let seen = subscriber.seen();
    assert!(seen[0].body == serde_json::to_vec(&large).unwrap());
    let bodies = app.folder.path().join("bodies");
    app.eventually("the copy is gone", async || {
        std::fs::read_dir(&bodies)
            .unwrap()
            .next()
            .is_none()
            .then_some(())
    })
    .await;
    app.stop().await;
}
