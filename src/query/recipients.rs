//! Who received a webhook, where, with what result; and who looked at its payload.

use super::{
    AttemptRow, BodyReadRow, Condition, DeliveryRow, Filter, Page, Paged, Queries, QueryError,
    Select, WebhookRow, reads, timeline,
};
use hooklog_projections::deliveries::TABLE;
use hooklog_projections::table::Value;
use hooklog_schemas::{ReceiptId, SubscriptionId};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use utoipa::ToSchema;

/// One webhook, to whom it was owed, and who looked at its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReceivedRow {
    /// The webhook.
    #[serde(flatten)]
    pub webhook: WebhookRow,
    /// To whom it was owed, oldest first. What an earlier receipt of the event serves already stands
    /// with that.
    pub recipients: Vec<RecipientRow>,
    /// Who looked at its body, the earliest first.
    pub reads: Vec<BodyReadRow>,
}

/// One delivery, and the last attempt of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecipientRow {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: DeliveryRow,
    /// The attempt that decided, or the last one so far; none before the first.
    pub last_attempt: Option<AttemptRow>,
}

impl Queries {
    /// Webhooks with their recipients, the latest received first.
    ///
    /// # Errors
    /// When the tables are away, or the cursor is wrong.
    pub async fn received(
        &self,
        filter: &Filter,
        page: &Page,
    ) -> Result<Paged<ReceivedRow>, QueryError> {
        // What was decided later than this page is not on it; what its deliveries did since may be.
        let Paged { items, next } = self.webhooks(filter, page).await?;
        let receipts: Vec<_> = items.iter().map(|row| row.receipt).collect();
        let (mut snapshot, _timer) = self.begin("received").await?;
        let owed = self.of_receipts(snapshot.as_mut(), &receipts).await?;
        let looked = reads::of_receipts(snapshot.as_mut(), &receipts, self.cut.as_ref()).await?;
        drop(snapshot);
        let mut recipients: HashMap<ReceiptId, Vec<RecipientRow>> = HashMap::new();
        for row in self.with_last_attempts(owed).await? {
            let of_receipt = recipients.entry(row.delivery.receipt);
            of_receipt.or_default().push(row);
        }
        let mut reads: HashMap<ReceiptId, Vec<BodyReadRow>> = HashMap::new();
        for row in looked {
            reads.entry(row.receipt).or_default().push(row);
        }
        let items = items.into_iter().map(|webhook| ReceivedRow {
            recipients: recipients.remove(&webhook.receipt).unwrap_or_default(),
            reads: reads.remove(&webhook.receipt).unwrap_or_default(),
            webhook,
        });
        Ok(Paged {
            items: items.collect(),
            next,
        })
    }

    /// Deliveries with their last attempts, the latest received first.
    ///
    /// # Errors
    /// When the tables are away, or the cursor is wrong.
    pub async fn recipients(
        &self,
        filter: &Filter,
        page: &Page,
    ) -> Result<Paged<RecipientRow>, QueryError> {
        let Paged { items, next } = self.deliveries(filter, page).await?;
        let items = self.with_last_attempts(items).await?;
        Ok(Paged { items, next })
    }

    /// The deliveries of these receipts to one subscription, with their last attempts.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn owed_to(
        &self,
        subscription: SubscriptionId,
        receipts: &[ReceiptId],
    ) -> Result<Vec<RecipientRow>, QueryError> {
        let (mut snapshot, _timer) = self.begin("owed_to").await?;
        let ids = receipts.iter().map(|id| Value::Id(id.0.into_bytes()));
        let subscription = Value::Id(subscription.0.into_bytes());
        let select = Select::oldest(&TABLE, &["created_at", "id"])
            .and(Condition::OneOf("receipt", ids.collect()))
            .and(Condition::Is("subscription_id", subscription));
        let rows = self.read(snapshot.as_mut(), select).await?;
        drop(snapshot);
        self.with_last_attempts(rows).await
    }

    async fn with_last_attempts(
        &self,
        rows: Vec<DeliveryRow>,
    ) -> Result<Vec<RecipientRow>, QueryError> {
        let (mut snapshot, _timer) = self.begin("last_attempts").await?;
        let details = timeline::details(snapshot.as_mut(), rows, self.cut.as_ref()).await?;
        let recipient = |mut detail: super::DeliveryDetail| RecipientRow {
            last_attempt: last(&mut detail.attempts),
            delivery: detail.delivery,
        };
        Ok(details.into_iter().map(recipient).collect())
    }
}

/// What came late of a former owner may only have delivered it, and then that decided.
fn last(attempts: &mut Vec<AttemptRow>) -> Option<AttemptRow> {
    let delivered = attempts.iter().position(|one| one.verdict == "delivered");
    match delivered {
        Some(place) => Some(attempts.swap_remove(place)),
        None => attempts.pop(),
    }
}
