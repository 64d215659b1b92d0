//! The checker: what clients, subscribers, log and tables say of one run must agree.
//!
//! It folds the log by itself: a mistake in the product's own fold must not hide here.

mod accepted;
mod attempts;
mod log;
mod owed;
mod read;

use crate::load::history::Operation;
use crate::subscribe::Receipt;
use anyhow::{Result, bail};
use log::Log;
use read::Row;
pub(crate) use read::lines as read_lines;
use std::fmt;
use std::path::PathBuf;

/// Checks that histories, receipts, log and tables of one run agree.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckCommand {
    /// What the load generator recorded (`load --history`).
    #[arg(long, required = true)]
    pub(crate) history: Vec<PathBuf>,
    /// What subscribers recorded (`subscribe --receipts`).
    #[arg(long)]
    pub(crate) receipts: Vec<PathBuf>,
    /// The output of `hooklog log dump --bodies`.
    #[arg(long)]
    pub(crate) log: PathBuf,
    /// Deliveries as the API lists them, or timelines: JSON, one page or row a line.
    #[arg(long)]
    pub(crate) deliveries: Option<PathBuf>,
    /// Attempts that may be under way at once.
    #[arg(long, default_value_t = 256)]
    pub(crate) in_flight: usize,
}

impl CheckCommand {
    /// Prints every violation; fails if there is one.
    pub(crate) fn run(&self) -> Result<()> {
        let evidence = Evidence::read(self)?;
        let violations = check(&evidence);
        crate::print(&evidence.to_string())?;
        for violation in violations.iter().take(50) {
            crate::print(&violation.to_string())?;
        }
        if !violations.is_empty() {
            bail!("{} violations", violations.len());
        }
        crate::print("no violations")
    }
}

/// Everything that is known of a run.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    operations: Vec<Operation>,
    receipts: Vec<Receipt>,
    log: Log,
    tables: Option<Vec<Row>>,
    in_flight: usize,
}

impl Evidence {
    fn read(command: &CheckCommand) -> Result<Self> {
        let mut evidence = Self {
            in_flight: command.in_flight,
            ..Self::default()
        };
        for path in &command.history {
            read::lines(path, |line| {
                evidence.operations.push(serde_json::from_str(line)?);
                Ok(())
            })?;
        }
        for path in &command.receipts {
            read::lines(path, |line| {
                evidence.receipts.push(serde_json::from_str(line)?);
                Ok(())
            })?;
        }
        read::lines(&command.log, |line| evidence.log.add(line))?;
        if let Some(path) = &command.deliveries {
            evidence.tables = Some(read::rows(path)?);
        }
        Ok(evidence)
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests, {} at subscribers; in the log {} webhooks, {} deliveries, {} owners; {} rows in tables",
            self.operations.len(),
            self.receipts.len(),
            self.log.webhooks.len(),
            self.log.deliveries.len(),
            self.log.acquired.values().map(Vec::len).sum::<usize>(),
            self.tables.as_ref().map_or(0, Vec::len)
        )
    }
}

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Which invariant it breaks.
    pub(crate) rule: &'static str,
    /// What was found.
    pub(crate) found: String,
}

impl Violation {
    fn new(rule: &'static str, found: String) -> Self {
        Self { rule, found }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.found)
    }
}

/// All violations of all rules.
pub(crate) fn check(evidence: &Evidence) -> Vec<Violation> {
    let mut violations = accepted::check(&evidence.operations, &evidence.log);
    violations.extend(owed::check(&evidence.log, evidence.tables.as_deref()));
    violations.extend(attempts::check(
        &evidence.receipts,
        &evidence.log,
        evidence.in_flight,
    ));
    violations
}

#[cfg(test)]
mod tests;
