//! `hooklog token`: who may use the API.

use super::args::{Because, Paging, with_reason};
use super::confirm::{Caution, ask};
use super::object::history;
use super::out::Out;
use super::point::AsOf;
use super::row::Row;
use super::session::{Answer, Session};
use super::table::{self, Column};
use clap::{Args, Subcommand, ValueEnum};
use hooklog_schemas::Timestamp;
use serde_json::json;
use std::io;

const EMPTY: &str = "no named tokens yet; create one with: hooklog token create NAME --role admin";
const BOOTSTRAP_ENDS: &str = "the bootstrap token (DIR/admin-token, or HOOKLOG_ADMIN_TOKEN) is not valid any more; use this one";
const COLUMNS: [Column; 4] = [
    ("NAME", |row, _| row.text("name")),
    ("ROLE", |row, _| row.text("role")),
    ("HOLDER", |row, _| row.text("holder")),
    ("CREATED", |row, now| row.ago("created_at", now)),
];

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// List the tokens' names and roles; the tokens themselves are kept nowhere
    #[command(visible_alias = "ls")]
    List(Paging),
    /// Create a token and show it once
    #[command(
        after_help = "Examples:\n  hooklog token create ada --role operate\n  \
        hooklog token create grafana --role read --holder service"
    )]
    Create(Create),
    /// Show one token's name and role
    Show {
        /// Its name
        name: String,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Delete a token: from then on it is unknown
    #[command(visible_alias = "rm")]
    Delete {
        /// Its name
        name: String,
        #[command(flatten)]
        caution: Caution,
    },
    /// Who created and deleted tokens of this name, when, from where, and why
    History {
        /// The name
        name: String,
        #[command(flatten)]
        paging: Paging,
    },
}

/// What a token may do; each role may do what those before it may.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Role {
    /// Look
    Read,
    /// Also change subscriptions, redrive, cancel, pause, and read bodies
    Operate,
    /// Also change sources and tokens, and erase
    Admin,
}

/// Whom a token names.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Holder {
    /// A person
    Person,
    /// A program
    Service,
}

/// `token create`.
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// The name of the person or service; it is recorded with all that the token does
    name: String,
    /// What it may do
    #[arg(long, value_enum)]
    role: Role,
    /// Whom it names
    #[arg(long, value_enum, default_value = "person")]
    holder: Holder,
    #[command(flatten)]
    because: Because,
}

pub(super) async fn run(
    command: TokenCommand,
    session: &mut Session<'_>,
) -> anyhow::Result<Answer> {
    match command {
        TokenCommand::List(paging) => {
            session
                .list(&["tokens"], Vec::new(), &paging, &COLUMNS, EMPTY)
                .await
        }
        TokenCommand::Create(args) => create(args, session).await,
        TokenCommand::Show { name, as_of } => {
            let query = as_of.query(session.now);
            let reply = session.api.get(&["tokens", &name], &query).await?;
            session.show(&reply, tell)
        }
        TokenCommand::Delete { name, caution } => delete(&name, &caution, session).await,
        TokenCommand::History { name, paging } => {
            history(&["tokens", &name, "history"], &paging, session).await
        }
    }
}

async fn delete(
    name: &str,
    caution: &Caution,
    session: &mut Session<'_>,
) -> anyhow::Result<Answer> {
    let path = ["tokens", name];
    if caution.dry_run || (session.interactive && !caution.yes) {
        let seen = session.api.get(&path, &Vec::new()).await?;
        let phrase = format!("delete token {name}, role {}", seen.row().text("role"));
        if caution.dry_run {
            let text = format!("would {phrase}; nothing was changed");
            return session.show(&seen, |out, _, _| out.line(text));
        }
        if !ask(session, &format!("{phrase}?"))? {
            return Ok(Answer::No);
        }
    }
    let reason = caution.reason.clone().map(|reason| ("reason", reason));
    let query = reason.into_iter().collect();
    let reply = session.api.delete(&path, &query).await?;
    session.show(&reply, |out, _, _| {
        out.line(format!("token {name} deleted"))
    })
}

fn tell(out: &mut Out<'_>, row: Row<'_>, now: Timestamp) -> io::Result<()> {
    let facts = [
        ("name", row.maybe("name")),
        ("role", row.maybe("role")),
        ("holder", row.maybe("holder")),
        ("created", Some(row.when("created_at", now))),
        ("id", row.maybe("id")),
    ];
    table::facts(out, &facts)
}

async fn create(args: Create, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let role = match args.role {
        Role::Read => "read",
        Role::Operate => "operate",
        Role::Admin => "admin",
    };
    let holder = match args.holder {
        Holder::Person => "person",
        Holder::Service => "service",
    };
    let body = json!({"name": args.name, "holder": holder, "role": role});
    let body = with_reason(body, args.because.reason.as_deref());
    let reply = session.api.post(&["tokens"], &body).await?;
    let shown = session.show(&reply, |out, row, _| {
        out.line(format!(
            "token {} created; shown only now:",
            row.text("name")
        ))?;
        out.line(row.text("token"))
    })?;
    if matches!(args.role, Role::Admin) {
        session.note(BOOTSTRAP_ENDS);
    }
    Ok(shown)
}
