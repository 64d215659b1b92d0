//! What commands would change, for their counts before the question whether to go on.

use super::filter::within;
use super::{Condition, Queries, QueryError, Select, webhooks};
use hooklog_projections::table::Value;
use hooklog_projections::{dead_letters, deliveries};
use hooklog_schemas::control::{ErasedReceipt, Scope};
use hooklog_schemas::{Offset, ReceiptId, SubscriptionId};

/// Which deliveries a command would change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changeable {
    /// Open ones: a cancellation.
    Open,
    /// Dead ones: a redrive.
    Dead,
}

/// What an erasure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erasable {
    /// One receipt.
    Receipt(ReceiptId),
    /// All receipts of a repository.
    Repository(i64),
    /// All receipts of a sender.
    Sender(i64),
}

/// Values of one statement, which every store takes.
const GONE_MAX: usize = 1_000;

impl Queries {
    /// How many deliveries a command with `scope` would change, as far as the tables know. A scope
    /// that says nothing, not even `all`, is about none. Dead letters of subscriptions that are
    /// `gone` stay what they are.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn count_in_scope(
        &self,
        scope: &Scope,
        which: Changeable,
        gone: &[SubscriptionId],
    ) -> Result<u64, QueryError> {
        if *scope == Scope::default() {
            return Ok(0);
        }
        let mut select = match which {
            Changeable::Open => Select::newest(&deliveries::TABLE, &[])
                .and(Condition::Is("state", Value::text("open"))),
            Changeable::Dead => Select::newest(&dead_letters::TABLE, &[]),
        };
        let ids = scope
            .deliveries
            .iter()
            .map(|id| Value::Id(id.0.into_bytes()));
        let ids: Vec<_> = ids.collect();
        if !ids.is_empty() {
            select = select.and(Condition::OneOf("id", ids));
        }
        if let Some(id) = scope.subscription {
            let id = Value::Id(id.0.into_bytes());
            select = select.and(Condition::Is("subscription_id", id));
        }
        select
            .conditions
            .extend(within("received_at", scope.from, scope.to));
        let (mut snapshot, _timer) = self.begin("count_in_scope").await?;
        let mut count = snapshot.count(&select).await?;
        if which == Changeable::Dead {
            for some in gone.chunks(GONE_MAX) {
                let ids = some.iter().map(|id| Value::Id(id.0.into_bytes()));
                let left = Condition::OneOf("subscription_id", ids.collect());
                let left = snapshot.count(&select.clone().and(left)).await?;
                count = count.saturating_sub(left);
            }
        }
        Ok(count)
    }

    /// The receipts that an erasure would name, as far as the tables know, in receipt order.
    ///
    /// Those of a repository or a sender are found by a walk over all webhooks: it is rare enough
    /// that no insert should pay for an index.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn erasable(&self, what: Erasable) -> Result<Vec<ErasedReceipt>, QueryError> {
        let condition = match what {
            Erasable::Receipt(id) => Condition::Is("receipt", Value::Id(id.0.into_bytes())),
            Erasable::Repository(id) => Condition::Is("repository_id", Value::Int(id)),
            Erasable::Sender(id) => Condition::Is("sender_id", Value::Int(id)),
        };
        let table = &hooklog_projections::webhooks::TABLE;
        let select = Select::oldest(table, &["receipt", "webhook_offset"]).and(condition);
        let (mut snapshot, _timer) = self.begin("erasable").await?;
        let rows = webhooks::raw(snapshot.as_mut(), &select).await?;
        let place = |row: super::WebhookRow| ErasedReceipt {
            receipt: row.receipt,
            partition: u32::try_from(row.partition).unwrap_or_default(),
            offset: Offset(u64::try_from(row.offset).unwrap_or_default()),
        };
        Ok(rows.into_iter().map(place).collect())
    }
}
