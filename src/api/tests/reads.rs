//! What came in, what was decided, what was tried: read back from tables and log.

use super::harness::Harness;
use super::story::{BODY, GUID, RECEIPT, Story};
use hooklog_schemas::webhook::{self, RECEIVED};
use hooklog_schemas::{Timestamp, Topic};
use serde_json::{Value, json};
use uuid::Uuid;

const ADMIN: &str = Harness::BOOTSTRAP;

#[tokio::test]
async fn a_timeline_tells_the_whole_life_of_an_event() {
    let story = Story::tell().await;
    let timeline = story.get(&format!("timeline/{GUID}")).await;
    assert_eq!(timeline["guid"], GUID);
    assert_eq!(timeline["receipts"][0]["repository"], "acme/api");
    let delivery = &timeline["deliveries"][0];
    assert_eq!(
        (&delivery["subscription"], &delivery["state"]),
        (&json!("wanted"), &json!("open"))
    );
    assert_eq!(delivery["next"], Timestamp::from_secs(1_800_000_009).0);
    let attempt = &delivery["attempts"][0];
    assert_eq!(
        (&attempt["status"], &attempt["verdict"]),
        (&json!(503), &json!("retry"))
    );
    assert_eq!(attempt["excerpt"], "come back later", "read from the log");
    assert!(!timeline["as_of"].as_array().unwrap().is_empty());
    let nothing = story.get("timeline/unknown").await;
    assert_eq!(
        (&nothing["receipts"], &nothing["deliveries"]),
        (&json!([]), &json!([]))
    );
}

