//! Which replays there are, and how far each has come.

use super::fields::Fields;
use super::page::Key;
use super::{ChangeRow, Condition, Page, Paged, Queries, QueryError, Select, Snapshot};
use hooklog_projections::replays;
use hooklog_projections::table::{Row, Value};
use hooklog_schemas::control::{ReplayMode, ReplaySpec};
use hooklog_schemas::{EventId, ReplayId};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use utoipa::ToSchema;

/// A replay, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayRow {
    /// Its id: the cause of its deliveries.
    #[schema(value_type = String, format = "uuid")]
    pub id: ReplayId,
    /// `waiting`, `running`, `paused`, `cancelled` or `finished`: everything is decided then, and
    /// `open` says what is still to be delivered.
    pub state: String,
    /// `original_targets`, `current_routing` or `as_of_routing`.
    pub mode: String,
    /// What was asked for.
    #[schema(value_type = Object)]
    pub spec: serde_json::Value,
    /// The last event that changed it: what a change must name.
    #[schema(value_type = String, format = "uuid")]
    pub version: EventId,
    /// When it was asked for.
    pub requested_at: i64,
    /// By whom: a token's name.
    pub actor: String,
    /// Why.
    pub why: Option<String>,
    /// Its offset in `control`.
    pub offset: i64,
    /// Webhooks in its range at the most.
    pub webhooks: i64,
    /// Webhooks that were looked at, over all partitions.
    pub looked_at: i64,
    /// Those that its filter leaves out.
    pub filtered: i64,
    /// Those that nobody gets by its mode.
    pub unmatched: i64,
    /// Those that repeat an earlier receipt.
    pub repeats: i64,
    /// Those whose body was erased.
    pub skipped: i64,
    /// Deliveries that deleted subscriptions would have got.
    pub left_out: i64,
    /// Deliveries that were made.
    pub owed: i64,
    /// Those that are not tried to an end.
    pub open: i64,
    /// Those that were delivered.
    pub delivered: i64,
    /// Those that were given up.
    pub dead: i64,
    /// Those that were cancelled.
    pub cancelled: i64,
    /// When the first partition began; none before.
    pub started_at: Option<i64>,
    /// When the last partition had decided; none before.
    pub finished_at: Option<i64>,
}

/// The state of one that may go on, before its partitions are asked how far they are.
const ACTIVE: &str = "active";

impl Queries {
    /// Replays, the latest first.
    ///
    /// # Errors
    /// When the tables are away, or the cursor is wrong.
    pub async fn replays(&self, page: &Page) -> Result<Paged<ReplayRow>, QueryError> {
        let after = page.key()?;
        let after = after.map(|key| Condition::Below("control_offset", Value::Int(key.number)));
        let select = Select::newest(&replays::TABLE, &["control_offset"])
            .and_if(after)
            .limit(page.limit() + 1);
        let (mut snapshot, _timer) = self.begin("replays").await?;
        let rows = read(snapshot.as_mut(), &select).await?;
        Ok(Paged::cut(rows, page.limit(), |row| Key {
            number: row.offset,
            ..Key::default()
        }))
    }

    /// One replay.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn replay(&self, id: ReplayId) -> Result<Option<ReplayRow>, QueryError> {
        let (mut snapshot, _timer) = self.begin("replay").await?;
        let select = Select::newest(&replays::TABLE, &[])
            .and(Condition::Is("id", Value::Id(id.0.into_bytes())));
        Ok(read(snapshot.as_mut(), &select).await?.pop())
    }

    /// Who asked for a replay, paused, resumed or cancelled it; the latest first.
    ///
    /// # Errors
    /// When the tables are away, or the cursor is wrong.
    pub async fn replay_history(
        &self,
        id: ReplayId,
        page: &Page,
    ) -> Result<Paged<ChangeRow>, QueryError> {
        self.history(&replays::HISTORY, id.0, page).await
    }
}

