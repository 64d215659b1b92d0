//! A whole history, and one broken in every way that the rules must catch.

mod breaking;
mod erasing;
mod ordering;

use super::*;
use crate::load::history::Outcome;
use crate::sign::sha256_hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hooklog_schemas::{DeliveryId, ReceiptId, SubscriptionId};
use serde_json::{Value, json};
use uuid::Uuid;

const BODY: &[u8] = b"{\"ref\":\"refs/heads/main\"}";

fn id(n: u128) -> String {
    Uuid::from_u128(n).to_string()
}

fn delivery() -> DeliveryId {
    let (receipt, subscription) = (Uuid::from_u128(1), Uuid::from_u128(2));
    DeliveryId::derive(ReceiptId(receipt), SubscriptionId(subscription), "live")
}

fn operation(outcome: Outcome) -> Operation {
    Operation {
        op: 0,
        step: 0,
        guid: "g1".into(),
        sha256: sha256_hex(BODY),
        invoke: 1,
        complete: 2,
        outcome,
        status: None,
        history: 0,
    }
}

fn receipt(status: u16) -> Receipt {
    Receipt {
        path: "/hook".into(),
        id: delivery().to_string(),
        guid: String::new(),
        sha256: sha256_hex(BODY),
        at: 5,
        status,
        verified: true,
    }
}

fn line(position: &str, event_type: &str, epoch: Option<u64>, value: &Value) -> String {
    named(0, position, event_type, epoch, value)
}

fn named(event: u128, at: &str, event_type: &str, epoch: Option<u64>, value: &Value) -> String {
    let event = id(event);
    json!({
        "position": at, "event_id": event, "type": event_type, "version": 1, "epoch": epoch,
        "value": value,
    })
    .to_string()
}

/// The source whose secret verifies everything.
fn source() -> String {
    let sealed = json!({"key_id": "k", "box_base64": ""});
    let value = json!({
        "id": id(9), "secret": {"id": id(8), "sealed": sealed},
        "by": {"actor": "ann", "from": "local", "at": 0},
    });
    named(7, "control/0@1", "source.created", None, &value)
}

fn webhook(offset: u64, body: &[u8]) -> String {
    let received = json!({
        "receipt": id(1), "received_at": 1, "source": id(9), "source_name": "main",
        "secret": id(8), "configuration": {"offset": 1, "event": id(7)}, "client": "127.0.0.1",
        "facts": {"guid": "g1", "event": "push", "host": "github.com", "body_bytes": body.len()},
    });
    json!({
        "position": format!("webhooks/3@{offset}"), "type": "webhook.received", "version": 1,
        "headers": [{"name": "hooklog_received", "value": received.to_string()}],
        "body_base64": BASE64.encode(body),
    })
    .to_string()
}

fn routed(offset: u64, epoch: u64) -> String {
    let value = json!({
        "receipt": id(1), "webhook": 0, "cause": "live", "at": 2, "received_at": 1,
        "source": id(9), "source_name": "main", "summary": {"guid": "g1", "event": "push"},
        "configuration": {"offset": 1, "event": id(7)}, "matcher": 1,
        "matches": [{
            "subscription": id(2), "name": "all", "team": "default", "destination": "http://h/",
            "delivery": delivery(), "outcome": "owed",
        }],
    });
    line(
        &format!("deliveries/3@{offset}"),
        "webhook.routed",
        Some(epoch),
        &value,
    )
}

fn acquired(offset: u64) -> String {
    let value = json!({"process": id(6), "at": offset});
    let position = format!("deliveries/3@{offset}");
    line(&position, "partition.acquired", Some(offset), &value)
}

fn attempted(offset: u64, epoch: u64, number: u32, status: u16, verdict: &Value) -> String {
    let value = json!({
        "delivery": delivery(), "receipt": id(1), "subscription": id(2), "number": number,
        "started_at": 3, "duration_us": 1, "target": "http://h/", "outcome": {"status": status},
        "verdict": verdict, "configuration": {"offset": 1, "event": id(7)},
    });
    line(
        &format!("deliveries/3@{offset}"),
        "delivery.attempted",
        Some(epoch),
        &value,
    )
}

