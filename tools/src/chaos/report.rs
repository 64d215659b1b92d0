//! A run in a few lines: requests, deliveries, faults, and for how long nothing was delivered.

use super::journal::{Incident, Kind};
use crate::check::values;
use crate::load::history::{Operation, Outcome};
use crate::subscribe::Receipt;
use anyhow::Result;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::Duration;

/// Faults up to now.
pub(super) fn faults(folder: &Path) -> Result<usize> {
    let incidents: Vec<Incident> = values(&folder.join("faults.ndjson"))?;
    let faults = incidents.iter();
    Ok(faults.filter(|one| one.kind.is_fault()).count())
}

/// Prints the summary; gives back all requests.
pub(super) fn summarize(folder: &Path, receivers: usize) -> Result<Vec<Operation>> {
    let mut operations: Vec<Operation> = Vec::new();
    for receiver in 0..receivers {
        let history = folder.join(format!("history-{receiver}.ndjson"));
        operations.extend(values(&history)?);
    }
    let receipts: Vec<Receipt> = values(&folder.join("receipts.ndjson"))?;
    let incidents: Vec<Incident> = values(&folder.join("faults.ndjson"))?;
    crate::print(&requests(&operations))?;
    crate::print(&deliveries(&receipts, &operations))?;
    crate::print(&counted(&incidents))?;
    Ok(operations)
}

fn requests(operations: &[Operation]) -> String {
    let count = |of: &dyn Fn(&Operation) -> bool| operations.iter().filter(|one| of(one)).count();
    format!(
        "{} requests: {} answered 2xx, {} refused, {} answered 503, {} without an answer",
        operations.len(),
        count(&|one| one.outcome == Outcome::Ok),
        count(&|one| one.outcome == Outcome::Fail),
        count(&|one| one.status == Some(503)),
        count(&|one| one.status.is_none()),
    )
}

fn deliveries(receipts: &[Receipt], operations: &[Operation]) -> String {
    let taken = || {
        let taken = receipts.iter();
        taken.filter(|one| (200..300).contains(&one.status))
    };
    let distinct: HashSet<&str> = taken().map(|one| one.id.as_str()).collect();
    let last = operations.iter().map(|one| one.complete).max();
    let during = taken().map(|one| one.at).filter(|at| Some(*at) <= last);
    format!(
        "{} attempts at subscribers, {} taken, {} of them again; none was taken for {:.1?} at the longest",
        receipts.len(),
        taken().count(),
        taken().count() - distinct.len(),
        longest_gap(during.collect()),
    )
}

/// The longest time between two neighbours, in order.
fn longest_gap(mut times: Vec<i64>) -> Duration {
    times.sort_unstable();
    let gaps = times.windows(2).map(|two| two[1].abs_diff(two[0]));
    Duration::from_micros(gaps.max().unwrap_or_default())
}

fn counted(incidents: &[Incident]) -> String {
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    for incident in incidents.iter().filter(|one| one.kind.is_fault()) {
        *counts.entry(incident.kind).or_default() += 1;
    }
    let counts = counts.iter();
    let counts: Vec<_> = counts
        .map(|(kind, count)| format!("{} {count}", kind.name()))
        .collect();
    format!("faults: {}", counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_is_between_neighbours_in_time() {
        assert_eq!(longest_gap(vec![5, 100, 0, 30]), Duration::from_micros(70));
        assert_eq!(longest_gap(Vec::new()), Duration::ZERO);
    }
}
