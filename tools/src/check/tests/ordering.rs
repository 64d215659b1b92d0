//! What operators order, and every way in which it may go wrong.

use super::*;

const LATE: i64 = 60_000_000;

/// An event of `control`: number and offset are the same.
fn control(number: u64, event_type: &str, at: i64, value: &Value) -> String {
    let mut value = value.clone();
    let why = format!("order-{number}");
    value["by"] = json!({"actor": "ann", "from": "local", "at": at, "why": why});
    let place = format!("control/0@{number}");
    named(u128::from(number), &place, event_type, None, &value)
}

fn scoped(number: u64, event_type: &str, at: i64) -> String {
    let value = json!({"scope": {"subscription": id(2)}});
    control(number, event_type, at, &value)
}

fn applied(offset: u64, command: u64) -> String {
    let value = json!({"command": id(u128::from(command)), "count": 1, "at": LATE});
    let place = format!("deliveries/3@{offset}");
    line(&place, "command.applied", Some(0), &value)
}

fn decided(offset: u64, event_type: &str, at: i64, because: &Value) -> String {
    let value = json!({
        "delivery": delivery(), "receipt": id(1), "subscription": id(2), "because": because,
        "at": at,
    });
    line(
        &format!("deliveries/3@{offset}"),
        event_type,
        Some(0),
        &value,
    )
}

fn by_command(number: u64) -> Value {
    json!({"command": id(u128::from(number))})
}

fn started(offset: u64, number: u32, at: i64) -> String {
    let retry = json!({"retry": {"at": 9}});
    let line = attempted(offset, 0, number, 500, &retry);
    line.replace("\"started_at\":3", &format!("\"started_at\":{at}"))
}

fn issued(number: u64, outcome: Outcome) -> Issued {
    Issued {
        why: format!("order-{number}"),
        what: "cancel".into(),
        about: String::new(),
        receipt: None,
        outcome,
        status: None,
    }
}

/// The webhook, its delivery, and what comes then; the subscriber saw nothing.
fn ordered(lines: &[String], commands: &[Issued]) -> Evidence {
    let mut all = vec![webhook(0, BODY), acquired(0), routed(1, 0)];
    all.extend_from_slice(lines);
    let mut evidence = evidence(&all);
    evidence.receipts.clear();
    evidence.tables = None;
    evidence.commands = Some(commands.to_vec());
    evidence
}

/// One that is cancelled because somebody ordered it.
fn cancelled_lines() -> Vec<String> {
    vec![
        decided(2, "delivery.cancelled", LATE, &by_command(20)),
        applied(3, 20),
        scoped(20, "cancel.requested", LATE),
    ]
}

fn of_cancelled(more: &[String]) -> Evidence {
    let lines = [cancelled_lines(), more.to_vec()].concat();
    ordered(&lines, &[issued(20, Outcome::Ok)])
}

#[test]
fn an_order_with_its_effect_is_no_violation() {
    assert_eq!(check(&of_cancelled(&[])), Vec::new());
}

#[test]
fn an_order_without_an_answer_may_be_in_the_log_or_not() {
    let unknown = [issued(20, Outcome::Info), issued(21, Outcome::Info)];
    assert_eq!(check(&ordered(&cancelled_lines(), &unknown)), Vec::new());
}

#[test]
fn an_acknowledged_order_that_is_not_in_the_log_is_found() {
    let mut evidence = whole();
    evidence.commands = Some(vec![issued(20, Outcome::Ok)]);
    assert_eq!(rules(&evidence), ["durable command"]);
}

#[test]
fn a_refused_order_that_is_in_the_log_is_found() {
    let evidence = ordered(&cancelled_lines(), &[issued(20, Outcome::Fail)]);
    assert_eq!(rules(&evidence), ["durable command"]);
}

#[test]
fn an_order_that_nobody_gave_is_found() {
    let evidence = ordered(&cancelled_lines(), &[]);
    assert_eq!(rules(&evidence), ["no phantom command"]);
}

