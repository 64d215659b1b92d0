//! What operators ordered: what was acknowledged is in the log, every command has its effect in
//! every partition once, and no effect is without its cause.

use super::Violation;
use super::log::{Asked, Delivery, Log, Order, State};
use crate::kill::Issued;
use crate::load::history::Outcome;
use hooklog_schemas::control::Scope;
use hooklog_schemas::deliveries::Because;
use hooklog_schemas::{DeliveryId, EventId};
use std::collections::{BTreeMap, HashMap};

/// A command concerns what an owner knew when it looked: what came into its state shortly before
/// may have come too late. A turn of an owner takes a hundredth of this, even on a busy machine.
pub(super) const MARGIN_US: i64 = 2_000_000;

/// All rules about commands.
pub(crate) fn check(issued: &[Issued], log: &Log) -> Vec<Violation> {
    let mut violations = acknowledged(issued, log);
    violations.extend(applied_once(log));
    for (command, partition, offset) in &log.applied {
        if let Some(order) = log.control.orders.get(command) {
            violations.extend(without_effect(log, order, *command, *partition, *offset));
        }
    }
    for (id, delivery) in &log.deliveries {
        violations.extend(without_cause(log, *id, delivery));
    }
    violations
}

/// The log against the answers: the log is the truth for what had no answer.
fn acknowledged(issued: &[Issued], log: &Log) -> Vec<Violation> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (why, effective) in &log.control.reasons {
        *counts.entry(why).or_default() += usize::from(*effective);
    }
    let mut violations = Vec::new();
    for one in issued {
        let count = counts.remove(one.why.as_str()).unwrap_or_default();
        let possible = match one.outcome {
            Outcome::Ok => count == 1,
            Outcome::Fail => count == 0,
            Outcome::Info => count <= 1,
        };
        if !possible {
            let found = format!(
                "{} ({} {}) was answered {:?}; the log has it {count} times",
                one.why, one.what, one.about, one.status
            );
            violations.push(Violation::new("durable command", found));
        }
    }
    let unknown = counts.into_iter().filter(|(_, count)| *count > 0);
    violations.extend(unknown.map(|(why, _)| {
        let found = format!("the log has {why:?}, which nobody ordered");
        Violation::new("no phantom command", found)
    }));
    violations
}

fn applied_once(log: &Log) -> Vec<Violation> {
    let mut counts: HashMap<(EventId, u32), usize> = HashMap::new();
    for (command, partition, _) in &log.applied {
        *counts.entry((*command, *partition)).or_default() += 1;
    }
    let mut violations = Vec::new();
    for command in log.control.orders.keys() {
        for partition in log.acquired.keys() {
            let count = counts.remove(&(*command, *partition)).unwrap_or_default();
            if count != 1 {
                let found = format!("{command} is applied {count} times in partition {partition}");
                violations.push(Violation::new("a command is applied once", found));
            }
        }
    }
    for (command, partition) in counts.into_keys() {
        let found = format!("{command}, applied in partition {partition}, was never given");
        violations.push(Violation::new("a command is applied once", found));
    }
    violations
}

/// Deliveries in scope that were left as they were, although they had long been so.
fn without_effect(
    log: &Log,
    order: &Order,
    command: EventId,
    partition: u32,
    offset: u64,
) -> Vec<Violation> {
    let (scope, from) = match &order.asked {
        Asked::Cancel(scope) => (scope, State::Open),
        Asked::Redrive(scope) => (scope, State::Dead),
        Asked::Erase => return Vec::new(),
    };
    let left = log.deliveries.iter().filter(|(id, delivery)| {
        let here = delivery.partition == partition && covers(scope, **id, delivery);
        // A dead letter of a deleted subscription stays what it is.
        let live = from == State::Open || log.control.deleted(delivery.subscription).is_none();
        let step = delivery.step_before(offset).filter(|_| here && live);
        step.is_some_and(|step| step.state == from && step.at.0 + MARGIN_US < order.at.0)
    });
    left.map(|(id, _)| {
        let found = format!("{id} is still {} after {command}", from.name());
        Violation::new("a command has its effect", found)
    })
    .collect()
}

fn covers(scope: &Scope, id: DeliveryId, delivery: &Delivery) -> bool {
    let at = delivery.received_at;
    let named = scope.deliveries.is_empty() || scope.deliveries.contains(&id);
    let subscription = scope
        .subscription
        .is_none_or(|of| of == delivery.subscription);
    let time = scope.from.is_none_or(|from| at >= from) && scope.to.is_none_or(|to| at < to);
    named && subscription && time
}

/// Steps whose cause is not what it says.
fn without_cause(log: &Log, id: DeliveryId, delivery: &Delivery) -> Option<Violation> {
    let wrong = delivery.steps.iter().find(|step| {
        let because = step.because.as_ref();
        because.is_some_and(|because| !holds(log, id, delivery, step.state, because))
    })?;
    let found = format!(
        "{id} is {} because of {:?}",
        wrong.state.name(),
        wrong.because
    );
    Some(Violation::new("an effect has its cause", found))
}

fn holds(log: &Log, id: DeliveryId, delivery: &Delivery, state: State, because: &Because) -> bool {
    match because {
        Because::Command(command) => {
            let order = log.control.orders.get(command);
            order.is_some_and(|order| match &order.asked {
                Asked::Cancel(scope) => state == State::Cancelled && covers(scope, id, delivery),
                Asked::Redrive(scope) => state == State::Open && covers(scope, id, delivery),
                Asked::Erase => false,
            })
        }
        Because::Redelivery(receipt) => {
            let again = log.guids.get(receipt);
            state == State::Open && again.is_some() && again == log.guids.get(&delivery.receipt)
        }
        Because::SubscriptionDeleted(event) => {
            let deleted = log.control.deleted(delivery.subscription);
            state == State::Cancelled && deleted.is_some_and(|(by, _, _)| by == *event)
        }
    }
}
