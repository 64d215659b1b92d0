//! `hooklog log`: makes what a log needs, copies it, looks at that of a folder while no server has it
//! open, and asks a server to raise its format.

mod copy;
mod dump;
mod report;
pub(super) mod upgrade;

use super::args::{Format, Shown, Single};
use super::row::{NOTHING, counted};
use super::run::client;
use super::serve::ConfigurationArgs;
use super::session::Answer;
use crate::app;
use crate::app::offline::{self, OfflineLog};
use crate::config;
use crate::log::report::{Damage, Depth, TopicReport};
use comfy_table::{CellAlignment, Table, presets};
use dump::Dump;
use hooklog_schemas::{Timestamp, Topic};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Look at the log of a folder while no server has it open.
#[derive(Debug, clap::Subcommand)]
pub(super) enum LogCommand {
    /// Make what a new log needs before the first start: the topics of a log on Kafka.
    #[command(after_help = INIT_EXAMPLES)]
    Init(Init),
    /// How many records and bytes each partition holds, and since when.
    Stats(Stats),
    /// Write records as JSON, one a line.
    Dump(Dump),
    /// Check every checksum, digest, hash link and offset; exits with 1 when something is wrong.
    Verify(Verify),
    /// Copy a log into an empty one, with its offsets, keys and times, and compare the two.
    Copy(copy::CopyArgs),
    /// Let a server write what only its release and newer ones read, once no older one runs.
    #[command(after_help = upgrade::EXAMPLES)]
    Upgrade(Single<upgrade::UpgradeArgs>),
}

const INIT_EXAMPLES: &str = "\
Topics that are there already are looked at and never changed: when their settings are not safe, the
command says which, and what to do, and makes nothing. It may be run again at any time.

Examples:
  hooklog log init --config hooklog.toml";

/// The arguments of `hooklog log init`.
#[derive(Debug, clap::Args)]
pub(super) struct Init {
    #[command(flatten)]
    configuration: ConfigurationArgs,
}

/// The arguments of `hooklog log stats`.
#[derive(Debug, clap::Args)]
pub(super) struct Stats {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    shown: Shown,
}

/// The arguments of `hooklog log verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The folder that holds the log.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// There is no log, a server has it open, or the file system says no.
pub(super) fn run(command: LogCommand) -> anyhow::Result<ExitCode> {
    let out = &mut io::stdout().lock();
    let done = match command {
        LogCommand::Upgrade(one) => {
            return client(one.connect, async |session| {
                upgrade::run(one.args, session).await
            });
        }
        LogCommand::Init(init) => init.run(out),
        LogCommand::Stats(stats) => stats.run(out),
        LogCommand::Dump(dump) => dump.run(out),
        LogCommand::Verify(verify) => verify.run(out),
        LogCommand::Copy(copy) => copy.run(out),
    };
    match done {
        // Whoever reads has seen enough: `hooklog log dump | head`.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        done => done.map(Into::into),
    }
}

impl Init {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let loaded = config::load(self.configuration.sources())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        for line in runtime.block_on(app::log::init(&loaded.config.log))? {
            writeln!(out, "{line}")?;
        }
        Ok(Answer::Yes)
    }
}

impl Stats {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let log = offline::look(&self.place.data)?;
        let reports = examine(&log, Depth::Sums)?;
        match self.shown.output {
            Format::Table => {
                for line in table(&reports).lines() {
                    writeln!(out, "{}", line.trim_end())?;
                }
                tell(&reports, out)?;
            }
            Format::Json => writeln!(
                out,
                "{}",
                Value::from_iter(reports.iter().map(report::stats))
            )?,
        }
        Ok(verdict(&reports))
    }
}

impl Verify {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let log = offline::look(&self.place.data)?;
        let mut reports = examine(&log, Depth::Digests)?;
        log.compare(&mut reports)?;
        match self.shown.output {
            Format::Table => {
                for report in &reports {
                    writeln!(out, "{}", verified(report))?;
                }
                tell(&reports, out)?;
            }
            Format::Json => writeln!(
                out,
                "{}",
                Value::from_iter(reports.iter().map(report::topic))
            )?,
        }
        Ok(verdict(&reports))
    }
}

/// Goes through all topics, with a progress bar if somebody watches.
fn examine(log: &OfflineLog, depth: Depth) -> anyhow::Result<Vec<TopicReport>> {
    let bar = if io::stderr().is_terminal() {
        ProgressBar::new(log.bytes()?).with_style(style())
    } else {
        ProgressBar::hidden()
    };
    let mut reports = Vec::new();
    for topic in Topic::ALL {
        bar.set_message(topic.as_str());
        reports.push(log.examine(topic, depth, &mut |bytes| bar.inc(bytes))?);
    }
    bar.finish_and_clear();
    Ok(reports)
}

fn style() -> ProgressStyle {
    let style = "{msg:10} {bar:40} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}";
    ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn verified(report: &TopicReport) -> String {
    let (records, bytes) = report::sums(report);
    let verdict = if report.is_whole() {
        "whole"
    } else {
        "DAMAGED"
    };
    let segments = counted(report.segments as u64, "segment", "segments");
    let records = counted(records, "record", "records");
    format!(
        "{}: {verdict}; {records}, {bytes} bytes, {segments}",
        report.topic
    )
}

/// Damage is a no; a group that was never finished is not.
fn verdict(reports: &[TopicReport]) -> Answer {
    if reports.iter().all(TopicReport::is_whole) {
        Answer::Yes
    } else {
        Answer::No
    }
}

/// Says what is wrong.
fn tell(reports: &[TopicReport], out: &mut dyn Write) -> io::Result<()> {
    for unfinished in reports
        .iter()
        .filter_map(|report| report.unfinished.as_ref())
    {
        let Damage {
            file,
            byte,
            bytes_after,
            ..
        } = unfinished;
        writeln!(
            out,
            "{}: the last {bytes_after} bytes, from byte {byte} on, are a group that was never \
             finished or acknowledged; the next start cuts it off",
            file.display()
        )?;
    }
    for report in reports {
        for wrong in &report.wrong {
            writeln!(out, "{}: {wrong}", report.topic)?;
        }
    }
    for damage in reports.iter().flat_map(|report| &report.damage) {
        let Damage {
            file,
            byte,
            position,
            reason,
            bytes_after,
            records_after,
        } = damage;
        writeln!(
            out,
            "{}: damaged at byte {byte}, {position}: {reason}; {bytes_after} bytes from there on, \
             in which {records_after} records still read",
            file.display()
        )?;
    }
    Ok(())
}

fn table(reports: &[TopicReport]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "PARTITION",
        "START",
        "TAIL",
        "RECORDS",
        "BYTES",
        "FIRST",
        "LAST",
        "TOMBSTONES",
        "ERASED",
    ]);
    let time =
        |time: Option<Timestamp>| time.map_or_else(|| NOTHING.to_owned(), |at| at.to_string());
    for report in reports {
        for (number, partition) in report.partitions.iter().enumerate() {
            table.add_row([
                format!("{}/{number}", report.topic),
                partition.start.to_string(),
                partition.tail.to_string(),
                partition.records.to_string(),
                partition.bytes.to_string(),
                time(partition.first),
                time(partition.last),
                partition.tombstones.to_string(),
                partition.erased.to_string(),
            ]);
        }
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if [1, 2, 3, 4, 7, 8].contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests;
