//! An auditor's questions, asked of what really happened.

use crate::harness::subscriber::Subscriber;
use crate::harness::{On, TestApp};
use crate::way::push;
use reqwest::Method;
use serde_json::{Value, json};

/// What happened: `ci` wanted everything, until bo narrowed it; ann read the body of an alert; `old`
/// never answers well.
struct Happened {
    app: TestApp,
    alert: String,
    before: String,
    withheld: String,
    after: String,
}

fn event(action: &str) -> Value {
    let mut body = push();
    body["action"] = json!(action);
    body
}

async fn token(app: &TestApp, name: &str) -> String {
    let body = json!({"name": name, "holder": "person", "role": "operate"});
    let created = app.post("tokens", body).await;
    created["token"].as_str().unwrap().to_owned()
}

async fn happened() -> Happened {
    let app = TestApp::start(On::Embedded).await;
    let (well, ill) = (
        Subscriber::answering(&[204]).await,
        Subscriber::answering(&[500]).await,
    );
    let policy = json!({"attempts_max": 3, "delay_first_ms": 30});
    for (name, to, filter) in [
        ("ci", &well.url, json!({})),
        (
            "audit",
            &well.url,
            json!({"events": ["secret_scanning_alert"]}),
        ),
        ("old", &ill.url, json!({"events": ["issues.opened"]})),
    ] {
        let body = json!({"name": name, "team": "platform", "to": to, "sign": "none",
                          "filter": filter, "policy": policy, "reason": "as planned"});
        app.post("subscriptions", body).await;
    }
    let alert = app.github("secret_scanning_alert", &event("created")).await;
    app.delivery(&alert, "audit", "delivered").await;
    let before = app.github("issues", &event("opened")).await;
    app.delivery(&before, "ci", "delivered").await;
    app.delivery(&before, "old", "dead").await;
    narrow(&app, &well.url).await;
    let withheld = app.github("issues", &event("closed")).await;
    let after = app.github("push", &push()).await;
    app.delivery(&after, "ci", "delivered").await;
    Happened {
        app,
        alert,
        before,
        withheld,
        after,
    }
}

/// bo narrows `ci`, and ann reads the alert.
async fn narrow(app: &TestApp, to: &str) {
    let (ann, bo) = (token(app, "ann").await, token(app, "bo").await);
    let narrowed = json!({"to": to, "team": "platform", "sign": "none", "policy": {},
                          "filter": {"events": ["push"]}, "reason": "too noisy"});
    let path = "subscriptions/ci";
    let (status, answer) = app.ask_as(&bo, Method::PUT, path, Some(narrowed)).await;
    assert!(status.is_success(), "{answer}");
    let alerts = app.get("webhooks?event=secret_scanning_alert").await;
    let receipt = alerts["items"][0]["receipt"].as_str().unwrap().to_owned();
    let path = format!("webhooks/{receipt}/body");
    let (status, _) = app.ask_as(&ann, Method::GET, &path, None).await;
    assert!(status.is_success());
}

impl Happened {
    /// Asks until `holds` of the answer: tables are a moment behind the log.
    async fn ask(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let asked = self.app.eventually(path, async || {
            let answer = self.app.get(path).await;
            holds(&answer).then_some(answer)
        });
        asked.await
    }
}

