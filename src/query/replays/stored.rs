//! What was asked for, and whether it may go on.

use super::super::cut::Cut;
use super::super::fields::Fields;
use super::super::{Condition, QueryError, Select, Snapshot};
use super::ReplayRow;
use super::progress::Progress;
use hooklog_projections::replays;
use hooklog_projections::table::{Row, Value};
use hooklog_schemas::control::{ReplayMode, ReplaySpec};
use hooklog_schemas::{EventId, ReplayId};
use serde::Deserialize as _;
use std::collections::HashMap;

/// A replay as its table tells it, without how far its partitions are.
pub(super) struct Stored {
    pub(super) row: ReplayRow,
    spec: ReplaySpec,
    paused: bool,
    cancelled: bool,
}

/// Makes replays what they were: those that are there were asked for inside.
pub(super) async fn go_back(
    snapshot: &mut dyn Snapshot,
    cut: &Cut,
    found: &mut [Stored],
) -> Result<(), QueryError> {
    let ids = found.iter().map(|found| found.row.id.0.into_bytes());
    let select = Select::oldest(&replays::HISTORY, &["object", "control_offset"])
        .and(Condition::OneOf("object", ids.map(Value::Id).collect()))
        .and(Condition::Is("outcome", Value::text("applied")))
        .and(cut.inside_control("control_offset"));
    let changes = snapshot.select(&select).await?;
    let mut found: HashMap<_, _> = found
        .iter_mut()
        .map(|found| (found.row.id, found))
        .collect();
    for row in changes {
        let mut f = Fields::of(row);
        let replay = ReplayId(f.id()?);
        f.skip(); // Where it stands; they are in order.
        let event = EventId(f.id()?);
        if let Some(found) = found.get_mut(&replay) {
            found.change(event, &f.text()?);
        }
    }
    Ok(())
}

impl Stored {
    pub(super) fn read(row: Row) -> Result<Self, QueryError> {
        let mut f = Fields::of(row);
        let id = ReplayId(f.id()?);
        let offset = f.int()?;
        let version = EventId(f.id()?);
        let (paused, cancelled) = (f.int()? != 0, f.int()? != 0);
        let requested_at = f.int()?;
        let actor = f.text()?;
        let why = f.text_or_none()?;
        let webhooks = f.int()?;
        let text = f.text()?;
        let told: serde_json::Value = serde_json::from_str(&text).map_err(unreadable)?;
        let spec = ReplaySpec::deserialize(&told).map_err(unreadable)?;
        let row = ReplayRow {
            id,
            mode: mode(&spec).to_owned(),
            spec: told,
            version,
            requested_at,
            actor,
            why,
            offset,
            webhooks,
            // What follows from how far the partitions are.
            state: String::new(),
            looked_at: 0,
            filtered: 0,
            unmatched: 0,
            repeats: 0,
            skipped: 0,
            left_out: 0,
            owed: 0,
            open: 0,
            delivered: 0,
            dead: 0,
            cancelled: 0,
            started_at: None,
            finished_at: None,
        };
        Ok(Self {
            row,
            spec,
            paused,
            cancelled,
        })
    }

    /// An event changed it; they come in order, and the first asked for it.
    fn change(&mut self, event: EventId, event_type: &str) {
        self.row.version = event;
        self.paused = match event_type {
            "replay.paused" => true,
            "replay.requested" | "replay.resumed" => false,
            _ => self.paused,
        };
        self.cancelled = event_type == "replay.cancelled";
    }

    /// With what the partitions say, and what follows from it.
    pub(super) fn told(self, parts: &[Progress]) -> ReplayRow {
        let mut row = self.row;
        for part in parts {
            row.looked_at += looked_at(part, &self.spec);
            row.add(&part.counts);
        }
        row.open = row.owed - row.delivered - row.dead - row.cancelled;
        row.started_at = parts.iter().filter_map(|part| part.started_at).min();
        let wanted = self.spec.range.iter().filter(|range| !range.is_empty());
        let ended: Vec<_> = parts.iter().filter_map(|part| part.finished_at).collect();
        if ended.len() >= wanted.count() {
            row.finished_at = ended.into_iter().max().or(Some(row.requested_at));
        }
        let state = match (self.cancelled, self.paused) {
            (true, _) => "cancelled",
            (false, true) => "paused",
            (false, false) if row.finished_at.is_some() => "finished",
            (false, false) if row.started_at.is_some() => "running",
            (false, false) => "waiting",
        };
        state.clone_into(&mut row.state);
        row
    }
}

impl ReplayRow {
    /// Adds what one partition counted.
    fn add(&mut self, counts: &[i64; 9]) {
        let sums = [
            &mut self.filtered,
            &mut self.unmatched,
            &mut self.repeats,
            &mut self.skipped,
            &mut self.left_out,
            &mut self.owed,
            &mut self.delivered,
            &mut self.dead,
            &mut self.cancelled,
        ];
        for (sum, count) in sums.into_iter().zip(counts) {
            *sum += count;
        }
    }
}

/// How many webhooks of its range a partition has looked at.
fn looked_at(part: &Progress, spec: &ReplaySpec) -> i64 {
    let range = usize::try_from(part.partition).ok();
    let range = range.and_then(|place| spec.range.get(place));
    let (from, to) = range.map_or((0, 0), |range| (range.from.0, range.to.0));
    let next = part.finished_at.map_or(part.next, |_| to);
    i64::try_from(next.saturating_sub(from)).unwrap_or(i64::MAX)
}

const fn mode(spec: &ReplaySpec) -> &'static str {
    match spec.mode {
        ReplayMode::OriginalTargets => "original_targets",
        ReplayMode::CurrentRouting => "current_routing",
        ReplayMode::AsOfRouting { .. } => "as_of_routing",
    }
}

fn unreadable(_: serde_json::Error) -> QueryError {
    let said = "a replay is not what its table says; run `hooklog rebuild`";
    QueryError::Unavailable(said.to_owned())
}
