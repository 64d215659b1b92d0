//! Power cuts, torn writes, failing and full disks, at every step of a journal's life. The checker
//! asks: what was acknowledged is there, what was not is there wholly or not at all, in order.

use super::compaction;
use super::fault::{Dice, FaultFiles, Left, Plan};
use super::files::LogFiles;
use super::frame::{Draft, SALT};
use super::journal::Journal;
use super::options::Options;
use super::recovery::{self, OpenError};
use super::writer::{Request, Writer};
use crate::clock::Manual;
use crate::config::LogConfig;
use crate::log::conformance::{append, same, tombstone};
use crate::log::{AppendError, ReadLimit};
use crate::metrics::Metrics;
use hooklog_schemas::{
    Append, EventId, Key, Offset, Partition, Position, Record, Timestamp, Topic,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

const PARTITIONS: u32 = 2;
const SEGMENT: u64 = 3000;

fn options() -> Options {
    let config = LogConfig {
        partitions: PARTITIONS,
        segment_bytes: SEGMENT,
        reserve_bytes: 0,
        tail_bytes: 600,
    };
    let mut registry = prometheus_client::registry::Registry::default();
    let metrics = Metrics::register(&mut registry);
    let clock = Arc::new(Manual::at(Timestamp(1_700_000_000_000_000)));
    Options {
        allocate_bytes: 1000,
        ..Options::new(&config, &metrics, clock)
    }
}

fn open(files: &FaultFiles, options: &Options) -> Result<(Arc<Journal>, Writer), OpenError> {
    let files: Arc<dyn LogFiles> = Arc::new(files.clone());
    let poison = watch::Sender::new(None);
    recovery::open(&files, Path::new("/log"), Topic::Webhooks, options, &poison)
}

/// What a client knows of its appends, in the order in which they were asked for.
#[derive(Clone, Default)]
struct History {
    batches: Vec<Batch>,
    erased: BTreeSet<Key>,
}

#[derive(Clone)]
struct Batch {
    appends: Vec<Append>,
    /// `None` while the outcome is unknown.
    offsets: Option<Vec<Offset>>,
    /// Told that nothing was written.
    refused: bool,
}

/// Appends, erases and compacts as `seed` says, until all is done or the log stops.
fn live(files: &FaultFiles, options: &Options, seed: u64, history: &mut History) {
    let mut dice = Dice(seed);
    let Ok((journal, mut writer)) = open(files, options) else {
        return;
    };
    for step in 0..14_u32 {
        let mut requests = Vec::new();
        let mut replies = Vec::new();
        for _ in 0..=dice.below(2) {
            let batch = batch(&mut dice, history, step);
            let (request, reply) = request(&journal, &batch, &mut dice);
            requests.push(request);
            replies.push((history.batches.len(), reply));
            history.batches.push(Batch {
                appends: batch,
                offsets: None,
                refused: false,
            });
        }
        writer.commit(requests);
        for (index, mut reply) in replies {
            match reply.try_recv().unwrap() {
                Ok(offsets) => history.batches[index].offsets = Some(offsets),
                Err(AppendError::NoSpace(_)) => history.batches[index].refused = true,
                Err(AppendError::Poisoned(_)) => {}
                Err(error) => panic!("seed {seed}: {error}"),
            }
        }
        if step % 6 == 5 && compact(&journal, &mut writer).is_err() {
            return;
        }
        if journal.poison.borrow().is_some() {
            return;
        }
    }
}

fn batch(dice: &mut Dice, history: &mut History, step: u32) -> Vec<Append> {
    let mut batch = Vec::new();
    for _ in 0..=dice.below(2) {
        let body = vec![b'a' + (step % 26) as u8; usize::try_from(dice.below(700)).unwrap()];
        let id = Uuid::from_u64_pair(dice.next(), dice.next());
        let one = append(dice.below(2) as u32, body);
        batch.push(Append {
            key: Key(id),
            event_id: EventId(id),
            ..one
        });
    }
    let done = history
        .batches
        .iter()
        .filter(|batch| batch.offsets.is_some());
    if let Some(victim) = done.flat_map(|batch| &batch.appends).find(|append| {
        step % 6 == 4 && append.value.is_some() && !history.erased.contains(&append.key)
    }) {
        let id = Uuid::from_u64_pair(dice.next(), dice.next());
        let stone = tombstone(victim.partition.0, victim.key);
        batch.push(Append {
            event_id: EventId(id),
            ..stone
        });
        history.erased.insert(victim.key);
    }
    batch
}

fn request(
    journal: &Journal,
    batch: &[Append],
    dice: &mut Dice,
) -> (Request, oneshot::Receiver<super::writer::Reply>) {
    let draft = |append: &Append| {
        let mut salt = [0; SALT];
        salt[..8].copy_from_slice(&dice.next().to_le_bytes());
        Draft::new(append.clone(), salt, journal.seed).unwrap()
    };
    let drafts = batch.iter().map(draft).collect();
    let (reply, done) = oneshot::channel();
    (Request { drafts, reply }, done)
}

fn compact(journal: &Journal, writer: &mut Writer) -> Result<u64, AppendError> {
    let keys = compaction::erased_keys(journal);
    if compaction::active_holds(journal, &keys)? {
        writer.roll()?;
    }
    compaction::run(journal, &keys)
}

/// Opens the log and compares it with what the client knows.
fn check(files: &FaultFiles, options: &Options, history: &History) -> Result<(), String> {
    let (journal, mut writer) = open(files, options).map_err(|error| error.to_string())?;
    let found = read_all(&journal)?;
    compare(&found, history)?;
    // The log goes on, and what it took is there the next time.
    let mut dice = Dice(1);
    let more = [
        append(0, "more"),
        append(1, vec![b'm'; 2 * SEGMENT as usize]),
    ];
    for one in &more {
        let (request, mut reply) = request(&journal, std::slice::from_ref(one), &mut dice);
        writer.commit(vec![request]);
        let offsets = reply
            .try_recv()
            .unwrap()
            .map_err(|error| error.to_string())?;
        let tail = found.get(&one.partition).map_or(0, Vec::len) as u64;
        if offsets != [Offset(tail)] {
            return Err(format!(
                "after {tail} records the next one gets {offsets:?}"
            ));
        }
    }
    let later = files.after_power_cut(Left::Nothing, &mut dice);
    let (journal, _) = open(&later, options).map_err(|error| format!("reopened: {error}"))?;
    let mut again = read_all(&journal)?;
    for one in &more {
        let last = again.get_mut(&one.partition).and_then(Vec::pop);
        if last.is_none_or(|last| last.value != one.value) {
            return Err("what was appended after the recovery is lost".to_owned());
        }
    }
    compare(&again, history)
}

type Found = BTreeMap<Partition, Vec<Arc<Record>>>;

fn read_all(journal: &Journal) -> Result<Found, String> {
    let mut found = Found::new();
    for partition in (0..PARTITIONS).map(Partition) {
        let mut at = Position::new(Topic::Webhooks, partition, Offset(0));
        loop {
            let some = journal
                .read(at, ReadLimit::default())
                .map_err(|error| error.to_string())?;
            let Some(last) = some.last() else { break };
            let next = last.position.offset.next();
            for (index, record) in some.iter().enumerate() {
                if record.position.offset.0 != at.offset.0 + index as u64 {
                    return Err(format!("{} stands where {at} should", record.position));
                }
            }
            at.offset = next;
            found.entry(partition).or_default().extend(some);
        }
    }
    Ok(found)
}

fn compare(found: &Found, history: &History) -> Result<(), String> {
    let mut left: BTreeMap<Partition, std::slice::Iter<'_, Arc<Record>>> = found
        .iter()
        .map(|(partition, records)| (*partition, records.iter()))
        .collect();
    for batch in &history.batches {
        let there = |append: &Append| {
            let next = left
                .get(&append.partition)
                .and_then(|records| records.as_slice().first());
            next.is_some_and(|record| record.event_id == append.event_id)
        };
        let any = batch.appends.first().is_some_and(there);
        if batch.refused && any {
            return Err("a record is there of which the client was told that it is not".to_owned());
        }
        if batch.offsets.is_some() && !any {
            return Err(format!("acknowledged and lost: {:?}", batch.offsets));
        }
        if !any {
            continue;
        }
        for (index, append) in batch.appends.iter().enumerate() {
            let record = left.get_mut(&append.partition).and_then(Iterator::next);
            let record = record.ok_or("a batch is there by half")?;
            let offset = batch.offsets.as_ref().map(|offsets| offsets[index]);
            equal(record, append, offset, history)?;
        }
    }
    match left.into_values().flatten().next() {
        Some(record) => Err(format!("{} was never asked for", record.position)),
        None => Ok(()),
    }
}

fn equal(
    record: &Record,
    append: &Append,
    offset: Option<Offset>,
    history: &History,
) -> Result<(), String> {
    let blank = record.value.is_none() && record.headers.is_empty();
    let erased = blank && history.erased.contains(&record.key);
    let whole = record.value == append.value && record.headers == append.headers;
    if record.event_id != append.event_id || record.key != append.key || !(whole || erased) {
        return Err(format!("{} is not what was appended", record.position));
    }
    if offset.is_some_and(|offset| offset != record.position.offset) {
        return Err(format!(
            "{} was acknowledged as {offset:?}",
            record.position
        ));
    }
    Ok(())
}

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
    assert_eq!(power_cuts(0..8, Plan::default(), &options()), NONE);
}

