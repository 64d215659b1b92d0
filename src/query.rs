//! Answers from the tables.
//!
//! Every list is newest first and paged by a cursor that names the last row, so that rows which
//! arrive meanwhile neither repeat nor hide others. One answer reads one state of all tables.

mod commands;
mod counts;
mod cut;
mod deliveries;
mod erased;
mod fences;
mod fields;
mod filter;
mod history;
mod lives;
mod page;
mod past;
mod reads;
mod recipients;
mod replays;
mod rows;
mod select;
mod timeline;
mod totals;
mod webhooks;

pub use commands::{Changeable, Erasable};
pub use filter::{Between, CountsFilter, Filter};
pub use page::{Page, PageError, Paged};
pub use reads::ReadsFilter;
pub use recipients::{ReceivedRow, RecipientRow};
pub use replays::ReplayRow;
pub use rows::{
    AttemptRow, BodyReadRow, ChangeRow, CountRow, DeadLetterRow, DeliveryDetail, DeliveryRow,
    ReadUpTo, Timeline, TransitionRow, WebhookRow,
};
pub use select::{Condition, Select, Snapshot, Tables};
pub use totals::Totals;

use crate::metrics::{Metrics, NameLabel};
use cut::Cut;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_schemas::{EventId, Point, Position};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// Answers from the tables. Clones share their connections.
#[derive(Clone)]
pub struct Queries {
    tables: Arc<dyn Tables>,
    metrics: Metrics,
    cut: Option<Cut>,
}

/// The tables that answer now.
pub struct Standing {
    /// Up to where they have read the log.
    pub read: Vec<ReadUpTo>,
    /// The versions of the projections.
    pub versions: BTreeMap<String, u32>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The tables cannot be read now, or are not there yet (503).
    #[error("the tables cannot be read now: {0}")]
    Unavailable(String),
    /// The tables have not read all of the point yet (503).
    #[error(
        "the tables have read up to {next}, and the point reaches up to {end}; ask again in a moment"
    )]
    Behind {
        /// What they read next.
        next: Position,
        /// Where the point ends.
        end: Position,
    },
    /// The point is of another log than the tables (409).
    #[error("the point is of log {theirs}, but the tables are of log {ours}")]
    OtherLog {
        /// The log that the point cuts.
        theirs: EventId,
        /// The log of the tables.
        ours: EventId,
    },
    /// The cursor is not one that a list gave (422).
    #[error(transparent)]
    Page(#[from] PageError),
}

impl Queries {
    /// Answers from `tables`, timed by `metrics`.
    #[must_use]
    pub fn new(tables: Arc<dyn Tables>, metrics: Metrics) -> Self {
        Self {
            tables,
            metrics,
            cut: None,
        }
    }

    /// The same questions, answered as of `point`: by what lies inside it alone, but for what was
    /// ordered to be erased by now. What a command would change is asked of the present.
    #[must_use]
    pub fn at(&self, point: Arc<Point>) -> Self {
        Self {
            cut: Some(Cut::at(point)),
            ..self.clone()
        }
    }

    /// Up to where the tables have read the log.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn as_of(&self) -> Result<Vec<ReadUpTo>, QueryError> {
        Ok(self.standing().await?.read)
    }

    /// Up to where the tables have read the log, and which tables they are.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn standing(&self) -> Result<Standing, QueryError> {
        let mut snapshot = self.tables.snapshot().await?;
        Ok(Standing {
            read: read_up_to(&snapshot.checkpoint().await?),
            versions: snapshot.versions().clone(),
        })
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
        let mut snapshot = self.tables.snapshot().await?;
        if let Some(cut) = &self.cut {
            cut.reached(&snapshot.checkpoint().await?)?;
        }
        Ok((snapshot, timer))
    }

    /// That what this column names in `deliveries` was there, where the question is about the past.
    fn inside(&self, offset: &'static str) -> Option<Condition> {
        self.cut.as_ref().map(|cut| cut.inside(offset))
    }
}

fn read_up_to(checkpoint: &Checkpoint) -> Vec<ReadUpTo> {
    checkpoint.positions().map(place).collect()
}

fn place(at: Position) -> ReadUpTo {
    ReadUpTo {
        topic: at.topic.to_string(),
        partition: at.partition.0,
        next: at.offset.0,
    }
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
