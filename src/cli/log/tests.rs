mod copying;

use super::*;
use crate::config::LogConfig;
use crate::log::EventLog;
use crate::log::conformance::{append, tombstone};
use crate::log::embedded::EmbeddedLog;
use crate::metrics::Metrics;
use hooklog_schemas::control::{By, ConfigurationVersion, ErasedReceipt, ErasureRequested};
use hooklog_schemas::deliveries::{Answered, Routed, Summary};
use hooklog_schemas::{DeliveryId, EventId, Offset, ReceiptId, SourceId, SubscriptionId};
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

#[derive(clap::Parser)]
struct Line {
    #[command(subcommand)]
    command: LogCommand,
}

fn open(dir: &TempDir) -> EmbeddedLog {
    let config = LogConfig {
        partitions: 2,
        segment_bytes: 4096,
        reserve_bytes: 0,
        tail_bytes: 0,
        ..LogConfig::default()
    };
    let mut registry = prometheus_client::registry::Registry::default();
    EmbeddedLog::open(dir.path(), &config, Metrics::register(&mut registry)).unwrap()
}

async fn filled() -> TempDir {
    let dir = TempDir::new().unwrap();
    let log = open(&dir);
    let secret = append(0, "personal");
    log.append(Topic::Webhooks, vec![secret.clone()])
        .await
        .unwrap();
    for number in 0..30 {
        let body = format!("{{\"number\":{number}}}{}", " ".repeat(300));
        log.append(Topic::Webhooks, vec![append(number % 2, body.clone())])
            .await
            .unwrap();
        log.append(Topic::Deliveries, vec![append(1, body)])
            .await
            .unwrap();
    }
    log.append(Topic::Webhooks, vec![tombstone(0, secret.key)])
        .await
        .unwrap();
    log.compact(Topic::Webhooks).await.unwrap();
    dir
}

/// What the command writes, and whether it succeeds.
fn say(dir: &TempDir, arguments: &[&str]) -> anyhow::Result<(String, bool)> {
    let data = ["--data", dir.path().to_str().unwrap()];
    let line = ["log"].iter().chain(arguments).chain(&data);
    let mut out = Vec::new();
    let code = match <Line as clap::Parser>::parse_from(line).command {
        LogCommand::Init(init) => init.run(&mut out)?,
        LogCommand::Stats(stats) => stats.run(&mut out)?,
        LogCommand::Dump(dump) => dump.run(&mut out)?,
        LogCommand::Verify(verify) => verify.run(&mut out)?,
        LogCommand::Copy(_) | LogCommand::Upgrade(_) => unreachable!("they take no --data"),
    };
    Ok((String::from_utf8(out).unwrap(), code == Answer::Yes))
}

#[tokio::test]
async fn a_whole_log_verifies_also_after_an_erasure() {
    let dir = filled().await;
    let (said, good) = say(&dir, &["verify"]).unwrap();
    assert!(
        good && said.contains("webhooks: whole; 32 records"),
        "{said}"
    );
}

#[tokio::test]
async fn what_is_verified_can_be_read_by_scripts_also_when_it_is_damaged() {
    let dir = filled().await;
    let verified = || {
        let (said, good) = say(&dir, &["verify", "--output", "json"]).unwrap();
        (serde_json::from_str::<Value>(&said).unwrap(), good)
    };
    let (whole, good) = verified();
    assert!(good && whole[0]["whole"] == true, "{whole}");
    assert_eq!(whole[0]["records"], 32);
    let path = dir.path().join("log/webhooks/00000000000000000000.segment");
    let mut content = std::fs::read(&path).unwrap();
    let mut tens = content.windows(10);
    let byte = tens.position(|ten| ten == b"{\"number\":").unwrap();
    content[byte] ^= 1;
    std::fs::write(&path, content).unwrap();
    let (damaged, good) = verified();
    assert!(!good && damaged[0]["whole"] == false, "{damaged}");
    assert!(damaged[0]["damage"][0]["byte"].is_u64(), "{damaged}");
}

#[tokio::test]
async fn damage_is_named_with_file_byte_and_position() {
    let dir = filled().await;
    let path = dir.path().join("log/webhooks/00000000000000000000.segment");
    let mut content = std::fs::read(&path).unwrap();
    let byte = content
        .windows(10)
        .position(|ten| ten == b"{\"number\":")
        .unwrap();
    content[byte] ^= 1;
    std::fs::write(&path, content).unwrap();
    let (said, good) = say(&dir, &["verify"]).unwrap();
    assert!(!good);
    assert!(
        said.contains("00000000000000000000.segment: damaged at byte "),
        "{said}"
    );
    assert!(
        said.contains("record webhooks/0@1: the checksum of a record's body"),
        "{said}"
    );
    assert!(said.contains("records still read"), "{said}");
    assert!(said.contains("deliveries: whole"), "{said}");
    let refused = say(&dir, &["dump", "--topic", "webhooks"]).unwrap_err();
    assert!(refused.to_string().contains("damaged at byte"), "{refused}");
}