#[test]
fn an_order_that_is_applied_never_or_twice_is_found() {
    let mut lines = cancelled_lines();
    let again = of_cancelled(&[applied(4, 20)]);
    assert_eq!(rules(&again), ["a command is applied once"]);
    lines.remove(1);
    let never = ordered(&lines, &[issued(20, Outcome::Ok)]);
    assert_eq!(rules(&never), ["a command is applied once"]);
}

#[test]
fn a_delivery_that_a_cancellation_left_open_is_found() {
    let mut lines = cancelled_lines();
    lines.remove(0);
    let evidence = ordered(&lines, &[issued(20, Outcome::Ok)]);
    assert_eq!(
        rules(&evidence),
        ["terminal liveness", "a command has its effect"]
    );
}

#[test]
fn a_dead_letter_that_a_redrive_left_alone_is_found() {
    let dead = json!({"dead_lettered": {"reason": "attempts_exhausted"}});
    let lines = [
        attempted(2, 0, 1, 500, &dead),
        applied(3, 20),
        scoped(20, "redrive.requested", LATE),
    ];
    let mut evidence = ordered(&lines, &[issued(20, Outcome::Ok)]);
    evidence.receipts = vec![receipt(500)];
    assert_eq!(rules(&evidence), ["a command has its effect"]);
}

#[test]
fn a_cancellation_without_its_cause_is_found() {
    for because in [
        by_command(20),
        json!({"redelivery": id(1)}),
        json!({"subscription_deleted": id(20)}),
    ] {
        let lines = [decided(2, "delivery.cancelled", LATE, &because)];
        assert_eq!(
            rules(&ordered(&lines, &[])),
            ["an effect has its cause"],
            "{because}"
        );
    }
}

#[test]
fn the_attempt_that_was_under_way_when_it_was_cancelled_is_no_violation() {
    let mut evidence = of_cancelled(&[started(4, 1, LATE)]);
    evidence.receipts = vec![receipt(500)];
    assert_eq!(check(&evidence), Vec::new());
}

#[test]
fn attempts_after_the_cancellation_are_found() {
    let mut twice = of_cancelled(&[started(4, 1, LATE), started(5, 2, LATE)]);
    twice.receipts = vec![receipt(500), receipt(500)];
    assert_eq!(rules(&twice), ["cancelled is not attempted"]);
    let mut late = of_cancelled(&[started(4, 1, 2 * LATE)]);
    late.receipts = vec![receipt(500)];
    assert_eq!(rules(&late), ["cancelled is not attempted"]);
}

#[test]
fn a_request_after_the_cancellation_is_found_though_no_record_tells() {
    let mut evidence = of_cancelled(&[acquired(4)]);
    evidence.receipts = vec![Receipt {
        at: 2 * LATE,
        ..receipt(500)
    }];
    assert!(rules(&evidence).contains(&"cancelled is not attempted"));
}

#[test]
fn what_was_taken_and_then_cancelled_needs_a_kill_to_explain_it() {
    let mut evidence = of_cancelled(&[]);
    evidence.receipts = vec![receipt(200)];
    assert_eq!(
        rules(&evidence),
        ["a taken delivery is delivered", "duplicates are bounded"]
    );
    let later = cancelled_lines().into_iter().map(|line| {
        line.replace("3@3", "3@4")
            .replace("3@2", "3@3")
            .replace("\"epoch\":0", "\"epoch\":2")
    });
    let later: Vec<_> = [acquired(2)].into_iter().chain(later).collect();
    let mut evidence = ordered(&later, &[issued(20, Outcome::Ok)]);
    evidence.receipts = vec![receipt(200)];
    assert_eq!(check(&evidence), Vec::new());
}

