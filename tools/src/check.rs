//! The checker: what clients, subscribers, log and tables say of one run must agree.
//!
//! It folds the log by itself: a mistake in the product's own fold must not hide here.

mod accepted;
mod attempts;
mod ended;
mod epochs;
mod erased;
mod faults;
mod log;
mod order;
mod orders;
mod owed;
mod read;
mod replays;

use crate::chaos::Incident;
use crate::kill::Issued;
use crate::load::history::Operation;
use crate::subscribe::Receipt;
use crate::traffic::Traffic;
use anyhow::{Context as _, Result, bail};
use erased::{Answer, Search};
use log::Log;
use read::Row;
pub(crate) use read::lines as read_lines;
use serde::de::DeserializeOwned;
use std::fmt;
use std::path::{Path, PathBuf};

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
    /// An earlier dump of the same log: no record of it may have changed, but by an erasure.
    #[arg(long)]
    pub(crate) before: Option<PathBuf>,
    /// What operators ordered, and what was answered (`kill`).
    #[arg(long)]
    pub(crate) commands: Option<PathBuf>,
    /// What the API said of receipts that were to be erased (`kill`).
    #[arg(long)]
    pub(crate) answers: Option<PathBuf>,
    /// The data folder: what was erased must be in none of its files. Needs the seed.
    #[arg(long, requires = "seed")]
    pub(crate) data: Option<PathBuf>,
    /// What was done to the processes (`chaos`): it must explain what came twice.
    #[arg(long)]
    pub(crate) faults: Option<PathBuf>,
    /// The seed of the traffic.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
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
        let crashed = attempts::Crashed::count(&evidence.receipts, &evidence.log);
        crate::print(&format!(
            "{} attempts are not recorded, {} deliveries were taken more than once",
            crashed.unrecorded, crashed.taken_again
        ))?;
        crate::print(&epochs::Succeeded(&evidence.log).to_string())?;
        if let Some(faults) = &evidence.faults {
            let causes = faults::Causes::count(faults, &evidence.receipts, &evidence.log);
            let unprovoked = faults::unprovoked(faults, &evidence.log);
            crate::print(&format!(
                "{causes}; {unprovoked} owners began after no fault"
            ))?;
        }
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
    commands: Option<Vec<Issued>>,
    answers: Vec<Answer>,
    search: Search,
    faults: Option<Vec<Incident>>,
    changed: Vec<Violation>,
    in_flight: usize,
}

impl Evidence {
    fn read(command: &CheckCommand) -> Result<Self> {
        let mut evidence = Self {
            in_flight: command.in_flight,
            ..Self::default()
        };
        for (history, path) in command.history.iter().enumerate() {
            let mut operations: Vec<Operation> = values(path)?;
            operations.iter_mut().for_each(|one| one.history = history);
            evidence.operations.append(&mut operations);
        }
        for path in &command.receipts {
            evidence.receipts.extend(values(path)?);
        }
        read::lines(&command.log, |line| evidence.log.add(line))?;
        if let Some(path) = &command.deliveries {
            evidence.tables = Some(read::rows(path)?);
        }
        evidence.commands = command.commands.as_deref().map(values).transpose()?;
        evidence.faults = command.faults.as_deref().map(values).transpose()?;
        if let Some(path) = &command.answers {
            evidence.answers = values(path)?;
        }
        evidence.read_erased(command)?;
        Ok(evidence)
    }

    /// Looks where erasures must and must not have left their traces.
    fn read_erased(&mut self, command: &CheckCommand) -> Result<()> {
        if let Some(before) = &command.before {
            self.changed = erased::compare(before, &command.log, &self.log)?;
        }
        if let Some(data) = &command.data {
            let seed = command.seed.context("--data needs --seed")?;
            let traffic = Traffic::new(seed, None);
            self.search = Search::run(data, &self.log, &self.operations, &traffic)?;
        }
        Ok(())
    }
}

/// All values of a file.
pub(crate) fn values<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let mut values = Vec::new();
    read::lines(path, |line| {
        values.push(serde_json::from_str(line)?);
        Ok(())
    })?;
    Ok(values)
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests, {} at subscribers; in the log {} webhooks, {} deliveries, {} owners; {} rows in \
             tables\n{} commands in the log; {}, {} receipts erased, {} bodies looked for in {} bytes",
            self.operations.len(),
            self.receipts.len(),
            self.log.webhooks.len(),
            self.log.deliveries.len(),
            self.log.acquired.values().map(Vec::len).sum::<usize>(),
            self.tables.as_ref().map_or(0, Vec::len),
            self.log.control.orders.len(),
            self.log.ends(),
            self.log.control.erasures.len(),
            self.search.len(),
            self.search.bytes,
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
    violations.extend(order::check(&evidence.operations, &evidence.log));
    violations.extend(epochs::check(&evidence.log));
    violations.extend(owed::check(&evidence.log, evidence.tables.as_deref()));
    violations.extend(attempts::check(
        &evidence.operations,
        &evidence.receipts,
        &evidence.log,
        evidence.in_flight,
    ));
    violations.extend(ended::check(&evidence.receipts, &evidence.log));
    if let Some(incidents) = &evidence.faults {
        let (receipts, log) = (&evidence.receipts, &evidence.log);
        let in_flight = evidence.in_flight;
        violations.extend(faults::check(incidents, receipts, log, in_flight));
    }
    if let Some(commands) = &evidence.commands {
        violations.extend(orders::check(commands, &evidence.log));
    }
    violations.extend(replays::check(&evidence.log));
    violations.extend(erased::check(&evidence.log));
    violations.extend(erased::leaks(
        &evidence.log,
        &evidence.search,
        &evidence.answers,
    ));
    violations.extend(evidence.changed.iter().cloned());
    violations
}

#[cfg(test)]
mod tests;
