//! How far each partition had come with a replay.

use super::super::cut::Cut;
use super::super::fields::Fields;
use super::super::{Condition, QueryError, Select, Snapshot};
use hooklog_projections::replays::{PROGRESS, STEPS};
use hooklog_projections::table::{Row, Value};
use hooklog_schemas::ReplayId;
use std::collections::HashMap;

/// What one partition says.
pub(super) struct Progress {
    pub(super) partition: i64,
    pub(super) next: u64,
    /// In the order of the table's columns.
    pub(super) counts: [i64; 9],
    pub(super) started_at: Option<i64>,
    pub(super) finished_at: Option<i64>,
}

/// What the partitions say that had begun with these replays. Steps are looked for where a partition
/// went on behind the cut: of replays that were under way then, and there are only ever a few.
pub(super) async fn read(
    snapshot: &mut dyn Snapshot,
    cut: Option<&Cut>,
    replays: &[ReplayId],
) -> Result<HashMap<ReplayId, Vec<Progress>>, QueryError> {
    let ids = replays.iter().copied().map(id).collect();
    let select = Select::oldest(&PROGRESS, &["replay", "partition"]);
    let select = select.and(Condition::OneOf("replay", ids));
    let mut progress: HashMap<_, Vec<_>> = HashMap::new();
    for row in snapshot.select(&select).await? {
        let (replay, mut part, changed) = now(row)?;
        if let Some(cut) = cut
            && !changed.is_some_and(|changed| cut.holds(part.partition, changed))
        {
            let Some(then) = last_inside(snapshot, cut, replay, part.partition).await? else {
                continue;
            };
            part = then;
        }
        progress.entry(replay).or_default().push(part);
    }
    Ok(progress)
}

/// The last step of a partition inside; none if it had not begun.
async fn last_inside(
    snapshot: &mut dyn Snapshot,
    cut: &Cut,
    replay: ReplayId,
    partition: i64,
) -> Result<Option<Progress>, QueryError> {
    let select = Select::newest(&STEPS, &["record_offset"])
        .and(Condition::Is("replay", id(replay)))
        .and(Condition::Is("partition", Value::Int(partition)))
        .and(cut.inside("record_offset"))
        .limit(1);
    let row = snapshot.select(&select).await?.pop();
    row.map(step).transpose()
}

fn id(replay: ReplayId) -> Value {
    Value::Id(replay.0.into_bytes())
}

/// A row of [`PROGRESS`]: the replay, how far the partition is, and the record that changed it last.
fn now(row: Row) -> Result<(ReplayId, Progress, Option<i64>), QueryError> {
    let mut f = Fields::of(row);
    let replay = ReplayId(f.id()?);
    let partition = f.int()?;
    let progress = counted(&mut f, partition)?;
    Ok((replay, progress, f.int_or_none()?))
}

/// A row of [`STEPS`].
fn step(row: Row) -> Result<Progress, QueryError> {
    let mut f = Fields::of(row);
    f.skip(); // The replay, which was asked for.
    let partition = f.int()?;
    f.skip(); // The record.
    counted(&mut f, partition)
}

fn counted(f: &mut Fields, partition: i64) -> Result<Progress, QueryError> {
    let next = u64::try_from(f.int()?).unwrap_or_default();
    let mut counts = [0; 9];
    for count in &mut counts {
        *count = f.int()?;
    }
    Ok(Progress {
        partition,
        next,
        counts,
        started_at: f.int_or_none()?,
        finished_at: f.int_or_none()?,
    })
}
