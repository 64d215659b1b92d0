//! Who looked at which payload.

use super::cut::Cut;
use super::fields::Fields;
use super::filter::within;
use super::page::Key;
use super::{
    BodyReadRow, Condition, Page, Paged, Queries, QueryError, Select, Snapshot, WebhookRow,
    webhooks,
};
use hooklog_projections::reads::TABLE;
use hooklog_projections::table::{Row, Value};
use hooklog_schemas::{Offset, Partition, Position, ReceiptId, Timestamp, Topic};
use std::collections::{BTreeSet, HashMap};

const ORDER: &[&str] = &["at", "partition", "record_offset"];

/// Receipts asked for in one question.
const RECEIPTS: usize = 500;

/// Clauses over looks at bodies. All given ones must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadsFilter {
    /// At or after.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
    /// By whom: a token's name.
    pub actor: Option<String>,
    /// At the bodies of these receipts; of any, if not given.
    pub receipts: Option<Vec<ReceiptId>>,
}

impl Queries {
    /// Who looked at which body, the latest first.
    ///
    /// # Errors
    /// When the tables are away, or the cursor is wrong.
    pub async fn body_reads(
        &self,
        filter: &ReadsFilter,
        page: &Page,
    ) -> Result<Paged<BodyReadRow>, QueryError> {
        let after = page.key()?.map(|key| {
            let partition = i64::from(u32::from_be_bytes([
                key.id[0], key.id[1], key.id[2], key.id[3],
            ]));
            let place = [key.number, partition, key.offset];
            Condition::Before(ORDER, place.map(Value::Int).into())
        });
        let mut select = Select::newest(&TABLE, ORDER)
            .and_if(after)
            .and_if(self.inside("record_offset"));
        select
            .conditions
            .extend(within("at", filter.from, filter.to));
        let actor = filter.actor.as_deref().map(Value::text);
        select = select.and_if(actor.map(|actor| Condition::Is("actor", actor)));
        select = select.and_if(filter.receipts.as_deref().map(one_of));
        let (mut snapshot, _timer) = self.begin("body_reads").await?;
        let rows = snapshot.select(&select.limit(page.limit() + 1)).await?;
        let rows = rows.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let mut page = Paged::cut(rows, page.limit(), |(at, row)| key(*at, row));
        let mut items: Vec<_> = page.items.drain(..).map(|(_, row)| row).collect();
        name(snapshot.as_mut(), &mut items).await?;
        Ok(Paged {
            items,
            next: page.next,
        })
    }
}

/// Who looked at the bodies of these receipts, the earliest first.
pub(super) async fn of_receipts(
    snapshot: &mut dyn Snapshot,
    receipts: &[ReceiptId],
    cut: Option<&Cut>,
) -> Result<Vec<BodyReadRow>, QueryError> {
    let mut found = Vec::new();
    for some in receipts.chunks(RECEIPTS) {
        let select = Select::oldest(&TABLE, ORDER)
            .and(one_of(some))
            .and_if(cut.map(|cut| cut.inside("record_offset")));
        for row in snapshot.select(&select).await? {
            found.push(read(row)?.1);
        }
    }
    name(snapshot, &mut found).await?;
    found.sort_by_key(|row| row.at);
    Ok(found)
}

fn one_of(receipts: &[ReceiptId]) -> Condition {
    let ids = receipts.iter().map(|id| Value::Id(id.0.into_bytes()));
    Condition::OneOf("receipt", ids.collect())
}

fn key(at: Position, row: &BodyReadRow) -> Key {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&at.partition.0.to_be_bytes());
    Key {
        number: row.at,
        id,
        offset: i64::try_from(at.offset.0).unwrap_or(i64::MAX),
    }
}

fn read(row: Row) -> Result<(Position, BodyReadRow), QueryError> {
    let mut f = Fields::of(row);
    let partition = Partition(u32::try_from(f.int()?).unwrap_or_default());
    let offset = Offset(u64::try_from(f.int()?).unwrap_or_default());
    let position = Position::new(Topic::Deliveries, partition, offset);
    let receipt = ReceiptId(f.id()?);
    let row = BodyReadRow {
        actor: f.text()?,
        from: f.text()?,
        at: f.int()?,
        receipt,
        guid: None,
        event: None,
        action: None,
        repository: None,
        position: position.to_string(),
    };
    Ok((position, row))
}

/// Says what the receipts were.
async fn name(snapshot: &mut dyn Snapshot, rows: &mut [BodyReadRow]) -> Result<(), QueryError> {
    let receipts: BTreeSet<_> = rows.iter().map(|row| row.receipt).collect();
    let receipts: Vec<_> = receipts.into_iter().collect();
    let mut known: HashMap<ReceiptId, WebhookRow> = HashMap::new();
    for some in receipts.chunks(RECEIPTS) {
        let table = &hooklog_projections::webhooks::TABLE;
        let select = Select::oldest(table, &["receipt", "webhook_offset"]).and(one_of(some));
        let found = webhooks::read(snapshot, &select).await?;
        known.extend(found.into_iter().map(|row| (row.receipt, row)));
    }
    for row in rows {
        if let Some(webhook) = known.get(&row.receipt) {
            row.guid = Some(webhook.guid.clone());
            row.event = Some(webhook.event.clone());
            row.action.clone_from(&webhook.action);
            row.repository.clone_from(&webhook.repository);
        }
    }
    Ok(())
}
