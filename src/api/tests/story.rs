//! One webhook, as receiver and worker would have recorded it.

use super::harness::Harness;
use crate::deliver::sign;
use crate::secret::Secret;
use hooklog_schemas::control::{ConfigurationVersion, LogCreated};
use hooklog_schemas::deliveries::{
    Answered, Attempted, Match, MatchOutcome, Outcome, Routed, Summary, Verdict,
};
use hooklog_schemas::webhook::{self, Facts, RECEIVED, Received};
use hooklog_schemas::{
    DeliveryId, EventId, Header, Offset, ReceiptId, SecretId, SourceId, SubscriptionId, Timestamp,
    Topic,
};
use serde_json::{Value, json};
use uuid::Uuid;

const ADMIN: &str = Harness::BOOTSTRAP;
pub(super) const GUID: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";
pub(super) const RECEIPT: ReceiptId = ReceiptId(Uuid::from_u128(0x17));
pub(super) const BODY: &str = r#"{"ref":"refs/heads/main"}"#;

/// One webhook that two subscriptions might have wanted: `wanted` got it and failed once.
pub(super) struct Story {
    pub(super) api: Harness,
    pub(super) delivery: DeliveryId,
}

impl Story {
    pub(super) async fn tell() -> Self {
        let api = Harness::start().await;
        let created = LogCreated {
            log_id: EventId(Uuid::from_u128(1)),
            partitions: 2,
            key: None,
            at: Timestamp(1),
        };
        api.append(Topic::Control, created).await;
        let source = api.create_source("acme").await;
        let source = Source {
            id: source["id"].as_str().unwrap().parse().unwrap(),
            secret: source["secrets"][0]["id"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap(),
        };
        let wanted = api.create_subscription("wanted").await;
        let filter = json!({ "events": ["issues"] });
        let body = json!({ "name": "other", "to": "https://example.com/", "filter": filter });
        api.post("/api/v1/subscriptions", body).await;
        let configuration = api.control.current().version.unwrap();
        let subscription: SubscriptionId = wanted["id"].as_str().unwrap().parse().unwrap();
        let delivery = DeliveryId::derive(RECEIPT, subscription, "live");
        let webhook = receive(&api, source, configuration).await;
        let routed = routed(webhook, source.id, configuration, subscription, delivery);
        api.append(Topic::Deliveries, routed).await;
        let (attempted, answered) = attempt(configuration, subscription, delivery);
        api.append(Topic::Deliveries, attempted).await;
        api.append(Topic::Deliveries, answered).await;
        api.project().await;
        Self { api, delivery }
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        self.api.get(ADMIN, &format!("/api/v1/{path}")).await.json
    }
}

/// Where the webhook came from, and what verified it.
#[derive(Clone, Copy)]
struct Source {
    id: SourceId,
    secret: SecretId,
}

async fn receive(api: &Harness, source: Source, configuration: ConfigurationVersion) -> Offset {
    let received = Received {
        receipt: RECEIPT,
        received_at: Timestamp::from_secs(1_800_000_000),
        source: source.id,
        source_name: "acme".into(),
        secret: source.secret,
        configuration,
        client: "192.0.2.1".into(),
        facts: Facts {
            guid: GUID.into(),
            event: "push".into(),
            host: "github.com".into(),
            repository_id: Some(7),
            repository: Some("acme/api".into()),
            ..Facts::default()
        },
    };
    let secret = Secret::new(b"canary-source".to_vec());
    let headers = vec![
        received.header(),
        Header::new("ce_id", GUID),
        Header::new("x-github-event", "push"),
        Header::new(
            "x-hub-signature-256",
            sign::github(&secret, BODY.as_bytes()),
        ),
        Header::new("content-type", "application/json"),
    ];
    api.append_raw(
        Topic::Webhooks,
        RECEIVED,
        webhook::VERSION,
        headers,
        BODY.into(),
    )
    .await
}

fn routed(
    webhook: Offset,
    source: SourceId,
    configuration: ConfigurationVersion,
    subscription: SubscriptionId,
    delivery: DeliveryId,
) -> Routed {
    Routed {
        receipt: RECEIPT,
        webhook,
        cause: "live".into(),
        at: Timestamp::from_secs(1_800_000_001),
        received_at: Timestamp::from_secs(1_800_000_000),
        source,
        source_name: "acme".into(),
        summary: Summary {
            guid: GUID.into(),
            event: "push".into(),
            host: "github.com".into(),
            repository_id: Some(7),
            repository: Some("acme/api".into()),
            git_ref: Some("refs/heads/ann-smith".into()),
            ..Summary::default()
        },
        configuration,
        matcher: 1,
        matches: vec![Match {
            subscription,
            name: "wanted".into(),
            team: "default".into(),
            destination: "https://example.com/hook".into(),
            set_by: None,
            delivery,
            outcome: MatchOutcome::Owed,
        }],
        repeats: None,
        error: None,
    }
}

fn attempt(
    configuration: ConfigurationVersion,
    subscription: SubscriptionId,
    delivery: DeliveryId,
) -> (Attempted, Answered) {
    let started_at = Timestamp::from_secs(1_800_000_002);
    let attempted = Attempted {
        delivery,
        receipt: RECEIPT,
        subscription,
        number: 1,
        started_at,
        duration_us: 1_000,
        resolve_us: None,
        connect_us: None,
        headers_us: None,
        headers_sha256: None,
        target: "https://example.com/hook".into(),
        address: None,
        outcome: Outcome::Status(503),
        verdict: Verdict::Retry {
            at: Timestamp::from_secs(1_800_000_009),
        },
        configuration,
    };
    let answered = Answered {
        delivery,
        receipt: RECEIPT,
        number: 1,
        started_at,
        excerpt: "come back later".into(),
        truncated: false,
    };
    (attempted, answered)
}
