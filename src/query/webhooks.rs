//! Which webhooks came.

use super::cut::Cut;
use super::erased::Erased;
use super::fields::Fields;
use super::page::Key;
use super::{Condition, Filter, Page, Paged, Queries, QueryError, Select, Snapshot, WebhookRow};
use hooklog_projections::deliveries;
use hooklog_projections::table::{Row, Value};
use hooklog_projections::webhooks::TABLE;
use hooklog_schemas::{ReceiptId, SourceId, SubscriptionId};

const ORDER: &[&str] = &["received_at", "receipt", "webhook_offset"];

impl Queries {
    /// Webhooks, the latest received first.
    ///
    /// # Errors
    /// When the tables are away, or the cursor is wrong.
    pub async fn webhooks(
        &self,
        filter: &Filter,
        page: &Page,
    ) -> Result<Paged<WebhookRow>, QueryError> {
        let after = page.key()?.map(|key| {
            let values = vec![
                Value::Int(key.number),
                Value::Id(key.id),
                Value::Int(key.offset),
            ];
            Condition::Before(ORDER, values)
        });
        let (mut snapshot, _timer) = self.begin("webhooks").await?;
        let mut select = Select::newest(&TABLE, ORDER).and_if(after);
        select.conditions.extend(filter.conditions());
        select
            .conditions
            .extend(filter.happened.conditions("event_at"));
        select
            .conditions
            .extend(filter.appended.conditions("appended_at"));
        select.conditions.extend(state(filter.state.as_deref()));
        let owed_to = |subscription| owed_to(subscription, self.cut.as_ref());
        select.conditions.extend(filter.subscription.map(owed_to));
        let select = select.and_if(self.inside("decision_offset"));
        let select = select.limit(page.limit() + 1);
        let rows = raw(snapshot.as_mut(), &select).await?;
        let mut page = Paged::cut(rows, page.limit(), |row| Key {
            number: row.received_at,
            id: row.receipt.0.into_bytes(),
            offset: row.offset,
        });
        blank(snapshot.as_mut(), &mut page.items).await?;
        // An erased name must not be found by asking for it.
        page.items
            .retain(|row| filter.repository.is_none() || row.repository.is_some());
        Ok(page)
    }

    /// One webhook: its first record, should its append have been repeated.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn webhook(&self, receipt: ReceiptId) -> Result<Option<WebhookRow>, QueryError> {
        let (mut snapshot, _timer) = self.begin("webhook").await?;
        let select = Select::oldest(&TABLE, &["receipt", "webhook_offset"])
            .and(Condition::Is("receipt", Value::Id(receipt.0.into_bytes())))
            .and_if(self.inside("decision_offset"))
            .limit(1);
        Ok(read(snapshot.as_mut(), &select).await?.pop())
    }
}

/// The rows that `select` asks for, blanked.
pub(super) async fn read(
    snapshot: &mut dyn Snapshot,
    select: &Select,
) -> Result<Vec<WebhookRow>, QueryError> {
    let mut rows = raw(snapshot, select).await?;
    blank(snapshot, &mut rows).await?;
    Ok(rows)
}

pub(super) async fn raw(
    snapshot: &mut dyn Snapshot,
    select: &Select,
) -> Result<Vec<WebhookRow>, QueryError> {
    snapshot
        .select(select)
        .await?
        .into_iter()
        .map(row)
        .collect()
}

async fn blank(snapshot: &mut dyn Snapshot, rows: &mut [WebhookRow]) -> Result<(), QueryError> {
    let erased = Erased::of(snapshot, rows.iter().map(|row| row.receipt)).await?;
    rows.iter_mut().for_each(|row| erased.blank_webhook(row));
    Ok(())
}

/// Webhooks of which a delivery to this subscription was made. A redelivery that an earlier receipt
/// serves already has none of its own.
fn owed_to(subscription: SubscriptionId, cut: Option<&Cut>) -> Condition {
    let id = Value::Id(subscription.0.into_bytes());
    Condition::Joined {
        column: "receipt",
        table: &deliveries::TABLE,
        with: ("subscription_id", id),
        inside: cut.map(|cut| ("decision_offset", cut.ends())),
    }
}

fn state(wanted: Option<&str>) -> Vec<Condition> {
    match wanted {
        Some("matched") => vec![Condition::AtLeast("matches", Value::Int(1))],
        Some("unmatched") => vec![
            Condition::Is("matches", Value::Int(0)),
            Condition::Nothing("error"),
        ],
        Some("unparsed") => vec![Condition::Is("unparsed", Value::Int(1))],
        Some("error") => vec![Condition::Something("error")],
        Some(_) => vec![Condition::OneOf("matches", Vec::new())],
        None => Vec::new(),
    }
}

fn row(row: Row) -> Result<WebhookRow, QueryError> {
    let mut f = Fields::of(row);
    let receipt = ReceiptId(f.id()?);
    let offset = f.int()?;
    let partition = f.int()?;
    let decision_offset = f.int()?;
    let guid = f.text()?;
    let event = f.text()?;
    let action = f.text_or_none()?;
    let source = f.text()?;
    let source_id = SourceId(f.id()?);
    let host = f.text()?;
    f.skip(); // The hook's id.
    let repository = f.text_or_none()?;
    let repository_id = f.int_or_none()?;
    let organization_id = f.int_or_none()?;
    let sender_id = f.int_or_none()?;
    let git_ref = f.text_or_none()?;
    let received_at = f.int()?;
    let routed_at = f.int()?;
    let body_bytes = f.int()?;
    let unparsed = f.int()? != 0;
    let matches = f.int()?;
    let repeats = f.text_or_none()?;
    let repeats_receipt = f.id_or_none()?.map(ReceiptId);
    let error = f.text_or_none()?;
    let configuration_offset = f.int()?;
    f.skip(); // The version of the matcher.
    Ok(WebhookRow {
        event_at: f.int_or_none()?,
        appended_at: f.int_or_none()?,
        receipt,
        guid,
        event,
        action,
        source,
        source_id,
        host,
        repository,
        repository_id,
        organization_id,
        sender_id,
        git_ref,
        received_at,
        routed_at,
        body_bytes,
        unparsed,
        matches,
        repeats,
        repeats_receipt,
        error,
        partition,
        offset,
        decision_offset,
        configuration_offset,
        erased: false,
    })
}
