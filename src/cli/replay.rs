//! `hooklog replay`: history, delivered again.

mod create;
mod follow;

use super::args::{Because, Paging, with_reason};
use super::confirm::ask;
use super::object::is_unchanged;
use super::out::Out;
use super::point::AsOf;
use super::row::{NOTHING, Row, counted, cut};
use super::session::{Answer, Session};
use super::table::{self, Column};
use clap::{Args, Subcommand};
use hooklog_schemas::Timestamp;
use serde_json::json;
use std::io;

const EMPTY: &str =
    "no replays yet; `hooklog replay create --help` tells how history is delivered again";
const COLUMNS: [Column; 9] = [
    ("REQUESTED", |row, now| row.ago("requested_at", now)),
    ("STATE", |row, _| row.text("state")),
    ("DECIDED", |row, _| percent(*row)),
    ("OWED", |row, _| row.size("owed").to_string()),
    ("DELIVERED", |row, _| row.size("delivered").to_string()),
    ("DEAD", |row, _| row.size("dead").to_string()),
    ("BY", |row, _| row.text("actor")),
    ("WHY", |row, _| cut(&row.text("why"), 40)),
    ("REPLAY", |row, _| row.text("id")),
];
const CHANGES: [Column; 5] = [
    ("AT", |row, now| row.ago("at", now)),
    ("EVENT", |row, _| row.text("event_type")),
    ("BY", |row, _| row.text("actor")),
    ("OUTCOME", |row, _| row.text("outcome")),
    ("WHY", |row, _| row.text("why")),
];

/// What to do with replays.
#[derive(Debug, Subcommand)]
pub(crate) enum ReplayCommand {
    /// Deliver history again: counts first and asks; what was delivered stays as it is
    #[command(after_help = create::EXAMPLES)]
    Create(Box<create::Create>),
    /// List the replays, the latest first
    #[command(visible_alias = "ls")]
    List(Paging),
    /// Show one replay: what was asked, how far it is, what became of its deliveries
    Show {
        /// Its id, as `replay list` shows it
        replay: String,
        /// Go on showing how far it is, until nothing of it is left to do
        #[arg(long, conflicts_with = "as_of")]
        follow: bool,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Hold a replay back: nothing of it is decided or tried
    Pause(Named),
    /// Let a replay go on
    Resume(Named),
    /// Give a replay up: its open deliveries are cancelled
    Cancel(Cancel),
    /// Who asked for it, paused, resumed or cancelled it, and why
    History {
        /// Its id
        replay: String,
        #[command(flatten)]
        paging: Paging,
    },
}

/// A replay, and why it is changed.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// Its id
    replay: String,
    #[command(flatten)]
    because: Because,
}

/// `replay cancel`.
#[derive(Args, Debug)]
pub(crate) struct Cancel {
    #[command(flatten)]
    named: Named,
    /// Do not ask; scripts must say it
    #[arg(long, short)]
    yes: bool,
}

pub(super) async fn run(
    command: ReplayCommand,
    session: &mut Session<'_>,
) -> anyhow::Result<Answer> {
    match command {
        ReplayCommand::Create(args) => create::run(*args, session).await,
        ReplayCommand::List(paging) => {
            session
                .list(&["replays"], Vec::new(), &paging, &COLUMNS, EMPTY)
                .await
        }
        ReplayCommand::Show {
            replay,
            follow: true,
            ..
        } => follow::run(&replay, session).await,
        ReplayCommand::Show { replay, as_of, .. } => {
            let query = as_of.query(session.now);
            let reply = session.api.get(&["replays", &replay], &query).await?;
            session.show(&reply, tell)
        }
        ReplayCommand::Pause(named) => switch("pause", "it is held back", &named, session).await,
        ReplayCommand::Resume(named) => switch("resume", "it goes on", &named, session).await,
        ReplayCommand::Cancel(cancel) => give_up(cancel, session).await,
        ReplayCommand::History { replay, paging } => {
            let path = ["replays", replay.as_str(), "history"];
            let empty = "nobody did anything to it";
            session
                .list(&path, Vec::new(), &paging, &CHANGES, empty)
                .await
        }
    }
}

