//! `hooklog webhook`: what GitHub sent.

mod reads;
mod recipients;
mod verify;

use super::args::{Paging, Times};
use super::delivery::{self, Filters};
use super::out::{Out, harmless};
use super::point::AsOf;
use super::row::Row;
use super::session::{Answer, Session};
use super::table::{self, Column};
use clap::{Args, Subcommand, ValueEnum};
use futures_util::StreamExt as _;
use hooklog_schemas::Timestamp;
use std::io;

const EMPTY: &str = "no webhooks here; look at a wider range, or check that GitHub sends to /webhooks/NAME \
                     of a source (`hooklog source list`)";
/// The columns of receipts, also in a timeline.
pub(super) const COLUMNS: [Column; 7] = [
    ("WHEN", |row, now| row.ago("received_at", now)),
    ("EVENT", |row, _| event(*row)),
    ("REPOSITORY", |row, _| row.text("repository")),
    ("SOURCE", |row, _| row.text("source")),
    ("MATCHES", |row, _| row.size("matches").to_string()),
    ("GUID", |row, _| row.text("guid")),
    ("RECEIPT", |row, _| row.text("receipt")),
];

/// What to do with webhooks.
#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// List what was received, the latest first
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  hooklog webhook list --since 2h --event push\n  \
        hooklog webhook list --repository acme/api --from 2026-11-01 --to 2026-11-02"
    )]
    List(Box<List>),
    /// Show one receipt with the decision about it and its deliveries
    Show {
        /// Its id, as `webhook list` shows it
        receipt: String,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Verify the stored signature with the secret of its time; no byte of the body is shown
    #[command(
        after_help = "Examples:\n  hooklog webhook verify 72d3162e-cc78-11e3-81ab-4c9367dc0958\n\n\
        Exit code 1 unless all are verified."
    )]
    Verify {
        /// The receipt's id, or the event's GUID: then all its receipts
        #[arg(value_name = "RECEIPT|GUID")]
        of: String,
    },
    /// Tell who received an event, or many: where, when, with what result; and who looked at the bodies
    #[command(after_help = recipients::EXAMPLES)]
    WhoReceived(Box<recipients::WhoReceived>),
    /// List who looked at which body, when and from where; the latest first
    #[command(after_help = reads::EXAMPLES)]
    Reads(reads::Reads),
    /// Write the body, byte for byte as GitHub sent it; that somebody looked is recorded
    Body {
        /// The receipt's id
        receipt: String,
    },
}

/// What became of a receipt.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum State {
    /// Some subscription wanted it
    Matched,
    /// None wanted it
    Unmatched,
    /// Its body is not the JSON object that GitHub sends; kept, and wanted by those who filter on
    /// nothing in it
    Unparsed,
    /// It could not be routed
    Error,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Unmatched => "unmatched",
            Self::Unparsed => "unparsed",
            Self::Error => "error",
        }
    }
}

/// `webhook list`.
#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    times: Times,
    /// Of which this became
    #[arg(long, value_enum)]
    state: Option<State>,
    #[command(flatten)]
    paging: Paging,
}

pub(super) async fn run(
    command: WebhookCommand,
    session: &mut Session<'_>,
) -> anyhow::Result<Answer> {
    match command {
        WebhookCommand::List(args) => {
            let mut query = args.filters.query(session.now);
            query.extend(args.times.query(session.now));
            query.extend(args.state.map(|state| ("state", state.as_str().to_owned())));
            session
                .list(&["webhooks"], query, &args.paging, &COLUMNS, EMPTY)
                .await
        }
        WebhookCommand::Show { receipt, as_of } => {
            let query = as_of.query(session.now);
            let reply = session.api.get(&["webhooks", &receipt], &query).await?;
            session.show(&reply, tell)
        }
        WebhookCommand::WhoReceived(args) => recipients::run(*args, session).await,
        WebhookCommand::Reads(args) => reads::run(args, session).await,
        WebhookCommand::Verify { of } => verify::run(&of, session).await,
        WebhookCommand::Body { receipt } => {
            let answer = session
                .api
                .stream(&["webhooks", &receipt, "body"], &Vec::new())
                .await?;
            let mut parts = answer.bytes_stream();
            while let Some(part) = parts.next().await {
                session.out.bytes(&part?)?;
            }
            Ok(Answer::Yes)
        }
    }
}

fn tell(out: &mut Out<'_>, row: Row<'_>, now: Timestamp) -> io::Result<()> {
    let facts = [
        ("receipt", row.maybe("receipt")),
        ("guid", row.maybe("guid")),
        ("event", Some(event(row))),
        ("source", row.maybe("source")),
        ("client", row.maybe("client")),
        ("host", row.maybe("host")),
        ("secret", row.maybe("secret")),
        ("repository", row.maybe("repository")),
        ("repository id", row.maybe("repository_id")),
        ("organisation id", row.maybe("organization_id")),
        ("sender id", row.maybe("sender_id")),
        ("ref", row.maybe("git_ref")),
        (
            "happened",
            row.at("event_at").map(|_| row.when("event_at", now)),
        ),
        ("received", Some(row.when("received_at", now))),
        (
            "appended",
            row.at("appended_at").map(|_| row.when("appended_at", now)),
        ),
        ("routed", Some(row.when("routed_at", now))),
        ("body bytes", row.maybe("body_bytes")),
        ("repeats", row.maybe("repeats")),
        ("error", row.maybe("error")),
        (
            "erased",
            row.holds("erased")
                .then(|| "body, headers and names, by command".to_owned()),
        ),
        ("position", position(row)),
        (
            "configuration",
            row.maybe("configuration_offset")
                .map(|at| format!("control/0@{at}")),
        ),
    ];
    table::facts(out, &facts)?;
    let headers = row.inner("headers");
    let names = headers.0.as_object().into_iter().flatten();
    let mut names = names.map(|(name, _)| name.as_str()).peekable();
    if names.peek().is_some() {
        table::heading(out, "GitHub's headers")?;
    }
    for name in names {
        out.line(format!("{}: {}", harmless(name), headers.text(name)))?;
    }
    table::heading(out, "Deliveries")?;
    let deliveries = row.rows("deliveries");
    if deliveries.is_empty() {
        return out.line(format!(
            "nothing matched; `hooklog explain {} --subscription NAME` says why",
            row.text("guid")
        ));
    }
    table::write(out, &delivery::COLUMNS, &deliveries, now)
}

/// The event, and a mark where the body is not what GitHub sends.
fn event(row: Row<'_>) -> String {
    if row.holds("unparsed") {
        return format!("{} (unparsed)", row.event());
    }
    row.event()
}

fn position(row: Row<'_>) -> Option<String> {
    Some(format!(
        "webhooks/{}@{}",
        row.maybe("partition")?,
        row.maybe("offset")?
    ))
}
