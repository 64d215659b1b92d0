//! `hooklog token`: who may use the API.

use super::args::{Because, Paging, with_reason};
use super::session::{Answer, Session};
use super::table::Column;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

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
    /// Delete a token: from then on it is unknown
    #[command(visible_alias = "rm")]
    Delete {
        /// Its name
        name: String,
        #[command(flatten)]
        because: Because,
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
        TokenCommand::Delete { name, because } => {
            let query = because
                .reason
                .into_iter()
                .map(|reason| ("reason", reason))
                .collect();
            let reply = session.api.delete(&["tokens", &name], &query).await?;
            session.show(&reply, |out, _, _| {
                out.line(format!("token {name} deleted"))
            })
        }
    }
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