async fn give_up(cancel: Cancel, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    if !cancel.yes {
        let path = ["replays", cancel.named.replay.as_str()];
        let reply = session.api.get(&path, &Vec::new()).await?;
        let open = counted(reply.row().size("open"), "open delivery", "open deliveries");
        let decided = percent(reply.row());
        let question = format!("give it up at {decided}, and cancel {open}?");
        if !ask(session, &question)? {
            return Ok(Answer::No);
        }
    }
    let done = "it is given up; its open deliveries are cancelled";
    switch("cancel", done, &cancel.named, session).await
}

async fn switch(
    verb: &str,
    done: &str,
    named: &Named,
    session: &mut Session<'_>,
) -> anyhow::Result<Answer> {
    let body = with_reason(json!({}), named.because.reason.as_deref());
    let path = ["replays", named.replay.as_str(), verb];
    let reply = session.api.post(&path, &body).await?;
    session.show(&reply, |out, row, _| {
        out.line(if is_unchanged(row) {
            "it is so already; nothing was recorded"
        } else {
            done
        })
    })
}

/// How much of the range is decided: `37%`.
fn percent(row: Row<'_>) -> String {
    let (done, all) = (row.size("looked_at"), row.size("webhooks"));
    match (done.min(all) * 100).checked_div(all) {
        Some(percent) => format!("{percent}%"),
        None => NOTHING.to_owned(),
    }
}

fn tell(out: &mut Out<'_>, row: Row<'_>, now: Timestamp) -> io::Result<()> {
    let spec = row.inner("spec");
    let filter = spec.inner("filter");
    let number = |field| Some(row.size(field).to_string());
    let some = |field| Some(row.size(field)).filter(|count| *count > 0);
    let facts = [
        ("replay", row.maybe("id")),
        ("state", row.maybe("state")),
        ("mode", Some(mode(row))),
        ("subscription", spec.maybe("subscription")),
        ("to", spec.maybe("to")),
        ("from", filter.at("from").map(|_| filter.when("from", now))),
        ("until", filter.at("to").map(|_| filter.when("to", now))),
        ("source", filter.maybe("source")),
        ("host", filter.maybe("host")),
        ("repository", filter.maybe("repository")),
        ("event", filter.maybe("event")),
        ("guid", filter.maybe("guid")),
        ("rate", Some(format!("{}/s", spec.size("rate_per_second")))),
        ("requested", Some(row.when("requested_at", now))),
        ("by", row.maybe("actor")),
        ("why", row.maybe("why")),
        (
            "started",
            row.at("started_at").map(|_| row.when("started_at", now)),
        ),
        (
            "decided",
            row.at("finished_at").map(|_| row.when("finished_at", now)),
        ),
    ];
    table::facts(out, &facts)?;
    table::heading(out, "Webhooks")?;
    let looked_at = format!(
        "{} of {} ({})",
        row.size("looked_at"),
        row.size("webhooks"),
        percent(row)
    );
    let webhooks = [
        ("looked at", Some(looked_at)),
        (
            "outside of the filter",
            some("filtered").map(|n| n.to_string()),
        ),
        ("nobody gets them", some("unmatched").map(|n| n.to_string())),
        (
            "redeliveries of others",
            some("repeats").map(|n| n.to_string()),
        ),
        ("body erased", some("skipped").map(|n| n.to_string())),
    ];
    table::facts(out, &webhooks)?;
    table::heading(out, "Deliveries")?;
    let deliveries = [
        ("expected", spec.number("counted").map(|n| n.to_string())),
        ("made", number("owed")),
        ("delivered", number("delivered")),
        ("open", number("open")),
        ("dead", number("dead")),
        ("cancelled", number("cancelled")),
        (
            "of deleted subscriptions",
            some("left_out").map(|n| n.to_string()),
        ),
    ];
    table::facts(out, &deliveries)
}

/// `original-targets`, `as-of-routing @before-the-move`.
fn mode(row: Row<'_>) -> String {
    let mode = row.text("mode").replace('_', "-");
    let point = row
        .inner("spec")
        .inner("mode")
        .inner("as_of_routing")
        .maybe("point");
    match point {
        Some(point) => format!("{mode} {point}"),
        None => mode,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn how_far_it_is_never_passes_a_hundred_percent() {
        for (looked_at, webhooks, expected) in [(0, 0, NOTHING), (1, 3, "33%"), (9, 3, "100%")] {
            let row = json!({"looked_at": looked_at, "webhooks": webhooks});
            assert_eq!(percent(Row(&row)), expected);
        }
    }
}