#[tokio::test]
async fn lists_are_filtered_and_unknown_values_refused() {
    let story = Story::tell().await;
    let rows = async |path: &str| story.get(path).await["items"].as_array().unwrap().len();
    for (path, expected) in [
        ("webhooks", 1),
        ("webhooks?repository=acme%2Fapi&event=push&source=acme", 1),
        (
            "webhooks?from=2027-01-15T08:00:00Z&to=2027-01-15T08:00:01Z",
            1,
        ),
        ("webhooks?to=2027-01-15T08:00:00Z", 0),
        ("webhooks?state=unmatched", 0),
        ("webhooks?state=unparsed", 0),
        ("webhooks?subscription=wanted", 1),
        ("webhooks?subscription=other", 0),
        ("deliveries?subscription=wanted&state=open", 1),
        ("deliveries?subscription=other", 0),
        ("dead-letters", 0),
        (
            "counts?from=2027-01-15T00:00:00Z&to=2027-01-16T00:00:00Z",
            1,
        ),
    ] {
        assert_eq!(rows(path).await, expected, "{path}");
    }
    for (path, status) in [
        ("webhooks?state=lost", 422),
        ("webhooks?from=yesterday", 422),
        (
            "webhooks?from=2027-01-15T08:00:00Z&to=2027-01-15T08:00:00Z",
            422,
        ),
        ("deliveries?subscription=nobody", 404),
        ("deliveries?cursor=x", 422),
        ("counts?from=2020-01-15T00:00:00Z", 422),
        ("webhooks/none", 404),
        ("deliveries/none", 404),
        ("dead-letters/none", 404),
        ("webhooks/none/verification", 404),
        ("deliveries/00000000-0000-0000-0000-000000000001", 404),
    ] {
        let answer = story
            .api
            .text(ADMIN, "GET", &format!("/api/v1/{path}"), "")
            .await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn an_explanation_names_the_clause_that_decided() {
    let story = Story::tell().await;
    let why = story
        .get(&format!("explain/{GUID}?subscription=wanted"))
        .await;
    let receipt = &why["receipts"][0];
    assert_eq!(
        (&receipt["recorded"]["matched"], &receipt["differs"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(receipt["recorded"]["outcome"], "owed");
    assert_eq!(receipt["recomputed"]["matched"], true);
    let why_not = story
        .get(&format!("explain/{GUID}?subscription=other"))
        .await;
    let receipt = &why_not["receipts"][0];
    assert_eq!(receipt["recorded"]["matched"], false);
    let clause =
        json!({ "clause": "events", "wanted": ["issues"], "found": "push", "holds": false });
    assert_eq!(receipt["recomputed"]["clauses"], json!([clause]));
    assert_eq!(receipt["differs"], false);
    story.api.create_subscription("late").await;
    let late = story
        .get(&format!("explain/{GUID}?subscription=late"))
        .await;
    let receipt = &late["receipts"][0];
    assert_eq!(
        receipt["recomputed"]["clauses"][0]["found"],
        "not created yet"
    );
    assert_eq!(receipt["today"]["matched"], true, "today it would match");
    assert_eq!(receipt["differs"], false);
}

#[tokio::test]
async fn a_body_is_given_byte_for_byte_after_it_was_recorded_who_asked() {
    let story = Story::tell().await;
    let before = story.api.records(Topic::Deliveries).await.len();
    let path = format!("/api/v1/webhooks/{RECEIPT}/body");
    let answer = story.api.text(ADMIN, "GET", &path, "").await;
    assert_eq!((answer.status, answer.text.as_str()), (200, BODY));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("content-disposition"), "attachment");
    let records = story.api.records(Topic::Deliveries).await;
    assert_eq!(records.len(), before + 1);
    let evidence: Value = serde_json::from_str(records.last().unwrap()).unwrap();
    assert_eq!(
        (&evidence["actor"], &evidence["from"]),
        (&json!("bootstrap"), &json!("192.0.2.7"))
    );
}

#[tokio::test]
async fn what_is_to_be_erased_is_not_shown_from_then_on() {
    let story = Story::tell().await;
    let erase = async |body: Value| story.api.post("/api/v1/erasures", body).await;
    let order = |dry_run: bool| json!({ "repository_id": 7, "reason": "r", "dry_run": dry_run });
    assert_eq!(
        erase(order(true)).await.status,
        503,
        "the worker may still have to route"
    );
    story.api.worker_ready();
    for (body, status) in [
        (json!({ "repository_id": 7 }), 422),
        (json!({ "repository_id": 7, "reason": " " }), 422),
        (
            json!({ "repository_id": 7, "sender_id": 7, "reason": "r" }),
            422,
        ),
        (json!({ "reason": "r" }), 422),
        (json!({ "receipt": Uuid::from_u128(9), "reason": "r" }), 404),
    ] {
        assert_eq!(erase(body.clone()).await.status, status, "{body}");
    }
    let counted = erase(order(true)).await.json;
    assert_eq!(counted, json!({ "count": 1 }));
    let ordered = erase(order(false)).await.json;
    assert!(
        ordered["count"] == 1 && ordered["command"].is_string(),
        "{ordered}"
    );
    let path = format!("/api/v1/webhooks/{RECEIPT}/body");
    assert_eq!(story.api.text(ADMIN, "GET", &path, "").await.status, 410);
    let shown = story.get(&format!("deliveries/{}", story.delivery)).await;
    assert!(shown["attempts"][0].get("excerpt").is_none(), "{shown}");
    story.api.project().await;
    let shown = story.get(&format!("webhooks/{RECEIPT}")).await;
    assert_eq!(
        (&shown["repository"], &shown["erased"]),
        (&Value::Null, &json!(true))
    );
    assert!(
        !shown.to_string().contains("ann-smith"),
        "a ref may name a person: {shown}"
    );
    assert!(shown["headers"].as_object().unwrap().is_empty());
    let verification = story.get(&format!("webhooks/{RECEIPT}/verification")).await;
    assert_eq!(verification["verdict"], "erased");
    assert!(
        shown["decision"]["summary"]
            .get("repository")
            .is_none_or(Value::is_null),
        "{shown}"
    );
}

#[tokio::test]
async fn an_erasure_waits_for_what_is_not_routed_yet() {
    let story = Story::tell().await;
    story.api.worker_ready();
    let order = json!({ "repository_id": 7, "reason": "r", "dry_run": true });
    let erase = async || story.api.post("/api/v1/erasures", order.clone()).await;
    assert_eq!(erase().await.status, 200);
    let unrouted = story.api.append_raw(
        Topic::Webhooks,
        RECEIVED,
        webhook::VERSION,
        Vec::new(),
        "{}".into(),
    );
    unrouted.await;
    let refused = erase().await;
    assert_eq!(refused.status, 503);
    assert!(
        refused.text.contains("not all that came in is routed"),
        "{}",
        refused.text
    );
}

#[tokio::test]
async fn a_webhook_is_shown_with_its_deliveries_and_its_decision() {
    let story = Story::tell().await;
    let shown = story.get(&format!("webhooks/{RECEIPT}")).await;
    assert_eq!(
        (&shown["guid"], &shown["matches"]),
        (&json!(GUID), &json!(1))
    );
    assert_eq!(shown["deliveries"][0]["id"], story.delivery.to_string());
    assert_eq!(shown["decision"]["matches"][0]["outcome"], "owed");
    assert_eq!(shown["git_ref"], "refs/heads/ann-smith");
    let source = story.get("sources/acme").await;
    assert_eq!(shown["secret"], source["secrets"][0]["id"]);
    assert_eq!(shown["client"], "192.0.2.1");
    let names: Vec<_> = shown["headers"].as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        ["content-type", "x-github-event", "x-hub-signature-256"]
    );
}

#[tokio::test]
async fn a_stored_signature_is_verified_with_the_secret_of_its_time_also_when_that_is_retired() {
    let story = Story::tell().await;
    let verify = async || story.get(&format!("webhooks/{RECEIPT}/verification")).await;
    let secret = story.get("sources/acme").await["secrets"][0]["id"].clone();
    let records = story.api.records(Topic::Deliveries).await.len();
    let told = verify().await;
    assert_eq!(told["verdict"], "verified");
    assert_eq!(
        (&told["secret"], &told["secret_retired"]),
        (&secret, &json!(false))
    );
    let body = json!({ "secret": "another secret of it", "overlap_seconds": 0 });
    story.api.post("/api/v1/sources/acme/secrets", body).await;
    story
        .api
        .text(ADMIN, "DELETE", "/api/v1/sources/acme", "")
        .await;
    let told = verify().await;
    assert_eq!(told["verdict"], "verified");
    assert_eq!(
        (&told["secret"], &told["secret_retired"]),
        (&secret, &json!(true))
    );
    assert!(
        !told.to_string().contains("refs/heads"),
        "no byte of the body"
    );
    assert_eq!(story.api.records(Topic::Deliveries).await.len(), records);
}

#[tokio::test]
async fn the_status_tells_partitions_lag_and_readiness() {
    let story = Story::tell().await;
    let status = story.get("status").await;
    assert_eq!(status["log_id"], Uuid::from_u128(1).to_string());
    assert_eq!(status["partitions"].as_array().unwrap().len(), 5);
    let first = json!({"name": "partitions", "version": 1, "latest": 1, "lag": 0});
    assert_eq!(status["projections"][0], first);
    let work = json!({"name": "work", "ready": false, "reason": "not ready yet"});
    assert_eq!(status["parts"][1], work);
    let history = story.get("subscriptions/wanted/history").await;
    assert_eq!(history["items"][0]["event_type"], "subscription.created");
    assert_eq!(history["items"][0]["actor"], "bootstrap");
}

#[tokio::test]
async fn an_open_delivery_is_no_dead_letter_and_says_what_holds_it_back() {
    let story = Story::tell().await;
    let path = format!("/api/v1/dead-letters/{}", story.delivery);
    let refused = story.api.text(ADMIN, "GET", &path, "").await;
    assert_eq!(refused.status, 404);
    assert!(refused.text.contains("but open"), "{}", refused.text);
    let held = async || story.get("deliveries").await["items"][0]["held"].clone();
    assert_eq!(held().await, Value::Null);
    let pause = "/api/v1/subscriptions/wanted/pause";
    story.api.post(pause, json!({})).await;
    assert_eq!(held().await, "the subscription is paused");
    let all = json!({ "all": true });
    story.api.post("/api/v1/deliveries/pause", all).await;
    assert_eq!(held().await, "all deliveries are paused");
    let timeline = story.get(&format!("timeline/{GUID}")).await;
    assert_eq!(
        timeline["deliveries"][0]["held"],
        "all deliveries are paused"
    );
}
