//! The event hub on a broker that listens as Event Hubs does: SASL PLAIN, with the connection string
//! as the password of `$ConnectionString`.

use super::{EventHubsIntake, OpenError};
use crate::config::{EventHubsConfig, EventHubsSecurity};
use crate::intake::conformance;
use crate::intake::{Intake as _, IntakeError};
use bytes::Bytes;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

mod outage;

/// Event hubs that one test has for itself.
#[derive(Clone)]
struct Hubs {
    config: EventHubsConfig,
    folder: Arc<tempfile::TempDir>,
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: this test needs a Kafka broker; start it, and run the tests with \
             it, by `tools/services run kafka -- cargo nextest run --all-features …`"
        )
    })
}

/// Event hubs that nobody made yet.
fn nobodys() -> Hubs {
    at(&variable("HOOKLOG_TEST_KAFKA_SASL"))
}

/// The same of another service.
fn at(address: &str) -> Hubs {
    let folder = tempfile::tempdir().unwrap();
    let connection_string_file = folder.path().join("connection-string");
    std::fs::write(&connection_string_file, "secret of a test\n").unwrap();
    let hub = format!("it.{}", Uuid::now_v7().simple());
    Hubs {
        config: EventHubsConfig {
            connection_string_file: Some(connection_string_file),
            address: Some(address.to_owned()),
            security: EventHubsSecurity::SaslPlaintext,
            aside_hub: format!("{hub}.aside"),
            group: hub.clone(),
            hub,
            partitions: 2,
            ..EventHubsConfig::default()
        },
        folder: Arc::new(folder),
    }
}

impl Hubs {
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

    async fn open(&self) -> EventHubsIntake {
        EventHubsIntake::open(&self.config).await.unwrap()
    }

    fn write(&self, connection_string: &str) {
        std::fs::write(
            self.folder.path().join("connection-string"),
            connection_string,
        )
        .unwrap();
    }
}

async fn make() -> conformance::Given<()> {
    let hubs = Hubs::make().await;
    let open = move || {
        let hubs = hubs.clone();
        async move { hubs.open().await }
    };
    let given = conformance::Given::new(open, ()).keeps_no_order();
    given
        .repeats_when_consumers_come()
        .comes_again_within(Duration::from_secs(5))
}

conformance::suite!(make);

async fn refusal(config: &EventHubsConfig) -> String {
    match EventHubsIntake::open(config).await {
        Ok(_) => panic!("it opened"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn an_event_hub_that_is_missing_is_named_with_the_setting_that_makes_it() {
    let told = refusal(&nobodys().config).await;
    assert!(told.contains("there is no event hub it."), "{told}");
    assert!(told.contains("intake.eventhubs.create = true"), "{told}");
}

#[tokio::test]
async fn a_wrong_connection_string_is_told_and_never_shown() {
    let hubs = Hubs::make().await;
    hubs.write("canary of a key");
    let told = refusal(&hubs.config).await;
    assert!(told.contains("Event Hubs refuses us"), "{told}");
    assert!(!told.contains("canary"), "{told}");
    hubs.write("\n");
    let told = refusal(&hubs.config).await;
    assert!(
        told.contains("connection_string_file = ") && told.contains("is empty"),
        "{told}"
    );
}

#[tokio::test]
async fn a_connection_string_without_an_address_says_where_to_get_one() {
    let mut hubs = nobodys();
    hubs.config.address = None;
    let told = EventHubsIntake::open(&hubs.config).await.err();
    assert!(
        matches!(told, Some(OpenError::ConnectionString(_))),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_told_in_seconds() {
    let mut hubs = nobodys();
    hubs.config.address = Some("127.0.0.1:1".to_owned());
    let began = Instant::now();
    let told = refusal(&hubs.config).await;
    assert!(told.contains("does not answer"), "{told}");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn an_event_hub_that_forgets_too_soon_is_refused_unless_that_is_accepted() {
    let mut hubs = Hubs::make().await;
    let mut client = ClientConfig::new();
    let brokers = variable("HOOKLOG_TEST_KAFKA");
    let admin: AdminClient<DefaultClientContext> =
        client.set("bootstrap.servers", brokers).create().unwrap();
    let topic = ResourceSpecifier::Topic(&hubs.config.hub);
    let alter = AlterConfig::new(topic).set("retention.ms", "3600000");
    let done = admin.alter_configs([&alter], &AdminOptions::new()).await;
    done.unwrap()[0].as_ref().unwrap();
    let told = refusal(&hubs.config).await;
    assert!(told.contains("retention.ms=3600000, and needs"), "{told}");
    hubs.config.accept = vec!["retention.ms=3600000".to_owned()];
    hubs.open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_does_not_confirm_in_time_is_an_error() {
    let mut hubs = Hubs::make().await;
    hubs.config.enqueue_timeout_ms = 1_000;
    let intake = hubs.open().await;
    let intake = EventHubsIntake {
        config: EventHubsConfig {
            hub: "it.nowhere".to_owned(),
            ..intake.config.clone()
        },
        ..intake
    };
    let began = Instant::now();
    let refused = intake.enqueue(vec![Bytes::from_static(b"lost")]).await;
    assert!(
        matches!(
            refused,
            Err(IntakeError::Unavailable(_) | IntakeError::Refused(_))
        ),
        "{refused:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(10));
}
