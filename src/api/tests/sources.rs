//! Sources through their whole life.

use super::harness::Harness;
use hooklog_schemas::control::LogCreated;
use hooklog_schemas::{EventId, Timestamp, Topic};
use serde_json::json;
use uuid::Uuid;

const ADMIN: &str = Harness::BOOTSTRAP;

#[tokio::test]
async fn a_source_is_created_changed_paused_resumed_and_deleted() {
    let api = Harness::start().await;
    let created = api.create_source("acme").await;
    assert_eq!(
        (&created["host"], &created["paused"]),
        (&json!("github.com"), &json!(false))
    );
    let path = "/api/v1/sources/acme";
    let body = json!({
        "host": "GHE.example.com", "allow": ["192.30.252.9/22", "::1"], "rate_per_second": 10,
        "expected": created["version"], "reason": "moved",
    });
    let changed = api.text(ADMIN, "PUT", path, &body.to_string()).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(changed.json["host"], "ghe.example.com");
    assert_eq!(changed.json["allow"], json!(["192.30.252.0/22", "::1/128"]));
    assert_ne!(changed.json["version"], created["version"]);
    let pause = api
        .post("/api/v1/sources/acme/pause", json!({ "reason": "audit" }))
        .await;
    assert_eq!((pause.status, &pause.json["paused"]), (200, &json!(true)));
    assert_eq!(pause.json["changed"], true);
    let before = api.records(Topic::Control).await.len();
    let again = api.post("/api/v1/sources/acme/pause", json!({})).await;
    assert_eq!(again.json["changed"], false);
    assert_eq!(again.json["version"], pause.json["version"]);
    assert_eq!(api.records(Topic::Control).await.len(), before);
    let resume = api
        .text(ADMIN, "POST", "/api/v1/sources/acme/resume", "")
        .await;
    assert_eq!(
        (resume.status, &resume.json["paused"]),
        (200, &json!(false))
    );
    let stale = format!("{path}?expected={}", created["version"].as_str().unwrap());
    assert_eq!(api.text(ADMIN, "DELETE", &stale, "").await.status, 409);
    assert_eq!(api.text(ADMIN, "DELETE", path, "").await.status, 200);
    assert_eq!(api.text(ADMIN, "GET", path, "").await.status, 404);
    assert_eq!(api.text(ADMIN, "DELETE", path, "").await.status, 404);
    api.create_source("acme").await;
}

#[tokio::test]
async fn a_source_has_a_history_also_when_it_is_deleted() {
    let api = Harness::start().await;
    let created = LogCreated {
        log_id: EventId(Uuid::from_u128(1)),
        partitions: 2,
        key: None,
        at: Timestamp(1),
    };
    api.append(Topic::Control, created).await;
    api.create_source("acme").await;
    api.post("/api/v1/sources/acme/pause", json!({ "reason": "audit" }))
        .await;
    api.text(ADMIN, "DELETE", "/api/v1/sources/acme", "").await;
    api.project().await;
    let history = api.get(ADMIN, "/api/v1/sources/acme/history").await;
    let items = history.json["items"].as_array().unwrap();
    let types: Vec<_> = items.iter().map(|item| &item["event_type"]).collect();
    assert_eq!(types, ["source.deleted", "source.paused", "source.created"]);
    assert_eq!(items[1]["why"], "audit");
}

#[tokio::test]
async fn a_short_secret_is_taken_with_a_warning() {
    let api = Harness::start().await;
    for (name, secret, warns) in [
        ("a", "fifteen bytes..", true),
        ("b", "sixteen bytes...", false),
    ] {
        let body = json!({ "name": name, "secret": secret });
        let created = api.post("/api/v1/sources", body).await;
        assert_eq!(created.status, 201);
        assert_eq!(created.json["warning"].is_string(), warns, "{secret}");
        assert!(!created.text.contains(secret));
    }
    let rotated = api
        .post("/api/v1/sources/b/secrets", json!({ "secret": "short" }))
        .await;
    assert!(rotated.json["warning"].is_string(), "{}", rotated.text);
}

