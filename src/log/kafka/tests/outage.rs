//! A broker goes away, and comes back.

use super::broker::{Topics, nobodys};
use crate::log::kafka::make_topics;
use crate::log::{AppendError, ReadLimit, conformance};
use conformance::{append, everything, soon};
use hooklog_schemas::{Partition, Position, Topic};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// A broker of its own, which may be killed.
struct Broker {
    folder: tempfile::TempDir,
}

impl Broker {
    fn tell(&self, arguments: &[&str]) -> String {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/services");
        let folder = ["--folder", self.folder.path().to_str().unwrap()];
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

#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_is_there_after_a_broker_was_killed_and_the_log_goes_on() {
    let broker = Broker {
        folder: tempfile::tempdir().unwrap(),
    };
    let mut config = nobodys().config;
    config.kafka.brokers = vec![broker.start()];
    config.kafka.webhook_timeout_ms = 2_000;
    make_topics(&config).await.unwrap();
    let log: conformance::Log = Arc::new(Topics { config }.open().await);
    let mut confirmed = Vec::new();
    for number in 0..10 {
        let one = append(0, format!("{number}"));
        log.append(Topic::Deliveries, vec![one.clone()])
            .await
            .unwrap();
        confirmed.push(one);
    }
    broker.tell(&["kill"]);
    let refused = log.append(Topic::Webhooks, vec![append(0, "lost")]).await;
    assert!(
        matches!(&refused, Err(AppendError::Unavailable(why)) if why.contains("may be there or not")),
        "{refused:?}"
    );
    let patient = append(0, "patient");
    let waiting = tokio::spawn({
        let (log, patient) = (Arc::clone(&log), patient.clone());
        async move { log.append(Topic::Deliveries, vec![patient]).await }
    });
    let reading = tokio::spawn({
        let log = Arc::clone(&log);
        async move { log.bounds(Topic::Deliveries, Partition(0)).await }
    });
    broker.start();
    let offset = waiting.await.unwrap().unwrap()[0];
    assert!(reading.await.unwrap().unwrap().tail.0 >= 10);
    confirmed.push(patient);
    let read = everything(&log, Topic::Deliveries, 0, ReadLimit::default()).await;
    assert_eq!(read.len(), confirmed.len());
    for (record, sent) in read.iter().zip(&confirmed) {
        assert!(
            conformance::same(record, sent),
            "{record:?} is not {sent:?}"
        );
    }
    let next = Position::new(Topic::Deliveries, Partition(0), offset.next());
    let waiting = [next];
    let waiting = log.wait(&waiting);
    log.append(Topic::Deliveries, vec![append(0, "on")])
        .await
        .unwrap();
    soon(waiting).await;
}
