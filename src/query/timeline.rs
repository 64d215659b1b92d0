//! The whole life of one event.

use super::cut::Cut;
use super::fields::Fields;
use super::{
    AttemptRow, Condition, DeliveryDetail, DeliveryRow, Queries, QueryError, Select, Snapshot,
    Timeline, TransitionRow, place, read_up_to, webhooks,
};
use hooklog_projections::table::{Row, Table, Value};
use hooklog_projections::{attempts, deliveries as tables};
use hooklog_schemas::{DeliveryId, Offset, Partition, Position, Topic};
use std::collections::HashMap;

impl Queries {
    /// The whole life of one event: its receipts, and their deliveries.
    ///
    /// It is empty for an event that is not in the tables; `as_of` tells whether it may come.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn timeline(&self, guid: &str) -> Result<Timeline, QueryError> {
        let (mut snapshot, _timer) = self.begin("timeline").await?;
        let order = &["received_at", "receipt", "webhook_offset"];
        let select = Select::oldest(&hooklog_projections::webhooks::TABLE, order)
            .and(Condition::Is("guid", Value::text(guid)))
            .and_if(self.inside("decision_offset"));
        let receipts = webhooks::read(snapshot.as_mut(), &select).await?;
        let mut ids: Vec<_> = receipts.iter().map(|row| row.receipt).collect();
        ids.dedup();
        let owed = self.of_receipts(snapshot.as_mut(), &ids).await?;
        Ok(Timeline {
            guid: guid.to_owned(),
            receipts,
            deliveries: details(snapshot.as_mut(), owed, self.cut.as_ref()).await?,
            as_of: match &self.cut {
                Some(cut) => cut.point.ends().map(place).collect(),
                None => read_up_to(&snapshot.checkpoint().await?),
            },
        })
    }
}

/// Adds attempts and transitions.
pub(super) async fn details(
    snapshot: &mut dyn Snapshot,
    rows: Vec<DeliveryRow>,
    cut: Option<&Cut>,
) -> Result<Vec<DeliveryDetail>, QueryError> {
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let answers = answers(snapshot, &ids, cut).await?;
    let order = &["record_offset"];
    let mut tried: HashMap<_, Vec<_>> = HashMap::new();
    for row in of_deliveries(snapshot, &attempts::TABLE, order, &ids, cut).await? {
        let (delivery, attempt) = attempt(row, &answers)?;
        tried.entry(delivery).or_default().push(attempt);
    }
    let order = &["record_offset", "number"];
    let mut changed: HashMap<_, Vec<_>> = HashMap::new();
    for row in of_deliveries(snapshot, &tables::TRANSITIONS, order, &ids, cut).await? {
        let (delivery, transition) = transition(row)?;
        changed.entry(delivery).or_default().push(transition);
    }
    let detail = |delivery: DeliveryRow| DeliveryDetail {
        attempts: tried.remove(&delivery.id).unwrap_or_default(),
        transitions: changed.remove(&delivery.id).unwrap_or_default(),
        delivery,
    };
    Ok(rows.into_iter().map(detail).collect())
}

async fn of_deliveries(
    snapshot: &mut dyn Snapshot,
    table: &'static Table,
    order: &'static [&'static str],
    ids: &[DeliveryId],
    cut: Option<&Cut>,
) -> Result<Vec<Row>, QueryError> {
    let mut rows = Vec::new();
    for some in ids.chunks(500) {
        let ids = some.iter().map(|id| Value::Id(id.0.into_bytes()));
        let select = Select::oldest(table, order)
            .and(Condition::OneOf("delivery", ids.collect()))
            .and_if(cut.map(|cut| cut.inside("record_offset")));
        rows.extend(snapshot.select(&select).await?);
    }
    Ok(rows)
}

/// Where the excerpt of an attempt's answer stands, by delivery, number and start.
type Answers = HashMap<(DeliveryId, i64, i64), String>;

async fn answers(
    snapshot: &mut dyn Snapshot,
    ids: &[DeliveryId],
    cut: Option<&Cut>,
) -> Result<Answers, QueryError> {
    let order = &["record_offset"];
    let rows = of_deliveries(snapshot, &attempts::ANSWERS, order, ids, cut).await?;
    let mut answers = Answers::new();
    for row in rows {
        let mut f = Fields::of(row);
        f.skip(); // The key of the record.
        let position = position(&mut f)?;
        let key = (DeliveryId(f.id()?), f.int()?, f.int()?);
        answers.entry(key).or_insert(position);
    }
    Ok(answers)
}

fn attempt(row: Row, answers: &Answers) -> Result<(DeliveryId, AttemptRow), QueryError> {
    let mut f = Fields::of(row);
    let position = position(&mut f)?;
    let delivery = DeliveryId(f.id()?);
    let number = f.int()?;
    let started_at = f.int()?;
    let duration_us = f.int()?;
    let attempt = AttemptRow {
        number,
        started_at,
        duration_us,
        resolve_us: f.int_or_none()?,
        connect_us: f.int_or_none()?,
        headers_us: f.int_or_none()?,
        headers_sha256: f.text_or_none()?,
        status: f.int_or_none()?,
        error: f.text_or_none()?,
        detail: f.text_or_none()?,
        target: f.text()?,
        address: f.text_or_none()?,
        verdict: f.text()?,
        configuration_offset: {
            f.skip(); // The owner's epoch.
            f.int()?
        },
        position,
        answer_position: answers.get(&(delivery, number, started_at)).cloned(),
        excerpt: None,
    };
    Ok((delivery, attempt))
}

fn transition(row: Row) -> Result<(DeliveryId, TransitionRow), QueryError> {
    let mut f = Fields::of(row);
    let position = position(&mut f)?;
    f.skip(); // Which of the record's changes it is.
    let delivery = DeliveryId(f.id()?);
    let transition = TransitionRow {
        at: f.int()?,
        state: f.text()?,
        due_at: f.int_or_none()?,
        reason: f.text_or_none()?,
        position,
    };
    Ok((delivery, transition))
}

fn position(f: &mut Fields) -> Result<String, QueryError> {
    let partition = u32::try_from(f.int()?).unwrap_or_default();
    let offset = u64::try_from(f.int()?).unwrap_or_default();
    let position = Position::new(Topic::Deliveries, Partition(partition), Offset(offset));
    Ok(position.to_string())
}
