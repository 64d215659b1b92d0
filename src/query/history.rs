//! Who changed a subscription or a source, when and why.

use super::fields::Fields;
use super::page::Key;
use super::{ChangeRow, Condition, Page, Paged, Queries, QueryError, Select};
use hooklog_projections::table::{Row, Table, Value};
use hooklog_projections::{sources, subscriptions};
use hooklog_schemas::{EventId, SourceId, SubscriptionId};
use uuid::Uuid;

impl Queries {
    /// What was done to a subscription, deleted ones too; the latest first.
    ///
    /// # Errors
    /// When the tables are away, or the cursor is wrong.
    pub async fn subscription_history(
        &self,
        id: SubscriptionId,
        page: &Page,
    ) -> Result<Paged<ChangeRow>, QueryError> {
        self.history(&subscriptions::HISTORY, id.0, page).await
    }

    /// What was done to a source, deleted ones too; the latest first.
    ///
    /// # Errors
    /// When the tables are away, or the cursor is wrong.
    pub async fn source_history(
        &self,
        id: SourceId,
        page: &Page,
    ) -> Result<Paged<ChangeRow>, QueryError> {
        self.history(&sources::HISTORY, id.0, page).await
    }

    pub(super) async fn history(
        &self,
        table: &'static Table,
        object: Uuid,
        page: &Page,
    ) -> Result<Paged<ChangeRow>, QueryError> {
        let after = page.key()?;
        let after = after.map(|key| Condition::Below("control_offset", Value::Int(key.number)));
        let (mut snapshot, _timer) = self.begin("history").await?;
        let select = Select::newest(table, &["control_offset"])
            .and(Condition::Is("object", Value::Id(object.into_bytes())))
            .and_if(after)
            .and_if(
                self.cut
                    .as_ref()
                    .map(|cut| cut.inside_control("control_offset")),
            )
            .limit(page.limit() + 1);
        let rows = snapshot.select(&select).await?;
        let rows = rows
            .into_iter()
            .map(change)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Paged::cut(rows, page.limit(), |row| Key {
            number: row.offset,
            ..Key::default()
        }))
    }
}

pub(super) fn change(row: Row) -> Result<ChangeRow, QueryError> {
    let mut f = Fields::of(row);
    f.skip(); // The object that was asked for.
    let offset = f.int()?;
    let event = EventId(f.id()?);
    let event_type = f.text()?;
    let at = f.int()?;
    let actor = f.text()?;
    let from = f.text()?;
    let why = f.text_or_none()?;
    let outcome = f.text()?;
    let spec = f.text_or_none()?;
    Ok(ChangeRow {
        at,
        actor,
        from,
        why,
        event_type,
        event,
        offset,
        outcome,
        spec: spec.and_then(|spec| serde_json::from_str(&spec).ok()),
    })
}
