use super::*;
use crate::log::conformance::{self, PARTITIONS, append, everything, same};
use tempfile::TempDir;

fn config() -> LogConfig {
    // Small, so that every test sees several segments and reads from disk.
    LogConfig {
        partitions: PARTITIONS,
        segment_bytes: 4096,
        reserve_bytes: 0,
        tail_bytes: 2048,
        ..LogConfig::default()
    }
}

fn open(dir: &TempDir) -> EmbeddedLog {
    try_open(dir).unwrap()
}

fn try_open(dir: &TempDir) -> Result<EmbeddedLog, OpenError> {
    let mut registry = prometheus_client::registry::Registry::default();
    EmbeddedLog::open(dir.path(), &config(), Metrics::register(&mut registry))
}

async fn make() -> conformance::Given<TempDir> {
    let dir = TempDir::new().unwrap();
    conformance::Given::new(Arc::new(open(&dir)), dir)
}

conformance::suite!(make);

#[tokio::test]
async fn an_erased_record_keeps_its_place_and_loses_its_bytes() {
    let dir = TempDir::new().unwrap();
    let log = open(&dir);
    let secret = append(1, "personal");
    let batch = vec![secret.clone(), append(1, "x")];
    let offset = log.append(Topic::Webhooks, batch).await.unwrap()[0];
    let stone = conformance::tombstone(1, secret.key);
    log.append(Topic::Webhooks, vec![stone]).await.unwrap();
    assert_eq!(log.compact(Topic::Webhooks).await.unwrap(), 1);
    assert_eq!(log.compact(Topic::Webhooks).await.unwrap(), 0);
    let start = Position::new(Topic::Webhooks, Partition(1), Offset(0));
    let read = log.read(start, ReadLimit::default()).await.unwrap();
    assert_eq!(read.len(), 3);
    assert_eq!(read[0].position.offset, offset);
    assert_eq!(
        (read[0].event_id, read[0].key),
        (secret.event_id, secret.key)
    );
    assert_eq!(read[0].event_type, secret.event_type);
    assert!(read[0].value.is_none() && read[0].headers.is_empty());
    assert!(read[2].value.is_none());
}

#[tokio::test]
async fn a_log_that_is_opened_again_has_what_was_acknowledged() {
    let dir = TempDir::new().unwrap();
    let mut sent = Vec::new();
    for round in 0..5 {
        let log: conformance::Log = Arc::new(open(&dir));
        for number in 0..10 {
            let one = append(
                number % PARTITIONS,
                format!("{round} {number} {}", "x".repeat(300)),
            );
            log.append(Topic::Webhooks, vec![one.clone()])
                .await
                .unwrap();
            sent.push(one);
        }
        for partition in 0..PARTITIONS {
            let read = everything(&log, Topic::Webhooks, partition, ReadLimit::default()).await;
            let wanted: Vec<_> = sent.iter().filter(|a| a.partition.0 == partition).collect();
            assert_eq!(read.len(), wanted.len());
            assert!(
                read.iter()
                    .zip(wanted)
                    .all(|(record, append)| same(record, append))
            );
        }
    }
}

#[tokio::test]
async fn an_index_that_is_missing_or_wrong_is_made_again() {
    let dir = TempDir::new().unwrap();
    let log: conformance::Log = Arc::new(open(&dir));
    for number in 0..40 {
        let body = format!("{number} {}", "x".repeat(300));
        log.append(Topic::Webhooks, vec![append(number % PARTITIONS, body)])
            .await
            .unwrap();
    }
    drop(log);
    let folder = dir.path().join("log/webhooks");
    let indexes = || {
        let paths = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        paths
            .filter(|path| path.extension().is_some_and(|e| e == "index"))
            .collect::<Vec<_>>()
    };
    let before = indexes();
    assert!(before.len() >= 3, "{before:?}");
    std::fs::remove_file(&before[0]).unwrap();
    std::fs::write(&before[1], "not an index").unwrap();
    std::fs::copy(&before[2], folder.join("copy")).unwrap();
    std::fs::rename(folder.join("copy"), &before[1]).unwrap();
    let log: conformance::Log = Arc::new(open(&dir));
    let mut count = 0;
    for partition in 0..PARTITIONS {
        let limit = ReadLimit {
            records: 3,
            bytes: 700,
        };
        count += everything(&log, Topic::Webhooks, partition, limit)
            .await
            .len();
    }
    assert_eq!(count, 40);
    assert_eq!(indexes().len(), before.len());
}

