//! `hooklog delivery`: what is owed to subscriptions, and what became of it.

use super::args::{Paging, Which, id, with_reason};
use super::confirm::{Caution, Command, Scope, ask};
use super::object::is_unchanged;
use super::out::{Out, Tone};
use super::point::AsOf;
use super::row::{NOTHING, Row, counted, cut};
use super::session::{Answer, Session};
use super::table::{self, Column};
use super::time::{self, When};
use super::timeline;
use clap::{Args, Subcommand, ValueEnum};
use hooklog_schemas::Timestamp;
use serde_json::json;
use std::io;
use std::time::Duration;

const EMPTY: &str = "no deliveries here; a webhook that matches a subscription makes one \
                     (`hooklog webhook list`, `hooklog subscription list`)";
/// The columns of deliveries.
pub(super) const COLUMNS: [Column; 8] = [
    ("CHANGED", |row, now| row.ago("changed_at", now)),
    ("STATE", |row, _| row.text("state")),
    ("SUBSCRIPTION", |row, _| cut(&row.text("subscription"), 40)),
    ("EVENT", |row, _| row.event()),
    ("ATTEMPTS", |row, _| row.size("attempts_made").to_string()),
    ("DUE", |row, now| due(*row, now)),
    ("GUID", |row, _| row.text("guid")),
    ("DELIVERY", |row, _| row.text("id")),
];

/// What to do with deliveries.
#[derive(Debug, Subcommand)]
pub(crate) enum DeliveryCommand {
    /// List deliveries, the latest first
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  hooklog delivery list --state open\n  \
        hooklog delivery list --subscription ci --since 1d --output json\n  \
        hooklog delivery list --replay 019a3c5e-7d1f-7c3a-b1de-0242ac120002 --state dead"
    )]
    List(Box<List>),
    /// Show one delivery: every attempt, every change of its state, what is due next
    Show {
        /// Its id, as `delivery list` shows it
        delivery: String,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Give open deliveries up; the scope must be said
    #[command(
        after_help = "Examples:\n  hooklog delivery cancel --subscription ci --from 2h --dry-run\n  \
        hooklog delivery cancel --subscription ci --reason 'receiver is gone' --yes"
    )]
    Cancel {
        #[command(flatten)]
        scope: Scope,
        #[command(flatten)]
        caution: Caution,
    },
    /// Start no attempts any more; one subscription is paused by `subscription pause`
    Pause {
        /// Of all subscriptions; must be said
        #[arg(long, required = true)]
        all: bool,
        #[command(flatten)]
        caution: Caution,
    },
    /// Start attempts again
    Resume {
        /// Of all subscriptions; must be said
        #[arg(long, required = true)]
        all: bool,
        #[command(flatten)]
        caution: Caution,
    },
}

/// A state to look for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum State {
    /// Owed
    Open,
    /// Done
    Delivered,
    /// Given up: a dead letter
    Dead,
    /// Owed no more
    Cancelled,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Which webhooks, deliveries or dead letters to list.
#[derive(Args, Debug)]
pub(crate) struct Filters {
    #[command(flatten)]
    which: Which,
    /// Of which there is a delivery to this subscription
    #[arg(long, value_name = "NAME")]
    subscription: Option<String>,
    /// Of the event with this GUID (X-GitHub-Delivery)
    #[arg(long)]
    guid: Option<String>,
}

impl Filters {
    /// The query parameters.
    pub(super) fn query(self, now: Timestamp) -> Vec<(&'static str, String)> {
        let mut query = self.which.query(now);
        query.extend(self.subscription.map(|name| ("subscription", name)));
        query.extend(self.guid.map(|guid| ("guid", guid)));
        query
    }
}

/// `delivery list`.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// In this state
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Made by this replay, by its id
    #[arg(long, value_name = "ID", value_parser = id)]
    replay: Option<String>,
    /// Whose first attempt began at or after: 2h (ago), 2026-11-01T12:00Z
    #[arg(long, value_name = "WHEN")]
    attempted_from: Option<When>,
    /// Whose first attempt began before
    #[arg(long, value_name = "WHEN")]
    attempted_to: Option<When>,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    paging: Paging,
}

pub(super) async fn run(
    command: DeliveryCommand,
    session: &mut Session<'_>,
) -> anyhow::Result<Answer> {
    match command {
        DeliveryCommand::List(args) => {
            let mut query = args.filters.query(session.now);
            query.extend(args.state.map(|state| ("state", state.as_str().to_owned())));
            query.extend(args.replay.map(|id| ("replay", id)));
            let stamp = |when: When| when.resolve(session.now).to_string();
            let attempted_from = args.attempted_from.map(stamp);
            query.extend(attempted_from.map(|at| ("attempted_from", at)));
            query.extend(args.attempted_to.map(stamp).map(|at| ("attempted_to", at)));
            session
                .list(&["deliveries"], query, &args.paging, &COLUMNS, EMPTY)
                .await
        }
        DeliveryCommand::Show { delivery, as_of } => {
            let query = as_of.query(session.now);
            let reply = session.api.get(&["deliveries", &delivery], &query).await?;
            session.show(&reply, tell)
        }
        DeliveryCommand::Cancel { scope, caution } => {
            let command = Command {
                path: &["deliveries", "cancel"],
                body: json!({"scope": scope.body(session)?}),
                verb: "cancel",
                noun: ("open delivery", "open deliveries"),
            };
            command.run(&caution, session).await
        }
        DeliveryCommand::Pause { caution, .. } => PAUSE.run(&caution, session).await,
        DeliveryCommand::Resume { caution, .. } => {
            // Going on is what everybody expects of deliveries: a script need not confirm it.
            let yes = caution.yes || !session.interactive;
            RESUME.run(&Caution { yes, ..caution }, session).await
        }
    }
}