fn evidence(lines: &[String]) -> Evidence {
    let mut log = Log::default();
    for line in lines.iter().chain([&source()]) {
        log.add(line).unwrap();
    }
    Evidence {
        operations: vec![operation(Outcome::Ok)],
        receipts: vec![receipt(200)],
        log,
        tables: Some(vec![Row {
            id: delivery().to_string(),
            state: "delivered".into(),
        }]),
        in_flight: 256,
        ..Evidence::default()
    }
}

/// One webhook, accepted, routed, delivered.
fn whole() -> Evidence {
    evidence(&[
        webhook(0, BODY),
        acquired(0),
        routed(1, 0),
        attempted(2, 0, 1, 200, &json!("delivered")),
    ])
}

fn rules(evidence: &Evidence) -> Vec<&'static str> {
    check(evidence).into_iter().map(|one| one.rule).collect()
}

#[test]
fn a_whole_history_has_no_violation() {
    assert_eq!(check(&whole()), Vec::new());
}

#[test]
fn an_accepted_webhook_that_is_not_stored_is_found() {
    let mut evidence = whole();
    evidence.operations.push(Operation {
        guid: "g2".into(),
        ..operation(Outcome::Ok)
    });
    assert_eq!(rules(&evidence), ["durable accept"]);
}

#[test]
fn a_refused_webhook_that_is_stored_is_found() {
    let mut evidence = whole();
    evidence.operations = vec![operation(Outcome::Fail)];
    assert_eq!(rules(&evidence), ["no phantom"]);
    evidence.operations = vec![operation(Outcome::Info)];
    assert!(rules(&evidence).is_empty());
}

#[test]
fn a_webhook_that_nobody_sent_is_found() {
    let mut evidence = whole();
    evidence.operations.clear();
    assert_eq!(rules(&evidence), ["no phantom"]);
}

#[test]
fn stored_bytes_that_differ_are_found() {
    let mut evidence = evidence(&[
        webhook(0, b"{}"),
        acquired(0),
        routed(1, 0),
        attempted(2, 0, 1, 200, &json!("delivered")),
    ]);
    evidence.operations = vec![operation(Outcome::Info)];
    assert_eq!(rules(&evidence), ["byte fidelity", "byte fidelity"]);
}

#[test]
fn a_webhook_without_a_decision_is_found() {
    let mut evidence = evidence(&[webhook(0, BODY), acquired(0)]);
    evidence.receipts.clear();
    evidence.tables = None;
    assert_eq!(rules(&evidence), ["every receipt is decided"]);
}

#[test]
fn a_decision_of_a_former_owner_does_not_count() {
    let mut evidence = evidence(&[webhook(0, BODY), acquired(0), acquired(1), routed(2, 0)]);
    evidence.receipts.clear();
    evidence.tables = None;
    assert_eq!(rules(&evidence), ["every receipt is decided"]);
}

#[test]
fn an_attempt_that_nobody_owes_is_found() {
    let mut evidence = evidence(&[acquired(0), attempted(2, 0, 1, 200, &json!("delivered"))]);
    evidence.operations.clear();
    evidence.tables = None;
    assert_eq!(rules(&evidence), ["only what is owed", "no stray delivery"]);
}

#[test]
fn an_open_delivery_is_found_and_so_are_tables_that_differ() {
    let mut evidence = evidence(&[webhook(0, BODY), acquired(0), routed(1, 0)]);
    evidence.receipts.clear();
    assert_eq!(
        rules(&evidence),
        ["terminal liveness", "tables are the log"]
    );
}

