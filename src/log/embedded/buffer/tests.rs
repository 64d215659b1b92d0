//! Power cuts and failing operations at every one of them, while webhooks go into a spool and out
//! of it. The checker asks: what was answered 200 is in the log once what survived was drained, in
//! order; and nothing is there that nobody sent.

use super::{EmbeddedBuffer, options};
use crate::log::embedded::fault::{Dice, FaultFiles, Left, Plan};
use crate::log::embedded::files::LogFiles;
use crate::log::embedded::options::Options;
use crate::log::memory::MemoryLog;
use crate::receive::Inlet as _;
use crate::spool::tests::support::{
    Flaky, LOG, PARTITIONS, Way, config, number, over, partition_of_log, webhook,
};
use crate::spool::{Spool, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

fn small() -> Options {
    Options {
        segment_bytes: 3000,
        allocate_bytes: 1000,
        floor_bytes: 0,
        tail_bytes: 1500,
        ..options(&config())
    }
}

fn open(files: &FaultFiles, way: &Arc<Flaky>) -> Option<Arc<Spool>> {
    let files: Arc<dyn LogFiles> = Arc::new(files.clone());
    let dir = Path::new("/spool");
    let buffer = EmbeddedBuffer::open_with(&files, dir, LOG, small(), None);
    Some(over(Arc::new(buffer.ok()?), way))
}

/// What is known outside: the log, which is elsewhere and loses nothing, and who was answered.
struct World {
    log: Arc<MemoryLog>,
    way: Arc<Flaky>,
    answered: BTreeSet<u64>,
    next: u64,
}

impl World {
    fn new() -> Self {
        let log = Arc::new(MemoryLog::new(PARTITIONS));
        let way = Flaky::before(&log);
        Self {
            log,
            way,
            answered: BTreeSet::new(),
            next: 0,
        }
    }

    /// Receives and drains as `seed` says, until all is done or the spool stops.
    async fn live(&mut self, files: &FaultFiles, seed: u64) {
        let mut dice = Dice(seed);
        let Some(spool) = open(files, &self.way) else {
            return;
        };
        for step in 0..30 {
            self.way.set(match (step / 8) % 2 {
                0 => Way::Refuses,
                _ if dice.below(4) == 0 => Way::Deceives,
                _ => Way::Works,
            });
            for _ in 0..dice.below(3) {
                let number = self.next;
                self.next += 1;
                if spool.put(webhook(number)).await.is_ok() {
                    self.answered.insert(number);
                }
            }
            if dice.below(2) == 0 && spool.step().await.is_err() {
                return;
            }
        }
    }

    /// Drains what a new process finds.
    async fn recover(&self, files: &FaultFiles) -> Result<(), String> {
        self.way.set(Way::Works);
        let spool = open(files, &self.way).ok_or("the spool does not open")?;
        loop {
            match spool.step().await.map_err(|error| error.to_string())? {
                Step::Drained(_) => {}
                Step::Empty => return Ok(()),
                Step::Refused(error) => return Err(error.to_string()),
            }
        }
    }

    async fn check(&self) -> Result<(), String> {
        let mut found: BTreeMap<u64, u64> = BTreeMap::new();
        for partition in 0..PARTITIONS {
            let mut before = None;
            for record in partition_of_log(&self.log, partition).await {
                let number = number(&record);
                let times = found.entry(number).or_default();
                *times += 1;
                let first = *times == 1 && self.answered.contains(&number);
                if first && before.is_some_and(|before| before > number) {
                    return Err(format!("{number} came after {before:?}"));
                }
                if first {
                    before = Some(number);
                }
            }
        }
        let lost: Vec<_> = self
            .answered
            .iter()
            .filter(|n| !found.contains_key(n))
            .collect();
        if lost.is_empty() {
            Ok(())
        } else {
            Err(format!("answered and lost: {lost:?}"))
        }
    }

    /// The same world once more: what happens in one must not be seen in the other.
    async fn copy(&self) -> Self {
        let copy = Self::new();
        for partition in 0..PARTITIONS {
            for record in partition_of_log(&self.log, partition).await {
                copy.way.set(Way::Works);
                let mut again = webhook(number(&record));
                again.key = record.key;
                copy.way.put(again).await.unwrap();
            }
        }
        Self {
            answered: self.answered.clone(),
            next: self.next,
            ..copy
        }
    }
}

/// How many operations a life takes when nothing goes wrong.
async fn operations(seed: u64) -> u64 {
    let files = FaultFiles::default();
    World::new().live(&files, seed).await;
    files.operations()
}

async fn violations(seeds: std::ops::Range<u64>, plan: Plan) -> Vec<String> {
    let mut violations = Vec::new();
    for seed in seeds {
        for cut in 0..operations(seed).await {
            let files = FaultFiles::with(Plan {
                cut_at: Some(cut),
                ..plan
            });
            let mut world = World::new();
            world.live(&files, seed).await;
            for left in Left::ALL {
                let found = files.after_power_cut(left, &mut Dice(seed ^ cut));
                let world = world.copy().await;
                let recovered = world.recover(&found).await;
                if let Err(violation) = match recovered {
                    Ok(()) => world.check().await,
                    failed => failed,
                } {
                    violations.push(format!("seed {seed}, cut {cut}, {left:?}: {violation}"));
                }
            }
        }
    }
    violations
}

const NONE: [String; 0] = [];

#[tokio::test]
async fn a_power_cut_at_any_operation_of_a_spool_loses_nothing_that_was_answered_200() {
    assert!(operations(0).await > 60, "the life is worth cutting");
    assert_eq!(violations(0..3, Plan::default()).await, NONE);
}

#[tokio::test]
async fn the_checker_of_the_spool_notices_a_sync_that_is_left_out() {
    let plan = Plan {
        sync_lies: true,
        ..Plan::default()
    };
    assert!(!violations(0..1, plan).await.is_empty());
}

#[tokio::test]
async fn the_checker_of_the_spool_notices_what_was_forgotten_and_never_came() {
    let files = FaultFiles::default();
    let mut world = World::new();
    world.way.set(Way::Refuses);
    let spool = open(&files, &world.way).unwrap();
    spool.put(webhook(0)).await.unwrap();
    world.answered.insert(0);
    world.way.set(Way::Loses);
    let step = spool.step().await.unwrap();
    assert!(matches!(step, Step::Drained(1)), "{step:?}");
    drop(spool);
    assert_eq!(world.recover(&files.after_exit()).await, Ok(()));
    assert!(world.check().await.unwrap_err().contains("lost"));
}

#[tokio::test]
async fn a_second_power_cut_while_the_spool_recovers_and_drains_loses_nothing() {
    for seed in 10..14 {
        let mut dice = Dice(seed);
        let cut = dice.below(operations(seed).await);
        let files = FaultFiles::with(Plan {
            cut_at: Some(cut),
            ..Plan::default()
        });
        let mut world = World::new();
        world.live(&files, seed).await;
        let left = Left::ALL[usize::try_from(dice.below(4)).unwrap()];
        let survived = files.after_power_cut(left, &mut dice);
        for second in 0..15 {
            let files = survived.after_exit();
            files.plan(Plan {
                cut_at: Some(second),
                ..Plan::default()
            });
            let mut world = world.copy().await;
            world.live(&files, seed + 100).await;
            for left in Left::ALL {
                let found = files.after_power_cut(left, &mut dice);
                let world = world.copy().await;
                let context = format!("seed {seed}, cuts {cut} and {second}, {left:?}");
                assert_eq!(world.recover(&found).await, Ok(()), "{context}");
                assert_eq!(world.check().await, Ok(()), "{context}");
            }
        }
    }
}

#[tokio::test]
async fn any_operation_of_a_spool_that_fails_loses_nothing_that_was_answered_200() {
    for at in 0..operations(1).await {
        for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
            let files = FaultFiles::with(Plan {
                fail_at: Some((at, kind)),
                ..Plan::default()
            });
            let mut world = World::new();
            world.live(&files, 1).await;
            for left in Left::ALL {
                let world = world.copy().await;
                let found = files.after_power_cut(left, &mut Dice(at));
                let context = format!("operation {at} fails with {kind:?}, {left:?}");
                assert_eq!(world.recover(&found).await, Ok(()), "{context}");
                assert_eq!(world.check().await, Ok(()), "{context}");
            }
        }
    }
}
