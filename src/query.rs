//! Answers from the tables.
//!
//! Every list is newest first and paged by a cursor that names the last row, so that rows which
//! arrive meanwhile neither repeat nor hide others. One answer reads one state of all tables.

mod commands;
mod counts;
mod deliveries;
mod erased;
mod fences;
mod fields;
mod filter;
mod history;
mod lives;
mod page;
mod reads;
mod recipients;
mod replays;
mod rows;
mod select;
mod timeline;
mod webhooks;

pub use commands::{Changeable, Erasable};
pub use filter::{CountsFilter, Filter};
pub use page::{Page, PageError, Paged};
pub use reads::ReadsFilter;
pub use recipients::{ReceivedRow, RecipientRow};
pub use replays::ReplayRow;
pub use rows::{
    AttemptRow, BodyReadRow, ChangeRow, CountRow, DeadLetterRow, DeliveryDetail, DeliveryRow,
    ReadUpTo, Timeline, TransitionRow, WebhookRow,
};
pub use select::{Condition, Select, Snapshot, Tables};

use crate::metrics::{Metrics, NameLabel};
use hooklog_projections::checkpoint::Checkpoint;
use std::sync::Arc;
use std::time::Instant;

/// Answers from the tables. Clones share their connections.
#[derive(Clone)]
pub struct Queries {
    tables: Arc<dyn Tables>,
    metrics: Metrics,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The tables cannot be read now, or are not there yet (503).
    #[error("the tables cannot be read now: {0}")]
    Unavailable(String),
    /// The cursor is not one that a list gave (422).
    #[error(transparent)]
    Page(#[from] PageError),
}

impl Queries {
    /// Answers from `tables`, timed by `metrics`.
    #[must_use]
    pub fn new(tables: Arc<dyn Tables>, metrics: Metrics) -> Self {
        Self { tables, metrics }
    }

    /// Up to where the tables have read the log.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn as_of(&self) -> Result<Vec<ReadUpTo>, QueryError> {
        let mut snapshot = self.tables.snapshot().await?;
        Ok(read_up_to(&snapshot.checkpoint().await?))
    }

    /// Begins an answer that is timed under `name` until the timer is dropped.
    async fn begin(
        &self,
        name: &'static str,
    ) -> Result<(Box<dyn Snapshot>, Timer<'_>), QueryError> {
        let timer = Timer {
            metrics: &self.metrics,
            name,
            started: Instant::now(),
        };
        Ok((self.tables.snapshot().await?, timer))
    }
}

fn read_up_to(checkpoint: &Checkpoint) -> Vec<ReadUpTo> {
    let place = |at: hooklog_schemas::Position| ReadUpTo {
        topic: at.topic.to_string(),
        partition: at.partition.0,
        next: at.offset.0,
    };
    checkpoint.positions().map(place).collect()
}

struct Timer<'a> {
    metrics: &'a Metrics,
    name: &'static str,
    started: Instant,
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        let took = self.started.elapsed().as_secs_f64();
        let name = self.name;
        let times = self.metrics.query.get_or_create(&NameLabel { name });
        times.observe(took);
    }
}

#[cfg(test)]
mod tests;