fn names(rows: &Value, field: &str) -> Vec<String> {
    let rows = rows.as_array().unwrap().iter();
    let mut names: Vec<_> = rows
        .map(|row| row[field].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn who_received_an_alert_where_and_who_looked_at_it() {
    let happened = happened().await;
    let path = "recipients?event=secret_scanning_alert&repository=acme/payments,acme/other";
    let told = happened
        .ask(path, |told| told["items"][0]["reads"][0].is_object())
        .await;
    let alert = &told["items"][0];
    assert_eq!(alert["guid"], json!(happened.alert));
    assert_eq!(names(&alert["recipients"], "subscription"), ["audit", "ci"]);
    let last = &alert["recipients"][0]["last_attempt"];
    assert_eq!(
        (&last["status"], &last["verdict"]),
        (&json!(204), &json!("delivered"))
    );
    assert!(last["address"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert_eq!(alert["reads"][0]["actor"], "ann");
    let reads = happened.app.get("body-reads?actor=ann").await;
    assert_eq!(reads["items"][0]["guid"], json!(happened.alert));
    assert_eq!(reads["items"][0]["event"], "secret_scanning_alert");
    let nobody = happened.app.get("body-reads?actor=bo").await;
    assert_eq!(nobody["items"], json!([]));
    let (status, _) = happened
        .app
        .ask(Method::GET, "recipients?repository=acme/*,acme/api", None)
        .await;
    assert_eq!(status, 422, "of several each must be a full name");
    happened.app.stop().await;
}

#[tokio::test]
async fn who_narrowed_a_filter_why_and_what_was_withheld_since() {
    let happened = happened().await;
    let told = happened.app.get("subscriptions/ci/blame").await;
    let life = &told["lives"][0];
    let fields = life["fields"].as_array().unwrap();
    let events = fields.iter().find(|one| one["field"] == "filter.events");
    let events = events.unwrap();
    assert_eq!(
        (&events["was"], &events["value"]),
        (&Value::Null, &json!(["push"]))
    );
    let by = &events["by"];
    assert_eq!(
        (&by["actor"], &by["why"]),
        (&json!("bo"), &json!("too noisy"))
    );
    let team = fields.iter().find(|one| one["field"] == "team").unwrap();
    assert_eq!(team["by"]["why"], "as planned");

    let path = "explain?subscription=ci&event=issues&missed=true";
    let told = happened.ask(path, |told| told["looked_at"] == 2).await;
    let counts = told["counts"].as_array().unwrap();
    let filtered = json!({"reason": "filter", "detail": "events", "count": 1});
    assert!(counts.contains(&filtered), "{counts:?}");
    assert_eq!(told["items"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(told["items"][0]["guid"], json!(happened.withheld));
    assert_eq!(told["evidence"][0]["actor"], "bo");
    assert_eq!(
        told["evidence"][0]["offset"],
        told["items"][0]["evidence"][0]
    );

    let proposed = json!({"subscriptions": [{"name": "ci"}, {"name": "new",
        "filter": {"events": ["push"]}}], "limit": 500});
    let told = happened.app.post("what-if", proposed).await;
    assert_eq!(
        (&told["looked_at"], &told["differs"]),
        (&json!(4), &json!(0))
    );
    let expected = json!([
        {"name": "ci", "before": 3, "after": 4, "more": 1, "fewer": 0},
        {"name": "new", "before": 0, "after": 1, "more": 1, "fewer": 0},
    ]);
    assert_eq!(told["subscriptions"], expected);
    assert_eq!(names(&told["items"], "guid"), {
        let mut guids = [happened.withheld.clone(), happened.after.clone()];
        guids.sort();
        guids
    });
    let created = life["created"]["offset"].as_u64().unwrap();
    let as_it_was = json!({"at": format!("control/0@{created}"), "subscriptions": ["ci"]});
    let told = happened
        .app
        .post("what-if", json!({"as_it_was": as_it_was, "limit": 500}))
        .await;
    assert_eq!(told["subscriptions"], json!([expected[0]]), "as it was");
    happened.app.stop().await;
}

#[tokio::test]
async fn a_subscription_is_made_again_what_it_was_and_of_two_that_race_one_is_told() {
    let happened = happened().await;
    let app = &happened.app;
    let told = app.get("subscriptions/ci/blame").await;
    let fields = told["lives"][0]["fields"].as_array().unwrap().clone();
    let created = told["lives"][0]["created"]["offset"].as_u64().unwrap();
    let to = format!("control/0@{created}");
    let path = "subscriptions/ci/revert";
    let seen = app.post(path, json!({"to": to, "dry_run": true})).await;
    let filter = json!({"field": "filter.events", "was": ["push"], "now": null});
    assert!(
        seen["fields"].as_array().unwrap().contains(&filter),
        "{seen}"
    );
    let revert = json!({"to": to, "expected": seen["version"], "reason": "we need issues"});
    let done = app.post(path, revert.clone()).await;
    assert_eq!(done["changed"], true);
    let now = app.get("subscriptions/ci").await;
    assert_eq!(now["filter"], json!({}));
    let (status, _) = app.ask(Method::POST, path, Some(revert)).await;
    assert_eq!(
        status, 200,
        "it is what it was then: nothing is to be changed"
    );
    let narrowed = fields.iter().find(|one| one["field"] == "filter.events");
    let narrowed = narrowed.unwrap()["by"]["offset"].as_u64().unwrap();
    let late = json!({"to": format!("control/0@{narrowed}"), "expected": seen["version"]});
    let (status, _) = app.ask(Method::POST, path, Some(late)).await;
    assert_eq!(status, 409, "somebody changed it in between");
    let never = json!({"to": "control/0@0"});
    let (status, _) = app.ask(Method::POST, path, Some(never)).await;
    assert_eq!(status, 422, "before it was created");
    happened.app.stop().await;
}

#[tokio::test]
async fn what_a_subscriber_missed_and_why() {
    let happened = happened().await;
    let told = happened
        .ask("explain?subscription=old&missed=true&limit=500", |told| {
            told["looked_at"] == 4
        })
        .await;
    let counts = told["counts"].as_array().unwrap();
    let dead = json!({"reason": "dead", "detail": "attempts_exhausted", "count": 1});
    assert!(counts.contains(&dead), "{counts:?}");
    let item = told["items"].as_array().unwrap().iter();
    let item = item.clone().find(|item| item["reason"] == "dead").unwrap();
    assert_eq!(
        (&item["guid"], &item["last_answer"]),
        (&json!(happened.before), &json!("500"))
    );
    let received = happened.app.get("subscriptions/old/received").await;
    assert_eq!(received["items"], json!([]));
    let received = happened.app.get("subscriptions/ci/received").await;
    let guids = names(&received["items"], "guid");
    assert_eq!(guids.len(), 3);
    assert!(!guids.contains(&happened.withheld));

    let delivery = item["delivery"].as_str().unwrap();
    let path = format!("deliveries/{delivery}/attempts/diff?first=1&second=3");
    let diff = happened.app.get(&path).await;
    assert_eq!(
        (&diff["first_place"], &diff["second_place"]),
        (&json!(1), &json!(3))
    );
    let same: Vec<_> = diff["same"].as_array().unwrap().to_vec();
    for fact in ["target", "headers_sha256", "status"] {
        assert!(same.contains(&json!(fact)), "{fact}: {diff}");
    }
    assert!(diff["first"]["headers_sha256"].as_str().unwrap().len() == 64);
    assert!(diff["first"]["connect_us"].is_u64(), "{diff}");
    let (status, _) = happened
        .app
        .ask(
            Method::GET,
            &format!("deliveries/{delivery}/attempts/diff?first=4"),
            None,
        )
        .await;
    assert_eq!(status, 422);
    happened.app.stop().await;
}

#[tokio::test]
async fn a_timeline_names_the_configuration_of_each_step_and_who_made_it() {
    let happened = happened().await;
    let path = format!("timeline/{}", happened.after);
    let told = happened
        .ask(&path, |told| told["deliveries"][0].is_object())
        .await;
    let offset = &told["receipts"][0]["configuration_offset"];
    let attempt = &told["deliveries"][0]["attempts"][0];
    assert_eq!(&attempt["configuration_offset"], offset);
    let configurations = told["configurations"].as_array().unwrap();
    let named = configurations.iter().find(|one| &one["offset"] == offset);
    let named = named.unwrap();
    assert!(
        named["event_type"].is_string() && named["actor"].is_string(),
        "{named}"
    );
    let path = format!("explain/{}?subscription=ci", happened.withheld);
    let told = happened.app.get(&path).await;
    let receipt = &told["receipts"][0];
    assert_eq!(
        receipt["reason"],
        json!({"reason": "filter", "detail": "events"})
    );
    assert_eq!(receipt["evidence"][0]["actor"], "bo");
    happened.app.stop().await;
}
