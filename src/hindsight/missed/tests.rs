//! Given a history of a subscription and a decision, what became of the receipt.

use super::*;
use crate::query::ChangeRow;
use hooklog_schemas::control::ConfigurationVersion;
use hooklog_schemas::deliveries::Summary;
use hooklog_schemas::webhook::Facts;
use hooklog_schemas::{
    DeliveryId, EventId, Offset, ReceiptId, SecretId, SourceId, SubscriptionId, Timestamp,
};
use serde_json::{Value, json};
use uuid::Uuid;

const ID: SubscriptionId = SubscriptionId(Uuid::from_u128(7));

fn change(offset: i64, what: &str, filter: Option<Value>) -> ChangeRow {
    ChangeRow {
        at: offset,
        actor: "bo".to_owned(),
        from: "192.0.2.1".to_owned(),
        why: Some("too noisy".to_owned()),
        event_type: format!("subscription.{what}"),
        event: event(offset),
        offset,
        outcome: "applied".to_owned(),
        spec: filter
            .map(|filter| json!({"name": "ci", "team": "t", "to": "https://a/", "filter": filter})),
    }
}

fn event(offset: i64) -> EventId {
    EventId(Uuid::from_u128(offset.unsigned_abs().into()))
}

/// Created at 3, narrowed at 5, widened at 7, deleted at 9.
fn life() -> Life {
    let mut life = Life::of(ID);
    life.fold(&change(3, "created", Some(json!({}))));
    let narrow = json!({"events": ["push"], "repositories": ["acme/*"]});
    life.fold(&change(5, "changed", Some(narrow)));
    life.fold(&change(7, "changed", Some(json!({"events": ["push"]}))));
    life.fold(&change(9, "deleted", None));
    life
}

fn received() -> Received {
    Received {
        receipt: ReceiptId(Uuid::nil()),
        received_at: Timestamp(0),
        source: SourceId(Uuid::nil()),
        source_name: "github".into(),
        secret: SecretId(Uuid::nil()),
        configuration: version(0),
        client: String::new(),
        facts: Facts {
            event: "issues".into(),
            repository: Some("other/api".into()),
            ..Facts::default()
        },
    }
}

fn version(offset: u64) -> ConfigurationVersion {
    ConfigurationVersion {
        offset: Offset(offset),
        event: EventId(Uuid::nil()),
    }
}

fn routed(offset: u64, outcome: Option<MatchOutcome>) -> Routed {
    let found = |outcome| Match {
        subscription: ID,
        name: "ci".into(),
        team: "t".into(),
        destination: "https://a/".into(),
        set_by: None,
        delivery: DeliveryId(Uuid::nil()),
        outcome,
    };
    Routed {
        receipt: ReceiptId(Uuid::nil()),
        webhook: Offset(0),
        cause: "live".into(),
        at: Timestamp(0),
        received_at: Timestamp(0),
        source: SourceId(Uuid::nil()),
        source_name: "github".into(),
        summary: Summary::default(),
        configuration: version(offset),
        matcher: 1,
        matches: outcome.map(found).into_iter().collect(),
        repeats: None,
        error: None,
    }
}

fn delivery(state: &str, reason: Option<&str>, held: Option<&str>) -> DeliveryRow {
    let row = json!({
        "id": Uuid::nil(), "receipt": Uuid::nil(), "cause": "live", "guid": "g",
        "subscription": "ci", "subscription_id": ID, "team": "t", "destination": "https://a/",
        "state": state, "reason": reason, "due_at": null, "held": held, "attempts_made": 1,
        "first_attempt_at": null,
        "event": "push", "action": null, "repository": null, "source": "github",
        "host": "github.com", "created_at": 0, "changed_at": 0, "changed_offset": 0,
        "received_at": 0, "partition": 0,
    });
    serde_json::from_value(row).unwrap()
}

/// The reason, its detail, and the offsets of the evidence.
fn told(routed: &Routed, delivery: Option<&DeliveryRow>) -> (String, String, Vec<i64>) {
    let received = received();
    let told = life().tell(Known {
        routed,
        received: Some(&received),
        delivery,
    });
    let offsets = told.evidence.iter().map(|one| one.offset).collect();
    let detail = told.reason.detail.unwrap_or_default();
    (told.reason.reason, detail, offsets)
}

#[test]
fn what_did_not_match_names_the_clauses_and_who_set_them() {
    let unmatched = |offset| {
        let (reason, detail, evidence) = told(&routed(offset, None), None);
        assert_eq!(reason, "filter");
        (detail, evidence)
    };
    let both = "events, repositories".to_owned();
    assert_eq!(unmatched(5), (both, vec![5]));
    assert_eq!(unmatched(8), ("events".to_owned(), vec![5]));
}

#[test]
fn before_its_creation_and_after_its_deletion_the_event_that_made_the_difference_is_named() {
    let unmatched = |offset| told(&routed(offset, None), None);
    assert_eq!(unmatched(2), ("not_created".into(), String::new(), vec![3]));
    assert_eq!(unmatched(9), ("deleted".into(), String::new(), vec![9]));
}

#[test]
fn a_decision_that_today_s_rules_would_not_make_is_told_as_that() {
    let (reason, ..) = told(&routed(3, None), None);
    assert_eq!(reason, "another_rule");
}

#[test]
fn what_matched_is_told_by_its_delivery() {
    let owed = routed(3, Some(MatchOutcome::Owed));
    let by_command = format!("command:{}", event(77));
    let by_deletion = format!("subscription_deleted:{}", event(9));
    for (delivery, expected) in [
        (delivery("delivered", None, None), ("delivered", "", vec![])),
        (
            delivery("dead", Some("attempts_exhausted"), None),
            ("dead", "attempts_exhausted", vec![]),
        ),
        (
            delivery("open", Some("status:503"), None),
            ("open", "status:503", vec![]),
        ),
        (
            delivery("open", None, Some("the subscription is paused")),
            ("open", "the subscription is paused", vec![9]),
        ),
        (
            delivery("cancelled", Some(&by_command), None),
            ("cancelled", "command", vec![]),
        ),
        (
            delivery("cancelled", Some(&by_deletion), None),
            ("cancelled", "subscription_deleted", vec![9]),
        ),
    ] {
        let (reason, detail, evidence) = told(&owed, Some(&delivery));
        assert_eq!((reason.as_str(), detail.as_str(), evidence), expected);
    }
    let served = routed(3, Some(MatchOutcome::AlreadyDelivered));
    let (reason, detail, _) = told(&served, None);
    assert_eq!(
        (reason.as_str(), detail.as_str()),
        ("served_by_earlier_receipt", "it was delivered")
    );
}

#[test]
fn of_what_was_erased_nobody_can_say_why_it_did_not_match() {
    let told = life().tell(Known {
        routed: &routed(5, None),
        received: None,
        delivery: None,
    });
    assert_eq!(told.reason.reason, "erased");
}
