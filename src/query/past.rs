//! Deliveries as they were at a point of the past.

use super::cut::Cut;
use super::deliveries::ORDER;
use super::fields::Fields;
use super::{Condition, DeliveryRow, QueryError, Select, Snapshot, deliveries};
use hooklog_projections::dead_letters;
use hooklog_projections::deliveries::{TABLE, TRANSITIONS};
use hooklog_projections::table::Value;
use hooklog_schemas::DeliveryId;
use std::collections::{BTreeMap, HashMap};

/// Deliveries whose transitions are asked for at once.
const DELIVERIES: usize = 500;

/// The first `limit` rows of `select`, as they were. `state` is the one that they were in then, and
/// no condition of `select`.
pub(super) async fn list(
    snapshot: &mut dyn Snapshot,
    cut: &Cut,
    select: &Select,
    state: Option<&str>,
    limit: usize,
) -> Result<Vec<DeliveryRow>, QueryError> {
    let Some(state) = state else {
        let there = select.clone().and(cut.inside("decision_offset"));
        return as_they_were(snapshot, cut, &there.limit(limit)).await;
    };
    let mut rows = still(snapshot, cut, select, state, limit).await?;
    // What was delivered stays so: nothing of it changed since.
    if state != "delivered" {
        rows.extend(moved(snapshot, cut, select, state, limit).await?);
    }
    rows.sort_by_key(|row| std::cmp::Reverse((row.received_at, row.id)));
    rows.truncate(limit);
    Ok(rows)
}

/// Those rows of `select` that are in `state`, and were so then: nothing of them changed since.
async fn still(
    snapshot: &mut dyn Snapshot,
    cut: &Cut,
    select: &Select,
    state: &str,
    limit: usize,
) -> Result<Vec<DeliveryRow>, QueryError> {
    let unchanged = select
        .clone()
        .and(cut.inside("changed_offset"))
        .limit(limit);
    // Dead ones are few among many, and have a table of their own.
    let dead = unchanged.asked_of(&dead_letters::TABLE);
    if let Some(dead) = dead.filter(|_| state == "dead") {
        let rows = snapshot.select(&dead).await?.into_iter();
        let ids = rows.filter_map(|row| row.into_iter().next()).collect();
        let those = Select::newest(&TABLE, ORDER).and(Condition::OneOf("id", ids));
        return read(snapshot, &those).await;
    }
    let state = Condition::Is("state", Value::text(state));
    read(snapshot, &unchanged.and(state)).await
}

/// How many of the deliveries that changed since were in which state then.
pub(super) async fn moved_states(
    snapshot: &mut dyn Snapshot,
    cut: &Cut,
) -> Result<BTreeMap<String, u64>, QueryError> {
    let all = Select::newest(&TABLE, ORDER);
    let mut states = BTreeMap::new();
    each_moved(snapshot, cut, &all, |rows| {
        for row in rows {
            *states.entry(row.state).or_default() += 1;
        }
        true
    })
    .await?;
    Ok(states)
}

/// Those rows of `select` that were in `state` and changed since: `limit` of them, or some more.
async fn moved(
    snapshot: &mut dyn Snapshot,
    cut: &Cut,
    select: &Select,
    state: &str,
    limit: usize,
) -> Result<Vec<DeliveryRow>, QueryError> {
    let mut found = Vec::new();
    each_moved(snapshot, cut, select, |rows| {
        found.extend(rows.into_iter().filter(|row| row.state == state));
        found.len() < limit
    })
    .await?;
    Ok(found)
}

/// Hands the rows of `select` that changed since to `each`, as they were, until it has enough.
async fn each_moved(
    snapshot: &mut dyn Snapshot,
    cut: &Cut,
    select: &Select,
    mut each: impl FnMut(Vec<DeliveryRow>) -> bool,
) -> Result<(), QueryError> {
    let moved = select
        .clone()
        .and(cut.inside("decision_offset"))
        .and(cut.outside("changed_offset"))
        .limit(DELIVERIES);
    let mut next = moved.clone();
    loop {
        let rows = as_they_were(snapshot, cut, &next).await?;
        let last = rows.last().filter(|_| rows.len() == DELIVERIES);
        let after = last.map(|row| {
            let id = Value::Id(row.id.0.into_bytes());
            vec![Value::Int(row.received_at), id]
        });
        let goes_on = each(rows);
        match after {
            Some(after) if goes_on => {
                next = moved.clone().and(Condition::Before(ORDER, after));
            }
            _ => return Ok(()),
        }
    }
}

/// The rows of `select`, whose conditions leave out those that were not there, as they were.
pub(super) async fn as_they_were(
    snapshot: &mut dyn Snapshot,
    cut: &Cut,
    select: &Select,
) -> Result<Vec<DeliveryRow>, QueryError> {
    let mut rows = read(snapshot, select).await?;
    let changed = rows
        .iter()
        .filter(|row| !cut.holds(row.partition, row.changed_offset));
    let ids: Vec<_> = changed.map(|row| row.id).collect();
    let mut before = HashMap::new();
    for some in ids.chunks(DELIVERIES) {
        before.extend(last_inside(snapshot, cut, some).await?);
    }
    for row in &mut rows {
        if let Some(then) = before.remove(&row.id) {
            row.first_attempt_at.take_if(|first| !then.is_after(*first));
            row.state = then.state;
            row.reason = then.reason;
            row.due_at = then.due_at;
            row.attempts_made = then.attempts;
            row.changed_at = then.at;
            row.changed_offset = then.offset;
        }
    }
    Ok(rows)
}

/// A transition: what it says of its delivery.
struct Then {
    offset: i64,
    at: i64,
    state: String,
    due_at: Option<i64>,
    reason: Option<String>,
    attempts: i64,
}

impl Then {
    /// Whether the first attempt, which began at `first`, was told before this or by this. Nothing
    /// before it is later than its start.
    fn is_after(&self, first: i64) -> bool {
        first < self.at || (first == self.at && self.attempts > 0)
    }
}

async fn last_inside(
    snapshot: &mut dyn Snapshot,
    cut: &Cut,
    ids: &[DeliveryId],
) -> Result<HashMap<DeliveryId, Then>, QueryError> {
    let ids = ids.iter().map(|id| Value::Id(id.0.into_bytes())).collect();
    let select = Select::oldest(&TRANSITIONS, &["record_offset", "number"])
        .and(Condition::OneOf("delivery", ids))
        .and(cut.inside("record_offset"));
    let mut last = HashMap::new();
    for row in snapshot.select(&select).await? {
        let mut f = Fields::of(row);
        f.skip(); // The partition, which is the delivery's.
        let offset = f.int()?;
        f.skip(); // Which of the record's changes it is.
        let delivery = DeliveryId(f.id()?);
        let then = Then {
            offset,
            at: f.int()?,
            state: f.text()?,
            due_at: f.int_or_none()?,
            reason: f.text_or_none()?,
            attempts: f.int()?,
        };
        last.insert(delivery, then);
    }
    Ok(last)
}

/// The rows of `select`.
pub(super) async fn read(
    snapshot: &mut dyn Snapshot,
    select: &Select,
) -> Result<Vec<DeliveryRow>, QueryError> {
    let rows = snapshot.select(select).await?.into_iter();
    let owed = |row| {
        let mut f = Fields::of(row);
        let mut row = deliveries::delivery(&mut f)?;
        row.first_attempt_at = f.int_or_none()?;
        Ok(row)
    };
    rows.map(owed).collect()
}
