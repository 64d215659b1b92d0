//! `hooklog log upgrade`: lets writers use what only the present release reads, once nobody older runs.

use crate::cli::args::with_reason;
use crate::cli::confirm::{Caution, ask};
use crate::cli::out::Out;
use crate::cli::row::{NOTHING, Row, counted};
use crate::cli::session::{Answer, Session};
use crate::cli::table::{self, Column};
use clap::Args;
use hooklog_schemas::Timestamp;
use serde_json::json;
use std::io;

pub(super) const EXAMPLES: &str = "\
Upgrade in two steps. First replace every process by the new release: as long as the format is not
raised, it writes only what the release before it reads, so a rollback is safe. Then raise the format:
processes of an older release stop at it, and none of an older release starts on this log again.

Examples:
  hooklog log upgrade --dry-run
  hooklog log upgrade --yes --reason 'all of 0.2 for a week'";

/// The arguments of `hooklog log upgrade`.
#[derive(Args, Debug)]
pub(in crate::cli) struct UpgradeArgs {
    #[command(flatten)]
    caution: Caution,
}

const STARTS: [Column; 6] = [
    ("STARTED", |row, now| row.ago("at", now)),
    ("ROLE", |row, _| row.text("role")),
    ("HOST", |row, _| row.text("host")),
    ("BUILD", |row, _| row.text("build")),
    ("FORMAT", |row, _| row.text("format")),
    ("WOULD STOP", |row, _| {
        let stops = row.holds("would_stop");
        if stops { "yes" } else { NOTHING }.to_owned()
    }),
];

pub(in crate::cli) async fn run(
    args: UpgradeArgs,
    session: &mut Session<'_>,
) -> anyhow::Result<Answer> {
    let found = session.api.get(&["format"], &Vec::new()).await?;
    let row = found.row();
    let highest = row.number("highest");
    let instead = match (highest <= row.number("in_force"), args.caution.dry_run) {
        (true, _) => Some(nothing(row)),
        (false, true) => Some(format!("would {}; nothing was changed", raise(row))),
        (false, false) => None,
    };
    if let Some(text) = instead {
        return session.show(&found, |out, row, now| {
            starts(out, row, now)?;
            out.line(text)
        });
    }
    if !agreed(&args.caution, row, session)? {
        return Ok(Answer::No);
    }
    // What was shown is raised, whichever release answers by now.
    let body = with_reason(json!({"format": highest}), args.caution.reason.as_deref());
    let raised = session.api.post(&["format"], &body).await?;
    session.show(&raised, |out, answer, _| {
        out.line(done(answer, &row.text("highest")))
    })
}

/// Shows who would stop, and asks, unless that is answered already.
fn agreed(caution: &Caution, row: Row<'_>, session: &mut Session<'_>) -> anyhow::Result<bool> {
    if !session.json() {
        starts(&mut session.out, row, session.now)?;
        session.out.flush()?;
    }
    Ok(caution.yes || ask(session, &format!("{}?", raise(row)))?)
}

fn starts(out: &mut Out<'_>, row: Row<'_>, now: Timestamp) -> io::Result<()> {
    table::write(out, &STARTS, &row.rows("starts"), now)?;
    out.line("which of them still run, the log does not say")
}

fn nothing(row: Row<'_>) -> String {
    format!(
        "format {} is in force, and it is the highest that {} writes: there is nothing to raise",
        row.text("in_force"),
        row.text("build")
    )
}

fn raise(row: Row<'_>) -> String {
    let starts = row.rows("starts");
    let stop = starts.iter().filter(|start| start.holds("would_stop"));
    format!(
        "raise the format from {} to {}, at which {} of {} would stop",
        row.text("in_force"),
        row.text("highest"),
        stop.count(),
        counted(starts.len() as u64, "recent start", "recent starts")
    )
}

fn done(row: Row<'_>, format: &str) -> String {
    match row.maybe("offset") {
        Some(at) => format!("format {format} is in force (control/0@{at}); older releases stop"),
        None => format!("format {format} is in force already; nothing was recorded"),
    }
}
