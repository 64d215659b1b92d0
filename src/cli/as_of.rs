//! `hooklog as-of`: all tables as they were at a point of the past, for questions in SQL.

use super::out::{Out, harmless};
use super::point::Moment;
use super::rebuild::Bar;
use super::session::Answer;
use crate::app::as_of;
use crate::clock::{Clock as _, System};
use crate::config::{self, Config};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// `hooklog as-of`: which point, what is asked, and where the log is.
#[derive(Args, Debug)]
pub(crate) struct AsOfArgs {
    /// The point: 2h (ago), 2026-11-01T12:00Z, webhooks/3@1042 (a record), @NAME (a bookmark)
    #[arg(value_name = "POINT")]
    point: Moment,
    /// The question, in SQLite's SQL
    #[arg(long, value_name = "STATEMENT", required_unless_present = "into")]
    sql: Option<String>,
    /// Leave the tables in PostgreSQL for other tools: postgres://USER@HOST:PORT/DATABASE; the rest of
    /// `[project.postgres]` in the configuration holds (password_file, sslmode)
    #[arg(long, value_name = "URL", conflicts_with = "sql", requires = "schema")]
    into: Option<String>,
    /// The schema there: it must exist, and hold no tables of hooklog
    #[arg(long, value_name = "NAME", requires = "into")]
    schema: Option<String>,
    /// The data folder
    #[arg(long, value_name = "DIR", required_unless_present = "config")]
    data: Option<PathBuf>,
    /// The server's configuration file, which may name a log elsewhere
    #[arg(long, env = "HOOKLOG_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// How the rows are shown
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    output: RowFormat,
}

/// How rows are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum RowFormat {
    /// A table, for people
    #[default]
    Table,
    /// One JSON object a line, for scripts
    Json,
    /// Comma-separated values with a heading, for spreadsheets
    Csv,
}

pub(super) const EXAMPLES: &str = "\
What lies inside the point is folded from the log into a throw-away SQLite. Times are microseconds since
1970, truths are 0 and 1; what was erased by now is blank. Tables: webhooks, deliveries, transitions,
attempts, answers, dead_letters, counts, subscriptions, subscription_changes, sources, source_changes,
replays, replay_changes, replay_progress, replay_steps, body_reads, erasures, partitions. No server may
own the folder meanwhile.

Examples:
  hooklog as-of 2026-11-01T12:00Z --data DIR --sql \"select state, count(*) from deliveries group by state\"
  hooklog as-of @incident-42 --data DIR --output csv \\
      --sql \"select guid, reason from dead_letters where subscription = 'ci'\"
  hooklog as-of 2026-10-01 --config hooklog.toml --into postgres://bi@db/audit --schema october";

pub(super) fn run(args: &AsOfArgs, out: &mut Out<'_>) -> anyhow::Result<Answer> {
    let spec = args.point.resolve(System.now());
    let config = args.configuration()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    if let (Some(url), Some(schema)) = (&args.into, &args.schema) {
        let bar = Bar::new()?;
        let there = (url.as_str(), schema.as_str());
        let left = as_of::into(&config, &spec, there, |progress| bar.draw(progress));
        let left = runtime.block_on(left);
        bar.clear();
        left?;
        out.line(format!(
            "the tables as of {spec} are in the schema {schema}"
        ))?;
        return Ok(Answer::Yes);
    }
    let Some(sql) = &args.sql else {
        return Ok(Answer::No);
    };
    let mut shown = Shown::new(args.output);
    runtime.block_on(async {
        let bar = Bar::new()?;
        let tables = as_of::tables(&config, &spec, |progress| bar.draw(progress)).await;
        bar.clear();
        let each = |names: &[&str], values: Vec<Value>| shown.row(out, names, values);
        tables?.ask(sql, each).await
    })?;
    shown.end(out)?;
    Ok(Answer::Yes)
}

impl AsOfArgs {
    fn configuration(&self) -> anyhow::Result<Config> {
        let data = self.data.iter();
        let loaded = config::load(config::Sources {
            file: self.config.clone(),
            environment: config::environment().collect::<Vec<_>>(),
            flags: data
                .map(|data| ("data".to_owned(), data.display().to_string()))
                .collect(),
        })?;
        Ok(loaded.config)
    }
}

/// Rows as they are shown: a table needs all of them before its first line.
struct Shown {
    format: RowFormat,
    heading: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Shown {
    const fn new(format: RowFormat) -> Self {
        Self {
            format,
            heading: Vec::new(),
            rows: Vec::new(),
        }
    }

    fn row(&mut self, out: &mut Out<'_>, names: &[&str], values: Vec<Value>) -> anyhow::Result<()> {
        let first = self.heading.is_empty();
        if first {
            self.heading = names.iter().map(|name| (*name).to_owned()).collect();
        }
        match self.format {
            RowFormat::Table => self.rows.push(values.iter().map(text).collect()),
            RowFormat::Json => {
                let names = self.heading.iter().cloned();
                let object: Map<_, _> = names.zip(values).collect();
                out.line(Value::Object(object).to_string())?;
            }
            RowFormat::Csv => {
                if first {
                    let heading: Vec<_> = self.heading.iter().map(|name| quoted(name)).collect();
                    out.line(heading.join(","))?;
                }
                let cells: Vec<_> = values.iter().map(|value| quoted(&plain(value))).collect();
                out.line(cells.join(","))?;
            }
        }
        Ok(())
    }

    fn end(&self, out: &mut Out<'_>) -> anyhow::Result<()> {
        if self.format == RowFormat::Table {
            match self.rows.is_empty() {
                true => out.line("no rows")?,
                false => super::table::plain(out, &self.heading, &self.rows)?,
            }
        }
        Ok(())
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => super::row::NOTHING.to_owned(),
        value => harmless(&plain(value)),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A cell of comma-separated values (RFC 4180).
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hooklog_projections::projection::PROJECTIONS;
    use serde_json::json;
    use std::collections::BTreeSet;

    #[test]
    fn help_and_documentation_name_every_table() {
        let documentation = include_str!("../../docs/as-of.md");
        let is_sign = |c: char| !c.is_ascii_lowercase() && c != '_';
        for text in [EXAMPLES, documentation] {
            let words: BTreeSet<_> = text.split(is_sign).collect();
            for table in PROJECTIONS.iter().flat_map(|projection| projection.tables) {
                assert!(words.contains(table.name), "{} in {text}", table.name);
            }
        }
    }

    fn shown(format: RowFormat) -> String {
        let mut sink = Vec::new();
        let mut out = Out::new(&mut sink, false);
        let mut shown = Shown::new(format);
        for values in [vec![json!("a,\"b"), json!(1)], vec![json!(null), json!(2)]] {
            shown.row(&mut out, &["name", "count"], values).unwrap();
        }
        shown.end(&mut out).unwrap();
        String::from_utf8(sink).unwrap()
    }

    #[test]
    fn rows_are_shown_for_people_scripts_and_spreadsheets() {
        let table = shown(RowFormat::Table);
        assert!(table.starts_with("name"), "{table}");
        assert!(table.contains('–'), "{table}");
        assert_eq!(shown(RowFormat::Csv), "name,count\n\"a,\"\"b\",1\n,2\n");
        let lines: Vec<Value> = shown(RowFormat::Json)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines[1], json!({"name": null, "count": 2}));
    }
}
