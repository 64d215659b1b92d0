//! Every webhook is decided once, is owed once to whom it is owed, and every delivery ends.

use super::Violation;
use super::log::{Delivery, Log, State};
use super::read::Row;
use hooklog_schemas::DeliveryId;
use std::collections::HashMap;

/// One decision per webhook, one first delivery, an end for each, and tables that agree.
pub(crate) fn check(log: &Log, tables: Option<&[Row]>) -> Vec<Violation> {
    let mut violations = undecided(log);
    for (delivery, what) in &log.owed_twice {
        let found = format!("{what} is owed again as {delivery}");
        violations.push(Violation::new("single first", found));
    }
    for id in &log.left_out {
        if log.deliveries.get(id).map(Delivery::state) != Some(State::Delivered) {
            let found = format!("{id} was left out as delivered, but is not");
            violations.push(Violation::new("left out is delivered", found));
        }
    }
    for id in &log.unowed {
        let found = format!("{id} was attempted, but nobody owes it");
        violations.push(Violation::new("only what is owed", found));
    }
    for (id, delivery) in &log.deliveries {
        violations.extend(unfinished(log, *id, delivery));
    }
    if let Some(rows) = tables {
        violations.extend(disagreements(log, rows));
    }
    violations
}

fn undecided(log: &Log) -> Vec<Violation> {
    let missing = log.webhooks.iter().filter(|webhook| {
        let decided = log.routed.get(&(webhook.partition, webhook.offset));
        decided != Some(&webhook.receipt)
    });
    let erased = log.control.erasures.iter().filter(|(place, receipt)| {
        let decided = log.routed.get(&(place.partition.0, place.offset.0));
        decided != Some(receipt)
    });
    let erased = erased.map(|(place, receipt)| {
        let found = format!("{receipt}, erased at {place}, has no effective decision");
        Violation::new("every receipt is decided", found)
    });
    missing
        .map(|webhook| {
            let place = format!("webhooks/{}@{}", webhook.partition, webhook.offset);
            let found = format!("{} at {place} has no effective decision", webhook.guid);
            Violation::new("every receipt is decided", found)
        })
        .chain(erased)
        .collect()
}

fn unfinished(log: &Log, id: DeliveryId, delivery: &Delivery) -> Option<Violation> {
    if delivery.state() == State::Open {
        let found = format!(
            "{id} is still open after {} attempts",
            delivery.attempts.len()
        );
        return Some(Violation::new("terminal liveness", found));
    }
    let (Some(max), Some(last)) = (
        log.attempts_max.get(&delivery.subscription),
        delivery.last_try(),
    ) else {
        return None;
    };
    if delivery.state() == State::Dead && last.answered && last.number < *max {
        let found = format!("{id} is dead after attempt {} of {max}", last.number);
        return Some(Violation::new("given up too early", found));
    }
    None
}

fn disagreements(log: &Log, rows: &[Row]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut states: HashMap<&str, &str> = HashMap::new();
    for row in rows {
        if states.insert(&row.id, &row.state).is_some() {
            let found = format!("{} has two rows", row.id);
            violations.push(Violation::new("tables are the log", found));
        }
    }
    for (id, delivery) in &log.deliveries {
        let table = states.remove(id.to_string().as_str());
        if table != Some(delivery.state().name()) {
            let found = format!(
                "{id} is {} in the log, {table:?} in tables",
                delivery.state().name()
            );
            violations.push(Violation::new("tables are the log", found));
        }
    }
    for (id, state) in states {
        let found = format!("{id} is {state} in tables, but the log does not know it");
        violations.push(Violation::new("tables are the log", found));
    }
    violations
}
