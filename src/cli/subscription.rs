//! `hooklog subscription`: who wants what, delivered where.

mod blame;
mod change;
mod received;
mod revert;
mod spec;

use super::args::{Basis, Paging, duration, with_given};
use super::confirm::ask;
use super::object::{Doomed, Named, SECRETS, history, switch};
use super::out::Out;
use super::point::AsOf;
use super::row::{Row, counted, cut};
use super::session::{Answer, Session, secret_text};
use super::table::{self, Column};
use clap::{Args, Subcommand};
use hooklog_schemas::Timestamp;
use serde_json::json;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

const EMPTY: &str =
    "no subscriptions yet; create one with: hooklog subscription create NAME --to URL --event push";
const COLUMNS: [Column; 7] = [
    ("NAME", |row, _| row.text("name")),
    ("STATE", |row, _| row.activity().to_owned()),
    ("TEAM", |row, _| row.text("team")),
    ("TO", |row, _| row.text("to")),
    ("SIGN", |row, _| row.text("sign")),
    ("FILTER", |row, _| {
        cut(&spec::filter(row.inner("filter")), 60)
    }),
    ("CREATED", |row, now| row.ago("created_at", now)),
];
/// What to do with subscriptions.
#[derive(Debug, Subcommand)]
pub(crate) enum SubscriptionCommand {
    /// List the subscriptions
    #[command(visible_alias = "ls")]
    List(Paging),
    /// Show one subscription: filter, destination, policy, secrets' ids
    Show {
        /// Its name, or its id
        name: String,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Create a subscription: from then on it gets what its filter matches
    #[command(after_help = CREATE_EXAMPLES)]
    Create(Box<spec::Create>),
    /// Change a subscription; what is not given stays
    #[command(after_help = CHANGE_EXAMPLES)]
    Change(Box<change::Change>),
    /// Let its deliveries wait until it is resumed
    Pause(Named),
    /// Go on with its deliveries
    Resume(Named),
    /// Delete a subscription; its open deliveries are cancelled, its history stays
    #[command(visible_alias = "rm")]
    Delete(Delete),
    /// Give it a new secret; the old one also signs for a while
    RotateSecret(Rotate),
    /// Who set which field, when, from where, and why; also of deleted ones with the same name
    #[command(after_help = blame::EXAMPLES)]
    Blame {
        /// Its name, or its id
        name: String,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Make it what it was at a point: filter, destination, team, policy; what differs is shown first
    #[command(after_help = revert::EXAMPLES)]
    Revert(revert::Revert),
    /// List everything that was delivered to it, the latest received first
    #[command(after_help = received::EXAMPLES)]
    Received(received::Received),
    /// Who changed it, when, from where, and why
    History {
        /// Its name, or its id
        name: String,
        #[command(flatten)]
        paging: Paging,
    },
}

const CREATE_EXAMPLES: &str = "\
Every clause that is given must hold; of a repeated one, one value suffices.

Examples:
  hooklog subscription create ci --to https://ci.acme.example/hooks --event push
  hooklog subscription create audit --to https://audit.acme.example/in \\
      --repository 'acme/*' --team security
  hooklog subscription create old --to https://ci.acme.example/github-webhook/ \\
      --sign github --secret-file FILE
  hooklog subscription create prs --to https://bot.acme.example/ \\
      --event pull_request.opened --branch main --attempts 5 --deadline 10s";

const CHANGE_EXAMPLES: &str = "\
A clause that is given replaces what it was; --clear CLAUSE drops it.

Examples:
  hooklog subscription change ci --to https://ci2.acme.example/hooks --reason 'moved'
  hooklog subscription change ci --event push --event create --clear repository";

/// `subscription delete`.
#[derive(Args, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    doomed: Doomed,
    /// Only count the open deliveries that it would cancel
    #[arg(long)]
    dry_run: bool,
}

/// `subscription rotate-secret`.
#[derive(Args, Debug)]
pub(crate) struct Rotate {
    /// Its name, or its id
    name: String,
    /// File with the new secret, `-` for standard input [default: one is made, and shown once]
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// How long the old secret signs too
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
    overlap: Duration,
    #[command(flatten)]
    basis: Basis,
}

pub(super) async fn run(
    command: SubscriptionCommand,
    session: &mut Session<'_>,
) -> anyhow::Result<Answer> {
    match command {
        SubscriptionCommand::List(paging) => {
            session
                .list(&["subscriptions"], Vec::new(), &paging, &COLUMNS, EMPTY)
                .await
        }
        SubscriptionCommand::Show { name, as_of } => {
            let query = as_of.query(session.now);
            let reply = session.api.get(&["subscriptions", &name], &query).await?;
            session.show(&reply, tell)
        }
        SubscriptionCommand::Create(args) => create(*args, session).await,
        SubscriptionCommand::Change(args) => change::run(*args, session).await,
        SubscriptionCommand::Pause(args) => {
            let path = ["subscriptions", args.name.as_str(), "pause"];
            switch(&args, &path, "is paused: its deliveries wait", session).await
        }
        SubscriptionCommand::Resume(args) => {
            let path = ["subscriptions", args.name.as_str(), "resume"];
            switch(&args, &path, "goes on", session).await
        }
        SubscriptionCommand::Delete(args) => delete(args, session).await,
        SubscriptionCommand::RotateSecret(args) => rotate(args, session).await,
        SubscriptionCommand::Blame { name, as_of } => blame::run(&name, &as_of, session).await,
        SubscriptionCommand::Revert(args) => revert::run(args, session).await,
        SubscriptionCommand::Received(args) => received::run(args, session).await,
        SubscriptionCommand::History { name, paging } => {
            let path = ["subscriptions", name.as_str(), "history"];
            history(&path, &paging, session).await
        }
    }
}

async fn create(args: spec::Create, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let body = args.body()?;
    let reply = session.api.post(&["subscriptions"], &body).await?;
    session.show(&reply, |out, row, _| {
        out.line(format!("subscription {} created", row.text("name")))?;
        secret_once(out, row)
    })
}

async fn delete(args: Delete, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let Named { name, basis } = args.doomed.named;
    let path = ["subscriptions", name.as_str()];
    if args.dry_run || (session.interactive && !args.doomed.yes) {
        let counted = session
            .api
            .delete(&path, &vec![("dry_run", "true".to_owned())])
            .await?;
        let open = open_deliveries(counted.row());
        if args.dry_run {
            let text =
                format!("would delete subscription {name} and cancel {open}; nothing was changed");
            return session.show(&counted, |out, _, _| out.line(text));
        }
        if !ask(
            session,
            &format!("delete subscription {name} and cancel {open}?"),
        )? {
            return Ok(Answer::No);
        }
    }
    let reply = session.api.delete(&path, &basis.query()).await?;
    session.show(&reply, |out, row, _| {
        out.line(format!(
            "subscription {name} deleted, with {}",
            open_deliveries(row)
        ))
    })
}

fn open_deliveries(row: Row<'_>) -> String {
    match row.number("count") {
        Some(count) => counted(count, "open delivery", "open deliveries"),
        None => "its open deliveries".to_owned(),
    }
}

async fn rotate(args: Rotate, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let secret = args.secret_file.as_deref().map(secret_text).transpose()?;
    let body = json!({"overlap_seconds": args.overlap.as_secs()});
    let body = with_given(body, [("secret", secret.map(|secret| json!(secret)))]);
    let body = args.basis.add(body);
    let reply = session
        .api
        .post(&["subscriptions", &args.name, "secrets"], &body)
        .await?;
    session.show(&reply, |out, row, _| {
        out.line(format!(
            "subscription {} has a new secret",
            row.text("name")
        ))?;
        secret_once(out, row)
    })
}

fn secret_once(out: &mut Out<'_>, row: Row<'_>) -> io::Result<()> {
    match row.maybe("secret") {
        Some(secret) => out.line(format!("its secret, shown only now: {secret}")),
        None => Ok(()),
    }
}

fn tell(out: &mut Out<'_>, row: Row<'_>, now: Timestamp) -> io::Result<()> {
    let facts = [
        ("name", row.maybe("name")),
        ("state", Some(row.activity().to_owned())),
        ("team", row.maybe("team")),
        ("to", row.maybe("to")),
        ("filter", Some(spec::filter(row.inner("filter")))),
        ("sign", row.maybe("sign")),
        ("attempts", Some(spec::attempts(row.inner("policy")))),
        ("limits", Some(spec::limits(row.inner("policy")))),
        ("created", Some(row.when("created_at", now))),
        ("id", row.maybe("id")),
        ("version", row.maybe("version")),
    ];
    table::facts(out, &facts)?;
    let secrets = row.rows("secrets");
    if secrets.is_empty() {
        return Ok(());
    }
    table::heading(out, "Secrets")?;
    table::write(out, &SECRETS[..3], &secrets, now)
}
