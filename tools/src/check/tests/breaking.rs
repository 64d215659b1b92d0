//! What is done to processes, and what it does not explain.

use super::*;
use crate::chaos::{Incident, Kind};

const SECOND: i64 = 1_000_000;

fn incident(kind: Kind, begin: i64, end: i64) -> Incident {
    Incident {
        kind,
        who: "worker-1".into(),
        begin: begin * SECOND,
        end: end * SECOND,
        note: None,
    }
}

/// Starts when the processes of [`whole`] start.
fn started() -> Incident {
    incident(Kind::Started, 0, 1)
}

/// Two owners, and a delivery that was taken under each of them, seconds apart.
fn taken_twice(seconds: i64, incidents: Vec<Incident>) -> Evidence {
    let mut evidence = evidence(&[
        webhook(0, BODY),
        acquired(0),
        routed(1, 0),
        acquired(2),
        attempted(3, 2, 1, 200, &json!("delivered")),
    ]);
    evidence.receipts[0].at = 100 * SECOND;
    let mut again = receipt(200);
    again.at = (100 + seconds) * SECOND;
    evidence.receipts.push(again);
    evidence.faults = Some(incidents);
    evidence
}

/// The same, where the second owner began at that second.
fn taken_twice_with_owner_at(owner: i64, incidents: Vec<Incident>) -> Evidence {
    let mut evidence = taken_twice(8, incidents);
    let partition = evidence.log.acquired_at[1].0;
    let at = hooklog_schemas::Timestamp(owner * SECOND);
    evidence.log.acquired_at[1] = (partition, 2, at);
    evidence
}

#[test]
fn a_delivery_that_is_taken_again_by_a_new_owner_after_a_fault_is_no_violation() {
    let fault = incident(Kind::WorkerPaused, 101, 110);
    let evidence = taken_twice_with_owner_at(107, vec![started(), fault]);
    assert_eq!(check(&evidence), Vec::new());
}

#[test]
fn a_delivery_that_is_taken_again_without_a_new_owner_is_found_whatever_fault_there_was() {
    for fault in [
        incident(Kind::WorkerPaused, 101, 110),
        incident(Kind::BrokerKilled, 101, 107),
        incident(Kind::ReceiverKilled, 101, 110),
    ] {
        for owner in [40, 109] {
            let evidence = taken_twice_with_owner_at(owner, vec![started(), fault.clone()]);
            assert_eq!(rules(&evidence), ["duplicates follow a fault"]);
        }
    }
}

#[test]
fn more_duplicates_after_a_fault_than_were_under_way_are_found() {
    for (kind, who) in [
        (Kind::WorkerKilled, "worker-1"),
        (Kind::WorkerPaused, "worker-1"),
        (Kind::BrokerKilled, "broker"),
    ] {
        let fault = Incident {
            who: who.into(),
            ..incident(kind, 101, 107)
        };
        let mut evidence = taken_twice_with_owner_at(107, vec![started(), fault]);
        assert_eq!(check(&evidence), Vec::new());
        evidence.in_flight = 0;
        let bounded = |rule: &&str| *rule == "duplicates are bounded by what was in flight";
        assert!(rules(&evidence).iter().any(bounded), "{kind:?}");
    }
}

#[test]
fn an_owner_that_begins_without_a_fault_is_counted() {
    let log = whole().log;
    let count = |incidents: &[Incident]| faults::unprovoked(incidents, &log);
    assert_eq!(count(&[incident(Kind::WorkerKilled, 200, 201)]), 1);
    assert_eq!(count(&[incident(Kind::ReceiverKilled, 0, 1)]), 1);
    assert_eq!(count(&[started()]), 0);
}

#[test]
fn a_new_owner_between_explains_a_second_delivery_without_a_fault() {
    let mut evidence = taken_twice(8, vec![started()]);
    let partition = evidence.log.acquired_at[1].0;
    let at = hooklog_schemas::Timestamp(104 * SECOND);
    evidence.log.acquired_at[1] = (partition, 2, at);
    assert_eq!(check(&evidence), Vec::new());
    evidence.log.acquired_at[1].0 += 1;
    assert_eq!(rules(&evidence), ["duplicates follow a fault"]);
}

#[test]
fn a_process_that_ends_by_itself_is_found_unless_the_log_was_away() {
    let ended = incident(Kind::Ended, 60, 60);
    let mut evidence = whole();
    evidence.faults = Some(vec![started(), ended.clone()]);
    assert_eq!(rules(&evidence), ["nobody ends by itself"]);
    let away = incident(Kind::BrokerKilled, 50, 58);
    evidence.faults = Some(vec![started(), ended, away]);
    assert_eq!(check(&evidence), Vec::new());
}

