//! What must not be attempted: what was cancelled, what is held back, what nobody subscribes to any
//! more.

use super::Violation;
use super::log::{Delivery, Log};
use super::orders::MARGIN_US;
use crate::subscribe::Receipt;
use hooklog_schemas::{DeliveryId, Timestamp};
use std::collections::HashMap;

/// All that was attempted and should not have been.
pub(crate) fn check(receipts: &[Receipt], log: &Log) -> Vec<Violation> {
    let mut seen: HashMap<DeliveryId, Vec<Timestamp>> = HashMap::new();
    for receipt in receipts {
        if let Ok(id) = receipt.id.parse() {
            seen.entry(id).or_default().push(Timestamp(receipt.at));
        }
    }
    let mut violations = Vec::new();
    for (id, delivery) in &log.deliveries {
        let seen = seen.get(id).map_or(&[][..], Vec::as_slice);
        let tries = delivery.attempts.iter().map(|one| one.started_at);
        let times: Vec<_> = tries.chain(seen.iter().copied()).collect();
        violations.extend(cancelled(*id, delivery, &times));
        violations.extend(held(log, *id, delivery, &times));
        violations.extend(deleted(log, *id, delivery, &times));
    }
    violations
}

/// After the cancellation comes at most the record of the attempt that was under way.
fn cancelled(id: DeliveryId, delivery: &Delivery, times: &[Timestamp]) -> Option<Violation> {
    let step = delivery.cancellation()?;
    let later = delivery.attempts.iter();
    let later = later.filter(|one| one.offset > step.offset).count();
    let late = times.iter().any(|at| at.0 > step.at.0 + MARGIN_US);
    (later > 1 || late).then(|| {
        let found = format!("{id}: {later} attempts are recorded after it, late: {late}");
        Violation::new("cancelled is not attempted", found)
    })
}

fn held(log: &Log, id: DeliveryId, delivery: &Delivery, times: &[Timestamp]) -> Option<Violation> {
    let mut held = log.control.held(delivery.subscription);
    let broken = held.find(|held| {
        let during =
            |at: &Timestamp| at.0 > held.from.0 + MARGIN_US && held.to.is_none_or(|to| *at < to);
        times.iter().any(during)
    })?;
    let found = format!("{id} was attempted between {:?}", (broken.from, broken.to));
    Some(Violation::new("paused is not attempted", found))
}

/// A deletion ends what is owed, and nothing is owed under a configuration that knows of it.
fn deleted(
    log: &Log,
    id: DeliveryId,
    delivery: &Delivery,
    times: &[Timestamp],
) -> Option<Violation> {
    let (_, offset, at) = log.control.deleted(delivery.subscription)?;
    if delivery.configuration >= offset {
        let found = format!("{id} is owed to a subscription that was deleted before");
        return Some(Violation::new("nothing for the deleted", found));
    }
    times.iter().any(|time| time.0 > at.0 + MARGIN_US).then(|| {
        let found = format!("{id} was attempted after its subscription was deleted");
        Violation::new("nothing for the deleted", found)
    })
}
