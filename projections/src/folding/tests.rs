//! Given events, when they are folded, then rows.

mod fixtures;
mod given;
mod rows;

use super::*;
use crate::table::Value;
use crate::{
    attempts, counts, dead_letters, deliveries, erasures, reads, sources, subscriptions, webhooks,
};
use given::{COMMAND, Given, SECOND, START, dead, delivery, matched, receipt, retry};
use hooklog_schemas::deliveries::{BodyRead, MatchOutcome, RepeatKind, Repeats, Verdict};
use hooklog_schemas::{EventId, Offset, Position, Record, SubscriptionId, Timestamp};
use rows::{folded, pick};
use uuid::Uuid;

fn text(text: &str) -> Value {
    Value::text(text)
}

#[test]
fn a_decision_becomes_a_webhook_and_its_deliveries_which_are_open_and_due_at_once() {
    let mut given = Given::default();
    given.owed(3);
    let rows = folded(&given);
    let columns = ["guid", "event", "matches", "webhook_offset", "body_bytes"];
    let expected = [
        text("guid-3"),
        text("push"),
        Value::Int(1),
        Value::Int(3),
        Value::Int(9_000),
    ];
    assert_eq!(rows.only(&webhooks::TABLE, &columns), expected);
    let at = START + 3 * SECOND + 500;
    let columns = [
        "state",
        "due_at",
        "attempts",
        "source",
        "subscription",
        "repository",
    ];
    let expected = [
        text("open"),
        Value::Int(at),
        Value::Int(0),
        text("acme"),
        text("first"),
        text("acme/site"),
    ];
    assert_eq!(rows.only(&deliveries::TABLE, &columns), expected);
    let columns = ["state", "at", "due_at"];
    let expected = [text("open"), Value::Int(at), Value::Int(at)];
    assert_eq!(rows.only(&deliveries::TRANSITIONS, &columns), expected);
}

#[test]
fn what_the_owner_subtracted_is_not_owed() {
    let mut given = Given::default();
    given.routed(0, |routed| {
        routed.matches[0].outcome = MatchOutcome::AlreadyDelivered;
        routed.repeats = Some(Repeats {
            kind: RepeatKind::Redelivery,
            receipt: receipt(9),
        });
    });
    let rows = folded(&given);
    assert!(rows.of(&deliveries::TABLE).is_empty());
    let columns = ["repeats", "repeats_receipt", "matches"];
    let earlier = Value::Id(receipt(9).0.into_bytes());
    let expected = [text("redelivery"), earlier, Value::Int(1)];
    assert_eq!(rows.only(&webhooks::TABLE, &columns), expected);
}

#[test]
fn a_delivery_goes_through_retries_to_its_end() {
    let mut given = Given::default();
    let id = given.owed(0);
    given.attempted(id, 1, 10, retry(20));
    given.attempted(id, 2, 20, Verdict::Delivered);
    let rows = folded(&given);
    let columns = ["state", "due_at", "reason", "attempts", "changed_at"];
    let ended = Value::Int(START + 20 * SECOND + 100_000);
    let expected = [
        text("delivered"),
        Value::Null,
        Value::Null,
        Value::Int(2),
        ended,
    ];
    assert_eq!(rows.only(&deliveries::TABLE, &columns), expected);
    let states: Vec<_> = rows
        .of(&deliveries::TRANSITIONS)
        .into_iter()
        .map(|row| pick(&deliveries::TRANSITIONS, row, &["state", "reason"]))
        .collect();
    let expected = [
        [text("open"), Value::Null],
        [text("open"), text("status:503")],
        [text("delivered"), Value::Null],
    ];
    assert_eq!(states, expected);
    assert_eq!(rows.of(&attempts::TABLE).len(), 2);
}

#[test]
fn a_dead_letter_goes_when_it_is_requeued_and_counts_its_attempts_anew() {
    let mut given = Given::default();
    let id = given.owed(0);
    given.attempted(id, 1, 10, dead());
    let rows = folded(&given);
    let columns = ["state", "reason", "died_at"];
    let died = Value::Int(START + 10 * SECOND + 100_000);
    let expected = [text("dead"), text("attempts_exhausted"), died];
    assert_eq!(rows.only(&dead_letters::TABLE, &columns), expected);

    given.requeued(id, 30);
    let rows = folded(&given);
    assert!(rows.of(&dead_letters::TABLE).is_empty());
    let columns = ["state", "due_at", "attempts", "reason"];
    let due = Value::Int(START + 30 * SECOND);
    let because = text(&format!("command:{COMMAND}"));
    let expected = [text("open"), due, Value::Int(0), because];
    assert_eq!(rows.only(&deliveries::TABLE, &columns), expected);
}