#[test]
fn an_epoch_that_nobody_began_before_is_found() {
    let evidence = evidence(&[
        webhook(0, BODY),
        acquired(0),
        routed(1, 0),
        attempted(2, 3, 1, 200, &json!("delivered")),
        acquired(3),
    ]);
    assert_eq!(rules(&evidence), ["epochs are begun first"]);
}

#[test]
fn tables_that_follow_a_decision_of_a_former_owner_are_found() {
    let dead = json!({"dead_lettered": {"reason": "attempts_exhausted"}});
    let mut evidence = evidence(&[
        webhook(0, BODY),
        acquired(0),
        routed(1, 0),
        acquired(2),
        attempted(3, 0, 1, 500, &dead),
        attempted(4, 2, 1, 200, &json!("delivered")),
    ]);
    evidence.receipts.push(receipt(500));
    assert_eq!(check(&evidence), Vec::new());
    assert_eq!(evidence.log.stale["delivery.attempted"], 1);
    evidence.tables.as_mut().unwrap()[0].state = "dead".into();
    assert_eq!(rules(&evidence), ["tables are the log"]);
}

#[test]
fn what_a_former_owner_tells_of_an_attempt_later_is_not_the_one_that_gave_it_up() {
    let retry = json!({"retry": {"at": 9}});
    let dead = json!({"dead_lettered": {"reason": "attempts_exhausted"}});
    let told = |second: u32| {
        let mut evidence = evidence(&[
            webhook(0, BODY),
            acquired(0),
            routed(1, 0),
            acquired(2),
            attempted(3, 2, 1, 500, &retry),
            attempted(4, 2, second, 500, &dead),
            attempted(5, 0, 1, 500, &retry),
        ]);
        let subscription = evidence
            .log
            .deliveries
            .values()
            .next()
            .unwrap()
            .subscription;
        evidence.log.attempts_max.insert(subscription, 2);
        evidence.tables.as_mut().unwrap()[0].state = "dead".into();
        rules(&evidence).contains(&"given up too early")
    };
    assert!(!told(2));
    assert!(told(1));
}

/// Two webhooks of one receiver in one partition: the log has the second first.
fn two_requests(first_answered: i64) -> Evidence {
    let other = webhook(0, BODY)
        .replace(&id(1), &id(11))
        .replace("g1", "g2");
    let mut decided: Value = serde_json::from_str(&routed(1, 0)).unwrap();
    decided["value"]["receipt"] = json!(id(11));
    decided["value"]["summary"]["guid"] = json!("g2");
    decided["value"]["matches"] = json!([]);
    let mut owed: Value = serde_json::from_str(&routed(2, 0)).unwrap();
    owed["value"]["webhook"] = json!(1);
    let mut evidence = evidence(&[
        other,
        webhook(1, BODY),
        acquired(0),
        decided.to_string(),
        owed.to_string(),
        attempted(3, 0, 1, 200, &json!("delivered")),
    ]);
    evidence.operations[0].complete = first_answered;
    evidence.operations.push(Operation {
        guid: "g2".into(),
        invoke: 10,
        complete: 20,
        ..operation(Outcome::Ok)
    });
    evidence
}

#[test]
fn a_webhook_that_overtook_one_answered_before_is_found() {
    assert_eq!(rules(&two_requests(9)), ["in the order of receipt"]);
}

#[test]
fn webhooks_under_way_at_once_and_those_of_two_receivers_have_no_order() {
    assert_eq!(check(&two_requests(11)), Vec::new());
    let mut evidence = two_requests(9);
    evidence.operations[1].history = 1;
    assert_eq!(check(&evidence), Vec::new());
}

#[test]
fn a_receipt_whose_append_was_tried_again_is_one() {
    let mut second: Value = serde_json::from_str(&routed(3, 0)).unwrap();
    second["value"]["webhook"] = json!(1);
    second["value"]["matches"][0]["outcome"] = json!("already_delivered");
    let evidence = evidence(&[
        webhook(0, BODY),
        webhook(1, BODY),
        acquired(0),
        routed(1, 0),
        attempted(2, 0, 1, 200, &json!("delivered")),
        second.to_string(),
    ]);
    assert_eq!(check(&evidence), Vec::new());
}
