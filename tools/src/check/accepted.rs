//! What was answered 2xx is in the log byte for byte, unless it was erased; what was refused is not.

use super::Violation;
use super::log::{Log, Webhook};
use crate::load::history::{Operation, Outcome};
use std::collections::{BTreeMap, HashSet};

/// How often the same webhook was sent and stored.
#[derive(Default)]
struct Counts {
    ok: u64,
    unknown: u64,
    refused: u64,
    stored: u64,
    erased: u64,
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
    let mut receipts = HashSet::new();
    for webhook in &log.webhooks {
        let key = (webhook.guid.as_str(), webhook.sha256.as_str());
        match counts.get_mut(&key) {
            // A receipt whose append was tried again may stand there twice, and is one.
            Some(one) => one.stored += u64::from(receipts.insert(webhook.receipt)),
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
    // Of what was erased, the decision still tells the GUID, and nothing the bytes.
    for guid in erased(log) {
        match counts.range_mut((guid, "")..).next() {
            Some((key, one)) if key.0 == guid => one.erased += 1,
            _ => violations.push(Violation::new(
                "no phantom",
                format!("{guid} was stored and erased, but nobody sent it"),
            )),
        }
    }
    violations.extend(log.webhooks.iter().filter_map(|one| verified(log, one)));
    violations.extend(counts.iter().filter_map(|(key, one)| judge(key.0, one)));
    violations
}

/// The GUID of each receipt whose bytes are gone because somebody ordered it.
fn erased(log: &Log) -> impl Iterator<Item = &str> {
    let gone = log.control.erasures.iter();
    let gone = gone.filter(|(place, _)| log.erased.contains(place));
    gone.filter_map(|(_, receipt)| log.guids.get(receipt).map(String::as_str))
}

/// A receipt names the secret that verified it: one of its source's, not retired by then.
fn verified(log: &Log, webhook: &Webhook) -> Option<Violation> {
    let valid = match log.control.secrets.get(&webhook.secret) {
        Some(until) => until.is_none_or(|until| webhook.at < until),
        None => false,
    };
    (!valid).then(|| {
        let found = format!("{} was verified by {}", webhook.guid, webhook.secret);
        Violation::new("a valid secret verified it", found)
    })
}

fn judge(guid: &str, one: &Counts) -> Option<Violation> {
    let stored = one.stored + one.erased;
    if stored < one.ok {
        let found = format!("{guid} was accepted {} times, stored {stored}", one.ok);
        return Some(Violation::new("durable accept", found));
    }
    if stored > one.ok + one.unknown {
        let found = format!(
            "{guid} is stored {stored} times: {} accepted, {} unknown, {} refused",
            one.ok, one.unknown, one.refused
        );
        return Some(Violation::new("no phantom", found));
    }
    None
}
