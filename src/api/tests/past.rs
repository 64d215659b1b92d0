//! What it was then: points, bookmarks, and what changed between two of them.

use super::harness::Harness;
use super::story::{GUID, RECEIPT, Story};
use serde_json::{Value, json};

const ADMIN: &str = Harness::BOOTSTRAP;

fn names(list: &Value) -> Vec<&str> {
    let rows = list["items"].as_array().unwrap().iter();
    rows.map(|row| row["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn reads_answer_as_of_a_record() {
    let story = Story::tell().await;
    let delivery = &story.get("deliveries?as_of=deliveries/0@0").await["items"][0];
    assert_eq!(
        (&delivery["state"], &delivery["attempts_made"]),
        (&json!("open"), &json!(0))
    );
    assert_eq!(
        story.get("deliveries").await["items"][0]["attempts_made"],
        1
    );
    let path = format!("deliveries/{}?as_of=deliveries/0@1", story.delivery);
    let detail = story.get(&path).await;
    assert_eq!(detail["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(detail["attempts"][0]["answer_position"], json!(null));
    let timeline = story
        .get(&format!("timeline/{GUID}?as_of=deliveries/0@0"))
        .await;
    assert_eq!(timeline["deliveries"][0]["attempts"], json!([]));
    assert_eq!(
        timeline["as_of"].as_array().unwrap().len(),
        5,
        "the whole point"
    );
}

#[tokio::test]
async fn names_and_configuration_are_those_of_then() {
    let story = Story::tell().await;
    assert_eq!(
        names(&story.get("subscriptions").await),
        ["other", "wanted"]
    );
    let then = story.get("subscriptions?as_of=control/0@2").await;
    assert_eq!(names(&then), ["wanted"]);
    // What was decided by a later configuration lies outside.
    let none = story.get("deliveries?as_of=control/0@2").await;
    assert_eq!(none["items"], json!([]));
    let path = "/api/v1/subscriptions/other?as_of=control/0@2";
    assert_eq!(story.api.text(ADMIN, "GET", path, "").await.status, 404);
    let path = "/api/v1/deliveries?subscription=other&as_of=control/0@2";
    assert_eq!(story.api.text(ADMIN, "GET", path, "").await.status, 404);
    let history = story.get("sources/acme/history?as_of=control/0@2").await;
    assert_eq!(history["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn investigations_answer_as_of_a_point() {
    let story = Story::tell().await;
    let asked = "explain?subscription=wanted";
    let now = story.get(asked).await;
    assert_eq!(now["items"][0]["last_answer"], "503");
    let then = story.get(&format!("{asked}&as_of=deliveries/0@0")).await;
    assert_eq!(then["items"][0]["reason"], "open");
    assert_eq!(then["items"][0]["last_answer"], json!(null));
    let before = story.get(&format!("{asked}&as_of=control/0@2")).await;
    assert_eq!(before["looked_at"], 0);
    let path = format!("/api/v1/webhooks/{RECEIPT}/body");
    assert_eq!(story.api.text(ADMIN, "GET", &path, "").await.status, 200);
    story.api.project().await;
    let looks = |list: Value| list["items"].as_array().unwrap().len();
    assert_eq!(looks(story.get("body-reads").await), 1);
    let then = story.get("body-reads?as_of=deliveries/0@1").await;
    assert_eq!(looks(then), 0);
    let then = story.get("recipients?as_of=deliveries/0@0").await;
    assert_eq!(then["items"][0]["reads"], json!([]));
    for (path, status, why) in [
        ("explain?subscription=other&as_of=control/0@2", 404, "other"),
        ("subscriptions/other/blame?as_of=control/0@2", 404, "other"),
        (
            "subscriptions/other/received?as_of=control/0@2",
            404,
            "other",
        ),
        (
            "webhooks?replay=019a3c5e-7d1f-7c3a-b1de-0242ac120002",
            422,
            "a matter of deliveries",
        ),
        ("deliveries?replay=often", 422, "the id of a replay"),
    ] {
        let answer = story
            .api
            .text(ADMIN, "GET", &format!("/api/v1/{path}"), "")
            .await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        assert!(answer.text.contains(why), "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn what_names_no_point_is_an_error_that_says_why() {
    let story = Story::tell().await;
    for (as_of, status, why) in [
        ("yesterday", 422, "is not a point"),
        ("webhooks/0@99", 422, "the partition ends at 1"),
        ("2020-01-01", 422, "before the log"),
        ("@audit", 404, "no bookmark"),
    ] {
        let path = format!("/api/v1/webhooks?as_of={as_of}");
        let answer = story.api.text(ADMIN, "GET", &path, "").await;
        assert_eq!(answer.status, status, "{as_of}: {}", answer.text);
        assert!(answer.text.contains(why), "{as_of}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_bookmark_keeps_its_meaning_until_it_is_deleted() {
    let story = Story::tell().await;
    let body = json!({ "name": "audit", "reason": "before the pause" });
    let created = story.api.post("/api/v1/bookmarks", body.clone()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(created.json["point"]["deliveries"], json!([3, 0]));
    assert_eq!(created.json["why"], "before the pause");
    let again = story.api.post("/api/v1/bookmarks", body).await;
    assert_eq!(again.status, 409);
    let paused = story
        .api
        .post("/api/v1/subscriptions/wanted/pause", json!({}))
        .await;
    assert_eq!(paused.status, 200);
    assert_eq!(story.get("subscriptions/wanted").await["paused"], true);
    let then = story.get("subscriptions/wanted?as_of=@audit").await;
    assert_eq!(then["paused"], false);
    assert_eq!(story.get("bookmarks/audit").await, created.json);
    assert_eq!(names(&story.get("bookmarks").await), ["audit"]);
    let path = "/api/v1/bookmarks/audit?reason=done";
    let deleted = story.api.text(ADMIN, "DELETE", path, "").await;
    assert_eq!(deleted.status, 200);
    assert_eq!(story.api.text(ADMIN, "DELETE", path, "").await.status, 404);
    assert_eq!(story.get("bookmarks").await["items"], json!([]));
    story.api.project().await;
    let before = deleted.json["offset"].as_u64().unwrap() - 1;
    let then = format!("bookmarks/audit?as_of=control/0@{before}");
    assert_eq!(story.get(&then).await, created.json);
}

#[tokio::test]
async fn totals_are_those_of_now_or_of_a_point() {
    let story = Story::tell().await;
    let totals = |receipts: u64, open: u64| json!({"receipts": receipts, "open": open, "delivered": 0, "dead": 0, "cancelled": 0});
    assert_eq!(story.get("totals").await, totals(1, 1));
    assert_eq!(story.get("totals?as_of=control/0@2").await, totals(0, 0));
}

#[tokio::test]
async fn a_diff_tells_what_changed_and_how_much_there_was() {
    let story = Story::tell().await;
    let paused = story
        .api
        .post("/api/v1/subscriptions/wanted/pause", json!({}))
        .await;
    assert_eq!(paused.status, 200);
    story.api.project().await;
    let diff = story.get("diff?from=control/0@2").await;
    let told = diff["configuration"].as_array().unwrap();
    let changes: Vec<_> = told
        .iter()
        .map(|one| (&one["name"], &one["change"]))
        .collect();
    let expected = [("other", "created"), ("wanted", "changed")];
    let expected = expected.map(|(name, change)| (json!(name), json!(change)));
    assert!(
        changes
            .iter()
            .map(|(a, b)| ((*a).clone(), (*b).clone()))
            .eq(expected)
    );
    let field = json!([{ "field": "paused", "from": false, "to": true }]);
    assert_eq!(told[1]["fields"], field);
    assert_eq!(diff["from"]["totals"]["receipts"], 0);
    let totals = &diff["to"]["totals"];
    assert_eq!(
        (&totals["receipts"], &totals["open"]),
        (&json!(1), &json!(1))
    );
    let path = "/api/v1/diff?from=control/0@3&to=control/0@1";
    assert_eq!(story.api.text(ADMIN, "GET", path, "").await.status, 422);
}
