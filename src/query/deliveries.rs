//! What is owed to whom, and where it stands.

use super::erased::Erased;
use super::fields::Fields;
use super::page::Key;
use super::past;
use super::{
    Condition, DeadLetterRow, DeliveryDetail, DeliveryRow, Filter, Page, Paged, Queries,
    QueryError, Select, Snapshot,
};
use hooklog_projections::table::{Row, Table, Value};
use hooklog_projections::{dead_letters, deliveries};
use hooklog_schemas::{DeliveryId, ReceiptId, SubscriptionId};
use std::collections::HashMap;

pub(super) const ORDER: &[&str] = &["received_at", "id"];

impl Queries {
    /// Deliveries, the latest received first.
    ///
    /// # Errors
    /// When the tables are away, or the cursor is wrong.
    pub async fn deliveries(
        &self,
        filter: &Filter,
        page: &Page,
    ) -> Result<Paged<DeliveryRow>, QueryError> {
        let state = filter.state.as_deref();
        let (mut snapshot, _timer) = self.begin("deliveries").await?;
        let rows = self.listed(snapshot.as_mut(), filter, state, page).await?;
        let mut page = Paged::cut(rows, page.limit(), key);
        blank(snapshot.as_mut(), page.items.iter_mut()).await?;
        page.items.retain(|row| shows(filter, row));
        Ok(page)
    }

    /// Dead letters, the latest received first.
    ///
    /// # Errors
    /// When the tables are away, or the cursor is wrong.
    pub async fn dead_letters(
        &self,
        filter: &Filter,
        page: &Page,
    ) -> Result<Paged<DeadLetterRow>, QueryError> {
        let (mut snapshot, _timer) = self.begin("dead_letters").await?;
        let rows = match &self.cut {
            None => {
                let select = list(&dead_letters::TABLE, filter, filter.state.as_deref(), page)?;
                let rows = snapshot.select(&select).await?.into_iter();
                rows.map(dead_letter).collect::<Result<Vec<_>, _>>()?
            }
            // While it is dead nothing about it changes: it died at its last change.
            Some(_) => {
                let rows = self.listed(snapshot.as_mut(), filter, Some("dead"), page);
                let rows = rows.await?.into_iter();
                rows.map(|delivery| DeadLetterRow {
                    died_at: delivery.changed_at,
                    delivery,
                })
                .collect()
            }
        };
        let mut page = Paged::cut(rows, page.limit(), |row| key(&row.delivery));
        if self.cut.is_none() {
            first_attempts(snapshot.as_mut(), &mut page.items).await?;
        }
        let deliveries = page.items.iter_mut().map(|row| &mut row.delivery);
        blank(snapshot.as_mut(), deliveries).await?;
        page.items.retain(|row| shows(filter, &row.delivery));
        Ok(page)
    }

    /// The deliveries of one receipt, oldest first.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn deliveries_of(&self, receipt: ReceiptId) -> Result<Vec<DeliveryRow>, QueryError> {
        let (mut snapshot, _timer) = self.begin("deliveries_of").await?;
        self.of_receipts(snapshot.as_mut(), &[receipt]).await
    }

    /// One delivery with its attempts and transitions.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<DeliveryDetail>, QueryError> {
        let (mut snapshot, _timer) = self.begin("delivery").await?;
        let select = Select::newest(&deliveries::TABLE, &[])
            .and(Condition::Is("id", Value::Id(id.0.into_bytes())));
        let rows = self.read(snapshot.as_mut(), select).await?;
        let cut = self.cut.as_ref();
        let mut details = super::timeline::details(snapshot.as_mut(), rows, cut).await?;
        Ok(details.pop())
    }

    /// The deliveries of these receipts, oldest first.
    pub(super) async fn of_receipts(
        &self,
        snapshot: &mut dyn Snapshot,
        receipts: &[ReceiptId],
    ) -> Result<Vec<DeliveryRow>, QueryError> {
        let mut found = Vec::new();
        for some in receipts.chunks(500) {
            let ids = some.iter().map(|receipt| Value::Id(receipt.0.into_bytes()));
            let select = Select::oldest(&deliveries::TABLE, &["created_at", "id"])
                .and(Condition::OneOf("receipt", ids.collect()));
            found.extend(self.read(snapshot, select).await?);
        }
        Ok(found)
    }

    /// One row more than the page has, if there are more.
    async fn listed(
        &self,
        snapshot: &mut dyn Snapshot,
        filter: &Filter,
        state: Option<&str>,
        page: &Page,
    ) -> Result<Vec<DeliveryRow>, QueryError> {
        match &self.cut {
            None => past::read(snapshot, &list(&deliveries::TABLE, filter, state, page)?).await,
            Some(cut) => {
                let select = list(&deliveries::TABLE, filter, None, page)?;
                past::list(snapshot, cut, &select, state, page.limit() + 1).await
            }
        }
    }

    /// The rows of `select`, blanked.
    pub(super) async fn read(
        &self,
        snapshot: &mut dyn Snapshot,
        select: Select,
    ) -> Result<Vec<DeliveryRow>, QueryError> {
        let mut rows = match &self.cut {
            None => past::read(snapshot, &select).await?,
            Some(cut) => {
                let there = select.and(cut.inside("decision_offset"));
                past::as_they_were(snapshot, cut, &there).await?
            }
        };
        blank(snapshot, rows.iter_mut()).await?;
        Ok(rows)
    }
}

