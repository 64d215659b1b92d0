//! What happened in a part of a partition, from the tables that only grow.

use super::super::fields::Fields;
use super::super::{Condition, QueryError, Select, Snapshot};
use hooklog_projections::counts::{Counted, minute};
use hooklog_projections::table::{Row, Table, Value};
use hooklog_projections::{attempts, deliveries, webhooks};
use std::collections::HashMap;
use std::ops::Range;

/// One thing that counts: its minute, its source, and what it is.
type Happened = (i64, String, Counted);

/// Deliveries asked for at once.
const DELIVERIES: usize = 500;

/// What happened in `offsets` of `partition`.
pub(super) async fn read(
    snapshot: &mut dyn Snapshot,
    partition: i64,
    offsets: Range<i64>,
) -> Result<Vec<Happened>, QueryError> {
    let part = Part { partition, offsets };
    if part.offsets.is_empty() {
        return Ok(Vec::new());
    }
    let mut happened = Vec::new();
    for row in part
        .rows(snapshot, &webhooks::TABLE, "decision_offset")
        .await?
    {
        let row = Named(&webhooks::TABLE, &row);
        let received = row.int("received_at")?;
        happened.push((minute(received), row.text("source")?, Counted::Received));
    }
    let mut steps = part.transitions(snapshot).await?;
    steps.extend(part.failures(snapshot).await?);
    let known = owed(snapshot, &steps).await?;
    for step in steps {
        // What is told of a delivery before it was owed is not counted.
        if let Some((source, since)) = known.get(&step.delivery)
            && *since <= step.offset
        {
            happened.push((minute(step.at), source.clone(), step.counted));
        }
    }
    Ok(happened)
}

/// A part of a partition of `deliveries`.
struct Part {
    partition: i64,
    offsets: Range<i64>,
}

/// Something that a record said about a delivery.
struct Step {
    delivery: [u8; 16],
    offset: i64,
    at: i64,
    counted: Counted,
}

impl Part {
    async fn rows(
        &self,
        snapshot: &mut dyn Snapshot,
        table: &'static Table,
        offset: &'static str,
    ) -> Result<Vec<Row>, QueryError> {
        let select = Select::oldest(table, &[])
            .and(Condition::Is("partition", Value::Int(self.partition)))
            .and(Condition::AtLeast(offset, Value::Int(self.offsets.start)))
            .and(Condition::Below(offset, Value::Int(self.offsets.end)));
        snapshot.select(&select).await
    }

    async fn transitions(&self, snapshot: &mut dyn Snapshot) -> Result<Vec<Step>, QueryError> {
        let table = &deliveries::TRANSITIONS;
        let mut steps = Vec::new();
        for row in self.rows(snapshot, table, "record_offset").await? {
            let row = Named(table, &row);
            let counted = match row.text("state")?.as_str() {
                "delivered" => Counted::Delivered,
                "dead" => Counted::Dead,
                // Only what is owed anew has no reason to be open.
                "open" if row.is_null("reason")? => Counted::Owed,
                _ => continue,
            };
            steps.push(row.step("at", counted)?);
        }
        Ok(steps)
    }

    async fn failures(&self, snapshot: &mut dyn Snapshot) -> Result<Vec<Step>, QueryError> {
        let table = &attempts::TABLE;
        let mut steps = Vec::new();
        for row in self.rows(snapshot, table, "record_offset").await? {
            let row = Named(table, &row);
            if row.text("verdict")? != "delivered" {
                let mut step = row.step("started_at", Counted::Failed)?;
                step.at = step.at.saturating_add(row.int("duration_us")?);
                steps.push(step);
            }
        }
        Ok(steps)
    }
}

/// The source of each of these deliveries, and where it was owed.
async fn owed(
    snapshot: &mut dyn Snapshot,
    steps: &[Step],
) -> Result<HashMap<[u8; 16], (String, i64)>, QueryError> {
    let mut ids: Vec<_> = steps.iter().map(|step| step.delivery).collect();
    ids.sort_unstable();
    ids.dedup();
    let table = &deliveries::TABLE;
    let mut owed = HashMap::new();
    for some in ids.chunks(DELIVERIES) {
        let ids = some.iter().copied().map(Value::Id).collect();
        let select = Select::oldest(table, &[]).and(Condition::OneOf("id", ids));
        for row in snapshot.select(&select).await? {
            let row = Named(table, &row);
            let since = row.int("decision_offset")?;
            owed.insert(row.id("id")?, (row.text("source")?, since));
        }
    }
    Ok(owed)
}

/// A row whose values are read by the names of their columns.
struct Named<'a>(&'static Table, &'a Row);

impl Named<'_> {
    fn field(&self, column: &str) -> Fields {
        let place = self.0.place(column).unwrap_or(usize::MAX);
        Fields::of(self.1.get(place).cloned().into_iter().collect())
    }

    fn int(&self, column: &str) -> Result<i64, QueryError> {
        self.field(column).int()
    }

    fn text(&self, column: &str) -> Result<String, QueryError> {
        self.field(column).text()
    }

    fn is_null(&self, column: &str) -> Result<bool, QueryError> {
        Ok(self.field(column).text_or_none()?.is_none())
    }

    fn id(&self, column: &str) -> Result<[u8; 16], QueryError> {
        Ok(self.field(column).id()?.into_bytes())
    }

    fn step(&self, at: &str, counted: Counted) -> Result<Step, QueryError> {
        Ok(Step {
            delivery: self.id("delivery")?,
            offset: self.int("record_offset")?,
            at: self.int(at)?,
            counted,
        })
    }
}
