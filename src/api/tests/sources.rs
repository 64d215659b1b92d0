//! Sources through their whole life.

use super::harness::Harness;
use hooklog_schemas::{Timestamp, Topic};
use serde_json::json;

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

#[tokio::test]
async fn bad_values_are_refused_with_the_value_and_the_rule() {
    let api = Harness::start().await;
    api.create_source("taken").await;
    let long = "a".repeat(64);
    for (body, status, part) in [
        (
            json!({ "name": "A", "secret": "s" }),
            422,
            "`name` cannot be \"A\"",
        ),
        (
            json!({ "name": "-a", "secret": "s" }),
            422,
            "does not begin with -",
        ),
        (json!({ "name": long, "secret": "s" }), 422, "1 to 63"),
        (json!({ "name": "../x", "secret": "s" }), 422, "a-z"),
        (json!({ "name": "a", "secret": "" }), 422, "empty"),
        (json!({ "name": "a" }), 422, "missing field `secret`"),
        (
            json!({ "name": "a", "secret": "s", "color": 1 }),
            422,
            "unknown field `color`",
        ),
        (
            json!({ "name": "a", "secret": "s", "host": "a b" }),
            422,
            "`host`",
        ),
        (
            json!({ "name": "a", "secret": "s", "host": "x/y" }),
            422,
            "github.com",
        ),
        (
            json!({ "name": "a", "secret": "s", "allow": ["10.0.0.0/33"] }),
            422,
            "CIDR",
        ),
        (
            json!({ "name": "a", "secret": "s", "rate_per_second": 0 }),
            422,
            "from 1",
        ),
        (
            json!({ "name": "a", "secret": "s", "rate_per_second": -1 }),
            422,
            "u32",
        ),
        (
            json!({ "name": "a", "secret": "s", "organization_ids": [0] }),
            422,
            "begin at 1",
        ),
        (
            json!({ "name": "a", "secret": "s", "reason": "a\nb" }),
            422,
            "one line",
        ),
        (
            json!({ "name": "a", "secret": "s", "reason": "x".repeat(1001) }),
            422,
            "1000",
        ),
        (json!({ "name": "taken", "secret": "s" }), 409, "already"),
    ] {
        let answer = api.post("/api/v1/sources", body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        let detail = answer.json["detail"].as_str().unwrap();
        assert!(detail.contains(part), "{body}: {detail}");
    }
    assert_eq!(
        api.records(Topic::Control).await.len(),
        1,
        "nothing of it reached the log"
    );
}