async fn read(snapshot: &mut dyn Snapshot, select: &Select) -> Result<Vec<ReplayRow>, QueryError> {
    let rows = snapshot.select(select).await?;
    let found: Vec<_> = rows.into_iter().map(replay).collect::<Result<_, _>>()?;
    let mut progress: HashMap<ReplayId, Vec<Progress>> = HashMap::new();
    let ids: Vec<_> = found
        .iter()
        .map(|(row, _)| Value::Id(row.id.0.into_bytes()))
        .collect();
    let select = Select::oldest(&replays::PROGRESS, &["replay", "partition"])
        .and(Condition::OneOf("replay", ids));
    for row in snapshot.select(&select).await? {
        let part = part(row)?;
        progress.entry(part.replay).or_default().push(part);
    }
    let with_progress = |(mut row, spec): (ReplayRow, ReplaySpec)| {
        row.add(&spec, &progress.remove(&row.id).unwrap_or_default());
        row
    };
    Ok(found.into_iter().map(with_progress).collect())
}

impl ReplayRow {
    /// Adds what the partitions say, and what follows from it.
    fn add(&mut self, spec: &ReplaySpec, parts: &[Progress]) {
        for part in parts {
            let range = usize::try_from(part.partition).ok();
            let range = range.and_then(|place| spec.range.get(place));
            let (from, to) = range.map_or((0, 0), |range| (range.from.0, range.to.0));
            let next = part.finished_at.map_or(part.next, |_| to);
            self.looked_at += i64::try_from(next.saturating_sub(from)).unwrap_or(i64::MAX);
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
            for (sum, count) in sums.into_iter().zip(part.counts) {
                *sum += count;
            }
        }
        self.open = self.owed - self.delivered - self.dead - self.cancelled;
        self.started_at = parts.iter().filter_map(|part| part.started_at).min();
        let wanted = spec.range.iter().filter(|range| !range.is_empty()).count();
        let ended: Vec<_> = parts.iter().filter_map(|part| part.finished_at).collect();
        if ended.len() >= wanted {
            self.finished_at = ended.into_iter().max().or(Some(self.requested_at));
        }
        if self.state == ACTIVE {
            let state = match (self.finished_at, self.started_at) {
                (Some(_), _) => "finished",
                (None, Some(_)) => "running",
                (None, None) => "waiting",
            };
            state.clone_into(&mut self.state);
        }
    }
}

fn replay(row: Row) -> Result<(ReplayRow, ReplaySpec), QueryError> {
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
    let unreadable = |_| {
        let said = "a replay is not what its table says; run `hooklog rebuild`";
        QueryError::Unavailable(said.to_owned())
    };
    let spec: ReplaySpec = serde_json::from_str(&text).map_err(unreadable)?;
    let state = match (cancelled, paused) {
        (true, _) => "cancelled",
        (false, true) => "paused",
        (false, false) => ACTIVE,
    };
    let mode = match spec.mode {
        ReplayMode::OriginalTargets => "original_targets",
        ReplayMode::CurrentRouting => "current_routing",
        ReplayMode::AsOfRouting { .. } => "as_of_routing",
    };
    let row = ReplayRow {
        id,
        state: state.to_owned(),
        mode: mode.to_owned(),
        spec: serde_json::from_str(&text).map_err(unreadable)?,
        version,
        requested_at,
        actor,
        why,
        offset,
        webhooks,
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
    Ok((row, spec))
}

/// What one partition says.
struct Progress {
    replay: ReplayId,
    partition: i64,
    next: u64,
    /// In the order of the table's columns.
    counts: [i64; 9],
    started_at: Option<i64>,
    finished_at: Option<i64>,
}

fn part(row: Row) -> Result<Progress, QueryError> {
    let mut f = Fields::of(row);
    let replay = ReplayId(f.id()?);
    let partition = f.int()?;
    let next = u64::try_from(f.int()?).unwrap_or_default();
    let mut counts = [0; 9];
    for count in &mut counts {
        *count = f.int()?;
    }
    Ok(Progress {
        replay,
        partition,
        next,
        counts,
        started_at: f.int_or_none()?,
        finished_at: f.int_or_none()?,
    })
}