#[test]
fn a_cancelled_delivery_stays_cancelled_unless_it_was_delivered_after_all() {
    let mut given = Given::default();
    let id = given.owed(0);
    given.cancelled(id, 5);
    given.attempted(id, 1, 4, retry(60));
    let rows = folded(&given);
    assert_eq!(
        rows.only(&deliveries::TABLE, &["state"]),
        [text("cancelled")]
    );
    given.attempted(id, 1, 4, Verdict::Delivered);
    let rows = folded(&given);
    assert_eq!(
        rows.only(&deliveries::TABLE, &["state"]),
        [text("delivered")]
    );
}

#[test]
fn a_decision_of_a_former_owner_is_ignored_and_its_attempts_are_evidence() {
    let mut given = Given::default();
    let former = given.acquired();
    let id = given.owed(0);
    let owner = given.acquired();
    given.epoch = Some(former);
    given.owed(1);
    given.cancelled(id, 7);
    given.attempted(id, 1, 8, dead());
    let rows = folded(&given);
    assert_eq!(rows.of(&webhooks::TABLE).len(), 1);
    assert_eq!(rows.only(&deliveries::TABLE, &["state"]), [text("open")]);
    assert_eq!(rows.of(&attempts::TABLE).len(), 1);

    given.attempted(id, 1, 9, Verdict::Delivered);
    given.epoch = Some(owner);
    given.owed(1);
    let rows = folded(&given);
    let states: Vec<_> = rows
        .of(&deliveries::TABLE)
        .into_iter()
        .map(|row| pick(&deliveries::TABLE, row, &["id", "state"]))
        .collect();
    let mut expected = [
        [Value::Id(id.0.into_bytes()), text("delivered")],
        [Value::Id(delivery(1).0.into_bytes()), text("open")],
    ];
    expected.sort();
    assert_eq!(states, expected);
}

#[test]
fn the_first_decision_about_a_receipt_counts_whatever_the_order() {
    let mut given = Given::default();
    given.owed(0);
    given.owed(2);
    given.owed(1);
    given.routed(1, |routed| routed.matches.clear());
    given.routed(2, |routed| routed.summary.guid = "other".into());
    let rows = folded(&given);
    assert_eq!(rows.of(&deliveries::TABLE).len(), 3);
    let guids: Vec<_> = rows
        .of(&webhooks::TABLE)
        .into_iter()
        .map(|row| pick(&webhooks::TABLE, row, &["guid", "matches"]))
        .collect();
    let expected = ["guid-0", "guid-1", "guid-2"].map(|guid| [text(guid), Value::Int(1)]);
    assert_eq!(guids, expected);
}

#[test]
fn a_replay_owes_deliveries_of_its_own_once() {
    let mut given = Given::default();
    given.owed(0);
    for _ in 0..2 {
        given.routed(0, |routed| {
            routed.cause = "replay-1".into();
            let other = SubscriptionId(Uuid::from_u128(501));
            routed.matches = vec![matched(routed.receipt, other, MatchOutcome::Owed)];
        });
    }
    let rows = folded(&given);
    assert_eq!(rows.of(&webhooks::TABLE).len(), 1);
    assert_eq!(rows.of(&deliveries::TABLE).len(), 2);
    assert_eq!(rows.of(&deliveries::TRANSITIONS).len(), 2);
}

#[test]
fn minutes_count_what_happened_in_them() {
    let mut given = Given::default();
    let (first, second) = (given.owed(0), given.owed(1));
    given.attempted(first, 1, 2, Verdict::Delivered);
    given.attempted(second, 1, 3, retry(61));
    given.attempted(second, 2, 61, dead());
    let rows = folded(&given);
    let counts: Vec<_> = rows
        .of(&counts::TABLE)
        .into_iter()
        .map(|row| &row[2..])
        .collect();
    let minute = |at: i64, counts: [i64; 5]| {
        let mut row = vec![Value::Int(at), text("acme")];
        row.extend(counts.map(Value::Int));
        row
    };
    let next = START + 60 * SECOND;
    let expected = [
        minute(START, [2, 2, 1, 1, 0]),
        minute(next, [0, 0, 0, 1, 1]),
    ];
    assert_eq!(counts, expected);
}

