//! Commands that change much: the count first, then a question; scripts say `--yes`.

use super::args::{Range, id};
use super::row::counted;
use super::session::{Answer, Session, Usage};
use clap::Args;
use serde_json::{Value, json};
use std::io::{self, Write as _};

/// How a dangerous command is let through.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Caution {
    /// Only count what it would change
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask; scripts must say it
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Why; it is recorded with the command
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

/// Which deliveries a command is about. It must be said; `--all` is never assumed.
#[derive(Args, Clone, Debug, Default)]
#[group(skip)]
pub(crate) struct Scope {
    /// These deliveries
    #[arg(value_name = "DELIVERY", conflicts_with = "all", value_parser = id)]
    deliveries: Vec<String>,
    /// Those of this subscription
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    subscription: Option<String>,
    #[command(flatten)]
    range: Range,
    /// All of them
    #[arg(long)]
    all: bool,
}

impl Scope {
    /// As the API takes it.
    ///
    /// # Errors
    /// When nothing is said.
    pub(crate) fn body(&self, session: &Session<'_>) -> Result<Value, Usage> {
        let mut scope = serde_json::Map::new();
        if !self.deliveries.is_empty() {
            scope.insert("deliveries".to_owned(), json!(self.deliveries));
        }
        if let Some(name) = &self.subscription {
            scope.insert("subscription".to_owned(), json!(name));
        }
        for (name, at) in self.range.query(session.now) {
            scope.insert(name.to_owned(), json!(at));
        }
        if self.all {
            scope.insert("all".to_owned(), json!(true));
        }
        if scope.is_empty() {
            return Err(Usage(
                "say which: DELIVERY ids, --subscription NAME, --from and --to, or --all"
                    .to_owned(),
            ));
        }
        Ok(scope.into())
    }
}

/// A command that the server can count before it does it.
pub(crate) struct Command<'a> {
    /// Its path.
    pub(crate) path: &'a [&'a str],
    /// Its body, without `dry_run` and `reason`.
    pub(crate) body: Value,
    /// What it does, as in "redrive 3 deliveries".
    pub(crate) verb: &'a str,
    /// What it counts.
    pub(crate) noun: (&'a str, &'a str),
}

impl Command<'_> {
    /// What it does, in words; without a count when the server's tables are away.
    fn phrase(&self, count: Option<u64>) -> String {
        match count {
            Some(count) => format!("{} {}", self.verb, counted(count, self.noun.0, self.noun.1)),
            None => format!("{} an unknown number of {}", self.verb, self.noun.1),
        }
    }

    /// Counts, asks, does it and says what came of it.
    ///
    /// # Errors
    /// When the server refuses, or nobody can be asked.
    pub(crate) async fn run(
        mut self,
        caution: &Caution,
        session: &mut Session<'_>,
    ) -> anyhow::Result<Answer> {
        if let (Some(body), Some(reason)) = (self.body.as_object_mut(), &caution.reason) {
            body.insert("reason".to_owned(), json!(reason));
        }
        if caution.dry_run || !caution.yes {
            let mut rehearsal = self.body.clone();
            rehearsal["dry_run"] = json!(true);
            let counted = session.api.post(self.path, &rehearsal).await?;
            let count = counted.row().number("count");
            if caution.dry_run || count == Some(0) {
                let text = format!("would {}; nothing was changed", self.phrase(count));
                return session.show(&counted, |out, _, _| out.line(text));
            }
            if !ask(session, &format!("{}?", self.phrase(count)))? {
                return Ok(Answer::No);
            }
        }
        let reply = session.api.post(self.path, &self.body).await?;
        session.show(&reply, |out, row, _| {
            if row.maybe("command").is_none() {
                let text = format!(
                    "nothing to {}: there are no such {}",
                    self.verb, self.noun.1
                );
                return out.line(text);
            }
            let phrase = self.phrase(row.number("count"));
            let command = row
                .maybe("command")
                .map_or_else(String::new, |id| format!(" (command {id})"));
            out.line(format!("asked to {phrase}{command}"))
        })
    }
}

/// Asks a person; without one, `--yes` must be said.
///
/// # Errors
/// When there is nobody to ask.
pub(crate) fn ask(session: &mut Session<'_>, question: &str) -> anyhow::Result<bool> {
    if !session.interactive {
        return Err(Usage(format!(
            "{question} nobody is there to confirm it; add --yes, or look first with --dry-run"
        ))
        .into());
    }
    write!(io::stderr(), "{question} [y/N] ")?;
    let mut line = String::new();
    session.input.read_line(&mut line)?;
    let agreed = matches!(line.trim().to_lowercase().as_str(), "y" | "yes");
    if !agreed {
        session.note("nothing was changed");
    }
    Ok(agreed)
}