/// A switch of all deliveries at once.
struct Switch {
    verb: &'static str,
    /// What it does to the deliveries that it counts.
    does: &'static str,
    done: &'static str,
    already: &'static str,
}

const PAUSE: Switch = Switch {
    verb: "pause",
    does: "hold back",
    done: "all deliveries are held back; go on with: hooklog delivery resume --all",
    already: "all deliveries are held back already; nothing was recorded",
};

const RESUME: Switch = Switch {
    verb: "resume",
    does: "go on with",
    done: "all deliveries go on",
    already: "deliveries are not held back; nothing was recorded",
};

impl Switch {
    /// It changes what happens to everything, so what waits is counted first.
    async fn run(&self, caution: &Caution, session: &mut Session<'_>) -> anyhow::Result<Answer> {
        const COUNTED: u32 = 1_000;
        let does = self.does;
        if caution.dry_run || !caution.yes {
            let query = vec![("state", "open".to_owned())];
            let page = session.api.list(&["deliveries"], &query, COUNTED).await?;
            let more = if page.next.is_some() { "at least " } else { "" };
            let open = counted(
                page.values().len() as u64,
                "open delivery",
                "open deliveries",
            );
            let waiting = format!("{more}{open}");
            if caution.dry_run {
                if session.json() {
                    session.out.line(
                        json!({"count": page.values().len(), "more": page.next.is_some()})
                            .to_string(),
                    )?;
                } else {
                    session.out.line(format!(
                        "would {does} {waiting}, and all that come; nothing was changed"
                    ))?;
                }
                return Ok(Answer::Yes);
            }
            if !ask(session, &format!("{does} {waiting}, and all that come?"))? {
                return Ok(Answer::No);
            }
        }
        let body = with_reason(json!({"all": true}), caution.reason.as_deref());
        let reply = session.api.post(&["deliveries", self.verb], &body).await?;
        session.show(&reply, |out, row, _| {
            out.line(if is_unchanged(row) {
                self.already
            } else {
                self.done
            })
        })
    }
}

/// A due time that has passed by this says that something else holds the delivery back.
const OVERDUE: Duration = Duration::from_secs(10);

/// When the next attempt of an open delivery is due, or what it waits for beyond that.
pub(super) fn due(row: Row<'_>, now: Timestamp) -> String {
    if let Some(held) = row.maybe("held") {
        return format!("held: {held}");
    }
    match row.at("due_at") {
        Some(due) if due > now => time::relative(due, now),
        Some(due) if now.since(due) < OVERDUE => "now".to_owned(),
        // The subscription's concurrency, its rate, or the breaker after many failures.
        Some(due) => format!("its turn, since {}", time::lasting(now.since(due))),
        None => NOTHING.to_owned(),
    }
}

pub(super) fn tell(out: &mut Out<'_>, row: Row<'_>, now: Timestamp) -> io::Result<()> {
    let facts = [
        ("delivery", row.maybe("id")),
        ("replay", row.replay()),
        ("state", row.maybe("state")),
        ("reason", row.maybe("reason")),
        ("subscription", row.maybe("subscription")),
        ("team", row.maybe("team")),
        ("to", row.maybe("destination")),
        ("event", Some(row.event())),
        ("repository", row.maybe("repository")),
        ("guid", row.maybe("guid")),
        ("receipt", row.maybe("receipt")),
        ("received", Some(row.when("received_at", now))),
        ("due", row.at("due_at").map(|_| row.when("due_at", now))),
        ("waits for", row.at("due_at").map(|_| due(row, now))),
    ];
    table::facts(out, &facts)?;
    table::heading(out, "Attempts")?;
    let attempts = row.rows("attempts");
    if attempts.is_empty() {
        out.line(out.paint(Tone::Faint, "none yet"))?;
    }
    for attempt in attempts {
        out.line(timeline::attempt(out, attempt))?;
    }
    table::heading(out, "Changes of state")?;
    table::write(out, &TRANSITIONS, &row.rows("transitions"), now)
}

const TRANSITIONS: [Column; 5] = [
    ("AT", |row, _| timeline::clock(*row, "at")),
    ("STATE", |row, _| row.text("state")),
    ("DUE", |row, now| row.ago("due_at", now)),
    ("REASON", |row, _| row.text("reason")),
    ("POSITION", |row, _| row.text("position")),
];
