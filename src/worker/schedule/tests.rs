use super::*;
use uuid::Uuid;

const A: SubscriptionId = SubscriptionId(Uuid::from_u128(1));
const B: SubscriptionId = SubscriptionId(Uuid::from_u128(2));
const V1: EventId = EventId(Uuid::from_u128(1));
const V2: EventId = EventId(Uuid::from_u128(2));
const QUICK: Duration = Duration::from_millis(20);

fn at(ms: i64) -> Timestamp {
    Timestamp(ms * 1_000)
}

fn entry(number: u128, due: i64) -> Entry {
    Entry {
        due: at(due),
        partition: Partition(0),
        delivery: DeliveryId(Uuid::from_u128(number)),
        replay: false,
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
    while let Some((queue, entry)) = schedule.start(at(now), limits, |_| true) {
        all.push((queue.subscription, entry.delivery.0.as_u128()));
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
    schedule.finish(B, Ended::Alive, QUICK, at(0), &policy());
    assert_eq!(started(&mut schedule, 0, &policy(), V1), [(B, 2)]);
}

#[test]
fn the_limit_over_all_holds_and_a_free_slot_goes_to_who_waits() {
    let mut schedule = full(&[(A, 5), (B, 5)]);
    schedule.in_flight_max = 1;
    assert_eq!(started(&mut schedule, 0, &policy(), V1), [(A, 0)]);
    schedule.finish(A, Ended::Alive, QUICK, at(0), &policy());
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
    schedule.finish(A, Ended::Gone(V1), QUICK, at(0), &policy());
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
        schedule.finish(A, Ended::Trouble, QUICK, at(0), &policy());
        started(&mut schedule, 0, &policy(), V1);
    }
    assert_eq!(schedule.in_flight(), 1);
    schedule.finish(A, Ended::Trouble, QUICK, at(0), &policy());
    assert!(started(&mut schedule, 99, &policy(), V1).is_empty());
    assert_eq!(started(&mut schedule, 100, &policy(), V1).len(), 1);
    schedule.finish(A, Ended::Alive, QUICK, at(100), &policy());
    assert_eq!(started(&mut schedule, 100, &policy(), V1).len(), 2);
}

#[test]
fn a_failing_subscription_is_tried_no_faster_than_its_rate() {
    let mut schedule = full(&[(A, 9)]);
    let policy = Policy {
        rate_per_second: Some(1),
        ..policy()
    };
    let mut starts = 0;
    for now in (0..10_000).step_by(10) {
        for _ in started(&mut schedule, now, &policy, V1) {
            starts += 1;
            schedule.finish(A, Ended::Trouble, QUICK, at(now), &policy);
        }
    }
    assert_eq!(starts, 9, "one a second, until the queue is empty");
}

fn wide() -> Policy {
    Policy {
        concurrency_max: 10_000,
        ..policy()
    }
}

fn lane(number: u128) -> SubscriptionId {
    SubscriptionId(Uuid::from_u128(number))
}

fn held(all: &[(SubscriptionId, u128)], by: SubscriptionId) -> usize {
    all.iter().filter(|(lane, _)| *lane == by).count()
}

#[test]
fn one_huge_subscription_leaves_half_of_the_slots() {
    let mut schedule = full(&[(A, 500)]);
    let first = started(&mut schedule, 0, &wide(), V1);
    assert_eq!(first.len(), 50);
    for number in 0..500 {
        schedule.push(B, entry(number, 0));
    }
    let second = started(&mut schedule, 0, &wide(), V1);
    assert_eq!(held(&second, B), 25, "half of what A left");
    // As A's attempts end, the two come to hold the same, and a third stays free.
    for _ in 0..40 {
        schedule.finish(A, Ended::Alive, QUICK, at(0), &wide());
        started(&mut schedule, 0, &wide(), V1);
    }
    let shares = [schedule.lanes[0].in_flight, schedule.lanes[1].in_flight];
    assert!(
        shares.iter().all(|share| (32..=35).contains(share)),
        "{shares:?}"
    );
}

#[test]
fn whoever_holds_no_slot_finds_one_beside_many_silent_subscriptions() {
    let silent: Vec<_> = (10..60).map(|number| (lane(number), 100)).collect();
    let mut schedule = full(&silent);
    started(&mut schedule, 0, &wide(), V1);
    assert!(schedule.in_flight() < 100, "{}", schedule.in_flight());
    schedule.push(A, entry(1, 0));
    assert_eq!(started(&mut schedule, 0, &wide(), V1), [(A, 1)]);
}

#[test]
fn slow_subscriptions_together_hold_half_of_the_slots_however_many_they_are() {
    let slow: Vec<_> = (10..310).map(|number| (lane(number), 100)).collect();
    let mut schedule = full(&slow);
    let mut under_way = started(&mut schedule, 0, &wide(), V1);
    assert_eq!(under_way.len(), 100, "nobody is known as slow yet");
    let mut served = std::collections::HashSet::new();
    for second in 1..40 {
        for (lane, _) in std::mem::take(&mut under_way) {
            served.insert(lane);
            schedule.finish(lane, Ended::Alive, SLOW, at(second * 1_000), &wide());
        }
        under_way = started(&mut schedule, second * 1_000, &wide(), V1);
    }
    assert_eq!(schedule.in_flight(), 50);
    assert_eq!(served.len(), 300, "each gets its turn");
    for number in 0..20 {
        schedule.push(A, entry(number, 0));
    }
    assert_eq!(held(&started(&mut schedule, 40_000, &wide(), V1), A), 20);
    // A subscriber that has become quick again is counted among the quick.
    let before = schedule.in_flight_slow;
    let (recovered, _) = under_way[0];
    schedule.finish(recovered, Ended::Alive, QUICK, at(40_000), &wide());
    assert!(schedule.in_flight_slow < before);
}

/// Many slow subscriptions that have a backlog, half of all slots taken by some of them.
fn crowded() -> (Schedule, Vec<(SubscriptionId, u128)>) {
    let slow: Vec<_> = (10..310).map(|number| (lane(number), 100)).collect();
    let mut schedule = full(&slow);
    let mut under_way = Vec::new();
    for second in 0..40 {
        for (lane, _) in std::mem::take(&mut under_way) {
            schedule.finish(lane, Ended::Alive, SLOW, at(second * 1_000), &wide());
        }
        under_way = started(&mut schedule, second * 1_000, &wide(), V1);
    }
    assert_eq!((schedule.in_flight(), schedule.in_flight_slow), (50, 50));
    (schedule, under_way)
}

#[test]
fn a_slot_that_is_given_back_costs_no_look_at_every_slow_subscription() {
    let (mut schedule, under_way) = crowded();
    let policy = wide();
    let looks = std::cell::Cell::new(0);
    for (lane, _) in &under_way[..10] {
        schedule.finish(*lane, Ended::Alive, SLOW, at(40_000), &policy);
        let limits = |_| {
            looks.set(looks.get() + 1);
            Some(Limits {
                policy: &policy,
                version: V1,
                paused: false,
            })
        };
        while schedule.start(at(40_000), limits, |_| true).is_some() {}
    }
    assert_eq!(
        schedule.in_flight_slow, 50,
        "each slot was given to another"
    );
    // Of 300 only those are looked at that hold one of the 50 slots, and the one that gets it.
    assert!(looks.get() <= 10 * 51, "{} looks for 10 slots", looks.get());
}

#[test]
fn a_subscription_that_has_become_quick_waits_for_no_slot_of_the_slow() {
    let (mut schedule, under_way) = crowded();
    let (recovered, _) = under_way[0];
    let (other, _) = under_way[1..]
        .iter()
        .find(|(l, _)| *l != recovered)
        .unwrap();
    schedule.finish(*other, Ended::Alive, SLOW, at(40_000), &wide());
    started(&mut schedule, 40_000, &wide(), V1);
    schedule.finish(recovered, Ended::Alive, QUICK, at(40_000), &wide());
    let next = started(&mut schedule, 40_000, &wide(), V1);
    assert!(held(&next, recovered) > 1, "{next:?}");
}

#[test]
fn when_all_are_busy_all_get_the_same() {
    let busy: Vec<_> = (10..40).map(|number| (lane(number), 1_000)).collect();
    let mut schedule = full(&busy);
    let mut under_way: VecDeque<_> = started(&mut schedule, 0, &wide(), V1).into();
    let mut served: HashMap<SubscriptionId, u32> = HashMap::new();
    for _ in 0..3_000 {
        let (lane, _) = under_way.pop_front().unwrap();
        *served.entry(lane).or_default() += 1;
        schedule.finish(lane, Ended::Alive, QUICK, at(0), &wide());
        under_way.extend(started(&mut schedule, 0, &wide(), V1));
    }
    let (least, most) = (served.values().min(), served.values().max());
    assert_eq!(served.len(), 30);
    assert!(most.unwrap() - least.unwrap() <= 10, "{served:?}");
}

fn replayed(number: u128, due: i64) -> Entry {
    Entry {
        replay: true,
        ..entry(number, due)
    }
}

fn slot(subscription: SubscriptionId) -> Slot {
    Slot {
        replay: true,
        ..subscription.into()
    }
}

#[test]
fn what_is_live_and_due_comes_before_what_a_replay_owes() {
    let mut schedule = Schedule::new(100, 3);
    schedule.push(A, replayed(1, 0));
    schedule.push(A, entry(2, 5));
    schedule.push(A, entry(3, 50));
    let one = Policy {
        concurrency_max: 1,
        ..policy()
    };
    assert_eq!(started(&mut schedule, 10, &one, V1), [(A, 2)]);
    schedule.finish(A, Ended::Alive, QUICK, at(10), &one);
    assert_eq!(started(&mut schedule, 10, &one, V1), [(A, 1)]);
    schedule.finish(slot(A), Ended::Alive, QUICK, at(10), &one);
    assert_eq!(schedule.next_wake(), None);
    assert!(started(&mut schedule, 10, &one, V1).is_empty());
    assert_eq!(schedule.next_wake(), Some(at(50)));
    assert_eq!(started(&mut schedule, 50, &one, V1), [(A, 3)]);
}

#[test]
fn replays_hold_a_quarter_of_a_subscription_s_slots_and_an_eighth_of_all() {
    let mut schedule = Schedule::new(100, 3);
    let policy = Policy {
        concurrency_max: 16,
        ..policy()
    };
    for subscription in 10..20 {
        for number in 0..50 {
            schedule.push(lane(subscription), replayed(number, 0));
        }
    }
    let under_way = started(&mut schedule, 0, &policy, V1);
    assert_eq!(under_way.len(), 13, "an eighth, rounded up");
    for subscription in 10..20 {
        assert!(held(&under_way, lane(subscription)) <= 4);
    }
    // Whoever waits for a slot of the replays starts what is live at once.
    schedule.push(lane(19), entry(99, 0));
    assert_eq!(started(&mut schedule, 0, &policy, V1), [(lane(19), 99)]);
    // A slot that is given back goes to another.
    let (first, _) = under_way[0];
    schedule.finish(slot(first), Ended::Alive, QUICK, at(0), &policy);
    assert_eq!(started(&mut schedule, 0, &policy, V1).len(), 1);
}

#[test]
fn every_replayed_delivery_gets_its_turn_however_many_subscriptions_wait() {
    let mut schedule = Schedule::new(16, 3);
    for subscription in 10..110 {
        for number in 0..3 {
            schedule.push(lane(subscription), replayed(number, 0));
        }
    }
    let mut under_way: VecDeque<_> = started(&mut schedule, 0, &policy(), V1).into();
    let mut served = 0;
    while let Some((lane, _)) = under_way.pop_front() {
        served += 1;
        schedule.finish(slot(lane), Ended::Alive, QUICK, at(0), &policy());
        under_way.extend(started(&mut schedule, 0, &policy(), V1));
        assert!(under_way.len() <= 2);
    }
    assert_eq!(served, 300);
    assert_eq!(schedule.in_flight(), 0);
}

#[test]
fn what_goes_elsewhere_has_a_queue_of_its_own() {
    let mut schedule = Schedule::new(100, 1);
    let elsewhere = Queue {
        subscription: A,
        elsewhere: Some(Aim {
            replay: hooklog_schemas::ReplayId(Uuid::nil()),
            set_by: None,
        }),
    };
    schedule.push(elsewhere, replayed(1, 0));
    schedule.push(A, entry(2, 0));
    assert_eq!(started(&mut schedule, 0, &policy(), V1).len(), 2);
    let dead = Slot {
        queue: elsewhere,
        replay: true,
    };
    schedule.finish(dead, Ended::Trouble, QUICK, at(0), &policy());
    // Its trouble is not the subscription's: that has both of its slots.
    schedule.push(A, entry(3, 0));
    schedule.push(A, entry(4, 0));
    assert_eq!(started(&mut schedule, 0, &policy(), V1), [(A, 3)]);
    schedule.finish(A, Ended::Alive, QUICK, at(0), &policy());
    assert_eq!(started(&mut schedule, 0, &policy(), V1), [(A, 4)]);
}