#[test]
fn an_excerpt_is_found_until_it_is_erased() {
    let mut given = Given::default();
    let id = given.owed(0);
    given.attempted(id, 1, 1, retry(9));
    let key = given.answered(id, 1, 1);
    let rows = folded(&given);
    let expected = [Value::Int(2), Value::Int(1)];
    assert_eq!(
        rows.only(&attempts::ANSWERS, &["record_offset", "number"]),
        expected
    );
    given.tombstone(key);
    assert!(folded(&given).of(&attempts::ANSWERS).is_empty());
}

#[test]
fn a_subscription_has_one_row_and_one_more_for_each_change_even_the_lost_ones() {
    let mut given = Given::default();
    let created = given.subscription_created();
    let renamed = given.subscription_renamed(created, "second");
    given.subscription_renamed(created, "third");
    let rows = folded(&given);
    let columns = ["name", "version", "deleted"];
    let version = Value::Id(renamed.0.into_bytes());
    let expected = [text("second"), version, Value::Int(0)];
    assert_eq!(rows.only(&subscriptions::TABLE, &columns), expected);
    let history: Vec<_> = rows
        .of(&subscriptions::HISTORY)
        .into_iter()
        .map(|row| {
            pick(
                &subscriptions::HISTORY,
                row,
                &["event_type", "actor", "outcome"],
            )
        })
        .collect();
    let row = |event_type, actor, outcome| [text(event_type), text(actor), text(outcome)];
    let expected = [
        row("subscription.created", "ann", "applied"),
        row("subscription.changed", "bob", "applied"),
        row("subscription.changed", "bob", "conflict"),
    ];
    assert_eq!(history, expected);
    assert!(rows.of(&sources::TABLE).is_empty());
}

#[test]
fn an_erasure_names_its_receipts() {
    let mut given = Given::default();
    given.erasure(4, Some(7), None);
    let rows = folded(&given);
    let columns = [
        "receipt",
        "webhook_offset",
        "repository_id",
        "sender_id",
        "why",
    ];
    let id = Value::Id(receipt(4).0.into_bytes());
    let expected = [id, Value::Int(4), Value::Int(7), Value::Null, text("asked")];
    assert_eq!(rows.only(&erasures::TABLE, &columns), expected);
}

#[test]
fn who_looked_at_a_body_is_kept_once_a_look() {
    let mut given = Given::default();
    given.owed(0);
    for second in [10, 20] {
        given.deliveries(BodyRead {
            receipt: receipt(0),
            actor: "ann".into(),
            from: "192.0.2.1".into(),
            at: Timestamp(START + second * SECOND),
        });
    }
    let rows = folded(&given);
    let looks = rows.of(&reads::TABLE).into_iter();
    let columns = ["receipt", "actor", "from_address", "at"];
    let looks: Vec<_> = looks
        .map(|row| pick(&reads::TABLE, row, &columns))
        .collect();
    let look = |second: i64| {
        let at = Value::Int(START + second * SECOND);
        let id = Value::Id(receipt(0).0.into_bytes());
        vec![id, text("ann"), text("192.0.2.1"), at]
    };
    assert_eq!(looks, [look(10), look(20)]);
}

#[test]
fn a_record_that_was_folded_before_changes_nothing() {
    let mut given = Given::default();
    given.owed(0);
    let (topic, append) = given.appends[0].clone();
    let record = Record::placed(append, topic, Offset(0), Timestamp(0));
    let decoded = Decoded::of(&record).unwrap();
    let start = Checkpoint::start(EventId(Uuid::nil()));
    let mut folding = Folding::resume(start, Configuration::default(), &[], 10).unwrap();
    folding.fold(&decoded);
    assert!(folding.take().rows() > 0);
    folding.fold(&decoded);
    assert_eq!(folding.take().rows(), 0);
    let next = Position {
        offset: Offset(1),
        ..decoded.position
    };
    assert_eq!(folding.checkpoint().positions().collect::<Vec<_>>(), [next]);
}
