//! `hooklog webhook reads`: who looked at which payload.

use crate::cli::args::{Paging, id};
use crate::cli::row::NOTHING;
use crate::cli::session::{Answer, Session};
use crate::cli::table::Column;
use crate::cli::time::{When, exact};
use clap::Args;

pub(super) const EXAMPLES: &str = "\
That somebody reads a body is recorded before it is given.

Examples:
  hooklog webhook reads --since 30d
  hooklog webhook reads --by ann --from 2026-05-01 --to 2026-06-01
  hooklog webhook reads --guid 72d3162e-cc78-11e3-81ab-4c9367dc0958";

const EMPTY: &str = "nobody looked at a body here; \
                     `hooklog webhook body RECEIPT` shows one, and records that";

pub(super) const COLUMNS: [Column; 7] = [
    ("AT", |row, _| {
        row.at("at").map_or_else(|| NOTHING.to_owned(), exact)
    }),
    ("WHO", |row, _| row.text("actor")),
    ("FROM", |row, _| row.text("from")),
    ("EVENT", |row, _| row.event()),
    ("REPOSITORY", |row, _| row.text("repository")),
    ("GUID", |row, _| row.text("guid")),
    ("POSITION", |row, _| row.text("position")),
];

/// `webhook reads`.
#[derive(Args, Debug)]
pub(crate) struct Reads {
    /// Looked at or after: 2h (ago), 1d12h, 2026-11-01, 2026-11-01T12:00Z
    #[arg(long, visible_alias = "since", value_name = "WHEN")]
    from: Option<When>,
    /// Looked before
    #[arg(long, visible_alias = "until", value_name = "WHEN")]
    to: Option<When>,
    /// By this person or program: the name of a token
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// At the body of this receipt
    #[arg(long, value_parser = id)]
    receipt: Option<String>,
    /// At the bodies of the event with this GUID (X-GitHub-Delivery)
    #[arg(long)]
    guid: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

pub(super) async fn run(args: Reads, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let stamp = |when: When| when.resolve(session.now).to_string();
    let given = [
        ("from", args.from.map(stamp)),
        ("to", args.to.map(stamp)),
        ("actor", args.by),
        ("receipt", args.receipt),
        ("guid", args.guid),
    ];
    let query = given
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    session
        .list(&["body-reads"], query, &args.paging, &COLUMNS, EMPTY)
        .await
}
