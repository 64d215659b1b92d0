//! What was ordered to be erased is gone, and nothing else is.

mod canary;
mod unchanged;

use super::Violation;
use super::log::Log;
use crate::load::history::Operation;
use crate::sign::sha256_hex;
pub(crate) use canary::Search;
use hooklog_schemas::{ReceiptId, Topic};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
pub(crate) use unchanged::compare;

/// What the API said of a receipt.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Answer {
    receipt: ReceiptId,
    path: String,
    status: u16,
    text: String,
}

#[cfg(test)]
impl Answer {
    /// One that a test made up.
    pub(super) fn of(receipt: ReceiptId, path: &str, status: u16, text: &str) -> Self {
        Self {
            receipt,
            path: path.to_owned(),
            status,
            text: text.to_owned(),
        }
    }
}

/// The records that are gone, against those that were ordered to go.
pub(crate) fn check(log: &Log) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (place, receipt) in &log.control.erasures {
        if !log.erased.contains(place) {
            let found = format!("{receipt} at {place} still has its bytes");
            violations.push(Violation::new("erased is gone", found));
        }
    }
    let webhooks = log.erased.iter();
    let webhooks = webhooks.filter(|place| place.topic == Topic::Webhooks);
    for place in webhooks.filter(|place| !log.control.erasures.contains_key(place)) {
        let found = format!("{place} is erased, but nobody ordered it");
        violations.push(Violation::new("nothing else is erased", found));
    }
    violations
}

/// Bytes that identify a body are in no file and in no answer once it is erased.
pub(crate) fn leaks(log: &Log, search: &Search, answers: &[Answer]) -> Vec<Violation> {
    let mut violations: Vec<_> = search
        .found
        .iter()
        .map(|(receipt, file)| {
            let found = format!("bytes of {receipt} are in {}", file.display());
            Violation::new("erased bytes are in no file", found)
        })
        .collect();
    if search.witnesses_missed > 0 {
        let found = format!("{} bodies that are kept", search.witnesses_missed);
        violations.push(Violation::new("the search finds what is there", found));
    }
    let erased: HashSet<_> = log.control.erasures.values().collect();
    let kept: HashMap<_, _> = log
        .webhooks
        .iter()
        .map(|webhook| (webhook.receipt, webhook.sha256.as_str()))
        .collect();
    for answer in answers {
        let wrong = if erased.contains(&answer.receipt) {
            says_too_much(answer, search)
        } else {
            says_too_little(answer, kept.get(&answer.receipt).copied())
        };
        violations.extend(wrong);
    }
    violations
}

fn says_too_much(answer: &Answer, search: &Search) -> Option<Violation> {
    let body = answer.path.ends_with("/body") && answer.status != 410;
    let quoted = search.quotes(answer.receipt, &answer.text);
    (body || quoted).then(|| {
        let found = format!("{}: {} {}", answer.receipt, answer.path, answer.status);
        Violation::new("no answer shows what is erased", found)
    })
}

fn says_too_little(answer: &Answer, stored: Option<&str>) -> Option<Violation> {
    let body = answer.path.ends_with("/body");
    let same = stored == Some(sha256_hex(answer.text.as_bytes()).as_str());
    (body && !(answer.status == 200 && same)).then(|| {
        let found = format!("{} {}, though it is kept", answer.path, answer.status);
        Violation::new("nothing else is erased", found)
    })
}

/// The step of the traffic of each GUID.
pub(crate) fn steps(operations: &[Operation]) -> HashMap<&str, u64> {
    operations
        .iter()
        .map(|one| (one.guid.as_str(), one.step))
        .collect()
}
