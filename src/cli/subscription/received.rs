//! `hooklog subscription received`: everything that was delivered to it.

use crate::cli::args::{Paging, Range};
use crate::cli::row::NOTHING;
use crate::cli::session::{Answer, Session};
use crate::cli::table::Column;
use crate::cli::time::exact;
use clap::Args;

pub(super) const EXAMPLES: &str = "\
What it did not receive, and why, is told by: hooklog explain --subscription NAME --from … --to …

Examples:
  hooklog subscription received audit --since 1d
  hooklog subscription received audit --from 2026-05-01 --to 2026-06-01 --limit 5000 --output json";

const EMPTY: &str = "nothing that was received here was delivered to it; \
                     `hooklog explain --subscription NAME --since 1d` says why";

const COLUMNS: [Column; 8] = [
    ("RECEIVED", |row, _| {
        row.at("received_at")
            .map_or_else(|| NOTHING.to_owned(), exact)
    }),
    ("DELIVERED AT", |row, _| {
        row.at("changed_at")
            .map_or_else(|| NOTHING.to_owned(), exact)
    }),
    ("EVENT", |row, _| row.event()),
    ("REPOSITORY", |row, _| row.text("repository")),
    ("TO", |row, _| row.inner("last_attempt").text("target")),
    ("ADDRESS", |row, _| {
        row.inner("last_attempt").text("address")
    }),
    ("STATUS", |row, _| row.inner("last_attempt").text("status")),
    ("GUID", |row, _| row.text("guid")),
];

/// `subscription received`.
#[derive(Args, Debug)]
pub(crate) struct Received {
    /// Its name, or its id
    name: String,
    #[command(flatten)]
    range: Range,
    #[command(flatten)]
    paging: Paging,
}

pub(super) async fn run(args: Received, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let path = ["subscriptions", args.name.as_str(), "received"];
    let query = args.range.query(session.now);
    session
        .list(&path, query, &args.paging, &COLUMNS, EMPTY)
        .await
}
