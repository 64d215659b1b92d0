//! Terms of owners: an epoch is the place of an `acquired` before it in the same partition, and what
//! an earlier owner decides after it counts for nothing.
//!
//! That it does not count is what the fold of `log` does by itself; that the product agrees is what
//! the comparison with the tables shows.

use super::Violation;
use super::log::Log;
use std::fmt;

/// Every decision has an epoch that somebody began before it.
pub(crate) fn check(log: &Log) -> Vec<Violation> {
    let unbegun = log.unbegun.iter().map(|(position, epoch)| {
        let found = match epoch {
            Some(epoch) => format!("{position} is of epoch {epoch}, which nobody began before"),
            None => format!("{position} is of no epoch"),
        };
        Violation::new("epochs are begun first", found)
    });
    unbegun.collect()
}

/// What former owners wrote after they were succeeded. A run without any has shown nothing about it.
pub(crate) struct Succeeded<'a>(pub(crate) &'a Log);

impl fmt::Display for Succeeded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let acquired: usize = self.0.acquired.values().map(Vec::len).sum();
        write!(f, "{acquired} times a partition was acquired; ")?;
        if self.0.stale.is_empty() {
            return write!(f, "no owner wrote anything after it was succeeded");
        }
        write!(f, "after they were succeeded, owners wrote")?;
        for (event_type, count) in &self.0.stale {
            write!(f, " {count} {event_type}")?;
        }
        Ok(())
    }
}
