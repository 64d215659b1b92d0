//! What is refused when a queue is opened, and with which words.

use super::broker::{Queues, certificate, control, nobodys, variable};
use crate::intake::amqp::{AmqpIntake, OpenError};
use crate::intake::{Intake as _, IntakeError};
use bytes::Bytes;
use lapin::types::AMQPValue;
use std::time::{Duration, Instant};

async fn refusal(queues: &Queues) -> String {
    match AmqpIntake::open(&queues.config).await {
        Ok(_) => panic!("it opened"),
        Err(error) => error.to_string(),
    }
}

fn quorum() -> (&'static str, AMQPValue) {
    ("x-queue-type", AMQPValue::LongString("quorum".into()))
}

#[tokio::test]
async fn a_queue_that_is_missing_is_named_with_the_setting_that_makes_it() {
    let told = refusal(&nobodys()).await;
    assert!(told.contains("there is no queue it."), "{told}");
    assert!(told.contains("intake.amqp.create = true"), "{told}");
}

#[tokio::test]
async fn unsafe_settings_are_refused_all_at_once_unless_each_is_accepted() {
    let mut queues = nobodys();
    let number = |number| AMQPValue::LongInt(number);
    let settings = [
        quorum(),
        ("x-message-ttl", number(60_000)),
        ("x-max-length", number(10)),
        ("x-expires", number(600_000)),
        ("x-delivery-limit", number(5)),
        (
            "x-dead-letter-exchange",
            AMQPValue::LongString("amq.fanout".into()),
        ),
    ];
    queues.declare(&queues.config.queue, true, &settings).await;
    queues.declare(&queues.config.aside_queue, true, &[]).await;
    let told = refusal(&queues).await;
    let weak = [
        "x-message-ttl=60000",
        "x-max-length=10",
        "x-expires=600000",
        "x-delivery-limit=5",
        "x-queue-type=classic",
    ];
    for setting in weak {
        assert!(
            told.contains(&format!("has {setting}, and needs")),
            "{setting}: {told}"
        );
    }
    assert!(!told.contains("dead-letter-exchange"), "{told}");
    queues.config.accept = weak[1..].iter().map(|it| (*it).to_owned()).collect();
    let told = refusal(&queues).await;
    assert!(told.contains(weak[0]) && !told.contains(weak[1]), "{told}");
    queues.config.accept.push(weak[0].to_owned());
    queues.open().await;
}

#[tokio::test]
async fn a_queue_that_does_not_outlive_the_broker_cannot_be_accepted() {
    let mut queues = nobodys();
    queues.declare(&queues.config.queue, false, &[]).await;
    queues
        .declare(&queues.config.aside_queue, true, &[quorum()])
        .await;
    queues.config.accept = vec!["x-queue-type=classic".into(), "durable=false".into()];
    let told = refusal(&queues).await;
    assert!(
        told.contains("durable=false, and needs durable=true"),
        "{told}"
    );
}

#[tokio::test]
async fn a_limit_that_refuses_what_is_new_is_safe_and_then_the_queue_is_full() {
    let queues = nobodys();
    let settings = [
        quorum(),
        ("x-max-length", AMQPValue::LongInt(3)),
        ("x-overflow", AMQPValue::LongString("reject-publish".into())),
    ];
    queues.declare(&queues.config.queue, true, &settings).await;
    queues
        .declare(&queues.config.aside_queue, true, &[quorum()])
        .await;
    let intake = queues.open().await;
    let full = loop {
        if let Err(error) = intake.enqueue(vec![Bytes::from_static(b"one")]).await {
            break error;
        }
    };
    assert!(
        matches!(&full, IntakeError::Full(why) if why.contains("maximum length")),
        "{full:?}"
    );
}

#[tokio::test]
async fn a_wrong_password_and_a_wrong_virtual_host_are_told_apart_from_an_outage() {
    let mut queues = Queues::make().await;
    let file = queues.config.password_file.clone().unwrap();
    std::fs::write(&file, "wrong").unwrap();
    let told = refusal(&queues).await;
    assert!(
        told.contains("the broker refuses us: ACCESS_REFUSED"),
        "{told}"
    );
    std::fs::write(&file, "secret of a test").unwrap();
    queues.config.virtual_host = "nowhere".into();
    let told = refusal(&queues).await;
    assert!(told.contains("vhost nowhere not found"), "{told}");
    std::fs::remove_file(&file).unwrap();
    let told = refusal(&queues).await;
    assert!(told.starts_with("intake.amqp.password_file = "), "{told}");
}

#[tokio::test]
async fn a_broker_that_does_not_answer_is_told_in_seconds() {
    let mut queues = nobodys();
    queues.config.nodes = vec!["127.0.0.1:1".into()];
    let began = Instant::now();
    let told = refusal(&queues).await;
    assert!(told.contains("127.0.0.1:1: Connection refused"), "{told}");
    assert!(began.elapsed() < Duration::from_secs(10));
    queues.config.nodes = vec!["nonsense".into()];
    let told = refusal(&queues).await;
    assert!(told.contains("\"nonsense\" is not host:port"), "{told}");
}

#[tokio::test]
async fn the_next_node_is_asked_when_one_is_away() {
    let mut queues = Queues::make().await;
    queues.config.nodes.insert(0, "127.0.0.1:1".into());
    let intake = queues.open().await;
    intake
        .enqueue(vec![Bytes::from_static(b"one")])
        .await
        .unwrap();
}

#[tokio::test]
async fn tls_asks_for_an_authority_and_shows_our_certificate() {
    let mut queues = Queues::make().await;
    queues.config.nodes = vec![variable("HOOKLOG_TEST_RABBITMQ_TLS")];
    queues.config.tls = true;
    let told = refusal(&queues).await;
    assert!(told.contains("signed by intake.amqp.ca_file"), "{told}");
    queues.config.ca_file = certificate("ca.pem");
    queues.config.cert_file = certificate("client.pem");
    queues.config.key_file = certificate("client-key.pem");
    let intake = queues.open().await;
    intake
        .enqueue(vec![Bytes::from_static(b"one")])
        .await
        .unwrap();
    queues.config.ca_file = certificate("rabbitmq.conf");
    let told = refusal(&queues).await;
    assert!(
        told.contains("there is no certificate (PEM) in it"),
        "{told}"
    );
}

#[tokio::test]
async fn without_a_user_the_certificate_says_who_we_are() {
    let mut queues = Queues::make().await;
    // The name in the certificate; another test may have made the user before.
    let _ = std::process::Command::new(variable("HOOKLOG_TEST_RABBITMQ_CTL"))
        .args(["add_user", "client", "unused"])
        .output();
    control(&["set_permissions", "client", ".*", ".*", ".*"]);
    queues.config.nodes = vec![variable("HOOKLOG_TEST_RABBITMQ_TLS")];
    queues.config.tls = true;
    queues.config.ca_file = certificate("ca.pem");
    queues.config.cert_file = certificate("client.pem");
    queues.config.key_file = certificate("client-key.pem");
    queues.config.username = None;
    queues.config.password_file = None;
    let intake = queues.open().await;
    intake
        .enqueue(vec![Bytes::from_static(b"one")])
        .await
        .unwrap();
}

#[test]
fn an_error_of_opening_is_small_enough_to_be_passed_on() {
    assert!(size_of::<OpenError>() <= 128);
}
