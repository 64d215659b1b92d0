use super::*;
use hooklog_schemas::SourceId;
use hooklog_schemas::deliveries::{Acquired, DeadReason, Match, Outcome, Summary};
use uuid::Uuid;

const DELIVERY: DeliveryId = DeliveryId(Uuid::from_u128(10));
const RECEIPT: ReceiptId = ReceiptId(Uuid::from_u128(11));
const SUBSCRIPTION: SubscriptionId = SubscriptionId(Uuid::from_u128(12));
const COMMAND: EventId = EventId(Uuid::from_u128(13));

/// Folds events, given with their epochs, from offset 0 on.
fn given(events: Vec<(u64, Event)>) -> Fold {
    let mut fold = Fold::default();
    for (offset, (epoch, event)) in (0..).zip(events) {
        let epoch = Some(Offset(epoch)).filter(|_| !matches!(event, Event::Acquired(_)));
        fold.apply_event(Offset(offset), epoch, &event, &mut Vec::new());
    }
    fold
}

fn acquired() -> Event {
    let process = EventId(Uuid::nil());
    Acquired {
        process,
        at: Timestamp(0),
    }
    .into()
}

fn routed(webhook: u64, outcome: MatchOutcome) -> Event {
    let found = Match {
        subscription: SUBSCRIPTION,
        name: "one".into(),
        team: "default".into(),
        destination: "https://example.com/".into(),
        set_by: None,
        delivery: DELIVERY,
        outcome,
    };
    Routed {
        receipt: RECEIPT,
        webhook: Offset(webhook),
        cause: LIVE.into(),
        at: Timestamp(5),
        received_at: Timestamp(4),
        source: SourceId(Uuid::nil()),
        source_name: "main".into(),
        summary: Summary::default(),
        configuration: ConfigurationVersion {
            offset: Offset(3),
            event: EventId(Uuid::nil()),
        },
        matcher: 1,
        matches: vec![found],
        repeats: None,
        error: None,
    }
    .into()
}

fn attempted(number: u32, verdict: Verdict) -> Event {
    Attempted {
        delivery: DELIVERY,
        receipt: RECEIPT,
        subscription: SUBSCRIPTION,
        number,
        started_at: Timestamp(6),
        duration_us: 1,
        resolve_us: None,
        connect_us: None,
        headers_us: None,
        headers_sha256: None,
        target: "https://example.com/".into(),
        address: None,
        outcome: Outcome::Status(500),
        verdict,
        configuration: ConfigurationVersion {
            offset: Offset(3),
            event: EventId(Uuid::nil()),
        },
    }
    .into()
}

fn requeued() -> Event {
    Requeued {
        delivery: DELIVERY,
        receipt: RECEIPT,
        subscription: SUBSCRIPTION,
        because: Because::Command(COMMAND),
        at: Timestamp(9),
    }
    .into()
}

fn cancelled() -> Event {
    Cancelled {
        delivery: DELIVERY,
        receipt: RECEIPT,
        subscription: SUBSCRIPTION,
        because: Because::Command(COMMAND),
        at: Timestamp(9),
    }
    .into()
}

const RETRY: Verdict = Verdict::Retry { at: Timestamp(100) };
const DEAD: Verdict = Verdict::DeadLettered {
    reason: DeadReason::AttemptsExhausted,
};

fn state(fold: &Fold) -> Option<(&'static str, u32)> {
    let delivery = fold.deliveries.get(&DELIVERY)?;
    Some((delivery.state.as_str(), delivery.attempts))
}

#[test]
fn what_is_owed_is_open_until_it_is_delivered_dead_or_cancelled() {
    let owed = || routed(0, MatchOutcome::Owed);
    let table = [
        (vec![owed()], Some(("open", 0))),
        (vec![routed(0, MatchOutcome::AlreadyDelivered)], None),
        (vec![owed(), attempted(1, RETRY)], Some(("open", 1))),
        (vec![owed(), attempted(1, Verdict::Delivered)], None),
        (vec![owed(), attempted(1, DEAD)], Some(("dead", 1))),
        (
            vec![owed(), attempted(1, DEAD), requeued()],
            Some(("open", 0)),
        ),
        (
            vec![owed(), attempted(1, DEAD), attempted(2, RETRY)],
            Some(("dead", 1)),
        ),
        (
            vec![owed(), attempted(1, DEAD), attempted(2, Verdict::Delivered)],
            None,
        ),
        (vec![owed(), cancelled()], None),
        (vec![owed(), cancelled(), attempted(1, RETRY)], None),
        (
            vec![owed(), attempted(1, Verdict::Paused)],
            Some(("open", 1)),
        ),
    ];
    for (events, expected) in table {
        let shown = format!("{events:?}");
        let fold = given(events.into_iter().map(|event| (0, event)).collect());
        assert_eq!(state(&fold), expected, "{shown}");
    }
}

