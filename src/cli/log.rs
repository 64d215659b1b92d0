//! `hooklog log`: makes what a log needs, and looks at the embedded one while no server has it open.

mod report;

use super::args::{Format, Shown};
use super::row::{NOTHING, counted};
use super::serve::ConfigurationArgs;
use super::session::Answer;
use crate::app;
use crate::config;
use crate::log::embedded::{Damage, Depth, OfflineLog, OpenError, TopicReport};
use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use comfy_table::{CellAlignment, Table, presets};
use hooklog_schemas::{Header, Record, Timestamp, Topic};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

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

/// The arguments of `hooklog log dump`.
#[derive(Debug, clap::Args)]
pub(super) struct Dump {
    #[command(flatten)]
    place: Place,
    /// Only this topic: webhooks, deliveries or control.
    #[arg(long)]
    topic: Option<Topic>,
    /// Only this partition.
    #[arg(long)]
    partition: Option<u32>,
    /// Only from this offset on.
    #[arg(long)]
    from: Option<u64>,
    /// At most so many records.
    #[arg(long)]
    limit: Option<u64>,
    /// The bodies of webhooks as well, in Base64. They may hold personal data.
    #[arg(long)]
    bodies: bool,
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
struct Place {
    /// The folder that holds the log.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// There is no log, a server has it open, or the file system says no.
pub(super) fn run(command: LogCommand) -> anyhow::Result<Answer> {
    let out = &mut io::stdout().lock();
    let done = match command {
        LogCommand::Init(init) => init.run(out),
        LogCommand::Stats(stats) => stats.run(out),
        LogCommand::Dump(dump) => dump.run(out),
        LogCommand::Verify(verify) => verify.run(out),
    };
    match done {
        // Whoever reads has seen enough: `hooklog log dump | head`.
        Err(error) if is_broken_pipe(&error) => Ok(Answer::Yes),
        done => done,
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

impl Place {
    fn open(&self) -> anyhow::Result<OfflineLog> {
        let log = self.data.join("log");
        if log.is_dir() && !log.join(Topic::Webhooks.as_str()).is_dir() {
            anyhow::bail!(
                "there is no log in {}: its configuration keeps the log elsewhere (log.kind)",
                self.data.display()
            );
        }
        match OfflineLog::open(&self.data) {
            Err(OpenError::Io { path, error }) if error.kind() == io::ErrorKind::NotFound => {
                anyhow::bail!("there is no log: {path} does not exist; name its folder with --data")
            }
            Err(error @ OpenError::InUse { .. }) => Err(error).context(
                "a server has this log open; this command works while none does \
                 (`hooklog status` and `hooklog tail` ask the server)",
            ),
            opened => Ok(opened?),
        }
    }
}

impl Stats {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let log = self.place.open()?;
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
        let log = self.place.open()?;
        let reports = examine(&log, Depth::Digests)?;
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

impl Dump {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let log = self.place.open()?;
        let mut left = self.limit.unwrap_or(u64::MAX);
        for topic in Topic::ALL
            .into_iter()
            .filter(|topic| self.topic.is_none_or(|t| t == *topic))
        {
            let mut written = Ok(());
            log.records(topic, &mut |record, erased| {
                if left == 0 {
                    return ControlFlow::Break(());
                }
                if self.wants(&record) {
                    left -= 1;
                    written = writeln!(out, "{}", self.line(&record, erased));
                }
                if written.is_err() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })?;
            written?;
        }
        Ok(Answer::Yes)
    }

    fn wants(&self, record: &Record) -> bool {
        let position = record.position;
        self.partition
            .is_none_or(|partition| position.partition.0 == partition)
            && self.from.is_none_or(|from| position.offset.0 >= from)
    }

    fn line(&self, record: &Record, erased: bool) -> Value {
        let mut line = json!({
            "position": record.position.to_string(),
            "at": record.appended_at.to_string(),
            "type": record.event_type.as_str(),
            "version": record.version,
            "event_id": record.event_id.to_string(),
            "key": record.key.to_string(),
            "epoch": record.epoch,
            "headers": record.headers.iter().map(header_json).collect::<Vec<_>>(),
        });
        match &record.value {
            None if erased => line["erased"] = true.into(),
            None => line["tombstone"] = true.into(),
            Some(body) if record.position.topic == Topic::Webhooks => {
                line["body_bytes"] = body.len().into();
                if self.bodies {
                    line["body_base64"] = BASE64_STANDARD.encode(body).into();
                }
            }
            Some(value) => match serde_json::from_slice::<Value>(value) {
                Ok(value) => line["value"] = value,
                Err(_) => line["value_base64"] = BASE64_STANDARD.encode(value).into(),
            },
        }
        line
    }
}

fn header_json(header: &Header) -> Value {
    match std::str::from_utf8(&header.value) {
        Ok(value) => json!({ "name": header.name, "value": value }),
        Err(_) => {
            json!({ "name": header.name, "value_base64": BASE64_STANDARD.encode(&header.value) })
        }
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
    let verdict = if report.damage.is_empty() {
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
    if reports.iter().all(|report| report.damage.is_empty()) {
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
