//! What was answered 2xx is in the log byte for byte; what was refused is not.

use super::Violation;
use super::log::Log;
use crate::load::history::{Operation, Outcome};
use std::collections::{BTreeMap, HashSet};

/// How often the same webhook was sent and stored.
#[derive(Default)]
struct Counts {
    ok: u64,
    unknown: u64,
    refused: u64,
    stored: u64,
}

/// Durable accept, no phantom, byte fidelity.
pub(crate) fn check(operations: &[Operation], log: &Log) -> Vec<Violation> {
    let mut counts: BTreeMap<(&str, &str), Counts> = BTreeMap::new();
    let mut sent = HashSet::new();
    for operation in operations {
        sent.insert(operation.guid.as_str());
        let one = counts
            .entry((&operation.guid, &operation.sha256))
            .or_default();
        match operation.outcome {
            Outcome::Ok => one.ok += 1,
            Outcome::Info => one.unknown += 1,
            Outcome::Fail => one.refused += 1,
        }
    }
    let mut violations = Vec::new();
    for webhook in &log.webhooks {
        let key = (webhook.guid.as_str(), webhook.sha256.as_str());
        match counts.get_mut(&key) {
            Some(one) => one.stored += 1,
            None if sent.contains(key.0) => violations.push(Violation::new(
                "byte fidelity",
                format!("{} is stored with other bytes: {}", key.0, key.1),
            )),
            None => violations.push(Violation::new(
                "no phantom",
                format!("{} is stored, but nobody sent it", key.0),
            )),
        }
    }
    violations.extend(counts.iter().filter_map(|(key, one)| judge(key.0, one)));
    violations
}

fn judge(guid: &str, one: &Counts) -> Option<Violation> {
    if one.stored < one.ok {
        let found = format!(
            "{guid} was accepted {} times, stored {}",
            one.ok, one.stored
        );
        return Some(Violation::new("durable accept", found));
    }
    if one.stored > one.ok + one.unknown {
        let found = format!(
            "{guid} is stored {} times: {} accepted, {} unknown, {} refused",
            one.stored, one.ok, one.unknown, one.refused
        );
        return Some(Violation::new("no phantom", found));
    }
    None
}
