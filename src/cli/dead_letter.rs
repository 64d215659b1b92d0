//! `hooklog dead-letter`: deliveries that were given up.

use super::args::Paging;
use super::confirm::{Caution, Command, Scope};
use super::delivery::{self, Filters};
use super::point::AsOf;
use super::row::cut;
use super::session::{Answer, Session};
use super::table::Column;
use clap::Subcommand;
use serde_json::json;

const EMPTY: &str = "no dead letters: nothing was given up";
const COLUMNS: [Column; 7] = [
    ("DIED", |row, now| row.ago("died_at", now)),
    ("REASON", |row, _| row.text("reason")),
    ("SUBSCRIPTION", |row, _| cut(&row.text("subscription"), 40)),
    ("EVENT", |row, _| row.event()),
    ("ATTEMPTS", |row, _| row.size("attempts_made").to_string()),
    ("GUID", |row, _| row.text("guid")),
    ("DELIVERY", |row, _| row.text("id")),
];

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetterCommand {
    /// List the dead letters, the latest first
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        filters: Filters,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one dead letter: every attempt, every change of its state
    Show {
        /// Its delivery's id, as `dead-letter list` shows it
        delivery: String,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Try dead letters again, from attempt 1; the scope must be said
    #[command(
        after_help = "Examples:\n  hooklog dead-letter redrive --subscription ci --since 1d --dry-run\n  \
        hooklog dead-letter redrive 5f0c9b1e-0c7e-8a3e-9d5b-2f6c1f3f8a11\n  \
        hooklog dead-letter redrive --all --reason 'receiver repaired' --yes"
    )]
    Redrive {
        #[command(flatten)]
        scope: Scope,
        #[command(flatten)]
        caution: Caution,
    },
}

pub(super) async fn run(
    command: DeadLetterCommand,
    session: &mut Session<'_>,
) -> anyhow::Result<Answer> {
    match command {
        DeadLetterCommand::List { filters, paging } => {
            let query = filters.query(session.now);
            session
                .list(&["dead-letters"], query, &paging, &COLUMNS, EMPTY)
                .await
        }
        DeadLetterCommand::Show { delivery, as_of } => {
            let path = ["dead-letters", delivery.as_str()];
            let query = as_of.query(session.now);
            let reply = session.api.get(&path, &query).await?;
            session.show(&reply, delivery::tell)
        }
        DeadLetterCommand::Redrive { scope, caution } => {
            let command = Command {
                path: &["dead-letters", "redrive"],
                body: json!({"scope": scope.body(session)?}),
                verb: "redrive",
                noun: ("dead letter", "dead letters"),
            };
            command.run(&caution, session).await
        }
    }
}
