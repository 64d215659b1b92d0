//! A replay of the original targets decides about each webhook of its range once, for exactly those
//! who were owed it, and every partition comes to its end.

use super::Violation;
use super::log::{Log, Replay, Replays};
use hooklog_schemas::control::ReplayMode;
use hooklog_schemas::{ReplayId, SubscriptionId};
use std::collections::BTreeSet;

/// All that is missing, twice, or too much.
pub(crate) fn check(log: &Log) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (id, replay) in &log.replays.all {
        for (place, decisions) in &replay.decided {
            if decisions.len() > 1 {
                let found = format!("{id} decided {} times about {place:?}", decisions.len());
                violations.push(Violation::new("a replay decides once", found));
            }
        }
        if !replay.cancelled && replay.spec.mode == ReplayMode::OriginalTargets {
            violations.extend(unfinished(*id, replay));
            violations.extend(differing(*id, replay, &log.replays));
        }
    }
    violations
}

fn unfinished(id: ReplayId, replay: &Replay) -> Vec<Violation> {
    let parts = (0..).zip(&replay.spec.range);
    let open = parts
        .filter(|(partition, range)| !range.is_empty() && !replay.finished.contains(partition));
    open.map(|(partition, _)| {
        let found = format!("{id} has no end in partition {partition}");
        Violation::new("a replay comes to its end", found)
    })
    .collect()
}

fn differing(id: ReplayId, replay: &Replay, replays: &Replays) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (place, (received_at, owed)) in &replays.originals {
        let (partition, offset) = *place;
        let part = usize::try_from(partition).ok();
        let part = part.and_then(|part| replay.spec.range.get(part));
        let filter = &replay.spec.filter;
        let inside = part.is_some_and(|part| part.from.0 <= offset && offset < part.to.0)
            && filter.from.is_none_or(|from| *received_at >= from)
            && filter.to.is_none_or(|to| *received_at < to);
        let only = |one: &&SubscriptionId| {
            let only = replay.spec.subscription;
            only.is_none_or(|only| only == **one)
        };
        let wanted: BTreeSet<_> = owed.iter().filter(only).copied().collect();
        let expected = inside && !wanted.is_empty();
        let decided = replay.decided.get(place).and_then(|all| all.first());
        let right = match decided {
            None => !expected,
            Some(None) => expected,
            Some(Some(to)) => expected && *to == wanted,
        };
        if !right {
            let found = format!("{id} about {place:?}: {decided:?} instead of {wanted:?}");
            violations.push(Violation::new("a replay owes what it says", found));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use hooklog_schemas::control::{ReplayFilter, ReplayRange, ReplaySpec};
    use hooklog_schemas::{Offset, Timestamp};
    use uuid::Uuid;

    const ONE: SubscriptionId = SubscriptionId(Uuid::from_u128(1));
    const TWO: SubscriptionId = SubscriptionId(Uuid::from_u128(2));

    /// Two webhooks that were owed to both, a third that was not replayed.
    fn log() -> Log {
        let both: BTreeSet<_> = [ONE, TWO].into();
        let mut log = Log::default();
        for offset in 0..3 {
            let original = (Timestamp(5), both.clone());
            log.replays.originals.insert((0, offset), original);
        }
        let mut replay = Replay {
            spec: ReplaySpec {
                mode: ReplayMode::OriginalTargets,
                subscription: None,
                to: None,
                filter: ReplayFilter::default(),
                range: vec![ReplayRange {
                    from: Offset(0),
                    to: Offset(2),
                }],
                rate_per_second: 1,
                counted: None,
            },
            cancelled: false,
            decided: Default::default(),
            finished: [0].into(),
        };
        replay.decided.insert((0, 0), vec![Some(both)]);
        replay.decided.insert((0, 1), vec![None]);
        log.replays.all.insert(ReplayId(Uuid::nil()), replay);
        log
    }

    fn rules(change: impl FnOnce(&mut Replay)) -> Vec<&'static str> {
        let mut log = log();
        if let Some(replay) = log.replays.all.get_mut(&ReplayId(Uuid::nil())) {
            change(replay);
        }
        check(&log).into_iter().map(|one| one.rule).collect()
    }

    #[test]
    fn what_a_replay_misses_doubles_or_adds_is_found() {
        assert!(rules(|_| {}).is_empty());
        let missing = rules(|replay| _ = replay.decided.remove(&(0, 0)));
        assert_eq!(missing, ["a replay owes what it says"]);
        let twice = rules(|replay| replay.decided.entry((0, 1)).or_default().push(None));
        assert_eq!(twice, ["a replay decides once"]);
        let beyond = rules(|replay| _ = replay.decided.insert((0, 2), vec![None]));
        assert_eq!(beyond, ["a replay owes what it says"]);
        let fewer = rules(|replay| {
            let one = Some([ONE].into());
            _ = replay.decided.insert((0, 0), vec![one]);
        });
        assert_eq!(fewer, ["a replay owes what it says"]);
        let open = rules(|replay| _ = replay.finished.remove(&0));
        assert_eq!(open, ["a replay comes to its end"]);
    }
}