#[test]
fn an_attempt_while_its_subscription_or_everything_is_paused_is_found() {
    let created =
        json!({"id": id(2), "spec": {"name": "all", "team": "default", "to": "http://h/"}});
    let pause = json!({"id": id(2), "expected": id(20)});
    let resume = json!({"id": id(2), "expected": id(21)});
    let one = [
        control(20, "subscription.created", 0, &created),
        control(21, "subscription.paused", LATE, &pause),
        control(22, "subscription.resumed", 3 * LATE, &resume),
    ];
    let all = [
        control(21, "deliveries.paused", LATE, &json!({})),
        control(22, "deliveries.resumed", 3 * LATE, &json!({})),
    ];
    for (at, expected) in [
        (LATE - 1, &[][..]),
        (2 * LATE, &["paused is not attempted"]),
        (3 * LATE, &[]),
    ] {
        for orders in [&one[..], &all[..]] {
            let mut lines = vec![started(2, 1, at)];
            lines.push(attempted(3, 0, 2, 200, &json!("delivered")));
            lines.extend_from_slice(orders);
            let mut evidence = ordered(&lines, &[]);
            evidence.commands = None;
            evidence.receipts = vec![receipt(500), receipt(200)];
            assert_eq!(rules(&evidence), expected, "{at}");
        }
    }
}

#[test]
fn what_is_owed_to_a_deleted_subscription_or_attempted_for_it_is_found() {
    let created =
        json!({"id": id(2), "spec": {"name": "all", "team": "default", "to": "http://h/"}});
    let deletion = |number: u64, at| {
        let value = json!({"id": id(2), "expected": id(20)});
        control(number, "subscription.deleted", at, &value)
    };
    let evidence = |deletion: String| {
        let mut evidence = ordered(
            &[
                attempted(2, 0, 1, 200, &json!("delivered")),
                control(20, "subscription.created", 0, &created),
                deletion,
            ],
            &[],
        );
        evidence.commands = None;
        evidence.receipts = vec![Receipt {
            at: LATE,
            ..receipt(200)
        }];
        evidence
    };
    assert_eq!(check(&evidence(deletion(21, LATE))), Vec::new());
    let rule = ["nothing for the deleted"];
    assert_eq!(rules(&evidence(deletion(21, 0))), rule);
    // The decision used the configuration of offset 1.
    assert_eq!(rules(&evidence(deletion(1, LATE))), rule);
}

#[test]
fn a_delivery_left_out_as_delivered_that_is_not_is_found() {
    let mut again: Value = serde_json::from_str(&routed(4, 0)).unwrap();
    again["value"]["receipt"] = json!(id(11));
    again["value"]["webhook"] = json!(1);
    again["value"]["matches"][0]["outcome"] = json!("already_delivered");
    let mut evidence =
        of_cancelled(&[webhook(1, BODY).replace(&id(1), &id(11)), again.to_string()]);
    evidence.operations.push(operation(Outcome::Ok));
    assert_eq!(rules(&evidence), ["left out is delivered"]);
}

#[test]
fn what_was_cancelled_may_be_owed_anew() {
    let mut again: Value = serde_json::from_str(&routed(4, 0)).unwrap();
    again["value"]["receipt"] = json!(id(11));
    again["value"]["webhook"] = json!(1);
    again["value"]["matches"][0]["delivery"] = json!(id(12));
    let mut evidence =
        of_cancelled(&[webhook(1, BODY).replace(&id(1), &id(11)), again.to_string()]);
    evidence.operations.push(operation(Outcome::Ok));
    assert_eq!(rules(&evidence), ["terminal liveness"]);
}

#[test]
fn a_webhook_verified_by_no_valid_secret_is_found() {
    let rule = ["a valid secret verified it"];
    let mut stranger = whole();
    stranger.log.webhooks[0].secret = hooklog_schemas::SecretId(Uuid::from_u128(99));
    assert_eq!(rules(&stranger), rule);
    let mut retired = whole();
    let rotated = json!({
        "owner": {"source": id(9)}, "expected": id(7), "old_valid_until": 1,
        "secret": {"id": id(18), "sealed": {"key_id": "k", "box_base64": ""}},
    });
    let rotated = control(20, "secret.rotated", 0, &rotated);
    retired.log.add(&rotated).unwrap();
    assert_eq!(rules(&retired), rule);
}
