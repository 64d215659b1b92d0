//! Brings the gauges up to date, now and then: some are counted over all that is open.

use super::{GAUGES_EVERY, News, Owner};
use crate::log::EventLog;
use crate::metrics::PartitionLabel;
use hooklog_projections::delivery::State;
use hooklog_schemas::{Offset, Partition, Timestamp, Topic};
use std::sync::Arc;
use tokio::sync::mpsc;

impl Owner {
    /// Shows that the loop comes round: the group of workers does not notice when it does not.
    pub(super) fn show_turn(&self) {
        let now = self.parts.clock.now().0 / 1_000_000;
        self.parts.metrics.turned.set(now);
    }

    /// Counts what is open. How far the webhooks go is asked beside the loop: while the log is away
    /// an answer may take minutes.
    pub(super) fn show_gauges(&mut self) {
        let now = self.parts.clock.now();
        if now < self.gauges_at {
            return;
        }
        self.gauges_at = now.plus(GAUGES_EVERY);
        for owned in self.owned.values() {
            let (open, due) = owned.count_open(now);
            let (metrics, label) = (&self.parts.metrics, label(owned.partition));
            metrics.open.get_or_create(&label).set(open);
            metrics.due.get_or_create(&label).set(due);
        }
        if self
            .asking
            .as_ref()
            .is_none_or(|asking| asking.is_finished())
        {
            let cursors = self.owned.values();
            let cursors = cursors.map(|owned| (owned.partition, owned.cursor));
            let log = Arc::clone(&self.parts.log);
            let asking = ask(log, cursors.collect(), self.tell.clone());
            self.asking = Some(tokio::spawn(asking));
        }
    }

    /// Shows how many webhooks of a partition have no decision, unless it went to another worker
    /// while the log was asked: whoever shows what it does not own would show it for ever.
    pub(super) fn show_unrouted(&self, partition: Partition, unrouted: u64) {
        if self.owned.contains_key(&partition) {
            let unrouted = i64::try_from(unrouted).unwrap_or(i64::MAX);
            let lag = &self.parts.metrics.lag;
            lag.get_or_create(&label(partition)).set(unrouted);
        }
    }
}

impl super::Owned {
    /// How many deliveries are open, and how many of them are due.
    fn count_open(&self, now: Timestamp) -> (i64, i64) {
        let (mut open, mut due) = (0, 0);
        for delivery in self.fold.deliveries.values() {
            if let State::Open { due: at } = delivery.state {
                open += 1;
                due += i64::from(at <= now);
            }
        }
        (open, due)
    }
}

/// Tells how many webhooks there are from each cursor on.
async fn ask(
    log: Arc<dyn EventLog>,
    cursors: Vec<(Partition, Offset)>,
    tell: mpsc::UnboundedSender<News>,
) {
    for (partition, cursor) in cursors {
        // A log that is away says so elsewhere.
        if let Ok(bounds) = log.bounds(Topic::Webhooks, partition).await {
            let unrouted = bounds.tail.0.saturating_sub(cursor.0);
            // An error says that the owner has stopped.
            let _ = tell.send(News::Unrouted(partition, unrouted));
        }
    }
}

const fn label(partition: Partition) -> PartitionLabel {
    PartitionLabel {
        partition: partition.0,
    }
}
