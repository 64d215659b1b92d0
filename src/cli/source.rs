//! `hooklog source`: where webhooks come from.

use super::args::{Basis, Because, Paging, duration, kept, with_given, with_reason};
use super::confirm::ask;
use super::object::{Doomed, Named, SECRETS, history, switch};
use super::out::Out;
use super::point::AsOf;
use super::row::Row;
use super::session::{Answer, Session, Usage, secret_text};
use super::table::{self, Column};
use clap::{Args, Subcommand};
use hooklog_schemas::Timestamp;
use serde_json::json;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

const EMPTY: &str =
    "no sources yet; create one with: hooklog source create NAME --secret-file FILE";
const COLUMNS: [Column; 6] = [
    ("NAME", |row, _| row.text("name")),
    ("STATE", |row, _| row.activity().to_owned()),
    ("HOST", |row, _| row.text("host")),
    ("SECRETS", |row, _| row.size("secrets").to_string()),
    ("RATE/S", |row, _| row.text("rate_per_second")),
    ("CREATED", |row, now| row.ago("created_at", now)),
];

/// What to do with sources.
#[derive(Debug, Subcommand)]
pub(crate) enum SourceCommand {
    /// List the sources
    #[command(visible_alias = "ls")]
    List(Paging),
    /// Show one source with its secrets' ids
    Show {
        /// Its name
        name: String,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Create a source: from then on its webhooks are accepted
    #[command(after_help = CREATE_EXAMPLES)]
    Create(Create),
    /// Change a source; what is not given stays
    Change(Change),
    /// Answer its webhooks with 503 until it is resumed
    Pause(Named),
    /// Accept its webhooks again
    Resume(Named),
    /// Delete a source; its URL answers 404 from then on, its history stays
    #[command(visible_alias = "rm")]
    Delete(Doomed),
    /// Add a new secret; the old ones stay valid for a while
    RotateSecret(Rotate),
    /// Who changed it, when, from where, and why
    History {
        /// Its name; of a deleted one also its id
        name: String,
        #[command(flatten)]
        paging: Paging,
    },
}

const CREATE_EXAMPLES: &str = "\
Examples:
  hooklog source create github --secret-file webhook-secret
  openssl rand -hex 32 | tee secret |
      hooklog source create ghes --host github.acme.example --secret-file -

Then let GitHub send to http(s)://YOUR-HOST/webhooks/NAME with the same secret.";

/// `source create`.
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// Its name, as it stands in the URL: /webhooks/NAME
    name: String,
    /// File with the webhook's secret, `-` for standard input; one trailing newline is dropped
    #[arg(long, value_name = "FILE")]
    secret_file: PathBuf,
    /// Where the webhooks come from: github.com, or the name of a GitHub Enterprise Server
    #[arg(long, default_value = "github.com")]
    host: String,
    /// A network that may send, in CIDR form; repeatable [default: any]
    #[arg(long, value_name = "CIDR")]
    allow: Vec<String>,
    /// Webhooks a second at the most [default: no limit]
    #[arg(long, value_name = "PER-SECOND")]
    rate: Option<u32>,
    /// An organisation that the secret may speak for, by its numeric id; repeatable [default: any]
    #[arg(long, value_name = "ID")]
    organization_id: Vec<i64>,
    #[command(flatten)]
    because: Because,
}

/// `source change`.
#[derive(Args, Debug)]
pub(crate) struct Change {
    /// Its name
    name: String,
    /// Its host from now on
    #[arg(long)]
    host: Option<String>,
    /// The networks that may send from now on; repeatable
    #[arg(long, value_name = "CIDR")]
    allow: Vec<String>,
    /// Let any network send
    #[arg(long, conflicts_with = "allow")]
    allow_any: bool,
    /// Webhooks a second at the most from now on
    #[arg(long, value_name = "PER-SECOND")]
    rate: Option<u32>,
    /// Lift the limit
    #[arg(long, conflicts_with = "rate")]
    no_rate: bool,
    #[command(flatten)]
    basis: Basis,
}

impl Change {
    fn says_nothing(&self) -> bool {
        let lifted = self.allow_any || self.no_rate;
        let given = self.host.is_some() || self.rate.is_some() || !self.allow.is_empty();
        !(lifted || given)
    }
}

/// `source rotate-secret`.
#[derive(Args, Debug)]
pub(crate) struct Rotate {
    /// Its name
    name: String,
    /// File with the new secret, `-` for standard input; one trailing newline is dropped
    #[arg(long, value_name = "FILE")]
    secret_file: PathBuf,
    /// How long the old secrets stay valid
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
    overlap: Duration,
    /// An organisation that the new secret may speak for, by its numeric id; repeatable [default: any]
    #[arg(long, value_name = "ID")]
    organization_id: Vec<i64>,
    #[command(flatten)]
    basis: Basis,
}

