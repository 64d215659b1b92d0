//! `hooklog erase`: bodies go, the fact that there was something stays.

use super::args::id;
use super::confirm::{Caution, Command};
use super::repository;
use super::session::{Answer, Session, Usage};
use clap::Args;
use serde_json::{Value, json};

/// `hooklog erase`: what to erase.
#[derive(Args, Debug)]
pub(crate) struct EraseArgs {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    caution: Caution,
}

/// One of three.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct What {
    /// One receipt, by its id
    #[arg(long, value_name = "ID", value_parser = id)]
    receipt: Option<String>,
    /// All receipts of a repository, by its numeric id or its name
    #[arg(long, value_name = "ID|OWNER/NAME")]
    repository: Option<String>,
    /// All receipts of a sender, by the numeric id
    #[arg(long, value_name = "ID")]
    sender: Option<i64>,
}

pub(super) const EXAMPLES: &str = "\
Bodies, headers and excerpts of answers are erased; metadata stays, with names blanked. It cannot
be undone.

Examples:
  hooklog erase --sender 583231 --reason 'request 1042' --dry-run
  hooklog erase --receipt 019a3c5e-7d1f-7c3a-b1de-0242ac120002 --reason 'a leaked credential' --yes";

pub(super) async fn run(args: EraseArgs, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    if args
        .caution
        .reason
        .as_deref()
        .is_none_or(|reason| reason.trim().is_empty())
    {
        return Err(
            Usage("an erasure needs --reason TEXT; it is recorded for ever".to_owned()).into(),
        );
    }
    let command = Command {
        path: &["erasures"],
        body: args.what.body(session).await?,
        verb: "erase",
        noun: ("receipt for ever", "receipts for ever"),
    };
    command.run(&args.caution, session).await
}

impl What {
    async fn body(&self, session: &Session<'_>) -> anyhow::Result<Value> {
        Ok(match (&self.receipt, &self.repository, self.sender) {
            (Some(receipt), ..) => json!({"receipt": receipt}),
            (_, Some(text), _) => json!({"repository_id": repository::id(text, session).await?}),
            (.., sender) => json!({"sender_id": sender}),
        })
    }
}
