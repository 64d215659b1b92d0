//! Replays: counted first, asked for with a reason, held back, given up.

use super::harness::Harness;
use super::story::{GUID, RECEIPT, Story};
use hooklog_schemas::ReplayId;
use serde_json::{Value, json};

const ADMIN: &str = Harness::BOOTSTRAP;
const PATH: &str = "/api/v1/replays";

async fn post(story: &Story, path: &str, body: Value) -> super::Answer {
    story.api.text(ADMIN, "POST", path, &body.to_string()).await
}

async fn asked(story: &Story, body: Value) -> ReplayId {
    let answer = post(story, PATH, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    story.api.project().await;
    answer.json["replay"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_dry_run_counts_and_lists_and_records_nothing() {
    let story = Story::tell().await;
    let before = story.api.control.current().next;
    let body = json!({"mode": "original_targets", "dry_run": true, "list": 10});
    let answer = post(&story, PATH, body).await;
    let counted = &answer.json["counted"];
    assert_eq!(counted["deliveries"], 1, "{}", answer.text);
    assert_eq!(counted["complete"], true);
    assert_eq!(counted["subscriptions"][0]["subscription"], "wanted");
    let listed = &counted["list"][0];
    assert_eq!(listed["guid"], GUID);
    assert_eq!(listed["receipt"], RECEIPT.to_string());
    assert_eq!(listed["outcome"], "owed");
    assert_eq!(story.api.control.current().next, before);

    let body = json!({"mode": "original_targets", "dry_run": true, "event": "star"});
    let counted = post(&story, PATH, body).await.json["counted"].take();
    assert_eq!(
        (&counted["deliveries"], &counted["filtered"]),
        (&json!(0), &json!(1))
    );
    let body = json!({"mode": "current_routing", "dry_run": true, "subscription": "wanted"});
    let counted = post(&story, PATH, body).await.json["counted"].take();
    assert_eq!(counted["deliveries"], 1);
}

#[tokio::test]
async fn a_replay_is_asked_for_with_a_reason_paused_resumed_and_cancelled() {
    let story = Story::tell().await;
    let id = asked(
        &story,
        json!({"mode": "original_targets", "subscription": "wanted", "rate_per_second": 7,
            "counted": 1, "reason": "they lost it"}),
    )
    .await;
    let path = format!("{PATH}/{id}");
    let shown = story.api.get(ADMIN, &path).await.json;
    assert_eq!(shown["state"], "waiting");
    assert_eq!(shown["why"], "they lost it");
    assert_eq!(shown["mode"], "original_targets");
    assert_eq!(shown["spec"]["rate_per_second"], 7);
    assert_eq!(
        (&shown["webhooks"], &shown["looked_at"]),
        (&json!(1), &json!(0))
    );
    for (verb, changed, state) in [
        ("pause", true, "paused"),
        ("pause", false, "paused"),
        ("resume", true, "waiting"),
        ("cancel", true, "cancelled"),
    ] {
        let answer = post(&story, &format!("{path}/{verb}"), json!({})).await;
        assert_eq!(answer.json["changed"], changed, "{verb}: {}", answer.text);
        story.api.project().await;
        assert_eq!(story.api.get(ADMIN, &path).await.json["state"], state);
    }
    let answer = post(&story, &format!("{path}/resume"), json!({})).await;
    assert_eq!(answer.status, 409);
    let listed = story.api.get(ADMIN, PATH).await.json;
    assert_eq!(listed["items"][0]["id"], id.to_string());
    let history = story.api.get(ADMIN, &format!("{path}/history")).await.json;
    let types: Vec<_> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["event_type"].as_str().unwrap())
        .collect();
    let expected = [
        "replay.cancelled",
        "replay.resumed",
        "replay.paused",
        "replay.requested",
    ];
    assert_eq!(types, expected);
}

#[tokio::test]
async fn a_replay_is_shown_and_listed_as_it_was_at_a_point() {
    let story = Story::tell().await;
    let id = asked(
        &story,
        json!({"mode": "original_targets", "subscription": "wanted", "reason": "they lost it"}),
    )
    .await;
    let path = format!("{PATH}/{id}");
    let asked_at = story.api.get(ADMIN, &path).await.json["offset"]
        .as_u64()
        .unwrap();
    let mut states = vec![(asked_at, "waiting")];
    for (verb, state) in [
        ("pause", "paused"),
        ("resume", "waiting"),
        ("cancel", "cancelled"),
    ] {
        let answer = post(&story, &format!("{path}/{verb}"), json!({})).await;
        states.push((answer.json["offset"].as_u64().unwrap(), state));
    }
    story.api.project().await;
    for (offset, state) in states {
        let then = format!("as_of=control/0@{offset}");
        let shown = story.api.get(ADMIN, &format!("{path}?{then}")).await.json;
        assert_eq!(shown["state"], state, "{then}");
        let listed = story.api.get(ADMIN, &format!("{PATH}?{then}")).await.json;
        assert_eq!(listed["items"], json!([shown]), "{then}");
    }
    let before = format!("as_of=control/0@{}", asked_at - 1);
    let listed = story.api.get(ADMIN, &format!("{PATH}?{before}")).await.json;
    assert_eq!(listed["items"], json!([]));
    let missing = story
        .api
        .text(ADMIN, "GET", &format!("{path}?{before}"), "")
        .await;
    assert_eq!(missing.status, 404);
    assert!(missing.text.contains("as of"), "{}", missing.text);
}

#[tokio::test]
async fn what_is_wrong_with_a_replay_is_told() {
    let story = Story::tell().await;
    for (body, said) in [
        (
            json!({"mode": "original_targets"}),
            "`reason` must be given",
        ),
        (
            json!({"mode": "everything", "reason": "x"}),
            "unknown variant",
        ),
        (json!({"reason": "x"}), "missing field `mode`"),
        (
            json!({"mode": "as_of_routing", "reason": "x"}),
            "`point` must be given",
        ),
        (
            json!({"mode": "as_of_routing", "point": "@none", "reason": "x"}),
            "no bookmark",
        ),
        (
            json!({"mode": "original_targets", "point": "@none", "reason": "x"}),
            "as_of_routing",
        ),
        (
            json!({"mode": "original_targets", "from": "soon", "reason": "x"}),
            "not a point",
        ),
        (
            json!({"mode": "original_targets", "from": "webhooks/9@1", "reason": "x"}),
            "partitions",
        ),
        (
            json!({"mode": "original_targets", "rate_per_second": 0, "reason": "x"}),
            "rate_per_second",
        ),
        (
            json!({"mode": "original_targets", "url": "https://u:p@example.com/", "reason": "x"}),
            "password",
        ),
        (
            json!({"mode": "original_targets", "from": "2999-01-01", "reason": "x"}),
            "no webhooks",
        ),
    ] {
        let answer = post(&story, PATH, body).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
        assert!(answer.text.contains(said), "{said}: {}", answer.text);
    }
    let answer = post(
        &story,
        PATH,
        json!({"mode": "original_targets", "subscription": "nobody", "reason": "x"}),
    )
    .await;
    assert_eq!(answer.status, 404);
    let none = format!("{PATH}/{}", ReplayId(uuid::Uuid::nil()));
    assert_eq!(story.api.text(ADMIN, "GET", &none, "").await.status, 404);
}

#[tokio::test]
async fn the_event_says_which_places_of_the_log_are_meant() {
    let story = Story::tell().await;
    let body = json!({"mode": "original_targets", "from": "webhooks/0@0", "to": "webhooks/0@99",
        "guid": GUID, "reason": "x"});
    let id = asked(&story, body).await;
    let spec = story.api.control.current().replays[&id].spec.clone();
    assert_eq!(spec.range[0].len(), 1, "it ends where the log ends");
    assert!(spec.range[1].is_empty());
    assert_eq!(spec.filter.guid.as_deref(), Some(GUID));
    assert_eq!(spec.filter.from, None);
}
