//! A server goes away, and comes back.

use super::at;
use crate::intake::conformance::service::Service;
use crate::intake::{Intake as _, IntakeError};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const ADDRESS: &str = "HOOKLOG_TEST_SQS";

#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_is_away_there_are_errors_and_afterwards_all_is_there() {
    let server = Service::new("sqs");
    let queues = at(&server.start(ADDRESS)).made().await;
    let intake = queues.open().await;
    let sent: Vec<_> = (0..30).map(|n| Bytes::from(format!("{n:02}"))).collect();
    intake.enqueue(sent.clone()).await.unwrap();
    server.stop();
    let began = Instant::now();
    let refused = intake.enqueue(vec![Bytes::from_static(b"lost")]).await;
    assert!(
        matches!(refused, Err(IntakeError::Unavailable(_))),
        "{refused:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(10));
    server.start(ADDRESS);
    let mut came = BTreeSet::new();
    while came.len() < sent.len() {
        let received = intake.receive(10).await.unwrap();
        let tokens = received.iter().map(|one| one.token.clone()).collect();
        came.extend(received.into_iter().map(|one| one.bytes));
        intake.acknowledge(tokens).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(60), "{came:?}");
    }
    assert!(sent.iter().all(|one| came.contains(one)), "{came:?}");
}
