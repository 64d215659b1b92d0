//! What a journal is told when it is opened.

use crate::clock::Clock;
use crate::config::LogConfig;
use crate::metrics::{Metrics, TopicLabel};
use hooklog_schemas::Topic;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Indexes count bytes in 32 bits, and the last group may go beyond the limit.
const MOST_SEGMENT_BYTES: u64 = 2 << 30;

/// What a journal is told when it is opened.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) partitions: u32,
    pub(crate) segment_bytes: u64,
    pub(crate) reserve_bytes: u64,
    /// Bytes left free in any case: for what else lives on the disk, like the tables.
    pub(crate) floor_bytes: u64,
    pub(crate) tail_bytes: usize,
    /// Space is taken from the disk in steps of this at the most.
    pub(crate) allocate_bytes: u64,
    /// The journal drops segments from its beginning, so the first one need not start at 0.
    pub(crate) forgets: bool,
    pub(crate) metrics: LogMetrics,
    pub(crate) clock: Arc<dyn Clock>,
    /// Believe the tail without verifying it: the crash test must notice that.
    #[cfg(test)]
    pub(crate) trust_tail: bool,
}

impl Options {
    pub(crate) fn new(config: &LogConfig, metrics: &Metrics, clock: Arc<dyn Clock>) -> Self {
        let segment_bytes = config.segment_bytes.min(MOST_SEGMENT_BYTES);
        Self {
            partitions: config.partitions,
            segment_bytes,
            reserve_bytes: config.reserve_bytes,
            floor_bytes: 1 << 20,
            tail_bytes: config.tail_bytes,
            allocate_bytes: segment_bytes.min(32 << 20),
            forgets: false,
            metrics: LogMetrics::new(metrics),
            clock,
            #[cfg(test)]
            trust_tail: false,
        }
    }

    /// How many partitions `topic` has.
    pub(crate) fn partitions(&self, topic: Topic) -> u32 {
        if topic == Topic::Control {
            1
        } else {
            self.partitions
        }
    }
}

/// The log's metrics, looked up once.
#[derive(Clone)]
pub(crate) struct LogMetrics {
    topics: BTreeMap<Topic, TopicMetrics>,
}

#[derive(Clone)]
struct TopicMetrics {
    append: Histogram,
    sync: Histogram,
    appended: Counter,
}

impl LogMetrics {
    fn new(metrics: &Metrics) -> Self {
        let of = |topic: Topic| {
            let label = TopicLabel {
                topic: topic.as_str(),
            };
            let found = TopicMetrics {
                append: metrics.append.get_or_create(&label).clone(),
                sync: metrics.sync.get_or_create(&label).clone(),
                appended: metrics.appended.get_or_create(&label).clone(),
            };
            (topic, found)
        };
        Self {
            topics: Topic::ALL.into_iter().map(of).collect(),
        }
    }

    /// One append took so long.
    pub(crate) fn append(&self, topic: Topic, took: Duration) {
        if let Some(of) = self.topics.get(&topic) {
            of.append.observe(took.as_secs_f64());
        }
    }

    /// One write and sync of so many records took so long.
    pub(crate) fn sync(&self, topic: Topic, took: Duration, records: u64) {
        if let Some(of) = self.topics.get(&topic) {
            of.sync.observe(took.as_secs_f64());
            of.appended.inc_by(records);
        }
    }
}