#[test]
fn a_second_power_cut_during_recovery_changes_nothing() {
    for seed in 100..140 {
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

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_all_before_it_stays() {
    let files = FaultFiles::default();
    let options = Options {
        segment_bytes: 1 << 20,
        ..options()
    };
    let (journal, mut writer) = open(&files, &options).unwrap();
    let mut history = History::default();
    let mut ends = Vec::new();
    for number in 0..3 {
        let batch = vec![append(0, format!("{number}")), append(1, vec![b'x'; 300])];
        let (request, mut reply) = request(&journal, &batch, &mut Dice(number));
        writer.commit(vec![request]);
        let offsets = reply.try_recv().unwrap().unwrap();
        history.batches.push(Batch {
            appends: batch,
            offsets: Some(offsets),
            refused: false,
        });
        ends.push(usize::try_from(journal.view().active.end).unwrap());
    }
    let path = PathBuf::from("/log/webhooks/00000000000000000000.segment");
    let whole = files.content(&path);
    assert_eq!(whole.len(), ends[2]);
    // From the middle of the second group on, everything may be torn.
    for torn in ends[0]..=ends[2] {
        for zeros in [false, true] {
            let mut content = whole[..torn].to_vec();
            content.resize(if zeros { whole.len() + 100 } else { torn }, 0);
            for (index, batch) in history.batches.iter_mut().enumerate() {
                let known = (ends[index] <= torn).then(|| vec![Offset(index as u64); 2]);
                batch.offsets = known;
            }
            let found = files.after_exit();
            found.overwrite(&path, content);
            let checked = check(&found, &options, &history);
            assert_eq!(
                checked,
                Ok(()),
                "torn at byte {torn}, zeros after it: {zeros}"
            );
        }
    }
}

#[test]
fn a_full_disk_refuses_and_takes_again_when_there_is_space() {
    for seed in 0..20 {
        let space = 1_100_000 + seed * 700;
        let plan = Plan {
            space: Some(space),
            ..Plan::default()
        };
        let files = FaultFiles::with(plan);
        let mut history = History::default();
        live(&files, &options(), seed, &mut history);
        let refused = history.batches.iter().filter(|batch| batch.refused).count();
        let taken = history
            .batches
            .iter()
            .filter(|batch| batch.offsets.is_some())
            .count();
        assert!(
            refused + taken == history.batches.len(),
            "seed {seed}: the log stopped"
        );
        files.plan(Plan::default());
        assert_eq!(
            check(&files.after_exit(), &options(), &history),
            Ok(()),
            "seed {seed}"
        );
    }
}

#[test]
fn any_flipped_bit_is_reported_or_cut_with_the_last_group_and_never_read_as_data() {
    let options = Options {
        segment_bytes: 700,
        ..options()
    };
    let files = FaultFiles::default();
    let (journal, mut writer) = open(&files, &options).unwrap();
    let mut sent = Vec::new();
    for number in 0..4 {
        let batch = vec![append(0, format!("body {number}")), append(0, "second")];
        let (request, mut reply) = request(&journal, &batch, &mut Dice(number));
        writer.commit(vec![request]);
        reply.try_recv().unwrap().unwrap();
        sent.extend(batch);
    }
    let paths = files.paths();
    assert!(paths.len() >= 3, "two segments and an index: {paths:?}");
    let (mut refused, mut cut) = (0, 0);
    for path in &paths {
        let whole = files.content(path);
        for bit in 0..whole.len() * 8 {
            let mut content = whole.clone();
            content[bit / 8] ^= 1 << (bit % 8);
            let flipped = files.after_exit();
            flipped.overwrite(path, content);
            let read = open(&flipped, &options).map_err(|error| error.to_string());
            match read.and_then(|(journal, _)| read_all(&journal)) {
                Err(error) => {
                    assert!(
                        error.contains("damaged") || error.contains("format"),
                        "{error}"
                    );
                    refused += 1;
                }
                Ok(found) => {
                    let found = found.into_values().flatten().collect::<Vec<_>>();
                    let context = format!("bit {bit} of {}", path.display());
                    assert!(found.len() + 2 >= sent.len(), "{context} hides records");
                    cut += u32::from(found.len() < sent.len());
                    let mut pairs = found.iter().zip(&sent);
                    assert!(
                        pairs.all(|(record, append)| same(record, append)),
                        "{context}"
                    );
                }
            }
        }
    }
    println!("{refused} flips were refused, {cut} cut the last group");
    assert!(refused > 1000 && cut > 1000);
}

#[test]
fn what_is_zeroed_before_valid_groups_is_refused() {
    let options = Options {
        segment_bytes: 1 << 20,
        ..options()
    };
    let files = FaultFiles::default();
    let (journal, mut writer) = open(&files, &options).unwrap();
    for number in 0..6 {
        let (request, _reply) = request(&journal, &[append(0, vec![b'x'; 600])], &mut Dice(number));
        writer.commit(vec![request]);
    }
    let path = PathBuf::from("/log/webhooks/00000000000000000000.segment");
    let whole = files.content(&path);
    for from in (0..whole.len() - 2000).step_by(97) {
        let mut content = whole.clone();
        content[from..from + 512].fill(0);
        let found = files.after_exit();
        found.overwrite(&path, content.clone());
        let error = open(&found, &options).err();
        assert!(
            matches!(error, Some(OpenError::Damaged { .. })),
            "zeros at {from}: {error:?}"
        );
        assert_eq!(found.content(&path), content, "nothing is changed");
    }
}

#[test]
fn webhooks_are_refused_while_the_reserve_is_kept_for_deliveries() {
    let options = Options {
        reserve_bytes: 4 << 20,
        ..options()
    };
    let files = FaultFiles::with(Plan {
        space: Some(3 << 20),
        ..Plan::default()
    });
    let shared: Arc<dyn LogFiles> = Arc::new(files.clone());
    let poison = watch::Sender::new(None);
    let mut outcomes = Vec::new();
    for topic in Topic::ALL {
        let opened = recovery::open(&shared, Path::new("/log"), topic, &options, &poison);
        let (journal, mut writer) = opened.unwrap();
        let (request, mut reply) = request(&journal, &[append(0, "x")], &mut Dice(0));
        writer.commit(vec![request]);
        outcomes.push(reply.try_recv().unwrap());
    }
    assert!(
        matches!(outcomes[0], Err(AppendError::NoSpace(_))),
        "{outcomes:?}"
    );
    assert!(outcomes[1].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");
}
