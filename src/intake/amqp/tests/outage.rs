//! A broker goes away and comes back, or takes nothing.

use super::broker::{at, control_by};
use crate::intake::amqp::AmqpIntake;
use crate::intake::conformance::service::Service;
use crate::intake::{Intake, IntakeError};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const ADDRESS: &str = "HOOKLOG_TEST_RABBITMQ_ADDRESS";

/// Receives and acknowledges until the queue stays empty.
async fn drain(intake: &AmqpIntake) -> BTreeSet<Bytes> {
    let mut came = BTreeSet::new();
    loop {
        let received = intake.receive(50).await.unwrap();
        if received.is_empty() {
            return came;
        }
        let tokens = received.iter().map(|one| one.token.clone()).collect();
        came.extend(received.into_iter().map(|one| one.bytes));
        intake.acknowledge(tokens).await.unwrap();
    }
}

async fn eventually<T>(work: impl AsyncFn() -> Result<T, IntakeError>) -> T {
    let began = Instant::now();
    loop {
        match work().await {
            Ok(done) => return done,
            Err(error) => assert!(began.elapsed() < Duration::from_secs(60), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_is_there_after_a_broker_was_killed_and_the_queue_goes_on() {
    let broker = Service::new("rabbitmq");
    let queues = at(&broker.start(ADDRESS)).made().await;
    let intake = queues.open().await;
    let sent: Vec<_> = (0..50).map(|n| Bytes::from(format!("{n:02}"))).collect();
    for some in sent.chunks(5) {
        intake.enqueue(some.to_vec()).await.unwrap();
    }
    let taken = intake.receive(10).await.unwrap();
    broker.kill();
    let began = Instant::now();
    let refused = intake.enqueue(vec![Bytes::from_static(b"lost")]).await;
    assert!(
        matches!(refused, Err(IntakeError::Unavailable(_))),
        "{refused:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(10));
    let refused = intake.receive(1).await;
    assert!(
        matches!(refused, Err(IntakeError::Unavailable(_))),
        "{refused:?}"
    );
    broker.start(ADDRESS);
    let again = Bytes::from_static(b"again");
    eventually(async || intake.enqueue(vec![again.clone()]).await).await;
    // These are of a connection that is gone: they come again.
    let tokens = taken.into_iter().map(|one| one.token).collect();
    intake.acknowledge(tokens).await.unwrap();
    let came = eventually(async || intake.receive(1).await).await;
    let tokens = came.iter().map(|one| one.token.clone()).collect();
    let mut came: BTreeSet<_> = came.into_iter().map(|one| one.bytes).collect();
    intake.acknowledge(tokens).await.unwrap();
    came.extend(drain(&intake).await);
    for one in sent.iter().chain([&again]) {
        assert!(came.contains(one), "{one:?} is lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_short_of_memory_is_an_error_at_once_while_consumers_go_on() {
    let broker = Service::new("rabbitmq");
    let queues = at(&broker.start(ADDRESS)).made().await;
    let intake = queues.open().await;
    let before = Bytes::from_static(b"before");
    intake.enqueue(vec![before.clone()]).await.unwrap();
    let program = broker.folder.path().join("rabbitmq/rabbitmqctl");
    let control = |arguments: &[&str]| control_by(program.to_str().unwrap(), arguments);
    control(&["set_vm_memory_high_watermark", "absolute", "1"]);
    let refuses = async || match intake.enqueue(vec![Bytes::from_static(b"more")]).await {
        Err(IntakeError::Full(why)) => Ok(why),
        other => Err(IntakeError::Refused(format!("{other:?}"))),
    };
    let why = eventually(refuses).await;
    assert!(why.contains("low on memory"), "{why}");
    let began = Instant::now();
    assert!(
        intake
            .enqueue(vec![Bytes::from_static(b"more")])
            .await
            .is_err()
    );
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert!(drain(&intake).await.contains(&before));
    control(&["set_vm_memory_high_watermark", "0.6"]);
    let after = Bytes::from_static(b"after");
    eventually(async || intake.enqueue(vec![after.clone()]).await).await;
    assert!(drain(&intake).await.contains(&after));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_was_deleted_under_us_is_told() {
    let queues = super::broker::Queues::make().await;
    let intake = queues.open().await;
    super::broker::control(&["delete_queue", &queues.config.queue]);
    let refused = intake.enqueue(vec![Bytes::from_static(b"one")]).await;
    assert!(
        matches!(&refused, Err(IntakeError::Refused(why)) if why.contains("there is no queue")),
        "{refused:?}"
    );
    let refused = intake.receive(1).await;
    assert!(
        matches!(refused, Err(IntakeError::Refused(_))),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_ask_for_the_settings_has_to_be_accepted() {
    let mut queues = super::broker::Queues::make().await;
    let user = format!("u{}", queues.config.queue.replace('.', ""));
    super::broker::control(&["add_user", &user, "secret of a test"]);
    super::broker::control(&["set_permissions", &user, "^$", ".*", ".*"]);
    queues.config.username = Some(user);
    let told = AmqpIntake::open(&queues.config)
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        told.contains("settings=unknown") && told.contains("`configure`"),
        "{told}"
    );
    queues.config.accept = vec!["settings=unknown".into()];
    let intake = queues.open().await;
    intake
        .enqueue(vec![Bytes::from_static(b"one")])
        .await
        .unwrap();
    assert_eq!(drain(&intake).await.len(), 1);
}