pub(super) async fn run(
    command: SourceCommand,
    session: &mut Session<'_>,
) -> anyhow::Result<Answer> {
    match command {
        SourceCommand::List(paging) => {
            session
                .list(&["sources"], Vec::new(), &paging, &COLUMNS, EMPTY)
                .await
        }
        SourceCommand::Show { name, as_of } => {
            let query = as_of.query(session.now);
            let reply = session.api.get(&["sources", &name], &query).await?;
            session.show(&reply, tell)
        }
        SourceCommand::Create(args) => create(args, session).await,
        SourceCommand::Change(args) => change(args, session).await,
        SourceCommand::Pause(args) => {
            let path = ["sources", args.name.as_str(), "pause"];
            switch(&args, &path, "is paused: its webhooks get 503", session).await
        }
        SourceCommand::Resume(args) => {
            let path = ["sources", args.name.as_str(), "resume"];
            switch(&args, &path, "accepts webhooks again", session).await
        }
        SourceCommand::Delete(args) => delete(args, session).await,
        SourceCommand::RotateSecret(args) => rotate(args, session).await,
        SourceCommand::History { name, paging } => {
            history(&["sources", &name, "history"], &paging, session).await
        }
    }
}

async fn create(args: Create, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let body =
        json!({"name": args.name, "host": args.host, "secret": secret_text(&args.secret_file)?});
    let body = with_given(
        body,
        [
            ("allow", (!args.allow.is_empty()).then(|| json!(args.allow))),
            ("rate_per_second", args.rate.map(|rate| json!(rate))),
            (
                "organization_ids",
                (!args.organization_id.is_empty()).then(|| json!(args.organization_id)),
            ),
        ],
    );
    let body = with_reason(body, args.because.reason.as_deref());
    let reply = session.api.post(&["sources"], &body).await?;
    warn(session, reply.row());
    session.show(&reply, |out, row, _| {
        let name = row.text("name");
        out.line(format!("source {name} created"))?;
        out.line(format!(
            "let GitHub send to: http(s)://YOUR-WEBHOOK-LISTENER/webhooks/{name}"
        ))
    })
}

async fn change(args: Change, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    if args.says_nothing() {
        return Err(Usage::nothing_to_change().into());
    }
    let path = ["sources", args.name.as_str()];
    let seen = session.api.get(&path, &Vec::new()).await?;
    let allow = (args.allow_any || !args.allow.is_empty()).then(|| json!(args.allow));
    let rate = (args.no_rate || args.rate.is_some()).then(|| json!(args.rate));
    let body = with_given(
        kept(seen.row(), ["host", "allow", "rate_per_second"]),
        [
            ("host", args.host.map(|host| json!(host))),
            ("allow", allow),
            ("rate_per_second", rate),
            ("expected", seen.value.get("version").cloned()),
        ],
    );
    let body = args.basis.add(body);
    let reply = session.api.put(&path, &body).await?;
    session.show(&reply, tell)
}

async fn delete(args: Doomed, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let Named { name, basis } = args.named;
    if session.interactive && !args.yes {
        let question = format!("delete source {name}? GitHub gets 404 from then on;");
        if !ask(session, &question)? {
            return Ok(Answer::No);
        }
    }
    let path = ["sources", name.as_str()];
    let reply = session.api.delete(&path, &basis.query()).await?;
    session.show(&reply, |out, _, _| {
        out.line(format!("source {name} deleted"))
    })
}

async fn rotate(args: Rotate, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let body = json!({"secret": secret_text(&args.secret_file)?, "overlap_seconds": args.overlap.as_secs()});
    let ids = (!args.organization_id.is_empty()).then(|| json!(args.organization_id));
    let body = with_given(body, [("organization_ids", ids)]);
    let body = args.basis.add(body);
    let reply = session
        .api
        .post(&["sources", &args.name, "secrets"], &body)
        .await?;
    warn(session, reply.row());
    session.show(&reply, tell)
}

/// What the server thinks of the secret.
fn warn(session: &Session<'_>, row: Row<'_>) {
    if let Some(warning) = row.maybe("warning") {
        session.note(&format!("warning: {warning}"));
    }
}

fn tell(out: &mut Out<'_>, row: Row<'_>, now: Timestamp) -> io::Result<()> {
    let facts = [
        ("name", row.maybe("name")),
        ("state", Some(row.activity().to_owned())),
        ("host", row.maybe("host")),
        (
            "allowed networks",
            Some(row.maybe("allow").unwrap_or_else(|| "any".to_owned())),
        ),
        (
            "webhooks a second",
            Some(
                row.maybe("rate_per_second")
                    .unwrap_or_else(|| "no limit".to_owned()),
            ),
        ),
        ("created", Some(row.when("created_at", now))),
        ("id", row.maybe("id")),
        ("version", row.maybe("version")),
    ];
    table::facts(out, &facts)?;
    table::heading(out, "Secrets")?;
    table::write(out, &SECRETS, &row.rows("secrets"), now)
}
