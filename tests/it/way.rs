//! The whole way of an event: in by HTTP, out by HTTP, and everything in between on the record.

use crate::harness::subscriber::Subscriber;
use crate::harness::{On, TestApp};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Makes a test of every way, on every log and every store of tables,
/// and behind every queue.
macro_rules! on_every_log {
    ($($name:ident),* $(,)?) => {
        mod on_embedded {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::harness::On::Embedded).await;
            })*
        }

        mod on_memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::harness::On::Memory).await;
            })*
        }

        #[cfg(feature = "store-postgres")]
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::harness::On::Postgres).await;
            })*
        }

        #[cfg(feature = "store-mongodb")]
        mod on_mongodb {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::harness::On::Mongodb).await;
            })*
        }

        #[cfg(feature = "intake-redis")]
        mod behind_redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::harness::On::Redis).await;
            })*
        }

        #[cfg(feature = "log-kafka")]
        mod on_kafka {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::harness::On::Kafka).await;
            })*
        }

        #[cfg(feature = "intake-amqp")]
        mod behind_amqp {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let queue = crate::harness::queue::Queue::Amqp;
                super::$name(crate::harness::On::Behind(queue)).await;
            })*
        }

        #[cfg(feature = "intake-eventhubs")]
        mod behind_eventhubs {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let queue = crate::harness::queue::Queue::EventHubs;
                super::$name(crate::harness::On::Behind(queue)).await;
            })*
        }

        #[cfg(feature = "intake-sqs")]
        mod behind_sqs {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let queue = crate::harness::queue::Queue::Sqs;
                super::$name(crate::harness::On::Behind(queue)).await;
            })*
        }
    };
}

on_every_log!(
    a_webhook_is_delivered_byte_for_byte,
    a_delivery_that_fails_at_first_is_tried_again,
    a_dead_letter_can_be_redriven,
    what_was_owed_at_a_stop_is_delivered_after_the_start,
    a_redelivery_is_a_second_receipt_and_no_second_delivery,
    explain_tells_which_clause_decided,
);

/// The body of a push.
pub(crate) fn push() -> Value {
    json!({
        "ref": "refs/heads/main",
        "repository": {"id": 42, "full_name": "acme/payments",
                       "owner": {"login": "acme", "id": 7, "type": "Organization"}},
        "sender": {"id": 9, "login": "ann"},
    })
}

async fn subscribe(app: &TestApp, name: &str, to: &str) {
    let policy = json!({"attempts_max": 3, "delay_first_ms": 30});
    let body = json!({"name": name, "to": to, "sign": "none", "policy": policy});
    app.post("subscriptions", body).await;
}

async fn a_webhook_is_delivered_byte_for_byte(on: On) {
    let app = TestApp::start(on).await;
    let subscriber = Subscriber::answering(&[200]).await;
    subscribe(&app, "billing", &subscriber.url).await;
    let guid = app.github("push", &push()).await;
    let delivery = app.delivery(&guid, "billing", "delivered").await;
    assert_eq!(delivery["attempts"].as_array().unwrap().len(), 1);
    let seen = subscriber.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].body, serde_json::to_vec(&push()).unwrap());
    assert_eq!(seen[0].header("x-github-event"), "push");
    app.stop().await;
}

async fn a_delivery_that_fails_at_first_is_tried_again(on: On) {
    let app = TestApp::start(on).await;
    let subscriber = Subscriber::answering(&[500, 503, 200]).await;
    subscribe(&app, "deploy", &subscriber.url).await;
    let guid = app.github("push", &push()).await;
    let delivery = app.delivery(&guid, "deploy", "delivered").await;
    let statuses: Vec<_> = delivery["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["status"].clone())
        .collect();
    assert_eq!(statuses, [500, 503, 200]);
    app.stop().await;
}

async fn a_dead_letter_can_be_redriven(on: On) {
    let app = TestApp::start(on).await;
    let subscriber = Subscriber::answering(&[500, 500, 500, 200]).await;
    subscribe(&app, "ci", &subscriber.url).await;
    let guid = app.github("push", &push()).await;
    let dead = app.delivery(&guid, "ci", "dead").await;
    assert_eq!(dead["reason"], "attempts_exhausted");
    let scope = json!({"scope": {"subscription": "ci"}, "reason": "the database is back"});
    let redriven = app.post("dead-letters/redrive", scope).await;
    assert_eq!(redriven["count"], 1);
    app.delivery(&guid, "ci", "delivered").await;
    app.stop().await;
}

async fn what_was_owed_at_a_stop_is_delivered_after_the_start(on: On) {
    let app = TestApp::start(on).await;
    let subscriber = Subscriber::answering(&[500, 200]).await;
    let policy = json!({"delay_first_ms": 1500});
    let body = json!({"name": "late", "to": subscriber.url, "sign": "none", "policy": policy});
    app.post("subscriptions", body).await;
    let guid = app.github("push", &push()).await;
    app.eventually("the first attempt", async || {
        (!subscriber.seen().is_empty()).then_some(())
    })
    .await;
    let app = TestApp::open(app.stop().await).await;
    app.delivery(&guid, "late", "delivered").await;
    assert_eq!(subscriber.seen().len(), 2);
    app.stop().await;
}

async fn a_redelivery_is_a_second_receipt_and_no_second_delivery(on: On) {
    let app = TestApp::start(on).await;
    let subscriber = Subscriber::answering(&[200]).await;
    subscribe(&app, "billing", &subscriber.url).await;
    let guid = app.github("push", &push()).await;
    app.delivery(&guid, "billing", "delivered").await;
    assert_eq!(app.github_as(&guid, "push", &push()).await, StatusCode::OK);
    app.eventually("the second receipt", async || {
        let timeline = app.get(&format!("timeline/{guid}")).await;
        (timeline["receipts"].as_array()?.len() == 2).then_some(())
    })
    .await;
    assert_eq!(subscriber.seen().len(), 1);
    app.stop().await;
}

async fn explain_tells_which_clause_decided(on: On) {
    let app = TestApp::start(on).await;
    let filter = json!({"events": ["pull_request"]});
    let body = json!({"name": "reviews", "to": "http://127.0.0.1:9/", "filter": filter});
    app.post("subscriptions", body).await;
    let guid = app.github("push", &push()).await;
    let path = format!("explain/{guid}?subscription=reviews");
    let explained = app
        .eventually("the decision", async || {
            let (status, answer) = app.ask(Method::GET, &path, None).await;
            // Before the tables have it, the answer knows the webhook and no decision.
            let decided = !answer["receipts"][0]["recorded"].is_null();
            (status.is_success() && decided).then_some(answer)
        })
        .await;
    let receipt = &explained["receipts"][0];
    assert_eq!(receipt["recorded"]["matched"], false);
    assert_eq!(receipt["differs"], false);
    let clauses = receipt["recomputed"]["clauses"].as_array().unwrap();
    let events = clauses
        .iter()
        .find(|clause| clause["clause"] == "events")
        .unwrap();
    assert_eq!(events["holds"], false);
    app.stop().await;
}