fn list(
    table: &'static Table,
    filter: &Filter,
    state: Option<&str>,
    page: &Page,
) -> Result<Select, QueryError> {
    let after = page.key()?.map(|key| {
        let values = vec![Value::Int(key.number), Value::Id(key.id)];
        Condition::Before(ORDER, values)
    });
    let state = state.map(|state| Condition::Is("state", Value::text(state)));
    let subscription = filter.subscription.map(|id| {
        let id = Value::Id(id.0.into_bytes());
        Condition::Is("subscription_id", id)
    });
    let mut select = Select::newest(table, ORDER)
        .and_if(after)
        .and_if(state)
        .and_if(subscription)
        .and_if(
            filter
                .replay
                .map(|id| Condition::Is("cause", Value::text(&id.to_string()))),
        );
    select.conditions.extend(filter.conditions());
    select
        .conditions
        .extend(filter.attempted.conditions("first_attempt_at"));
    Ok(select.limit(page.limit() + 1))
}

fn key(row: &DeliveryRow) -> Key {
    Key {
        number: row.received_at,
        id: row.id.0.into_bytes(),
        offset: 0,
    }
}

/// Says when the first attempts began: the table of dead letters does not.
async fn first_attempts(
    snapshot: &mut dyn Snapshot,
    rows: &mut [DeadLetterRow],
) -> Result<(), QueryError> {
    let ids = rows
        .iter()
        .map(|row| Value::Id(row.delivery.id.0.into_bytes()));
    let select = Select::newest(&deliveries::TABLE, &[]).and(Condition::OneOf("id", ids.collect()));
    let owed = past::read(snapshot, &select).await?.into_iter();
    let begun: HashMap<_, _> = owed.map(|row| (row.id, row.first_attempt_at)).collect();
    for row in rows {
        row.delivery.first_attempt_at = begun.get(&row.delivery.id).copied().flatten();
    }
    Ok(())
}

/// An erased name must not be found by asking for it; nor what a point of the past does not hold.
fn shows(filter: &Filter, row: &DeliveryRow) -> bool {
    let named = filter.repository.is_none() || row.repository.is_some();
    // At a point of the past its first attempt may not have begun.
    named && filter.attempted.holds(row.first_attempt_at)
}

async fn blank<'a>(
    snapshot: &mut dyn Snapshot,
    rows: impl Iterator<Item = &'a mut DeliveryRow>,
) -> Result<(), QueryError> {
    let mut rows: Vec<_> = rows.collect();
    let erased = Erased::of(snapshot, rows.iter().map(|row| row.receipt)).await?;
    rows.iter_mut().for_each(|row| erased.blank_delivery(row));
    Ok(())
}

fn dead_letter(row: Row) -> Result<DeadLetterRow, QueryError> {
    let mut fields = Fields::of(row);
    Ok(DeadLetterRow {
        delivery: delivery(&mut fields)?,
        died_at: fields.int()?,
    })
}

pub(super) fn delivery(f: &mut Fields) -> Result<DeliveryRow, QueryError> {
    let id = DeliveryId(f.id()?);
    let partition = f.int()?;
    Ok(DeliveryRow {
        id,
        receipt: ReceiptId(f.id()?),
        cause: f.text()?,
        guid: f.text()?,
        subscription: f.text()?,
        subscription_id: SubscriptionId(f.id()?),
        team: f.text()?,
        destination: f.text()?,
        state: f.text()?,
        reason: f.text_or_none()?,
        due_at: f.int_or_none()?,
        held: None,
        attempts_made: f.int()?,
        first_attempt_at: None,
        event: f.text()?,
        action: f.text_or_none()?,
        repository: f.text_or_none()?,
        source: f.text()?,
        host: f.text()?,
        created_at: f.int()?,
        changed_at: f.int()?,
        changed_offset: f.int()?,
        received_at: f.int()?,
        partition,
    })
}
