//! Power cuts and failing operations, at every one of them. Seeds are in the messages.

use super::{History, check, live, options, request};
use crate::log::conformance::append;
use crate::log::embedded::OpenError;
use crate::log::embedded::fault::{Dice, FaultFiles, Left, Plan};
use crate::log::embedded::files::LogFiles;
use crate::log::embedded::journal::Journal;
use crate::log::embedded::options::Options;
use crate::log::embedded::ties;
use crate::log::embedded::writer::Writer;
use hooklog_schemas::{Offset, Partition, Topic};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

/// How many operations a life takes when nothing goes wrong.
fn operations(seed: u64) -> u64 {
    let files = FaultFiles::default();
    live(&files, &options(), seed, &mut History::default());
    files.operations()
}

/// Cuts the power at every operation, and tells what the checker finds.
fn power_cuts(seeds: std::ops::Range<u64>, plan: Plan, options: &Options) -> Vec<String> {
    let mut violations = Vec::new();
    for seed in seeds {
        for cut in 0..operations(seed) {
            let files = FaultFiles::with(Plan {
                cut_at: Some(cut),
                ..plan
            });
            let mut history = History::default();
            live(&files, options, seed, &mut history);
            for left in Left::ALL {
                let mut dice = Dice(seed ^ cut);
                let found = files.after_power_cut(left, &mut dice);
                if let Err(violation) = check(&found, options, &history) {
                    violations.push(format!("seed {seed}, cut {cut}, {left:?}: {violation}"));
                }
            }
        }
    }
    violations
}

const NONE: [String; 0] = [];

#[test]
fn a_power_cut_at_any_operation_loses_nothing_acknowledged_and_leaves_nothing_half() {
    assert_eq!(power_cuts(0..5, Plan::default(), &options()), NONE);
}

fn whole(files: &FaultFiles) -> Result<Vec<(Arc<Journal>, Writer)>, OpenError> {
    let files: Arc<dyn LogFiles> = Arc::new(files.clone());
    let poison = watch::Sender::new(None);
    ties::open(&files, Path::new("/log"), &options(), &poison)
}

/// Makes a log and appends the first record of `control`; tells whether that was acknowledged.
fn begin(files: &FaultFiles) -> bool {
    let Ok(mut journals) = whole(files) else {
        return false;
    };
    let (journal, writer) = journals.last_mut().unwrap();
    assert_eq!(journal.topic, Topic::Control);
    let (request, mut reply) = request(journal, &[append(0, "first")], &mut Dice(0));
    writer.commit(vec![request]);
    reply.try_recv().unwrap().is_ok()
}

#[test]
fn a_power_cut_while_a_log_is_made_leaves_one_that_opens_with_all_journals_of_one_id() {
    let files = FaultFiles::default();
    assert!(begin(&files));
    for cut in 0..files.operations() {
        let files = FaultFiles::with(Plan {
            cut_at: Some(cut),
            ..Plan::default()
        });
        let acknowledged = begin(&files);
        for left in Left::ALL {
            let found = whole(&files.after_power_cut(left, &mut Dice(cut)));
            let journals = found.unwrap_or_else(|error| panic!("cut {cut}, {left:?}: {error}"));
            let [webhooks, deliveries, control] = &journals[..] else {
                panic!("cut {cut}, {left:?}: {} journals", journals.len());
            };
            assert_eq!(webhooks.0.id, control.0.id, "cut {cut}, {left:?}");
            assert_eq!(deliveries.0.id, control.0.id, "cut {cut}, {left:?}");
            let tail = control.0.bounds(Partition(0)).unwrap().tail;
            assert!(
                tail == Offset(1) || !acknowledged,
                "cut {cut}, {left:?}: the first record is lost"
            );
        }
    }
}

#[test]
fn a_second_power_cut_during_recovery_changes_nothing() {
    for seed in 100..120 {
        let mut dice = Dice(seed);
        let cut = dice.below(operations(seed));
        let files = FaultFiles::with(Plan {
            cut_at: Some(cut),
            ..Plan::default()
        });
        let mut history = History::default();
        live(&files, &options(), seed, &mut history);
        let left = Left::ALL[usize::try_from(dice.below(4)).unwrap()];
        let survived = files.after_power_cut(left, &mut dice);
        for second in 0..12 {
            let files = survived.after_exit();
            files.plan(Plan {
                cut_at: Some(second),
                ..Plan::default()
            });
            let mut history = history.clone();
            live(&files, &options(), seed + 1000, &mut history);
            for left in Left::ALL {
                let found = files.after_power_cut(left, &mut dice);
                let checked = check(&found, &options(), &history);
                assert_eq!(
                    checked,
                    Ok(()),
                    "seed {seed}, cuts {cut} and {second}, {left:?}"
                );
            }
        }
    }
}

#[test]
fn the_checker_notices_a_sync_that_is_left_out() {
    let plan = Plan {
        sync_lies: true,
        ..Plan::default()
    };
    let violations = power_cuts(0..1, plan, &options());
    assert!(
        violations
            .iter()
            .any(|v| v.contains("acknowledged and lost")),
        "{violations:?}"
    );
}

#[test]
fn the_checker_notices_a_sync_of_the_folder_that_is_left_out() {
    let plan = Plan {
        sync_dir_lies: true,
        ..Plan::default()
    };
    let violations = power_cuts(0..1, plan, &options());
    assert!(!violations.is_empty());
}

#[test]
fn the_checker_notices_a_tail_that_is_believed() {
    let options = Options {
        trust_tail: true,
        ..options()
    };
    let violations = power_cuts(0..2, Plan::default(), &options);
    assert!(
        violations.iter().any(|v| v.contains("damaged")),
        "{violations:?}"
    );
}

#[test]
fn any_operation_that_fails_is_told_and_nothing_acknowledged_is_lost() {
    let mut stopped = 0;
    for seed in 0..4 {
        for at in 0..operations(seed) {
            for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
                let plan = Plan {
                    fail_at: Some((at, kind)),
                    ..Plan::default()
                };
                let files = FaultFiles::with(plan);
                let mut history = History::default();
                live(&files, &options(), seed, &mut history);
                stopped += u32::from(history.batches.iter().any(|batch| batch.offsets.is_none()));
                let context = format!("seed {seed}, operation {at} fails with {kind:?}");
                assert_eq!(
                    check(&files.after_exit(), &options(), &history),
                    Ok(()),
                    "{context}"
                );
                for left in Left::ALL {
                    let found = files.after_power_cut(left, &mut Dice(seed ^ at));
                    let checked = check(&found, &options(), &history);
                    assert_eq!(checked, Ok(()), "{context}, then a power cut: {left:?}");
                }
            }
        }
    }
    assert!(
        stopped > 100,
        "only {stopped} of the failures reached an append"
    );
}
