//! Power cuts, torn writes, failing and full disks, at every step of a journal's life. The checker
//! asks: what was acknowledged is there, what was not is there wholly or not at all, in order.

mod damage;
mod power;

use super::compaction;
use super::fault::{Dice, FaultFiles, Left};
use super::files::LogFiles;
use super::frame::{Draft, SALT};
use super::journal::Journal;
use super::open_error::OpenError;
use super::options::Options;
use super::recovery;
use super::writer::{Request, Writer};
use crate::clock::Manual;
use crate::config::LogConfig;
use crate::log::conformance::{append, tombstone};
use crate::log::{AppendError, ReadLimit};
use crate::metrics::Metrics;
use hooklog_schemas::{
    Append, EventId, Key, Offset, Partition, Position, Record, Timestamp, Topic,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
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
        ..LogConfig::default()
    };
    let mut registry = prometheus_client::registry::Registry::default();
    let metrics = Metrics::register(&mut registry);
    let clock = Arc::new(Manual::at(Timestamp(1_700_000_000_000_000)));
    Options {
        allocate_bytes: 1000,
        floor_bytes: 0,
        ..Options::new(&config, &metrics, clock)
    }
}

fn open(files: &FaultFiles, options: &Options) -> Result<(Arc<Journal>, Writer), OpenError> {
    open_topic(files, Topic::Webhooks, options)
}

fn open_topic(
    files: &FaultFiles,
    topic: Topic,
    options: &Options,
) -> Result<(Arc<Journal>, Writer), OpenError> {
    let files: Arc<dyn LogFiles> = Arc::new(files.clone());
    let (dir, poison) = (Path::new("/log"), watch::Sender::new(None));
    if !recovery::is_there(&*files, dir, topic)? {
        recovery::make(&*files, dir, topic, [7; 16], options)?;
    }
    recovery::open(&files, dir, topic, options, &poison)
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
