//! `hooklog bookmark`: points of the log that have a name.

use super::args::{Paging, with_given, with_reason};
use super::confirm::ask;
use super::out::Out;
use super::point::{AsOf, Moment};
use super::row::Row;
use super::session::{Answer, Session};
use super::table::{self, Column};
use clap::{Args, Subcommand};
use hooklog_schemas::Timestamp;
use serde_json::json;
use std::io;

const EMPTY: &str = "no bookmarks yet; make one with: hooklog bookmark create NAME --why TEXT";
const COLUMNS: [Column; 4] = [
    ("NAME", |row, _| row.text("name")),
    ("CREATED", |row, now| row.ago("created_at", now)),
    ("BY", |row, _| row.text("actor")),
    ("WHY", |row, _| row.text("why")),
];

/// What to do with bookmarks.
#[derive(Debug, Subcommand)]
pub(crate) enum BookmarkCommand {
    /// List the bookmarks
    #[command(visible_alias = "ls")]
    List(Paging),
    /// Show one bookmark: who made it, when and why, and where it cuts the log
    Show {
        /// Its name
        name: String,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Give a point of the log a name, which keeps its meaning for ever
    #[command(
        after_help = "Examples:\n  hooklog bookmark create before-migration --why 'filters move to teams'\n  \
        hooklog bookmark create incident-42 2026-11-01T12:00Z --why 'last good state'\n  \
        hooklog delivery list --state dead --as-of @incident-42"
    )]
    Create(Create),
    /// Delete a bookmark: its name is free again
    #[command(visible_alias = "rm")]
    Delete(Delete),
}

/// `bookmark create`.
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// Its name: a-z, 0-9 and -
    name: String,
    /// Which point: 2h (ago), 2026-11-01T12:00Z, webhooks/3@1042, @OTHER [default: all there is now]
    point: Option<Moment>,
    /// Why; it is recorded with the bookmark
    #[arg(long, visible_alias = "reason", value_name = "TEXT")]
    why: Option<String>,
}

/// `bookmark delete`.
#[derive(Args, Debug)]
pub(crate) struct Delete {
    /// Its name
    name: String,
    /// Why; it is recorded
    #[arg(long, visible_alias = "reason", value_name = "TEXT")]
    why: Option<String>,
    /// Do not ask, on a terminal
    #[arg(long, short)]
    yes: bool,
}

pub(super) async fn run(
    command: BookmarkCommand,
    session: &mut Session<'_>,
) -> anyhow::Result<Answer> {
    match command {
        BookmarkCommand::List(paging) => {
            session
                .list(&["bookmarks"], Vec::new(), &paging, &COLUMNS, EMPTY)
                .await
        }
        BookmarkCommand::Show { name, as_of } => {
            let query = as_of.query(session.now);
            let reply = session.api.get(&["bookmarks", &name], &query).await?;
            session.show(&reply, tell)
        }
        BookmarkCommand::Create(args) => create(args, session).await,
        BookmarkCommand::Delete(args) => delete(args, session).await,
    }
}

async fn create(args: Create, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let point = args.point.map(|point| point.resolve(session.now));
    let point = point.map(|point| json!(point.to_string()));
    let body = with_given(json!({"name": args.name}), [("point", point)]);
    let body = with_reason(body, args.why.as_deref());
    let reply = session.api.post(&["bookmarks"], &body).await?;
    session.show(&reply, |out, row, _| {
        let name = row.text("name");
        out.line(format!(
            "bookmark {name} created; use it as --as-of @{name}"
        ))
    })
}

async fn delete(args: Delete, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let name = &args.name;
    if session.interactive && !args.yes && !ask(session, &format!("delete bookmark {name}?"))? {
        return Ok(Answer::No);
    }
    let query = args.why.map(|why| ("reason", why)).into_iter().collect();
    let reply = session.api.delete(&["bookmarks", name], &query).await?;
    session.show(&reply, |out, _, _| {
        out.line(format!("bookmark {name} deleted"))
    })
}

fn tell(out: &mut Out<'_>, row: Row<'_>, now: Timestamp) -> io::Result<()> {
    let point = row.inner("point");
    let ends = |topic: &str| point.maybe(topic);
    let facts = [
        ("name", row.maybe("name")),
        ("created", Some(row.when("created_at", now))),
        ("by", row.maybe("actor")),
        ("from", row.maybe("from")),
        ("why", row.maybe("why")),
        ("webhooks before", ends("webhooks")),
        ("deliveries before", ends("deliveries")),
        ("control before", ends("control")),
        ("log", point.maybe("log")),
    ];
    table::facts(out, &facts)
}
