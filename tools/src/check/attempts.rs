//! What subscribers saw is what the log records, but for what was in flight at a kill.

use super::Violation;
use super::log::{Delivery, Log, State};
use crate::load::history::Operation;
use crate::subscribe::Receipt;
use hooklog_schemas::{DeliveryId, ReceiptId};
use std::collections::HashMap;

/// What a subscriber saw of one delivery.
#[derive(Default)]
struct Seen {
    all: usize,
    taken: usize,
}

impl Seen {
    fn add(&mut self, receipt: &Receipt) {
        self.all += 1;
        self.taken += usize::from((200..300).contains(&receipt.status));
    }
}

/// At least once, attempt accounting, stable ids, bytes as stored.
pub(crate) fn check(
    operations: &[Operation],
    receipts: &[Receipt],
    log: &Log,
    in_flight: usize,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    let bodies = bodies(operations, log);
    let mut seen: HashMap<DeliveryId, Seen> = HashMap::new();
    for receipt in receipts {
        let known = receipt.id.parse::<DeliveryId>().ok();
        let known = known.and_then(|id| Some((id, log.deliveries.get(&id)?)));
        let Some((id, delivery)) = known else {
            let found = format!(
                "{} at {} is no delivery of the log",
                receipt.id, receipt.path
            );
            violations.push(Violation::new("no stray delivery", found));
            continue;
        };
        seen.entry(id).or_default().add(receipt);
        violations.extend(wrong(receipt, bodies.get(&delivery.receipt).copied()));
    }
    let nothing = Seen::default();
    for (id, delivery) in &log.deliveries {
        let one = seen.get(id).unwrap_or(&nothing);
        violations.extend(account(log, *id, delivery, one));
    }
    let crashed = Crashed::count(receipts, log);
    violations.extend(bound(log, crashed.unrecorded, in_flight));
    violations
}

/// The hash of each receipt's body: of what was erased, that which the client sent.
fn bodies<'a>(operations: &'a [Operation], log: &'a Log) -> HashMap<ReceiptId, &'a str> {
    let sent = operations.iter();
    let sent: HashMap<_, _> = sent
        .map(|one| (one.guid.as_str(), one.sha256.as_str()))
        .collect();
    let erased = log.control.erasures.values().filter_map(|receipt| {
        let guid = log.guids.get(receipt)?;
        Some((*receipt, *sent.get(guid.as_str())?))
    });
    let stored = log.webhooks.iter();
    let stored = stored.map(|webhook| (webhook.receipt, webhook.sha256.as_str()));
    erased.chain(stored).collect()
}

/// What the crashes left behind. A run where all is 0 has shown nothing about them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Crashed {
    /// Attempts that a subscriber saw and the log does not record.
    pub(crate) unrecorded: usize,
    /// Deliveries that a subscriber took more than once.
    pub(crate) taken_again: usize,
}

impl Crashed {
    /// Counts over all deliveries of the log.
    pub(crate) fn count(receipts: &[Receipt], log: &Log) -> Self {
        let mut seen: HashMap<&str, Seen> = HashMap::new();
        for receipt in receipts {
            seen.entry(&receipt.id).or_default().add(receipt);
        }
        let mut crashed = Self::default();
        for (id, delivery) in &log.deliveries {
            if let Some(one) = seen.get(id.to_string().as_str()) {
                crashed.unrecorded += one.all.saturating_sub(delivery.attempts.len());
                crashed.taken_again += usize::from(one.taken > 1);
            }
        }
        crashed
    }
}

/// A signature that does not verify, or a body that is not the stored one.
fn wrong(receipt: &Receipt, stored: Option<&str>) -> Option<Violation> {
    if !receipt.verified {
        let found = format!("{} came with a wrong signature", receipt.id);
        return Some(Violation::new("valid signature", found));
    }
    let differs = stored.is_some_and(|stored| stored != receipt.sha256);
    differs.then(|| {
        let found = format!("{} came with other bytes than are stored", receipt.id);
        Violation::new("byte fidelity", found)
    })
}

/// One delivery: its receipts against its recorded attempts.
fn account(log: &Log, id: DeliveryId, delivery: &Delivery, seen: &Seen) -> Option<Violation> {
    if delivery.state() == State::Delivered && seen.taken == 0 {
        let found = format!("{id} is delivered, but no subscriber took it");
        return Some(Violation::new("at least once", found));
    }
    let owners = owners_during(log, delivery);
    // What was taken while a kill lost the record may be cancelled, or erased, by the next owner.
    if delivery.state() != State::Delivered && seen.taken > owners {
        let found = format!("{id} was taken, but is {}", delivery.state().name());
        return Some(Violation::new("a taken delivery is delivered", found));
    }
    let answered = delivery.attempts.iter().filter(|one| one.answered).count();
    if seen.all < answered {
        let found = format!("{id}: {answered} answers recorded, {} seen", seen.all);
        return Some(Violation::new("attempt accounting", found));
    }
    let excess = seen.all.saturating_sub(delivery.attempts.len());
    let duplicates = seen.taken.saturating_sub(1);
    if excess.max(duplicates) > owners {
        let found = format!(
            "{id}: {} requests ({} taken), {} attempts recorded, {owners} new owners between",
            seen.all,
            seen.taken,
            delivery.attempts.len()
        );
        return Some(Violation::new("attempt accounting", found));
    }
    None
}

/// Owners that began between the decision and the last recorded attempt, or the cancellation: each
/// may have lost the record of one attempt that its predecessor had in flight. What was in flight
/// when it was cancelled may be lost to the next owner after that.
fn owners_during(log: &Log, delivery: &Delivery) -> usize {
    let last = delivery.attempts.last().map(|last| last.offset);
    let cancelled = delivery.cancellation().map(|step| step.offset);
    let end = last.max(cancelled).unwrap_or(u64::MAX);
    let acquired = log.acquired.get(&delivery.partition);
    let acquired = acquired.map_or(&[][..], Vec::as_slice);
    let during = |at: &&u64| (delivery.owed_at..end).contains(*at);
    let after = cancelled == Some(end) && acquired.iter().any(|at| *at > end);
    acquired.iter().filter(during).count() + usize::from(after)
}

/// All unrecorded attempts together: no more than could be in flight at the kills.
fn bound(log: &Log, unrecorded: usize, in_flight: usize) -> Option<Violation> {
    let starts = log
        .acquired
        .values()
        .map(Vec::len)
        .max()
        .unwrap_or_default();
    let kills = starts.saturating_sub(1);
    (unrecorded > kills * in_flight).then(|| {
        let found = format!("{unrecorded} attempts are not recorded, after {kills} restarts");
        Violation::new("duplicates are bounded", found)
    })
}
