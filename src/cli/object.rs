//! What sources and subscriptions have in common: both are paused, resumed and deleted, and have secrets.

use super::args::{Basis, Paging};
use super::row::Row;
use super::session::{Answer, Session};
use super::table::Column;
use super::time;
use clap::Args;
use serde_json::json;

/// An object that is only named.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// Its name
    pub(super) name: String,
    #[command(flatten)]
    pub(super) basis: Basis,
}

/// An object to delete.
#[derive(Args, Debug)]
pub(crate) struct Doomed {
    #[command(flatten)]
    pub(super) named: Named,
    /// Do not ask, on a terminal
    #[arg(long, short)]
    pub(super) yes: bool,
}

/// The columns of secrets.
pub(super) const SECRETS: [Column; 4] = [
    ("SECRET", |row, _| row.text("id")),
    ("CREATED", |row, now| row.ago("created_at", now)),
    ("VALID UNTIL", |row, now| row.ago("valid_until", now)),
    ("ORGANISATIONS", |row, _| {
        row.maybe("organization_ids")
            .unwrap_or_else(|| "any".to_owned())
    }),
];

/// Pauses or resumes: `path` ends with the verb, `done` says what it means.
pub(super) async fn switch(
    args: &Named,
    path: &[&str],
    done: &str,
    session: &mut Session<'_>,
) -> anyhow::Result<Answer> {
    let body = args.basis.add(json!({}));
    let reply = session.api.post(path, &body).await?;
    session.show(&reply, |out, row, _| {
        if is_unchanged(row) {
            let state = row.activity();
            let text = format!("{} is {state} already; nothing was recorded", args.name);
            return out.line(text);
        }
        out.line(format!("{} {done}", args.name))
    })
}

/// Whether the server says that there was nothing to change. A server that does not say so changed it.
pub(super) fn is_unchanged(row: Row<'_>) -> bool {
    row.0.get("changed") == Some(&json!(false))
}

/// Shows what was done to an object, the latest first.
pub(super) async fn history(
    path: &[&str],
    paging: &Paging,
    session: &mut Session<'_>,
) -> anyhow::Result<Answer> {
    let empty = "nothing is recorded about it";
    session
        .list(path, Vec::new(), paging, &HISTORY, empty)
        .await
}

const HISTORY: [Column; 6] = [
    ("AT", |row, _| {
        row.at("at").map_or_else(|| row.text("at"), time::exact)
    }),
    ("CHANGE", |row, _| change(*row)),
    ("BY", |row, _| row.text("actor")),
    ("FROM", |row, _| row.text("from")),
    ("WHY", |row, _| row.text("why")),
    ("POSITION", |row, _| {
        row.maybe("offset")
            .map_or_else(String::new, |at| format!("control/0@{at}"))
    }),
];

/// What was done, and that it lost a race if it did.
fn change(row: Row<'_>) -> String {
    match row.maybe("outcome").filter(|outcome| outcome != "applied") {
        Some(outcome) => format!("{} ({outcome}: no effect)", row.text("event_type")),
        None => row.text("event_type"),
    }
}
