//! Answers from the tables.
//!
//! Every list is newest first and paged by a cursor that names the last row, so that rows which
//! arrive meanwhile neither repeat nor hide others.

mod filter;
mod page;
mod rows;

pub use filter::{CountsFilter, Filter};
pub use page::{Page, PageError, Paged};
pub use rows::{
    AttemptRow, ChangeRow, CountRow, DeadLetterRow, DeliveryDetail, DeliveryRow, ReadUpTo,
    Timeline, TransitionRow, WebhookRow,
};

use hooklog_schemas::control::{ErasedReceipt, Scope};
use hooklog_schemas::{DeliveryId, ReceiptId, SourceId, SubscriptionId};

/// Answers from the tables. Clones share their connections.
#[derive(Clone)]
pub struct Queries {}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The tables cannot be read now, or are not there yet (503).
    #[error("the tables cannot be read now: {0}")]
    Unavailable(String),
    /// The cursor is not one that a list of this kind gave (422).
    #[error(transparent)]
    Page(#[from] PageError),
}

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

impl Queries {
    /// Webhooks, the latest received first.
    ///
    /// # Errors
    /// When the tables are away, or the cursor is wrong.
    pub async fn webhooks(&self, _: &Filter, _: &Page) -> Result<Paged<WebhookRow>, QueryError> {
        unavailable()
    }

    /// One webhook.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn webhook(&self, _: ReceiptId) -> Result<Option<WebhookRow>, QueryError> {
        unavailable()
    }

    /// The deliveries of one receipt.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn deliveries_of(&self, _: ReceiptId) -> Result<Vec<DeliveryRow>, QueryError> {
        unavailable()
    }

    /// Deliveries, the latest received first.
    ///
    /// # Errors
    /// When the tables are away, or the cursor is wrong.
    pub async fn deliveries(&self, _: &Filter, _: &Page) -> Result<Paged<DeliveryRow>, QueryError> {
        unavailable()
    }

    /// One delivery with its attempts and transitions.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn delivery(&self, _: DeliveryId) -> Result<Option<DeliveryDetail>, QueryError> {
        unavailable()
    }

    /// Dead letters, the latest received first.
    ///
    /// # Errors
    /// When the tables are away, or the cursor is wrong.
    pub async fn dead_letters(
        &self,
        _: &Filter,
        _: &Page,
    ) -> Result<Paged<DeadLetterRow>, QueryError> {
        unavailable()
    }

    /// The whole life of one event: its receipts, and their deliveries.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn timeline(&self, _: &str) -> Result<Timeline, QueryError> {
        unavailable()
    }

    /// Counts per minute and source, the latest first, summed over the partitions.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn counts(&self, _: &CountsFilter) -> Result<Vec<CountRow>, QueryError> {
        unavailable()
    }

    /// What was done to a subscription, deleted ones too; the latest first.
    ///
    /// # Errors
    /// When the tables are away, or the cursor is wrong.
    pub async fn subscription_history(
        &self,
        _: SubscriptionId,
        _: &Page,
    ) -> Result<Paged<ChangeRow>, QueryError> {
        unavailable()
    }

    /// What was done to a source, deleted ones too; the latest first.
    ///
    /// # Errors
    /// When the tables are away, or the cursor is wrong.
    pub async fn source_history(
        &self,
        _: SourceId,
        _: &Page,
    ) -> Result<Paged<ChangeRow>, QueryError> {
        unavailable()
    }

    /// How many deliveries a command with `scope` would change, as far as the tables know.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn count_in_scope(&self, _: &Scope, _: Changeable) -> Result<u64, QueryError> {
        unavailable()
    }

    /// The receipts that an erasure would name, as far as the tables know, in receipt order.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn erasable(&self, _: Erasable) -> Result<Vec<ErasedReceipt>, QueryError> {
        unavailable()
    }

    /// Up to where the tables have read the log.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn as_of(&self) -> Result<Vec<ReadUpTo>, QueryError> {
        unavailable()
    }
}

fn unavailable<T>() -> Result<T, QueryError> {
    Err(QueryError::Unavailable("they are not there yet".to_owned()))
}
