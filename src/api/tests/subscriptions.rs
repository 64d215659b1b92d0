//! Subscriptions through their whole life.

use super::harness::Harness;
use hooklog_schemas::Topic;
use hooklog_schemas::control::Policy;
use serde_json::json;

const ADMIN: &str = Harness::BOOTSTRAP;

fn with(field: &str, value: serde_json::Value) -> serde_json::Value {
    let mut body = json!({ "name": "s", "to": "https://example.com/" });
    body[field] = value;
    body
}

#[tokio::test]
async fn a_subscription_is_created_changed_paused_and_resumed_by_name_or_id() {
    let api = Harness::start().await;
    let created = api.create_subscription("deploys").await;
    assert_eq!(
        (&created["team"], &created["sign"]),
        (&json!("default"), &json!("standard"))
    );
    assert_eq!(
        created["policy"],
        serde_json::to_value(Policy::default()).unwrap()
    );
    let id = created["id"].as_str().unwrap();
    let path = format!("/api/v1/subscriptions/{id}");
    let body = json!({
        "to": "https://example.com/new", "team": "platform", "sign": "standard",
        "filter": { "events": ["push"], "repositories": ["acme/*"] },
        "policy": { "attempts_max": 3 }, "expected": created["version"],
    });
    let changed = api.text(ADMIN, "PUT", &path, &body.to_string()).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(changed.json["filter"], body["filter"]);
    assert_eq!(changed.json["policy"]["attempts_max"], 3);
    let stale = api.text(ADMIN, "PUT", &path, &body.to_string()).await;
    assert_eq!(stale.status, 409);
    let paused = api
        .post("/api/v1/subscriptions/deploys/pause", json!({}))
        .await;
    assert_eq!(paused.json["paused"], true);
    let resumed = api
        .post("/api/v1/subscriptions/deploys/resume", json!({}))
        .await;
    assert_eq!(resumed.json["paused"], false);
    let partial = api
        .text(ADMIN, "PUT", &path, r#"{"to":"https://example.com/"}"#)
        .await;
    assert_eq!(partial.status, 422, "nothing is reset by leaving it out");
}

#[tokio::test]
async fn a_way_to_sign_needs_a_secret_that_fits() {
    let api = Harness::start().await;
    let github = |name: &str, secret: &str| json!({ "name": name, "to": "https://e.example/", "sign": "github", "secret": secret });
    assert_eq!(
        api.post("/api/v1/subscriptions", github("g", "any text"))
            .await
            .status,
        201
    );
    let mut body = json!({
        "to": "https://e.example/", "team": "default", "filter": {}, "policy": {}, "sign": "standard",
    });
    let path = "/api/v1/subscriptions/g";
    let answer = api.text(ADMIN, "PUT", path, &body.to_string()).await;
    assert!(
        answer.status == 422 && answer.text.contains("whsec_"),
        "{}",
        answer.text
    );
    body["sign"] = json!("none");
    assert_eq!(
        api.text(ADMIN, "PUT", path, &body.to_string()).await.status,
        200
    );
    let none = json!({ "name": "n", "to": "https://e.example/", "sign": "none" });
    let answer = api.post("/api/v1/subscriptions", none).await;
    assert_eq!((answer.status, &answer.json["secrets"]), (201, &json!([])));
    body["sign"] = json!("github");
    let answer = api
        .text(ADMIN, "PUT", "/api/v1/subscriptions/n", &body.to_string())
        .await;
    assert!(
        answer.status == 422 && answer.text.contains("no secret"),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn bad_values_are_refused_with_the_value_and_the_rule() {
    let api = Harness::start().await;
    for (field, value, part) in [
        ("name", json!("Deploys"), "a-z"),
        ("to", json!("https://127.0.0.1/"), "loopback"),
        ("to", json!("https://me:canary@example.com/"), "password"),
        ("team", json!(""), "`team`"),
        (
            "filter",
            json!({ "event": ["push"] }),
            "unknown field `event`",
        ),
        ("filter", json!({ "repositories": ["[a"] }), "[a"),
        ("sign", json!("md5"), "`github`"),
        ("secret", json!("short"), "whsec_"),
        ("secret", json!("whsec_c2hvcnQ="), "24 to 64"),
        ("policy", json!({ "attempts_max": 0 }), "from 1 to 100"),
        ("policy", json!({ "attempts_max": 101 }), "from 1 to 100"),
        (
            "policy",
            json!({ "delay_first_ms": 2, "delay_max_ms": 1 }),
            "delay_first_ms",
        ),
        (
            "policy",
            json!({ "delay_max_ms": u64::MAX }),
            "delay_max_ms",
        ),
        ("policy", json!({ "deadline_ms": 0 }), "deadline_ms"),
        ("policy", json!({ "concurrency_max": 0 }), "concurrency_max"),
        ("policy", json!({ "rate_per_second": 0 }), "rate_per_second"),
        (
            "policy",
            json!({ "sha1": true }),
            "needs `sign` to be `github`",
        ),
        ("policy", json!({ "retries": 1 }), "unknown field `retries`"),
        ("teem", json!("x"), "unknown field `teem`"),
    ] {
        let answer = api
            .post("/api/v1/subscriptions", with(field, value.clone()))
            .await;
        assert_eq!(answer.status, 422, "{field} {value}: {}", answer.text);
        let detail = answer.json["detail"].as_str().unwrap();
        assert!(detail.contains(part), "{field} {value}: {detail}");
        assert!(!detail.contains("canary"), "{detail}");
    }
    assert!(
        api.records(Topic::Control).await.is_empty(),
        "nothing of it reached the log"
    );
}
