//! `hooklog count`: what happened, minute by minute.

use super::args::{Paging, Range};
use super::row::Row;
use super::session::{Answer, Session};
use super::table::Column;
use super::time;
use clap::Args;

const EMPTY: &str = "nothing happened in this range; look at a wider one with --since 1d";
const COLUMNS: [Column; 7] = [
    ("MINUTE", |row, _| minute(*row)),
    ("SOURCE", |row, _| row.text("source")),
    ("RECEIVED", |row, _| row.text("received")),
    ("OWED", |row, _| row.text("owed")),
    ("DELIVERED", |row, _| row.text("delivered")),
    ("FAILED", |row, _| row.text("failed")),
    ("DEAD", |row, _| row.text("dead")),
];

/// `hooklog count`: of what.
#[derive(Args, Debug)]
pub(crate) struct CountArgs {
    #[command(flatten)]
    range: Range,
    /// Of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

pub(super) const EXAMPLES: &str = "Examples:\n  hooklog count --since 1h\n  hooklog count --source github --from 2026-11-01 --to 2026-11-02 --limit 1440";

pub(super) async fn run(args: CountArgs, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let mut query = args.range.query(session.now);
    query.extend(args.source.map(|source| ("source", source)));
    session
        .list(&["counts"], query, &args.paging, &COLUMNS, EMPTY)
        .await
}

fn minute(row: Row<'_>) -> String {
    let text = row
        .at("minute_at")
        .map_or_else(|| row.text("minute_at"), time::exact);
    text.chars().take(16).collect()
}
