//! The service goes away, and comes back.

use super::at;
use crate::intake::conformance::service::Service;
use crate::intake::{Intake as _, IntakeError};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const ADDRESS: &str = "HOOKLOG_TEST_KAFKA_SASL";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_is_there_after_a_broker_was_killed_and_the_hub_goes_on() {
    let broker = Service::new("kafka");
    let mut hubs = at(&broker.start(ADDRESS)).made().await;
    hubs.config.enqueue_timeout_ms = 2_000;
    let intake = hubs.open().await;
    let mut sent: Vec<_> = (0..20).map(|n| Bytes::from(format!("{n:02}"))).collect();
    intake.enqueue(sent.clone()).await.unwrap();
    broker.kill();
    let began = Instant::now();
    let refused = intake.enqueue(vec![Bytes::from_static(b"lost")]).await;
    assert!(
        matches!(refused, Err(IntakeError::Unavailable(_))),
        "{refused:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(10));
    broker.start(ADDRESS);
    let again = Bytes::from_static(b"again");
    while let Err(error) = intake.enqueue(vec![again.clone()]).await {
        assert!(began.elapsed() < Duration::from_secs(60), "{error}");
    }
    sent.push(again);
    let mut came = BTreeSet::new();
    while !sent.iter().all(|one| came.contains(one)) {
        assert!(began.elapsed() < Duration::from_secs(90), "{came:?}");
        // A broker that comes back is away for some moments more.
        let Ok(received) = intake.receive(10).await else {
            continue;
        };
        let tokens = received.iter().map(|one| one.token.clone()).collect();
        came.extend(received.into_iter().map(|one| one.bytes));
        intake.acknowledge(tokens).await.unwrap();
    }
}
