//! Commands over many deliveries, and the live tail.

use super::harness::Harness;
use hooklog_schemas::control::LogCreated;
use hooklog_schemas::{EventId, Timestamp, Topic};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use uuid::Uuid;

async fn start() -> Harness {
    let api = Harness::start().await;
    let created = LogCreated {
        log_id: EventId(Uuid::from_u128(1)),
        partitions: 2,
        key: None,
        at: Timestamp(1),
    };
    api.append(Topic::Control, created).await;
    api.create_subscription("s").await;
    api.project().await;
    api
}

#[tokio::test]
async fn a_command_counts_first_and_then_leaves_an_event() {
    let api = start().await;
    for path in ["/api/v1/dead-letters/redrive", "/api/v1/deliveries/cancel"] {
        api.project().await;
        let before = api.records(Topic::Control).await.len();
        for dry_run in [true, false] {
            let body = json!({ "scope": { "all": true }, "dry_run": dry_run });
            let none = api.post(path, body).await;
            assert_eq!(none.json, json!({ "count": 0 }));
            assert_eq!(api.records(Topic::Control).await.len(), before);
        }
        // The tables fall behind, so nobody knows whether there is nothing.
        api.create_source(if path.contains("redrive") { "a" } else { "b" })
            .await;
        let before = before + 1;
        let scope = json!({ "subscription": "s", "from": "2026-11-01T12:00Z" });
        let done = api
            .post(path, json!({ "scope": scope, "reason": "it is back" }))
            .await;
        assert_eq!(done.json["count"], 0);
        assert_eq!(done.json["offset"], before);
        let records = api.records(Topic::Control).await;
        let event: Value = serde_json::from_str(&records[before]).unwrap();
        assert_eq!(event["by"]["why"], "it is back");
        assert!(
            event["scope"]["subscription"].is_string(),
            "the id, not the name: {event}"
        );
    }
}

#[tokio::test]
async fn a_scope_must_be_said_and_make_sense() {
    let api = start().await;
    let many: Vec<Uuid> = (0..1001).map(Uuid::from_u128).collect();
    for (scope, part) in [
        (json!({}), "is empty"),
        (json!({ "all": false }), "is empty"),
        (
            json!({ "all": true, "subscription": "s" }),
            "one or the others",
        ),
        (
            json!({ "from": "2026-11-01T12:00Z", "to": "2026-11-01T11:00Z" }),
            "not before",
        ),
        (json!({ "from": "noon" }), "RFC 3339"),
        (json!({ "subscription": "nobody" }), "nobody"),
        (json!({ "deliveries": ["x"] }), "UUID"),
        (json!({ "deliveries": many }), "1000"),
        (json!({ "everything": true }), "everything"),
    ] {
        let answer = api
            .post("/api/v1/deliveries/cancel", json!({ "scope": scope }))
            .await;
        assert!(
            [404, 422].contains(&answer.status),
            "{scope}: {}",
            answer.text
        );
        assert!(answer.text.contains(part), "{scope}: {}", answer.text);
    }
}

#[tokio::test]
async fn all_deliveries_are_paused_and_resumed() {
    let api = start().await;
    let refused = api
        .post("/api/v1/deliveries/pause", json!({ "all": false }))
        .await;
    assert_eq!(refused.status, 422);
    let paused = api
        .post("/api/v1/deliveries/pause", json!({ "all": true }))
        .await;
    assert_eq!(paused.status, 200, "{}", paused.text);
    assert!(api.control.current().deliveries_paused);
    let before = api.records(Topic::Control).await.len();
    let again = api
        .post("/api/v1/deliveries/pause", json!({ "all": true }))
        .await;
    assert_eq!(again.json, json!({ "changed": false }));
    assert_eq!(api.records(Topic::Control).await.len(), before);
    api.post("/api/v1/deliveries/resume", json!({ "all": true }))
        .await;
    assert!(!api.control.current().deliveries_paused);
}

#[tokio::test]
async fn deleting_a_subscription_shows_first_what_is_cancelled() {
    let api = start().await;
    let path = "/api/v1/subscriptions/s";
    let count = api
        .text(
            Harness::BOOTSTRAP,
            "DELETE",
            &format!("{path}?dry_run=true"),
            "",
        )
        .await;
    assert_eq!((count.status, count.json), (200, json!({ "count": 0 })));
    assert_eq!(
        api.text(Harness::BOOTSTRAP, "GET", path, "").await.status,
        200
    );
    let done = api.text(Harness::BOOTSTRAP, "DELETE", path, "").await;
    assert!(
        done.status == 200 && done.json["event"].is_string(),
        "{}",
        done.text
    );
    assert_eq!(
        api.text(Harness::BOOTSTRAP, "GET", path, "").await.status,
        404
    );
}

#[tokio::test]
async fn the_tail_streams_what_is_appended_from_now_on_without_secrets() {
    let api = start().await;
    let mut all = api.open("/api/v1/tail").await;
    let mut other = api.open("/api/v1/tail?subscription=s").await;
    assert_eq!(all.headers()["content-type"], "application/x-ndjson");
    api.create_source("acme").await;
    let line = next(&mut all).await;
    assert_eq!(line["type"], "source.created");
    assert_eq!(
        (&line["source"], &line["actor"]),
        (&json!("acme"), &json!("bootstrap"))
    );
    assert!(line["position"].as_str().unwrap().starts_with("control/0@"));
    assert!(!line.to_string().contains("box_base64"), "{line}");
    api.post(
        "/api/v1/subscriptions/s/pause",
        json!({ "reason": "audit" }),
    )
    .await;
    let line = next(&mut other).await;
    assert_eq!(
        line["type"], "subscription.paused",
        "the source is no business of this one"
    );
    assert_eq!(
        (&line["subscription"], &line["reason"]),
        (&json!("s"), &json!("audit"))
    );
}

async fn next(response: &mut axum::response::Response) -> Value {
    let frame = response.body_mut().frame().await.unwrap().unwrap();
    let data = frame.into_data().unwrap();
    serde_json::from_slice(&data).unwrap()
}

#[tokio::test]
async fn the_tail_is_bounded() {
    let api = start().await;
    let mut open = Vec::new();
    for _ in 0..super::super::tail::STREAMS_MAX {
        open.push(api.open("/api/v1/tail").await);
    }
    assert_eq!(api.open("/api/v1/tail").await.status(), 503);
    open.pop();
    assert_eq!(api.open("/api/v1/tail").await.status(), 200);
}

#[tokio::test]
async fn a_tail_ends_when_the_server_stops() {
    let api = start().await;
    let mut all = api.open("/api/v1/tail").await;
    api.stop.cancel();
    let end = tokio::time::timeout(std::time::Duration::from_secs(5), all.body_mut().frame());
    assert!(
        end.await
            .expect("it does not wait for a heartbeat")
            .is_none()
    );
}
