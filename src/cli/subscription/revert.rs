//! `hooklog subscription revert`: makes it what it was at a point.

use crate::cli::args::Basis;
use crate::cli::confirm::ask;
use crate::cli::evidence;
use crate::cli::out::Out;
use crate::cli::row::{Row, counted};
use crate::cli::session::{Answer, Session};
use crate::cli::time;
use clap::Args;
use serde_json::json;
use std::io;

pub(super) const EXAMPLES: &str = "\
What would change is shown first. It is a change like any other, and can be reverted itself. The name,
the secrets, and whether it is paused stay as they are.

Examples:
  hooklog subscription revert ci --to 2h --dry-run
  hooklog subscription revert ci --to 2026-11-01T12:00Z --reason 'the filter was too narrow'
  hooklog subscription revert ci --to control/0@41 --yes";

/// `subscription revert`.
#[derive(Args, Debug)]
pub(crate) struct Revert {
    /// Its name, or its id
    name: String,
    /// As it was then: 2h (ago), 2026-11-01T12:00Z, control/0@41, or @bookmark
    #[arg(long, value_name = "POINT")]
    to: String,
    /// Only show what it would change
    #[arg(long)]
    dry_run: bool,
    /// Do not ask; scripts must say it
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    basis: Basis,
}

pub(super) async fn run(args: Revert, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let path = ["subscriptions", args.name.as_str(), "revert"];
    let to = time::point(&args.to, session.now);
    let rehearsal = json!({"to": to, "dry_run": true});
    let seen = session.api.post(&path, &rehearsal).await?;
    let fields = seen.row().rows("fields").len() as u64;
    if args.dry_run || fields == 0 {
        return session.show(&seen, |out, row, _| {
            tell(out, row)?;
            out.line("nothing was changed")
        });
    }
    if !args.yes {
        if !session.json() {
            tell(&mut session.out, seen.row())?;
            session.out.flush()?;
        }
        let fields = counted(fields, "field", "fields");
        let question = format!("revert {fields} of subscription {}?", args.name);
        if !ask(session, &question)? {
            return Ok(Answer::No);
        }
    }
    // What was shown is what is changed: who came in between is told apart by the version.
    let mut body = json!({"to": to, "expected": seen.row().text("version")});
    body = args.basis.add(body);
    let reply = session.api.post(&path, &body).await?;
    session.show(&reply, |out, row, _| {
        if args.yes {
            tell(out, row)?;
        }
        out.line(format!("subscription {} is what it was then", args.name))
    })
}

fn tell(out: &mut Out<'_>, row: Row<'_>) -> io::Result<()> {
    let fields = row.rows("fields");
    if fields.is_empty() {
        let name = row.text("name");
        return out.line(format!("subscription {name} is what it was then already"));
    }
    for field in fields {
        out.line(format!("  {}", evidence::field(field)))?;
    }
    Ok(())
}
