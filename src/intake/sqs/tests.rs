//! The queue on a real server that speaks the service's protocol.

use super::{OpenError, SqsIntake};
use crate::config::SqsConfig;
use crate::intake::conformance;
use crate::intake::{Intake as _, IntakeError};
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

mod outage;

/// Queues that one test has for itself.
#[derive(Clone)]
struct Queues {
    config: SqsConfig,
    _folder: Arc<tempfile::TempDir>,
}

/// Queues that nobody made yet.
fn nobodys() -> Queues {
    let server = std::env::var("HOOKLOG_TEST_SQS").unwrap_or_else(|_| {
        panic!(
            "HOOKLOG_TEST_SQS is not set: this test needs a server of SQS; start it, and run the \
             tests with it, by `tools/services run sqs -- cargo nextest run --all-features …`"
        )
    });
    at(&server)
}

/// The same on another server.
fn at(server: &str) -> Queues {
    let folder = tempfile::tempdir().unwrap();
    let access_key_file = folder.path().join("key");
    std::fs::write(&access_key_file, "secret of a test\n").unwrap();
    let queue = format!("it-{}", Uuid::now_v7().simple());
    Queues {
        config: SqsConfig {
            aside_queue: format!("{queue}-aside"),
            queue,
            region: Some("elasticmq".to_owned()),
            endpoint: Some(server.to_owned()),
            access_key_id: Some("test".to_owned()),
            access_key_file: Some(access_key_file),
            // This server's limit.
            payload_bytes_max: 256 << 10,
            visibility_timeout_s: 3,
            ..SqsConfig::default()
        },
        _folder: Arc::new(folder),
    }
}

impl Queues {
    /// Has them made by a first start.
    async fn make() -> Self {
        nobodys().made().await
    }

    /// The same of these.
    async fn made(mut self) -> Self {
        self.config.create = true;
        self.open().await;
        self.config.create = false;
        self
    }

    async fn open(&self) -> SqsIntake {
        SqsIntake::open(&self.config).await.unwrap()
    }
}

async fn make() -> conformance::Given<()> {
    let queues = Queues::make().await;
    let open = move || {
        let queues = queues.clone();
        async move { queues.open().await }
    };
    let given = conformance::Given::new(open, ()).keeps_no_order();
    given.comes_again_within(Duration::from_secs(5))
}

conformance::suite!(make);

async fn refusal(config: &SqsConfig) -> String {
    match SqsIntake::open(config).await {
        Ok(_) => panic!("it opened"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_queue_that_is_missing_is_named_with_its_region_and_the_setting_that_makes_it() {
    let told = refusal(&nobodys().config).await;
    assert!(told.contains("there is no queue it-"), "{told}");
    assert!(told.contains("in the region elasticmq"), "{told}");
    assert!(told.contains("intake.sqs.create = true"), "{told}");
}

#[tokio::test]
async fn a_queue_may_be_named_by_its_url() {
    let mut queues = Queues::make().await;
    let url = queues.open().await.queue.url.clone();
    assert!(url.starts_with("http://127.0.0.1"), "{url}");
    queues.config.queue = url;
    let intake = queues.open().await;
    intake
        .enqueue(vec![Bytes::from_static(b"one")])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_queue_that_moves_messages_away_is_refused_unless_that_is_accepted() {
    let mut queues = Queues::make().await;
    let opened = queues.open().await;
    let arn = format!(
        "arn:aws:sqs:elasticmq:000000000000:{}",
        queues.config.aside_queue
    );
    let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"3"}}"#);
    let name = aws_sdk_sqs::types::QueueAttributeName::RedrivePolicy;
    let setting = opened.queue.client.set_queue_attributes();
    let set = setting
        .queue_url(&opened.queue.url)
        .attributes(name, policy)
        .send();
    set.await.unwrap();
    let told = refusal(&queues.config).await;
    assert!(told.contains("RedrivePolicy=3, and needs none"), "{told}");
    queues.config.accept = vec!["RedrivePolicy=3".to_owned()];
    queues.open().await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_told_in_seconds() {
    let mut queues = nobodys();
    queues.config.endpoint = Some("http://127.0.0.1:1".to_owned());
    let began = Instant::now();
    let told = refusal(&queues.config).await;
    assert!(
        told.contains("does not answer") && told.contains("intake.sqs.region"),
        "{told}"
    );
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_fifo_queue_and_a_missing_key_are_told() {
    let mut queues = nobodys();
    queues.config.queue = "webhooks.fifo".to_owned();
    let told = refusal(&queues.config).await;
    assert!(told.contains("needs a standard queue"), "{told}");
    queues.config.access_key_file = Some("/nowhere/key".into());
    let told = SqsIntake::open(&queues.config).await.err();
    assert!(matches!(told, Some(OpenError::File { .. })), "{told:?}");
}

#[tokio::test]
async fn what_is_held_stays_invisible_beyond_the_timeout_while_its_consumer_lives() {
    let queues = Queues::make().await;
    let (holder, other) = (queues.open().await, queues.open().await);
    holder
        .enqueue(vec![Bytes::from_static(b"one")])
        .await
        .unwrap();
    let held = loop {
        let held = holder.receive(1).await.unwrap();
        if !held.is_empty() {
            break held;
        }
    };
    let began = Instant::now();
    // Twice the time for which a message is invisible.
    while began.elapsed() < Duration::from_secs(6) {
        assert!(other.receive(1).await.unwrap().is_empty(), "it came again");
    }
    drop(holder);
    let again = loop {
        let again = other.receive(1).await.unwrap();
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "it did not come again"
        );
        if !again.is_empty() {
            break again;
        }
    };
    assert_eq!(again[0].bytes, held[0].bytes);
}

#[tokio::test]
async fn a_queue_that_was_deleted_under_us_is_told() {
    let queues = Queues::make().await;
    let intake = queues.open().await;
    let deleting = intake.queue.client.delete_queue();
    deleting.queue_url(&intake.queue.url).send().await.unwrap();
    let refused = intake.enqueue(vec![Bytes::from_static(b"one")]).await;
    assert!(
        matches!(refused, Err(IntakeError::Refused(_))),
        "{refused:?}"
    );
}
