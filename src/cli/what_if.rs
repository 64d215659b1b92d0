//! `hooklog what-if`: history through proposed subscriptions, without delivering anything.

mod file;
mod told;

use super::args::Which;
use super::row::Row;
use super::session::{Answer, Session, Usage};
use super::time;
use super::walk::{self, Ask};
use clap::Args;
use hooklog_schemas::Timestamp;
use serde_json::{Value, json};
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = "\
The file holds subscriptions as the API describes them. Those that it names are compared with what was
owed to subscriptions of these names, as the log has it; all others stay as they were.

  [[subscription]]
  name = \"billing\"
  filter = { events = [\"push\"], repositories = [\"acme/*\"] }

  [[subscription]]
  name = \"old-ci\"
  deleted = true

With `complete = true` at its top there would be no other subscriptions. What GitHub sent again counts
once, unless `policy = { duplicates = true }`. Nothing is delivered, and nothing recorded.

Examples:
  hooklog what-if -f proposed.toml --from 2026-11-01 --to 2026-11-08
  hooklog what-if -f proposed.toml --since 1d --repository acme/api --output json
  hooklog what-if --as-it-was 2026-03-01 --subscription ci --from 2026-03-01 --to 2026-04-01";

/// `hooklog what-if`.
#[derive(Args, Debug)]
pub(crate) struct WhatIfArgs {
    /// What is proposed, in TOML; `-` for standard input
    #[arg(
        long,
        short,
        value_name = "FILE",
        required_unless_present = "as_it_was"
    )]
    file: Option<PathBuf>,
    /// Instead of a file, subscriptions as they were then: 2h (ago), 2026-11-01T12:00Z, control/0@41,
    /// or @bookmark
    #[arg(long, value_name = "POINT", conflicts_with = "file")]
    as_it_was: Option<String>,
    /// Of those only this one; repeatable
    #[arg(long, value_name = "NAME", requires = "as_it_was")]
    subscription: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// List so many events at the most; all are counted
    #[arg(long, default_value_t = 50, value_name = "ROWS")]
    limit: usize,
}

pub(super) async fn run(args: WhatIfArgs, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let mut body = match (&args.file, &args.as_it_was) {
        (Some(file), _) => file::read(file)?,
        (None, point) => past(point.as_deref(), &args.subscription, session.now),
    };
    if args.which.range.is_empty() {
        let said = "say how far back: --since 1d, or --from and --to";
        return Err(Usage(said.to_owned()).into());
    }
    for (name, value) in args.which.query(session.now) {
        body[name] = json!(value);
    }
    ask(body, args.limit, session).await
}

/// Subscriptions as they were at a point, as the API takes them.
fn past(point: Option<&str>, names: &[String], now: Timestamp) -> Value {
    let at = point.map(|point| time::point(point, now));
    match names {
        [] => json!({"as_it_was": {"at": at}}),
        names => json!({"as_it_was": {"at": at, "subscriptions": names}}),
    }
}

async fn ask(body: Value, limit: usize, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let mut sum = told::Sum::default();
    let question = Ask::Post(&["what-if"], body);
    walk::pages(question, session, |page| sum.add(page, limit)).await?;
    let value = sum.value();
    if session.json() {
        session.out.line(value.to_string())?;
    } else {
        told::tell(&mut session.out, Row(&value), session.now)?;
    }
    Ok(Answer::Yes)
}
