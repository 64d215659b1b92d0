//! Which replays there are, and how far each has come.

mod progress;
mod stored;

use super::cut::Cut;
use super::page::Key;
use super::{ChangeRow, Condition, Page, Paged, Queries, QueryError, Select, Snapshot};
use hooklog_projections::replays;
use hooklog_projections::table::Value;
use hooklog_schemas::{EventId, ReplayId};
use serde::{Deserialize, Serialize};
use stored::Stored;
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
        let rows = read(snapshot.as_mut(), self.cut.as_ref(), select).await?;
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
        let rows = read(snapshot.as_mut(), self.cut.as_ref(), select).await?;
        Ok(rows.into_iter().next())
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

/// The replays of `select`, as they were.
async fn read(
    snapshot: &mut dyn Snapshot,
    cut: Option<&Cut>,
    select: Select,
) -> Result<Vec<ReplayRow>, QueryError> {
    let there = cut.map(|cut| cut.inside_control("control_offset"));
    let rows = snapshot.select(&select.and_if(there)).await?;
    let stored = rows.into_iter().map(Stored::read);
    let mut found: Vec<_> = stored.collect::<Result<_, _>>()?;
    if let Some(cut) = cut {
        stored::go_back(snapshot, cut, &mut found).await?;
    }
    let ids: Vec<_> = found.iter().map(|found| found.row.id).collect();
    let mut progress = progress::read(snapshot, cut, &ids).await?;
    let told = |found: Stored| {
        let parts = progress.remove(&found.row.id).unwrap_or_default();
        found.told(&parts)
    };
    Ok(found.into_iter().map(told).collect())
}