/// A log with a record in every topic.
async fn lived() -> TempDir {
    let dir = TempDir::new().unwrap();
    let log = open(&dir);
    for topic in Topic::ALL {
        log.append(topic, vec![append(0, "x")]).await.unwrap();
    }
    dir
}

fn folder(dir: &TempDir, topic: Topic) -> std::path::PathBuf {
    dir.path().join("log").join(topic.as_str())
}

#[tokio::test]
async fn a_journal_that_is_gone_while_others_have_records_is_refused() {
    for topic in Topic::ALL {
        let dir = lived().await;
        std::fs::remove_dir_all(folder(&dir, topic)).unwrap();
        let refused = try_open(&dir).err().unwrap();
        assert!(matches!(&refused, OpenError::Missing { .. }), "{refused}");
        let said = refused.to_string();
        let gone = folder(&dir, topic).display().to_string();
        assert!(said.contains(&gone), "{said}");
        let left = std::fs::read_dir(folder(&dir, topic)).unwrap().count();
        assert_eq!(left, 0, "nothing is made in its place");
    }
}

#[tokio::test]
async fn a_journal_of_another_log_is_refused() {
    let (dir, other) = (lived().await, lived().await);
    std::fs::remove_dir_all(folder(&dir, Topic::Deliveries)).unwrap();
    std::fs::rename(
        folder(&other, Topic::Deliveries),
        folder(&dir, Topic::Deliveries),
    )
    .unwrap();
    let refused = try_open(&dir).err().unwrap();
    assert!(matches!(&refused, OpenError::Foreign { .. }), "{refused}");
}

#[test]
fn a_log_that_a_crash_left_half_made_is_finished_with_the_same_id() {
    let dir = TempDir::new().unwrap();
    let id = open(&dir).id();
    std::fs::remove_dir_all(folder(&dir, Topic::Control)).unwrap();
    std::fs::remove_dir_all(folder(&dir, Topic::Deliveries)).unwrap();
    assert_eq!(open(&dir).id(), id);
    assert_eq!(open(&dir).id(), id);
}

#[test]
fn a_second_process_is_refused_and_told_who_has_the_log() {
    let dir = TempDir::new().unwrap();
    let first = open(&dir);
    let refused = try_open(&dir).err().unwrap();
    assert!(
        matches!(&refused, OpenError::InUse { pid, .. } if *pid == std::process::id().to_string())
    );
    drop(first);
    assert!(try_open(&dir).is_ok());
}

#[test]
fn another_number_of_partitions_is_refused_and_the_right_one_named() {
    let dir = TempDir::new().unwrap();
    drop(open(&dir));
    let mut registry = prometheus_client::registry::Registry::default();
    let other = LogConfig {
        partitions: PARTITIONS + 1,
        ..config()
    };
    let refused = EmbeddedLog::open(dir.path(), &other, Metrics::register(&mut registry));
    let refused = refused.err().unwrap().to_string();
    assert!(refused.contains("set log.partitions to 3"), "{refused}");
}

