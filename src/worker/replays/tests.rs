use super::*;
use crate::replay::{Fate, Passing};
use hooklog_schemas::control::{By, ReplayFilter, ReplayMode, ReplaySpec};
use hooklog_schemas::{EventId, ReplayId};
use uuid::Uuid;

fn replay(rate_per_second: u32, parts: &[u64]) -> Replay {
    let range = |len: &u64| ReplayRange {
        from: Offset(0),
        to: Offset(*len),
    };
    Replay {
        id: ReplayId(Uuid::nil()),
        version: EventId(Uuid::nil()),
        offset: Offset(0),
        spec: ReplaySpec {
            mode: ReplayMode::OriginalTargets,
            subscription: None,
            to: None,
            filter: ReplayFilter::default(),
            range: parts.iter().map(range).collect(),
            rate_per_second,
            counted: None,
        },
        by: By {
            actor: "ann".into(),
            from: "local".into(),
            at: Timestamp(0),
            why: None,
        },
        paused: false,
        cancelled: false,
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp(millis * 1_000)
}

/// How many receipts are decided until `end`, looked at every 100 ms, each owing so many deliveries.
fn decided(mut part: Part, end: i64, owed: u64) -> u64 {
    let mut count = 0;
    for now in (0..=end).step_by(100) {
        if let Some(webhooks) = part.begin_plan() {
            let planned = (webhooks.start.0..webhooks.end.0).map(|webhook| Planned {
                webhook: Offset(webhook),
                fate: Fate::Passed(Passing::Unmatched),
            });
            part.plan(planned.collect());
        }
        part.take(at(now), |_, _| {
            count += 1;
            owed
        });
    }
    count
}

#[test]
fn a_part_of_the_range_has_that_part_of_the_rate() {
    let replay = replay(40, &[3_000, 1_000]);
    for (partition, expected) in [(0, 30), (1, 10)] {
        let part = Part::begin(&replay, Partition(partition), None, at(0));
        let count = decided(part, 10_000, 1);
        assert!(
            (expected * 10..=expected * 10 + 1).contains(&count),
            "{count}"
        );
    }
}

#[test]
fn a_receipt_that_owes_several_deliveries_uses_up_their_share() {
    let replay = replay(40, &[3_000]);
    let part = Part::begin(&replay, Partition(0), None, at(0));
    let count = decided(part, 10_000, 4);
    assert!((100..=102).contains(&count), "{count}");
}

#[test]
fn what_is_passed_over_costs_nothing() {
    let replay = replay(1, &[1_000]);
    let part = Part::begin(&replay, Partition(0), None, at(0));
    assert_eq!(decided(part, 1_000, 0), 1_000);
}

#[test]
fn plans_end_with_their_block_and_with_the_range() {
    let replay = replay(1, &[BLOCK + 10]);
    let mut part = Part::begin(&replay, Partition(0), None, at(0));
    assert_eq!(part.begin_plan(), Some(Offset(0)..Offset(BLOCK)));
    assert_eq!(part.begin_plan(), None, "somebody plans already");
    part.plan(Vec::new());
    assert_eq!(part.begin_plan(), Some(Offset(BLOCK)..Offset(BLOCK + 10)));
    part.plan(Vec::new());
    assert!(part.is_done());
    assert_eq!(part.begin_plan(), None);
}

#[test]
fn progress_is_recorded_now_and_then_and_not_at_the_end() {
    let replay = replay(10_000, &[600]);
    let mut part = Part::begin(&replay, Partition(0), None, at(0));
    let webhooks = part.begin_plan().unwrap();
    let planned = (webhooks.start.0..webhooks.end.0).map(|webhook| Planned {
        webhook: Offset(webhook),
        fate: Fate::Passed(Passing::Filtered),
    });
    part.plan(planned.collect());
    let count = |planned: Planned, passed: &mut Passed| {
        if let Fate::Passed(passing) = planned.fate {
            passing.count(passed);
        }
        0
    };
    assert_eq!(part.note(at(0)), None);
    part.take(at(0), count);
    let (next, passed) = part.note(at(0)).unwrap();
    assert_eq!((next, passed.filtered), (Offset(256), 256));
    assert_eq!(part.note(at(0)), None);
    part.take(at(0), count);
    part.take(at(0), count);
    assert!(part.is_done());
    assert_eq!(part.note(at(9_000)), None, "the finish tells it");
    assert_eq!(part.passed().filtered, 600);
}
