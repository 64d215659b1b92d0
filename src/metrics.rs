//! What is counted and timed. Labels are bounded: sources, reasons, partitions, names of tables.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// Labels of counters by source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SourceLabel {
    /// The source's name, or `unknown`.
    pub source: String,
}

/// Labels of rejections.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RejectedLabel {
    /// The source's name, or `unknown`.
    pub source: String,
    /// Why.
    pub reason: &'static str,
}

/// Labels by topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TopicLabel {
    /// The topic.
    pub topic: &'static str,
}

/// Labels by partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PartitionLabel {
    /// The partition's number.
    pub partition: u32,
}

/// Labels by a name from a fixed list: a projection, a query, a reason.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct NameLabel {
    /// The name.
    pub name: &'static str,
}

/// Labels by a projection of the operator's own: as many as there are folders.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OwnLabel {
    /// Its name.
    pub projection: String,
}

macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $field:ident: $type:ty = $make:expr, $name:literal $(, $unit:ident)?;)*) => {
        /// Every metric of the program. Clones share their values.
        #[derive(Clone)]
        pub struct Metrics {
            $($(#[doc = $doc])+ pub $field: $type,)*
        }

        impl Metrics {
            /// Metrics at zero, registered under `hooklog_*`.
            #[must_use]
            pub fn register(registry: &mut Registry) -> Self {
                let metrics = Self { $($field: $make,)* };
                $(metrics!(@register registry, $name, concat!($($doc),+), metrics.$field $(, $unit)?);)*
                metrics
            }
        }
    };
    (@register $registry:ident, $name:literal, $help:expr, $metric:expr) => {
        $registry.register(concat!("hooklog_", $name), $help.trim().trim_end_matches('.'), $metric.clone());
    };
    (@register $registry:ident, $name:literal, $help:expr, $metric:expr, $unit:ident) => {
        $registry.register_with_unit(
            concat!("hooklog_", $name), $help.trim().trim_end_matches('.'), Unit::$unit, $metric.clone());
    };
}

metrics! {
    /// Webhooks answered 200.
    received: Family<SourceLabel, Counter> = Family::default(), "webhooks_received";
    /// Requests answered otherwise.
    rejected: Family<RejectedLabel, Counter> = Family::default(), "webhooks_rejected";
    /// From the end of the headers to the answer.
    accept: Histogram = seconds(), "webhook_accept", Seconds;
    /// Open connections of the webhook listener.
    connections: Gauge = Gauge::default(), "webhook_connections";
    /// Connections of both listeners that were refused: over a cap, or not the protocol.
    connections_refused: Counter = Counter::default(), "connections_refused";
    /// Panics of requests that were caught and answered 500.
    panics: Counter = Counter::default(), "request_panics";
    /// From the call of append to durability.
    append: Family<TopicLabel, Histogram> = Family::new_with_constructor(seconds), "log_append", Seconds;
    /// One write and sync of the log.
    sync: Family<TopicLabel, Histogram> = Family::new_with_constructor(seconds), "log_sync", Seconds;
    /// From the assignment of a partition until its owner acts.
    restore: Histogram = seconds(), "partition_restore", Seconds;
    /// Records appended.
    appended: Family<TopicLabel, Counter> = Family::default(), "log_records_appended";
    /// 1 while webhooks go into the spool, or wait in it.
    spooling: Gauge = Gauge::default(), "spooling";
    /// Webhooks that wait in the spool.
    spool_depth: Gauge = Gauge::default(), "spool_webhooks";
    /// What the spool takes of its disk.
    spool_bytes: Gauge = Gauge::default(), "spool", Bytes;
    /// Since the receipt of the oldest webhook in the spool; 0 when it is empty.
    spool_age: Gauge = Gauge::default(), "spool_oldest_age", Seconds;
    /// Webhooks that went into the spool.
    spooled: Counter = Counter::default(), "webhooks_spooled";
    /// Webhooks that came out of the spool into the log.
    drained: Counter = Counter::default(), "webhooks_drained";
    /// From the call of a receiver to the confirmation of the intake queue.
    intake_enqueue: Histogram = seconds(), "intake_enqueue", Seconds;
    /// Webhooks that were carried from the intake queue into the log.
    intake_moved: Counter = Counter::default(), "intake_moved";
    /// Messages that wait in the intake queue.
    intake_waiting: Gauge = Gauge::default(), "intake_waiting";
    /// Messages that were set aside, since they cannot be carried into the log.
    intake_aside: Gauge = Gauge::default(), "intake_aside";
    /// Seconds that the oldest message of the latest batch had waited in the intake queue.
    intake_age: Gauge = Gauge::default(), "intake_oldest_age_seconds";
    /// Failures of the intake queue, its object store, or the log behind it, by step.
    intake_failures: Family<NameLabel, Counter> = Family::default(), "intake_failures";
    /// Bodies that were too large for the intake queue and went by the object store.
    intake_claims: Counter = Counter::default(), "intake_claims";
    /// From reading a webhook to its recorded decision.
    routed: Histogram = seconds(), "webhook_route", Seconds;
    /// Webhooks that are not routed yet.
    lag: Family<PartitionLabel, Gauge> = Family::default(), "webhooks_unrouted";
    /// When the worker's loop came round last, in seconds since 1970; 0 where there is no worker.
    turned: Gauge = Gauge::default(), "worker_turned_timestamp_seconds";
    /// Deliveries that ended delivered.
    delivered: Counter = Counter::default(), "deliveries_delivered";
    /// Attempts that failed.
    failed: Counter = Counter::default(), "attempts_failed";
    /// Failed attempts that will be tried again.
    retried: Counter = Counter::default(), "attempts_retried";
    /// Deliveries given up.
    dead_lettered: Counter = Counter::default(), "deliveries_dead_lettered";
    /// Duration of attempts.
    attempt: Histogram = seconds(), "attempt_duration", Seconds;
    /// Attempts under way.
    in_flight: Gauge = Gauge::default(), "attempts_in_flight";
    /// Deliveries that wait for an attempt, by partition.
    open: Family<PartitionLabel, Gauge> = Family::default(), "deliveries_open";
    /// Deliveries whose time has come, by partition.
    due: Family<PartitionLabel, Gauge> = Family::default(), "deliveries_due";
    /// Records that a projection has not folded yet.
    projection_lag: Family<NameLabel, Gauge> = Family::default(), "projection_lag_records";
    /// 1 while this process writes the tables, 0 while another does or their store is away.
    projection_writing: Gauge = Gauge::default(), "projection_writing";
    /// One transaction of the projector.
    projection_batch: Histogram = seconds(), "projection_batch", Seconds;
    /// Records that a projection of the operator's own has not read yet.
    own_projection_lag: Family<OwnLabel, Gauge> = Family::default(), "own_projection_lag_records";
    /// 1 while a projection of the operator's own stands still after an error.
    own_projection_failing: Family<OwnLabel, Gauge> = Family::default(), "own_projection_failing";
    /// One query of the API.
    query: Family<NameLabel, Histogram> = Family::new_with_constructor(seconds), "database_query", Seconds;
}

/// Buckets from 50 µs to 26 s, each twice the one before.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_05, 2.0, 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_help_and_the_prefix() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        metrics
            .received
            .get_or_create(&SourceLabel { source: "a".into() })
            .inc();
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(
            text.contains("hooklog_webhooks_received_total{source=\"a\"} 1"),
            "{text}"
        );
        for line in text.lines().filter(|line| line.starts_with("# HELP")) {
            assert!(
                line.starts_with("# HELP hooklog_") && line.len() > 30,
                "{line}"
            );
        }
    }

    #[test]
    fn every_metric_that_an_alert_names_exists() {
        let source = include_str!("metrics.rs");
        let names: Vec<_> = source.split(", \"").skip(1).map(until_quote).collect();
        let rules = include_str!("../deploy/prometheus/rules.yml");
        let named = rules.split("hooklog_").skip(1).map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_');
            &rest[..end.unwrap_or(rest.len())]
        });
        let ends = [
            "",
            "_total",
            "_seconds_bucket",
            "_seconds_count",
            "_seconds_sum",
            "_seconds",
            "_bytes",
        ];
        let exists = |named: &str| {
            let bare = |end| named.strip_suffix(end);
            ends.iter()
                .filter_map(bare)
                .any(|bare| names.contains(&bare))
        };
        let unknown: Vec<_> = named.filter(|named| !exists(named)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    fn until_quote(text: &str) -> &str {
        text.split('"').next().unwrap_or_default()
    }
}