#[tokio::test]
async fn a_record_over_the_limit_is_refused_before_anything_is_written() {
    let dir = TempDir::new().unwrap();
    let log = open(&dir);
    let large = append(0, vec![0; frame::MOST_BYTES]);
    let refused = log
        .append(Topic::Webhooks, vec![append(0, "fine"), large])
        .await;
    assert!(
        matches!(refused, Err(AppendError::TooLarge { .. })),
        "{refused:?}"
    );
    let bounds = log.bounds(Topic::Webhooks, Partition(0)).await.unwrap();
    assert_eq!(bounds.tail, Offset(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_go_on_while_the_log_is_compacted() {
    let dir = TempDir::new().unwrap();
    let log: conformance::Log = Arc::new(open(&dir));
    let mut keys = Vec::new();
    for number in 0..60_u32 {
        let one = append(0, vec![b'x'; 300]);
        keys.extend(number.is_multiple_of(3).then_some(one.key));
        log.append(Topic::Webhooks, vec![one]).await.unwrap();
    }
    let reading = tokio::spawn({
        let log = Arc::clone(&log);
        async move {
            let mut rounds = 0;
            loop {
                let limit = ReadLimit {
                    records: 5,
                    bytes: 1 << 20,
                };
                let read = everything(&log, Topic::Webhooks, 0, limit).await;
                assert!(
                    read.iter()
                        .enumerate()
                        .all(|(i, r)| r.position.offset.0 == i as u64)
                );
                rounds += 1;
                if read.iter().filter(|record| record.value.is_none()).count() == 40 {
                    return rounds;
                }
            }
        }
    });
    for key in keys {
        let stone = conformance::tombstone(0, key);
        log.append(Topic::Webhooks, vec![stone]).await.unwrap();
        assert_eq!(log.compact(Topic::Webhooks).await.unwrap(), 1);
    }
    assert!(reading.await.unwrap() > 0);
}

#[tokio::test]
async fn erased_bytes_are_in_no_file() {
    let dir = TempDir::new().unwrap();
    let log = open(&dir);
    let canary = b"canary-4e1f0a";
    let mut secret = append(0, [&[b'x'; 200][..], canary].concat());
    secret
        .headers
        .push(hooklog_schemas::Header::new("x-name", &canary[..]));
    log.append(Topic::Webhooks, vec![append(0, "before"), secret.clone()])
        .await
        .unwrap();
    let stone = conformance::tombstone(0, secret.key);
    log.append(Topic::Webhooks, vec![stone]).await.unwrap();
    let holds = || {
        let files = std::fs::read_dir(dir.path().join("log/webhooks")).unwrap();
        let mut contents = files.map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        contents.any(|content| content.windows(canary.len()).any(|piece| piece == canary))
    };
    assert!(holds());
    assert_eq!(log.compact(Topic::Webhooks).await.unwrap(), 1);
    assert!(!holds());
}

#[tokio::test]
async fn who_waits_hears_that_the_log_stopped() {
    let dir = TempDir::new().unwrap();
    let log = open(&dir);
    let mut stopped = log.poisoned();
    let positions = [Position::new(Topic::Control, Partition(0), Offset(0))];
    let waiting = log.wait(&positions);
    tokio::pin!(waiting);
    assert!(futures_util::poll!(&mut waiting).is_pending());
    log.journal(Topic::Webhooks).stop("a disk died");
    waiting.await;
    assert_eq!(
        stopped.wait_for(Option::is_some).await.unwrap().as_deref(),
        Some("a disk died")
    );
    let refused = log.append(Topic::Control, vec![append(0, "x")]).await;
    assert!(matches!(refused, Err(AppendError::Poisoned(why)) if why == "a disk died"));
}

#[tokio::test]
async fn a_compaction_with_nothing_left_to_erase_reads_no_segment() {
    let dir = TempDir::new().unwrap();
    let log = open(&dir);
    let secret = append(0, "personal");
    let stone = conformance::tombstone(0, secret.key);
    for one in [secret, append(0, vec![b'x'; 5000]), stone] {
        log.append(Topic::Webhooks, vec![one]).await.unwrap();
    }
    assert_eq!(log.compact(Topic::Webhooks).await.unwrap(), 1);
    // What is damaged would be noticed by who reads it.
    let sealed = folder(&dir, Topic::Webhooks).join("00000000000000000000.segment");
    std::fs::write(&sealed, "damaged").unwrap();
    assert_eq!(log.compact(Topic::Webhooks).await.unwrap(), 0);
    let other = append(0, "more");
    let stone = conformance::tombstone(0, other.key);
    log.append(Topic::Webhooks, vec![other, stone])
        .await
        .unwrap();
    let noticed = log.compact(Topic::Webhooks).await;
    assert!(noticed.is_err(), "{noticed:?}");
}
