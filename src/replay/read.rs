//! Reads what a replay is planned from: the original decisions of a part of a partition, and its
//! webhooks where the mode routes anew.

use super::plan::{Course, Fate, Passing, Routing, erased};
use super::{Destinations, ReplayError};
use crate::history;
use crate::log::copy::is_filler;
use crate::log::{EventLog, ReadLimit};
use crate::route::Index;
use hooklog_projections::configuration::{Configuration, Replay};
use hooklog_schemas::control::{ConfigurationVersion, ReplayMode};
use hooklog_schemas::deliveries::{LIVE, Routed};
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{Event, Offset, Partition, Position, Record, Topic};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// A part of a partition of `webhooks`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The partition.
    pub partition: Partition,
    /// The webhooks.
    pub webhooks: Range<Offset>,
}

/// The part of `deliveries` in which the decisions about a part of `webhooks` stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Where they stand.
    pub within: Range<Offset>,
    /// The epoch in force at its start; that of the first record, if it is not known. Once it is read,
    /// that at its end.
    pub epoch: Option<Offset>,
}

/// One receipt, and what becomes of it.
pub struct Planned {
    /// Its offset in `webhooks`.
    pub webhook: Offset,
    /// What becomes of it.
    pub fate: Fate,
}

/// Reads what a replay routes by.
///
/// # Errors
/// When the log cannot be read, or holds an event that this release does not know.
pub async fn prepare(log: &dyn EventLog, replay: Arc<Replay>) -> Result<Course, ReplayError> {
    let end = match &replay.spec.mode {
        ReplayMode::OriginalTargets => {
            let read = Destinations::read(log, replay.offset).await?;
            let routing = Routing::Original(Arc::new(read));
            return Ok(Course { replay, routing });
        }
        ReplayMode::CurrentRouting => replay.offset,
        ReplayMode::AsOfRouting { control, .. } => *control,
    };
    let configuration = history::configuration(log, end).await?;
    let routing = Routing::By {
        version: configuration.version.unwrap_or(ConfigurationVersion::START),
        index: Index::new(&configuration),
    };
    Ok(Course { replay, routing })
}

/// Plans the receipts of a part of a partition, in their order. Offsets that hold no receipt are left
/// out.
///
/// # Errors
/// When the log cannot be read, or holds an event that this release does not know.
pub async fn plan_part(
    log: &dyn EventLog,
    course: &Course,
    configuration: &Configuration,
    place: Place,
    scan: &mut Scan,
) -> Result<Vec<Planned>, ReplayError> {
    let partition = place.partition;
    let originals = originals(log, &place, scan).await?;
    let mut planned = BTreeMap::new();
    let mut wanted = BTreeMap::new();
    for (webhook, original) in originals {
        if !course.wants(&original) {
            planned.insert(webhook, Fate::Passed(Passing::Filtered));
        } else if course.needs_webhooks() {
            wanted.insert(webhook, original);
        } else {
            planned.insert(webhook, course.plan(&original, None));
        }
    }
    if !wanted.is_empty() {
        route(log, course, configuration, partition, wanted, &mut planned).await?;
    }
    let planned = planned.into_iter();
    Ok(planned
        .map(|(webhook, fate)| Planned { webhook, fate })
        .collect())
}

/// Routes webhooks anew. Those that were erased cannot be: whether their bytes are still there makes
/// no difference.
async fn route(
    log: &dyn EventLog,
    course: &Course,
    configuration: &Configuration,
    partition: Partition,
    mut wanted: BTreeMap<Offset, Box<Routed>>,
    planned: &mut BTreeMap<Offset, Fate>,
) -> Result<(), ReplayError> {
    let mut gone = |webhook, original: Box<Routed>| {
        let mut decision = original;
        decision.cause = course.replay.id.to_string();
        decision.repeats = None;
        erased(&mut decision);
        planned.insert(webhook, Fate::Decided(decision));
    };
    let (is_erased, left): (BTreeMap<_, _>, BTreeMap<_, _>) = wanted
        .into_iter()
        .partition(|(webhook, _)| configuration.erased.at(partition, *webhook).is_some());
    is_erased
        .into_iter()
        .for_each(|(webhook, original)| gone(webhook, original));
    wanted = left;
    while let Some((&first, _)) = wanted.first_key_value() {
        let from = Position::new(Topic::Webhooks, partition, first);
        let records = log.read(from, ReadLimit::default()).await?;
        let Some(last) = records.last() else { break };
        let next = last.position.offset.next();
        let later = wanted.split_off(&next);
        for record in &records {
            if let Some(original) = wanted.remove(&record.position.offset)
                && has_receipt(record)
            {
                let received = Received::decode(record)?;
                let fate = course.plan(&original, Some(&received));
                planned.insert(record.position.offset, fate);
            }
        }
        wanted = later;
        tokio::task::yield_now().await;
    }
    Ok(())
}

fn has_receipt(record: &Record) -> bool {
    record.value.is_some() && !is_filler(record)
}

/// The decision that counts about each of these webhooks.
async fn originals(
    log: &dyn EventLog,
    place: &Place,
    scan: &mut Scan,
) -> Result<BTreeMap<Offset, Box<Routed>>, ReplayError> {
    let Scan { within, epoch } = scan;
    let mut found = BTreeMap::new();
    let mut at = Position::new(Topic::Deliveries, place.partition, within.start);
    while at.offset < within.end {
        let records = log.read(at, ReadLimit::default()).await?;
        let Some(last) = records.last() else { break };
        at.offset = last.position.offset.next();
        let inside = |record: &&Arc<Record>| record.position.offset < within.end;
        for record in records.iter().filter(inside) {
            match record.event_type.as_str() {
                "partition.acquired" => *epoch = (*epoch).max(Some(record.position.offset)),
                "webhook.routed" => {
                    *epoch = epoch.or(record.epoch);
                    if record.epoch >= *epoch {
                        keep(&mut found, &place.webhooks, record)?;
                    }
                }
                _ => {}
            }
        }
        tokio::task::yield_now().await;
    }
    Ok(found)
}

/// The first decision counts.
fn keep(
    found: &mut BTreeMap<Offset, Box<Routed>>,
    webhooks: &Range<Offset>,
    record: &Record,
) -> Result<(), ReplayError> {
    if let Event::Routed(routed) = Event::decode(record)?
        && routed.cause == LIVE
        && webhooks.contains(&routed.webhook)
    {
        found.entry(routed.webhook).or_insert(routed);
    }
    Ok(())
}