#[test]
fn a_row_that_the_log_does_not_know_is_found() {
    let mut evidence = whole();
    evidence.tables.as_mut().unwrap().push(Row {
        id: id(77),
        state: "dead".into(),
    });
    assert_eq!(rules(&evidence), ["tables are the log"]);
}

#[test]
fn a_delivered_one_that_nobody_took_is_found() {
    let mut evidence = whole();
    evidence.receipts = vec![receipt(500)];
    assert_eq!(rules(&evidence), ["at least once"]);
}

#[test]
fn a_duplicate_without_a_new_owner_is_found() {
    let mut evidence = whole();
    evidence.receipts.push(receipt(200));
    assert_eq!(
        rules(&evidence),
        ["attempt accounting", "duplicates are bounded"]
    );
}

#[test]
fn a_duplicate_that_a_new_owner_explains_is_no_violation() {
    let mut evidence = evidence(&[
        webhook(0, BODY),
        acquired(0),
        routed(1, 0),
        acquired(2),
        attempted(3, 2, 1, 200, &json!("delivered")),
    ]);
    evidence.receipts.push(receipt(200));
    assert_eq!(check(&evidence), Vec::new());
    let crashed = attempts::Crashed::count(&evidence.receipts, &evidence.log);
    assert_eq!((crashed.unrecorded, crashed.taken_again), (1, 1));
    evidence.receipts.push(receipt(200));
    assert_eq!(rules(&evidence), ["attempt accounting"]);
    evidence.receipts.pop();
    evidence.in_flight = 0;
    assert_eq!(rules(&evidence), ["duplicates are bounded"]);
}

#[test]
fn a_new_owner_after_the_delivery_explains_nothing() {
    let mut evidence = evidence(&[
        webhook(0, BODY),
        acquired(0),
        routed(1, 0),
        attempted(2, 0, 1, 200, &json!("delivered")),
        acquired(3),
    ]);
    evidence.receipts.push(receipt(200));
    assert_eq!(rules(&evidence), ["attempt accounting"]);
}

#[test]
fn a_recorded_answer_that_no_subscriber_gave_is_found() {
    let retry = json!({"retry": {"at": 9}});
    let evidence = evidence(&[
        webhook(0, BODY),
        acquired(0),
        routed(1, 0),
        attempted(2, 0, 1, 503, &retry),
        attempted(3, 0, 2, 200, &json!("delivered")),
    ]);
    assert_eq!(rules(&evidence), ["attempt accounting"]);
}

#[test]
fn a_dead_letter_that_was_taken_is_found() {
    let dead = json!({"dead_lettered": {"reason": "attempts_exhausted"}});
    let mut evidence = evidence(&[
        webhook(0, BODY),
        acquired(0),
        routed(1, 0),
        attempted(2, 0, 1, 500, &dead),
    ]);
    evidence.tables = None;
    assert_eq!(rules(&evidence), ["a taken delivery is delivered"]);
}

#[test]
fn a_second_first_delivery_of_the_same_event_is_found() {
    let again = webhook(1, BODY).replace(&id(1), &id(11));
    let mut second: Value = serde_json::from_str(&routed(3, 0)).unwrap();
    second["value"]["receipt"] = json!(id(11));
    second["value"]["webhook"] = json!(1);
    let mut evidence = evidence(&[
        webhook(0, BODY),
        again,
        acquired(0),
        routed(1, 0),
        attempted(2, 0, 1, 200, &json!("delivered")),
        second.to_string(),
    ]);
    evidence.operations.push(operation(Outcome::Ok));
    assert_eq!(rules(&evidence), ["single first"]);
}

#[test]
fn a_wrong_signature_and_a_stray_delivery_are_found() {
    let mut evidence = whole();
    evidence.receipts[0].verified = false;
    assert_eq!(rules(&evidence), ["valid signature"]);
    evidence.receipts[0] = Receipt {
        id: id(99),
        ..receipt(200)
    };
    assert_eq!(rules(&evidence), ["no stray delivery", "at least once"]);
}
