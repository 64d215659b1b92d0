//! The format of the log: who reads which, and raising it.

use super::harness::Harness;
use hooklog_schemas::control::ProcessStarted;
use hooklog_schemas::{FORMAT, Topic};
use serde_json::json;

async fn start(api: &Harness, host: &str, format: u32) {
    let started = ProcessStarted {
        role: "work".into(),
        build: "1.2.3".into(),
        format,
        host: Some(host.into()),
        configuration: Default::default(),
        at: hooklog_schemas::Timestamp(7),
    };
    let offset = api.append(Topic::Control, started).await;
    api.control.reached(offset.next()).await;
}

#[tokio::test]
async fn the_latest_starts_are_shown_with_who_would_stop() {
    let api = Harness::start().await;
    start(&api, "old", FORMAT - 1).await;
    start(&api, "new", FORMAT).await;
    let shown = api.get(Harness::BOOTSTRAP, "/api/v1/format").await.json;
    assert_eq!(shown["in_force"], 1);
    assert_eq!(shown["highest"], FORMAT);
    let starts = shown["starts"].as_array().unwrap();
    let told: Vec<_> = starts
        .iter()
        .map(|start| (start["host"].as_str().unwrap(), &start["would_stop"]))
        .collect();
    assert_eq!(told, [("new", &json!(false)), ("old", &json!(true))]);
    assert_eq!(starts[0]["at"], 7);
}

#[tokio::test]
async fn raising_to_what_is_in_force_appends_nothing_and_beyond_this_release_is_refused() {
    let api = Harness::start().await;
    let operator = api.create_token("bob", "operate").await;
    let before = api.records(Topic::Control).await.len();
    for body in [json!({}), json!({"format": 1, "reason": "all are new"})] {
        let same = api.post("/api/v1/format", body).await;
        assert_eq!(same.json, json!({"changed": false}), "{}", same.text);
    }
    let beyond = api
        .post("/api/v1/format", json!({"format": FORMAT + 1}))
        .await;
    assert_eq!(beyond.status, 422);
    assert!(
        beyond.text.contains("run a release that knows it"),
        "{}",
        beyond.text
    );
    let path = "/api/v1/format";
    let forbidden = api.text(&operator, "POST", path, "{}").await;
    assert_eq!(forbidden.status, 403);
    assert_eq!(api.records(Topic::Control).await.len(), before);
}
