//! The program as a process: its signals, its readiness, its environment.

use crate::harness::SECRET;
use crate::harness::process::{Guard, Process, client, hooklog};
use hooklog::deliver::sign;
use hooklog::secret::Secret;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use uuid::Uuid;

/// A signal this soon after the first one counts as the same; the program says why.
const ECHO: Duration = Duration::from_millis(700);

#[tokio::test]
async fn a_second_sigterm_ends_at_once_what_the_first_one_waits_for() {
    let slow =
        "shutdown_ms = 60000\n[receive]\nanswer_deadline_ms = 60000\nbody_deadline_ms = 60000\n";
    let mut server = Process::start(tempfile::tempdir().unwrap(), slow).await;
    server.create_source().await;
    let mut client = TcpStream::connect(server.webhooks).await.unwrap();
    let head = "POST /webhooks/github HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
                Content-Length: 9\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: g\r\n";
    let signature = format!("X-Hub-Signature-256: sha256={}\r\n\r\n{{", "0".repeat(64));
    client
        .write_all(format!("{head}{signature}").as_bytes())
        .await
        .unwrap();
    // Answered by the same threads later than the head was taken, so the request is under way.
    server.ready(200).await;
    server.guard.signal("TERM");
    tokio::time::sleep(ECHO).await;
    assert!(server.is_running(), "it waits for the request under way");
    let second = Instant::now();
    server.guard.signal("TERM");
    assert_eq!(server.ended().await.code(), Some(130));
    assert!(second.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_sigterm_under_load_loses_nothing_that_was_answered_200() {
    let mut server = Process::start(tempfile::tempdir().unwrap(), "").await;
    server.create_source().await;
    let url = format!("http://{}/webhooks/github", server.webhooks);
    let mut clients = JoinSet::new();
    for _ in 0..16 {
        clients.spawn(send_until_refused(url.clone()));
    }
    tokio::time::sleep(Duration::from_millis(600)).await;
    server.guard.signal("TERM");
    assert!(server.ended().await.success());
    let accepted: Vec<String> = clients.join_all().await.concat();
    assert!(accepted.len() > 16, "only {} were accepted", accepted.len());
    let server = Process::start(server.folder, "").await;
    for guid in accepted {
        let timeline = server.get(&format!("timeline/{guid}")).await;
        assert_eq!(timeline["receipts"].as_array().unwrap().len(), 1, "{guid}");
    }
}

/// Sends one webhook after the other, and gives the GUIDs of those that were answered 200. Each
/// other one is refused: by 503, or since nobody listens any more.
async fn send_until_refused(url: String) -> Vec<String> {
    let client = client();
    let body = br#"{"ref":"refs/heads/main"}"#;
    let signature = sign::github(&Secret::new(SECRET.into()), body);
    let mut accepted = Vec::new();
    loop {
        let guid = Uuid::new_v4().to_string();
        let request = client
            .post(&url)
            .header("x-github-event", "push")
            .header("x-github-delivery", &guid)
            .header("x-hub-signature-256", &signature)
            .header("content-type", "application/json");
        match request
            .body(&body[..])
            .send()
            .await
            .map(|answer| answer.status().as_u16())
        {
            Ok(200) => accepted.push(guid),
            Ok(status) => {
                assert_eq!(status, 503);
                return accepted;
            }
            Err(_) => return accepted,
        }
    }
}

#[tokio::test]
async fn a_disk_at_its_reserve_is_not_ready_and_the_doctor_says_why() {
    let full = "[log]\nreserve_bytes = 1125899906842624\n";
    let server = Process::start_unready(tempfile::tempdir().unwrap(), full).await;
    server.create_source().await;
    let answer = server.ready(503).await;
    let receive = answer["parts"]
        .as_array()
        .unwrap()
        .iter()
        .find(|part| part["name"] == "receive");
    let reason = receive.unwrap()["reason"].as_str().unwrap();
    assert!(reason.contains("nearly full"), "{answer}");
    let doctor = server.client(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(1));
    let said = String::from_utf8(doctor.stdout).unwrap();
    assert!(
        said.contains("fail  receive        the disk of the log is nearly full"),
        "{said}"
    );
    assert!(said.contains("of bootstrap, role admin"), "{said}");
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_asked_for_this_machine() {
    let server = Process::start(tempfile::tempdir().unwrap(), "").await;
    let status = server.client(&["status", "--output", "json"]);
    let said = String::from_utf8(status.stdout).unwrap();
    assert!(
        status.status.success(),
        "{}",
        String::from_utf8_lossy(&status.stderr)
    );
    let status: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        status["token"],
        json!({"name": "bootstrap", "role": "admin"})
    );
}

#[test]
fn the_demo_runs_where_the_environment_names_a_proxy() {
    let mut command = hooklog(&["serve", "--demo"]);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut demo = Guard(command.spawn().unwrap());
    let lines = BufReader::new(demo.0.stdout.take().unwrap()).lines();
    let (seen, delivered) = mpsc::channel();
    std::thread::spawn(move || {
        let mut lines = lines.map_while(Result::ok);
        // The test may be over, and nobody wants to hear it.
        let _ = seen.send(lines.any(|line| line.ends_with(", delivered")));
    });
    let told = delivered.recv_timeout(Duration::from_secs(30));
    demo.signal("TERM");
    demo.0.wait().unwrap();
    assert_eq!(told, Ok(true), "something is delivered");
}

#[test]
fn a_usage_error_names_what_is_missing_and_not_the_server() {
    let ran = hooklog(&["source", "create", "github"])
        .env("HOOKLOG_SERVER", "http://127.0.0.1:1")
        .output()
        .unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(2));
    assert!(
        said.contains("--secret-file <FILE>") && !said.contains("--server"),
        "{said}"
    );
}
