use super::*;
use uuid::Uuid;

const A: SubscriptionId = SubscriptionId(Uuid::from_u128(1));
const B: SubscriptionId = SubscriptionId(Uuid::from_u128(2));
const V1: EventId = EventId(Uuid::from_u128(1));
const V2: EventId = EventId(Uuid::from_u128(2));

fn at(ms: i64) -> Timestamp {
    Timestamp(ms * 1_000)
}

fn entry(number: u128, due: i64) -> Entry {
    Entry {
        due: at(due),
        partition: Partition(0),
        delivery: DeliveryId(Uuid::from_u128(number)),
    }
}

fn policy() -> Policy {
    Policy {
        concurrency_max: 2,
        delay_first_ms: 1_000,
        ..Policy::default()
    }
}

fn started(
    schedule: &mut Schedule,
    now: i64,
    policy: &Policy,
    version: EventId,
) -> Vec<(SubscriptionId, u128)> {
    let limits = |_| {
        Some(Limits {
            policy,
            version,
            paused: false,
        })
    };
    let mut all = Vec::new();
    while let Some((subscription, entry)) = schedule.start(at(now), limits, |_| true) {
        all.push((subscription, entry.delivery.0.as_u128()));
    }
    all
}

fn full(counts: &[(SubscriptionId, u128)]) -> Schedule {
    let mut schedule = Schedule::new(100, 3);
    for (subscription, count) in counts {
        for number in 0..*count {
            schedule.push(*subscription, entry(number, 0));
        }
    }
    schedule
}

#[test]
fn subscriptions_are_served_in_turn_within_their_slots() {
    let mut schedule = full(&[(A, 5), (B, 5)]);
    let all = started(&mut schedule, 0, &policy(), V1);
    assert_eq!(all, [(A, 0), (B, 0), (A, 1), (B, 1)]);
    schedule.finish(B, Ended::Alive, at(0), &policy());
    assert_eq!(started(&mut schedule, 0, &policy(), V1), [(B, 2)]);
}

#[test]
fn the_limit_over_all_holds_and_a_free_slot_goes_to_who_waits() {
    let mut schedule = full(&[(A, 5), (B, 5)]);
    schedule.in_flight_max = 1;
    assert_eq!(started(&mut schedule, 0, &policy(), V1), [(A, 0)]);
    schedule.finish(A, Ended::Alive, at(0), &policy());
    assert_eq!(started(&mut schedule, 0, &policy(), V1), [(B, 0)]);
}

#[test]
fn nothing_starts_before_it_is_due() {
    let mut schedule = Schedule::new(100, 3);
    schedule.push(A, entry(2, 20));
    schedule.push(A, entry(1, 10));
    assert!(started(&mut schedule, 9, &policy(), V1).is_empty());
    assert_eq!(schedule.next_wake(), Some(at(10)));
    assert_eq!(started(&mut schedule, 10, &policy(), V1), [(A, 1)]);
    assert_eq!(started(&mut schedule, 20, &policy(), V1), [(A, 2)]);
}

#[test]
fn what_is_not_owed_any_more_is_dropped() {
    let mut schedule = full(&[(A, 3)]);
    let policy = policy();
    let limits = |_| {
        Some(Limits {
            policy: &policy,
            version: V1,
            paused: false,
        })
    };
    let last = |entry: &Entry| entry.delivery.0.as_u128() == 2;
    let (_, found) = schedule.start(at(0), limits, last).unwrap();
    assert_eq!(found.delivery.0.as_u128(), 2);
}

#[test]
fn a_paused_subscription_waits_until_it_is_looked_at_again() {
    let mut schedule = full(&[(A, 1)]);
    let policy = policy();
    let paused = |_| {
        Some(Limits {
            policy: &policy,
            version: V1,
            paused: true,
        })
    };
    assert!(schedule.start(at(0), paused, |_| true).is_none());
    schedule.wake_all();
    assert_eq!(started(&mut schedule, 0, &policy, V2), [(A, 0)]);
}

#[test]
fn after_gone_nothing_starts_until_another_version_is_known() {
    let mut schedule = full(&[(A, 9)]);
    started(&mut schedule, 0, &policy(), V1);
    schedule.finish(A, Ended::Gone(V1), at(0), &policy());
    assert!(started(&mut schedule, 0, &policy(), V1).is_empty());
    schedule.wake_all();
    assert_eq!(started(&mut schedule, 0, &policy(), V2).len(), 1);
}

#[test]
fn a_rate_spreads_the_starts() {
    let mut schedule = full(&[(A, 9)]);
    let policy = Policy {
        rate_per_second: Some(10),
        concurrency_max: 9,
        ..policy()
    };
    assert_eq!(started(&mut schedule, 0, &policy, V1).len(), 1);
    assert!(started(&mut schedule, 99, &policy, V1).is_empty());
    assert_eq!(started(&mut schedule, 100, &policy, V1).len(), 1);
}

#[test]
fn a_dead_subscription_gets_one_probe_at_a_time_and_recovers_at_once() {
    let mut schedule = full(&[(A, 9)]);
    started(&mut schedule, 0, &policy(), V1);
    for _ in 0..3 {
        schedule.finish(A, Ended::Trouble, at(0), &policy());
        started(&mut schedule, 0, &policy(), V1);
    }
    assert_eq!(schedule.in_flight(), 1);
    schedule.finish(A, Ended::Trouble, at(0), &policy());
    assert!(started(&mut schedule, 99, &policy(), V1).is_empty());
    assert_eq!(started(&mut schedule, 100, &policy(), V1).len(), 1);
    schedule.finish(A, Ended::Alive, at(100), &policy());
    assert_eq!(started(&mut schedule, 100, &policy(), V1).len(), 2);
}
