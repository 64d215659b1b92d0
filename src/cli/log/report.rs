//! Reports about the log as JSON, for scripts.

use crate::log::report::{Damage, PartitionReport, TopicReport};
use serde_json::{Value, json};

/// Records and bytes of a topic.
pub(super) fn sums(report: &TopicReport) -> (u64, u64) {
    let partitions = report.partitions.iter();
    partitions.fold((0, 0), |(records, bytes), partition| {
        (records + partition.records, bytes + partition.bytes)
    })
}

/// A topic with its partitions.
pub(super) fn stats(report: &TopicReport) -> Value {
    let partition = |(number, partition): (usize, &PartitionReport)| {
        json!({
            "partition": number,
            "start": partition.start,
            "tail": partition.tail,
            "records": partition.records,
            "bytes": partition.bytes,
            "first_at": partition.first,
            "last_at": partition.last,
            "tombstones": partition.tombstones,
            "erased": partition.erased,
        })
    };
    let mut whole = topic(report);
    whole["partitions"] = report
        .partitions
        .iter()
        .enumerate()
        .map(partition)
        .collect();
    whole
}

/// A topic as a whole, with all that is wrong with it.
pub(super) fn topic(report: &TopicReport) -> Value {
    let (records, bytes) = sums(report);
    json!({
        "topic": report.topic.as_str(),
        "whole": report.is_whole(),
        "wrong": report.wrong,
        "segments": report.segments,
        "records": records,
        "bytes": bytes,
        "damage": report.damage.iter().map(damage).collect::<Vec<_>>(),
        "unfinished": report.unfinished.as_ref().map(damage),
    })
}

fn damage(found: &Damage) -> Value {
    json!({
        "file": found.file,
        "byte": found.byte,
        "position": found.position,
        "reason": found.reason,
        "bytes_after": found.bytes_after,
        "records_after": found.records_after,
    })
}
