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
    }
}

fn open(dir: &TempDir) -> EmbeddedLog {
    try_open(dir).unwrap()
}

fn try_open(dir: &TempDir) -> Result<EmbeddedLog, OpenError> {
    let mut registry = prometheus_client::registry::Registry::default();
    EmbeddedLog::open(dir.path(), &config(), Metrics::register(&mut registry))
}

fn make() -> (conformance::Log, TempDir) {
    let dir = TempDir::new().unwrap();
    (Arc::new(open(&dir)), dir)
}

conformance::suite!(make);

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