#[test]
fn the_first_decision_about_a_webhook_counts() {
    let again = given(vec![
        (0, acquired()),
        (0, routed(0, MatchOutcome::Owed)),
        (0, attempted(1, Verdict::Delivered)),
        (0, routed(0, MatchOutcome::Owed)),
    ]);
    assert_eq!(state(&again), None);
    assert_eq!(again.idle_steps, 1);
}

#[test]
fn a_decision_of_an_earlier_epoch_is_ignored_and_the_successors_counts() {
    let mut events = vec![
        (0, acquired()),
        (1, acquired()),
        (0, routed(0, MatchOutcome::Owed)),
    ];
    assert_eq!(state(&given(events.clone())), None);
    assert_eq!(
        given(events.clone()).routed.first_missing(Offset(0)),
        Offset(0)
    );
    events.push((1, routed(0, MatchOutcome::Owed)));
    assert_eq!(state(&given(events)), Some(("open", 0)));
    for late in [requeued(), cancelled()] {
        let fold = given(vec![
            (0, acquired()),
            (0, routed(0, MatchOutcome::Owed)),
            (0, attempted(1, DEAD)),
            (3, acquired()),
            (0, late),
        ]);
        assert_eq!(state(&fold), Some(("dead", 1)));
    }
}

#[test]
fn a_late_attempt_is_evidence_that_only_delivers() {
    let after = |verdict| {
        given(vec![
            (0, acquired()),
            (0, routed(0, MatchOutcome::Owed)),
            (2, acquired()),
            (0, attempted(1, verdict)),
        ])
    };
    assert_eq!(state(&after(RETRY)), Some(("open", 0)));
    assert_eq!(state(&after(DEAD)), Some(("open", 0)));
    assert_eq!(state(&after(Verdict::Delivered)), None);
}

#[test]
fn the_next_webhook_to_route_is_the_end_of_the_contiguous_prefix() {
    let fold = given(vec![
        (0, routed(0, MatchOutcome::Owed)),
        (0, routed(1, MatchOutcome::Owed)),
        (0, routed(3, MatchOutcome::Owed)),
    ]);
    assert_eq!(fold.routed.first_missing(Offset(0)), Offset(2));
    assert_eq!(fold.routed.first_missing(Offset(3)), Offset(4));
}

#[test]
fn a_command_that_was_interrupted_does_not_touch_a_delivery_twice() {
    let mut events = vec![
        (0, routed(0, MatchOutcome::Owed)),
        (0, attempted(1, DEAD)),
        (0, requeued()),
        (0, attempted(1, DEAD)),
    ];
    assert!(given(events.clone()).had_effect(COMMAND, DELIVERY));
    let applied = CommandApplied {
        command: COMMAND,
        count: 1,
        left: 0,
        at: Timestamp(9),
    };
    events.push((0, applied.into()));
    let fold = given(events);
    assert!(fold.applied.contains(&COMMAND));
    assert!(!fold.had_effect(COMMAND, DELIVERY));
}

#[test]
fn a_delivery_is_small() {
    assert!(
        size_of::<(DeliveryId, Delivery)>() <= 80,
        "{}",
        size_of::<(DeliveryId, Delivery)>()
    );
}

impl Delivery {
    /// A delivery for tests that do not care about the rest.
    pub(in crate::worker) const fn sample(state: State) -> Self {
        Self {
            receipt: RECEIPT,
            webhook: Offset(0),
            received_at: Timestamp(0),
            state,
            attempts: 0,
            subscription: 0,
            aim: 0,
        }
    }
}