#[tokio::test]
async fn an_unfinished_group_at_the_end_is_told_and_is_no_damage() {
    let dir = filled().await;
    let folder = dir.path().join("log/deliveries");
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    names.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "segment")
    });
    names.sort();
    let last = names.last().unwrap();
    let content = std::fs::read(last).unwrap();
    std::fs::write(last, &content[..content.len() - 10]).unwrap();
    let (said, good) = say(&dir, &["verify"]).unwrap();
    assert!(
        good && said.contains("never finished or acknowledged"),
        "{said}"
    );
}

#[tokio::test]
async fn a_segment_that_is_missing_is_noticed() {
    let dir = filled().await;
    let second = std::fs::read_dir(dir.path().join("log/deliveries")).unwrap();
    let mut paths: Vec<_> = second.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "segment")
    });
    paths.sort();
    std::fs::remove_file(&paths[1]).unwrap();
    let (said, good) = say(&dir, &["verify"]).unwrap();
    assert!(!good && said.contains("one may be missing"), "{said}");
}

#[tokio::test]
async fn statistics_count_records_tombstones_and_what_was_erased() {
    let dir = filled().await;
    let (said, _) = say(&dir, &["stats", "--output", "json"]).unwrap();
    let said: Value = serde_json::from_str(&said).unwrap();
    let first = &said[0]["partitions"][0];
    assert_eq!(
        (&first["records"], &first["tail"]),
        (&json!(17), &json!(17))
    );
    assert_eq!(
        (&first["tombstones"], &first["erased"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(said[1]["partitions"][1]["records"], 30);
    let (table, _) = say(&dir, &["stats"]).unwrap();
    assert!(
        table.contains("webhooks/0") && table.contains("PARTITION"),
        "{table}"
    );
}

#[tokio::test]
async fn a_dump_hides_bodies_of_webhooks_unless_asked() {
    let dir = filled().await;
    let lines = |arguments: &[&str]| -> Vec<Value> {
        let (said, _) = say(&dir, arguments).unwrap();
        said.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let webhooks = lines(&[
        "dump",
        "--topic",
        "webhooks",
        "--partition",
        "0",
        "--limit",
        "3",
    ]);
    assert_eq!(webhooks.len(), 3);
    assert_eq!(webhooks[0]["erased"], true);
    assert_eq!(webhooks[1]["position"], "webhooks/0@1");
    assert!(webhooks[1]["body_bytes"].as_u64() > Some(300));
    assert!(webhooks[1].get("body_base64").is_none());
    let bodies = lines(&["dump", "--topic", "webhooks", "--from", "5", "--bodies"]);
    assert!(
        bodies
            .iter()
            .all(|line| line.get("body_base64").is_some() || line["tombstone"] == true)
    );
    let deliveries = lines(&["dump", "--topic", "deliveries"]);
    assert_eq!(deliveries[7]["value"]["number"], 7);
}

#[tokio::test]
async fn a_log_that_a_server_has_open_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let _server = open(&dir);
    let refused = say(&dir, &["verify"]).unwrap_err();
    let pid = std::process::id().to_string();
    assert!(format!("{refused:#}").contains(&pid), "{refused:#}");
}

#[test]
fn a_folder_without_a_log_is_named() {
    let refused = say(&TempDir::new().unwrap(), &["stats"]).unwrap_err();
    assert!(refused.to_string().contains("there is no log"), "{refused}");
}

#[tokio::test]
async fn two_commands_may_look_at_the_same_time() {
    let dir = filled().await;
    let _first = OfflineLog::open(dir.path()).unwrap();
    let (said, good) = say(&dir, &["verify"]).unwrap();
    assert!(good, "{said}");
}

/// Two decisions about webhooks of partition 1, in a log that holds both.
async fn decided() -> TempDir {
    let dir = TempDir::new().unwrap();
    let log = open(&dir);
    log.append(Topic::Control, vec![append(0, "c")])
        .await
        .unwrap();
    for webhook in 0..30 {
        log.append(Topic::Webhooks, vec![append(1, " ".repeat(400))])
            .await
            .unwrap();
        log.append(Topic::Deliveries, vec![decision(webhook)])
            .await
            .unwrap();
    }
    dir
}

fn decision(webhook: u64) -> hooklog_schemas::Append {
    encoded(routed(webhook))
}

fn encoded(event: impl Into<hooklog_schemas::Event>) -> hooklog_schemas::Append {
    let (event_type, version, value) = event.into().encode().unwrap();
    hooklog_schemas::Append {
        event_type,
        version,
        value: Some(value),
        ..append(1, "")
    }
}

fn routed(webhook: u64) -> Routed {
    Routed {
        receipt: ReceiptId(Uuid::from_u64_pair(1, webhook)),
        webhook: Offset(webhook),
        cause: "live".into(),
        at: Timestamp(1),
        received_at: Timestamp(1),
        source: SourceId(Uuid::nil()),
        source_name: "main".into(),
        summary: Summary {
            repository: Some("acme/secret-name".into()),
            sender_id: Some(77),
            ..Summary::default()
        },
        configuration: ConfigurationVersion {
            offset: Offset(0),
            event: EventId(Uuid::nil()),
        },
        matcher: 1,
        matches: Vec::new(),
        repeats: None,
        error: None,
    }
}

#[tokio::test]
async fn what_was_ordered_to_be_erased_is_not_dumped_although_its_bytes_are_there() {
    let dir = TempDir::new().unwrap();
    let log = open(&dir);
    log.append(Topic::Webhooks, vec![append(1, "personal")])
        .await
        .unwrap();
    let answered = Answered {
        delivery: DeliveryId::derive(routed(0).receipt, SubscriptionId(Uuid::nil()), "live"),
        receipt: routed(0).receipt,
        number: 1,
        started_at: Timestamp(1),
        excerpt: "personal too".into(),
        truncated: false,
    };
    let batch = vec![decision(0), decision(1), encoded(answered)];
    log.append(Topic::Deliveries, batch).await.unwrap();
    let order = ErasureRequested {
        receipts: vec![ErasedReceipt {
            receipt: routed(0).receipt,
            partition: 1,
            offset: Offset(0),
        }],
        repository_id: None,
        sender_id: None,
        by: By {
            actor: "ann".into(),
            from: "local".into(),
            at: Timestamp(1),
            why: None,
        },
    };
    let order = hooklog_schemas::Append {
        partition: hooklog_schemas::Partition(0),
        ..encoded(order)
    };
    log.append(Topic::Control, vec![order]).await.unwrap();
    drop(log);
    let (said, _) = say(&dir, &["dump", "--bodies"]).unwrap();
    let lines: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&lines[0]["erased"], &lines[0]["headers"]),
        (&json!(true), &json!([]))
    );
    assert!(!said.contains("personal"), "{said}");
    let summary = |line: &Value| line["value"]["summary"].clone();
    assert!(summary(&lines[1]).get("repository").is_none(), "{said}");
    assert!(summary(&lines[1]).get("sender_id").is_none(), "{said}");
    assert_eq!(summary(&lines[2])["repository"], "acme/secret-name");
    assert_eq!(lines[3]["erased"], true);
}

fn segments(dir: &TempDir, topic: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(dir.path().join("log").join(topic)).unwrap();
    let mut paths: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "segment"));
    paths.sort();
    paths
}

#[tokio::test]
async fn a_topic_that_lost_its_newest_segment_is_noticed_by_the_decisions() {
    let dir = decided().await;
    let (said, good) = say(&dir, &["verify"]).unwrap();
    assert!(good, "{said}");
    std::fs::remove_file(segments(&dir, "webhooks").pop().unwrap()).unwrap();
    let (said, good) = say(&dir, &["verify"]).unwrap();
    assert!(!good && said.contains("webhooks: DAMAGED"), "{said}");
    assert!(said.contains("names webhooks/1@29"), "{said}");
    assert!(said.contains("deliveries: whole"), "{said}");
}

#[tokio::test]
async fn a_journal_that_is_missing_or_of_another_log_is_noticed() {
    let (dir, other) = (decided().await, decided().await);
    let webhooks = dir.path().join("log/webhooks");
    std::fs::remove_dir_all(&webhooks).unwrap();
    let (said, good) = say(&dir, &["verify"]).unwrap();
    assert!(!good && said.contains("the journal is missing"), "{said}");
    std::fs::rename(other.path().join("log/webhooks"), &webhooks).unwrap();
    let (said, good) = say(&dir, &["verify", "--output", "json"]).unwrap();
    assert!(!good && said.contains("of another log"), "{said}");
}
