//! What is handed to statements, and what is not.

use super::super::events::RECEIVED;
use super::super::handed::examples;
use super::super::reading::{Reading, read};
use super::*;
use crate::log::EventLog;
use crate::log::memory::MemoryLog;
use hooklog_schemas::{
    Append, EventId, EventType, Header, Key, Offset, Partition, Timestamp, Topic, example,
    known_types,
};
use serde_json::json;
use uuid::Uuid;

const RECEIPT: &str = "019a3c5e-7d1f-7c3a-b1de-000000000010";

fn append(event: &str, epoch: Option<u64>, value: Value) -> Append {
    Append {
        partition: Partition(0),
        event_id: EventId(Uuid::nil()),
        key: Key(Uuid::now_v7()),
        event_type: EventType::read(event),
        version: 1,
        epoch: epoch.map(Offset),
        at: Timestamp(7),
        headers: Vec::new(),
        value: Some(value.to_string().into()),
    }
}

fn given(event: &str) -> Value {
    serde_json::from_str(example(event).unwrap()).unwrap()
}

/// A receipt with this body.
fn received(body: &str) -> Append {
    let meta = given(RECEIVED).to_string();
    let header = Header::new(hooklog_schemas::webhook::METADATA_HEADER, meta);
    Append {
        headers: vec![header],
        value: Some(body.to_owned().into()),
        ..append(RECEIVED, None, Value::Null)
    }
}

fn erasure(repository: Option<i64>) -> Append {
    let by = json!({"actor": "ann", "from": "local", "at": 1, "why": "asked"});
    let receipts = json!([{"receipt": RECEIPT, "partition": 0, "offset": 0}]);
    let order =
        json!({"receipts": receipts, "repository_id": repository, "sender_id": null, "by": by});
    append("erasure.requested", None, order)
}

/// The events that are handed over of what was appended, in the order of topics.
async fn handed(appends: Vec<(Topic, Append)>, wanted: &[&str]) -> Vec<Value> {
    let log = MemoryLog::new(1);
    for (topic, append) in appends {
        log.append(topic, vec![append]).await.unwrap();
    }
    let mut erasures = Erasures::default();
    erasures.catch_up(&log).await.unwrap();
    let wanted: BTreeSet<String> = wanted.iter().map(|event| (*event).to_owned()).collect();
    let place = Place::start(EventId(Uuid::nil()));
    let topics = Topic::ALL.into_iter().collect();
    let reading = Reading {
        topics: &topics,
        turn: 0,
        records_max: 1_000,
        to_the_end: false,
    };
    let records = read(&log, &reading, &place).await.unwrap().records;
    let batch = Batch::of(&records, &wanted, &erasures, (&place, 1_000))
        .await
        .unwrap();
    assert_eq!(batch.text().is_some(), batch.count() > 0);
    batch.events
}

#[tokio::test]
async fn an_event_comes_with_its_place_and_its_body() {
    let appends = vec![
        (
            Topic::Deliveries,
            append("partition.acquired", None, given("partition.acquired")),
        ),
        (
            Topic::Deliveries,
            append("body.read", None, given("body.read")),
        ),
    ];
    let events = handed(appends, &["body.read"]).await;
    assert_eq!(events.len(), 1);
    let mut event = events[0].clone();
    assert_eq!(event["data"].take(), given("body.read"));
    let expected = json!({"topic": "deliveries", "partition": 0, "offset": 1, "id": Uuid::nil().to_string(),
        "type": "body.read", "version": 1, "appended_at": 7, "data": null});
    assert_eq!(event, expected);
}

#[tokio::test]
async fn a_receipt_comes_with_its_body_until_it_is_to_be_erased() {
    let body = r#"{"alert":{"secret_type":"a\u0000b"}}"#;
    let mut appends = vec![(Topic::Webhooks, received(body))];
    let events = handed(appends.clone(), &[RECEIVED]).await;
    let data = &events[0]["data"];
    assert_eq!(data["facts"]["repository"], "acme/api");
    assert_eq!(data["body"]["alert"]["secret_type"], "a\u{fffd}b");
    assert!(data.get("secret").is_none());
    appends.push((Topic::Control, erasure(None)));
    assert_eq!(handed(appends, &[RECEIVED]).await, Vec::<Value>::new());
    let unparsed = vec![(Topic::Webhooks, received("no JSON"))];
    assert_eq!(
        handed(unparsed, &[RECEIVED]).await[0]["data"]["body"],
        Value::Null
    );
}

#[tokio::test]
async fn names_that_are_to_be_erased_are_blank_in_decisions_and_excerpts_are_left_out() {
    let appends = |order| {
        let events = ["webhook.routed", "delivery.answered"];
        let decided = events.map(|event| (Topic::Deliveries, append(event, Some(0), given(event))));
        decided
            .into_iter()
            .chain([(Topic::Control, order)])
            .collect()
    };
    let wanted = ["webhook.routed", "delivery.answered"];
    let events = handed(appends(erasure(None)), &wanted).await;
    assert_eq!(events.len(), 1, "{events:?}");
    let summary = &events[0]["data"]["summary"];
    for name in ["repository", "sender_id", "git_ref"] {
        assert!(summary.get(name).is_none(), "{summary}");
    }
    assert_eq!(summary["repository_id"], 1_296_269);
    let events = handed(appends(erasure(Some(1))), &wanted).await;
    assert_eq!(events[0]["data"]["summary"]["sender_id"], 583_231);
}

#[tokio::test]
async fn what_was_decided_late_or_twice_is_left_out_and_attempts_are_not() {
    let acquired = || append("partition.acquired", None, given("partition.acquired"));
    let by = |event, epoch| append(event, Some(epoch), given(event));
    let appends = vec![
        acquired(),
        by("delivery.requeued", 0),
        acquired(),
        by("webhook.routed", 0),
        by("delivery.requeued", 0),
        by("delivery.attempted", 0),
        by("webhook.routed", 2),
        by("webhook.routed", 2),
    ];
    let appends = appends
        .into_iter()
        .map(|append| (Topic::Deliveries, append));
    let wanted = ["webhook.routed", "delivery.attempted", "delivery.requeued"];
    let events = handed(appends.collect(), &wanted).await;
    let offsets: Vec<_> = events
        .iter()
        .map(|event| event["offset"].as_u64().unwrap())
        .collect();
    assert_eq!(offsets, [1, 5, 6]);
}

#[tokio::test]
async fn secrets_are_handed_to_nobody() {
    let events = ["secret.rotated", "source.created", "token.created"];
    let appends = events.map(|event| (Topic::Control, append(event, None, given(event))));
    let handed = handed(appends.to_vec(), &events).await;
    assert_eq!(handed.len(), 3);
    let text = Value::from(handed).to_string();
    for word in ["sealed", "sha256"] {
        assert!(!text.contains(word), "{text}");
    }
}

#[test]
fn there_is_an_example_of_every_type() {
    let all: BTreeSet<_> = known_types().map(|(event, _)| event.to_owned()).collect();
    let events: Vec<Value> = serde_json::from_str(&examples(&all)).unwrap();
    assert_eq!(events.len(), all.len());
    assert!(events.iter().all(|event| event["data"].is_object()));
}