#[tokio::test]
async fn of_two_that_race_one_loses_and_is_told() {
    let api = Harness::start().await;
    let version = api.create_source("acme").await["version"].clone();
    let change = |host: &str| json!({ "host": host, "allow": [], "expected": version }).to_string();
    let (one, two) = (change("one.example"), change("two.example"));
    let path = "/api/v1/sources/acme";
    let (one, two) = tokio::join!(
        api.text(ADMIN, "PUT", path, &one),
        api.text(ADMIN, "PUT", path, &two)
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let body = json!({ "name": "twice", "secret": "s" }).to_string();
    let create = || api.text(ADMIN, "POST", "/api/v1/sources", &body);
    let (one, two) = tokio::join!(create(), create());
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
}

#[tokio::test]
async fn every_change_says_who_when_from_where_and_why() {
    let api = Harness::start().await;
    let body = json!({ "name": "a", "secret": "s", "reason": " a new server " });
    assert_eq!(api.post("/api/v1/sources", body).await.status, 201);
    let record: serde_json::Value =
        serde_json::from_str(&api.records(Topic::Control).await[0]).unwrap();
    let expected = json!({
        "actor": "bootstrap", "from": "192.0.2.7", "why": "a new server",
        "at": Timestamp::from_secs(1_800_000_000),
    });
    assert_eq!(record["by"], expected);
}

#[tokio::test]
async fn a_rotated_secret_keeps_the_older_ones_for_the_overlap() {
    let api = Harness::start().await;
    let body = json!({ "name": "a", "secret": "one", "organization_ids": [7] });
    api.post("/api/v1/sources", body).await;
    let path = "/api/v1/sources/a/secrets";
    let rotated = api
        .post(path, json!({ "secret": "two", "overlap_seconds": 60 }))
        .await;
    let secrets = rotated.json["secrets"].as_array().unwrap();
    assert_eq!(secrets.len(), 2);
    assert!(secrets[0]["valid_until"].is_null());
    assert_eq!(
        secrets[0]["organization_ids"],
        json!([7]),
        "a rotation does not widen"
    );
    assert_eq!(
        secrets[1]["valid_until"],
        Timestamp::from_secs(1_800_000_060).0
    );
    for _ in 0..8 {
        assert_eq!(
            api.post(path, json!({ "secret": "more" })).await.status,
            200
        );
    }
    let limit = api.post(path, json!({ "secret": "too many" })).await;
    assert_eq!(limit.status, 409, "{}", limit.text);
}

fn with(field: &str, value: serde_json::Value) -> serde_json::Value {
    let mut body = json!({ "name": "a", "secret": "s" });
    body[field] = value;
    body
}

#[tokio::test]
async fn bad_values_are_refused_with_the_value_and_the_rule() {
    let api = Harness::start().await;
    let path = "/api/v1/sources";
    for (field, value, part) in [
        ("name", json!("A"), "`name` cannot be \"A\""),
        ("name", json!("-a"), "does not begin with -"),
        ("name", json!("a".repeat(64)), "1 to 63"),
        ("name", json!("../x"), "a-z"),
        ("secret", json!(""), "empty"),
        ("secret", json!("s".repeat(5_000)), "5000 bytes"),
        ("color", json!(1), "unknown field `color`"),
        ("host", json!("a b"), "`host`"),
        ("host", json!("x/y"), "github.com"),
        ("allow", json!(["10.0.0.0/33"]), "CIDR"),
        ("rate_per_second", json!(0), "from 1"),
        ("rate_per_second", json!(-1), "u32"),
        ("organization_ids", json!([0]), "begin at 1"),
        ("reason", json!("a\nb"), "one line"),
        ("reason", json!("x".repeat(1001)), "1000"),
    ] {
        let answer = api.post(path, with(field, value.clone())).await;
        assert_eq!(answer.status, 422, "{field} {value}: {}", answer.text);
        let detail = answer.json["detail"].as_str().unwrap();
        assert!(detail.contains(part), "{field} {value}: {detail}");
    }
    let nameless = api.post(path, json!({ "name": "a" })).await;
    assert!(
        nameless.text.contains("missing field `secret`"),
        "{}",
        nameless.text
    );
    assert!(
        api.records(Topic::Control).await.is_empty(),
        "nothing of it reached the log"
    );
}
