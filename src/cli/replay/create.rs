//! `hooklog replay create`: the count first, then a question, then the replay.

use crate::cli::args::{rate, with_given};
use crate::cli::confirm::ask;
use crate::cli::out::Out;
use crate::cli::row::{Row, counted, cut};
use crate::cli::session::{Answer, Session, Usage};
use crate::cli::table::{self, Column};
use crate::cli::time::When;
use crate::history::PointSpec;
use clap::Args;
use hooklog_schemas::Timestamp;
use serde_json::{Value, json};
use std::io;
use std::str::FromStr;

pub(super) const EXAMPLES: &str = "\
What was delivered stays as it is: a replay makes deliveries of its own, which say in the headers
hooklog-replay, hooklog-receipt and hooklog-original-delivery what they are.

Examples:
  hooklog replay create --original-targets --subscription ci --from 2h --why 'ci lost its queue' --dry-run
  hooklog replay create --current-routing --subscription new-audit --from 2026-05-01 --to 2026-06-01 \\
      --rate 50/s --why 'backfill' --yes
  hooklog replay create --original-targets --guid 72d3162e-cc78-11e3-81ab-4c9367dc0958 \\
      --url https://debug.acme.example/ --why 'what did they get?'";

/// Deliveries that `--dry-run` lists.
const LISTED: u32 = 1_000;

/// `replay create`.
#[derive(Args, Debug)]
pub(crate) struct Create {
    #[command(flatten)]
    mode: Mode,
    #[command(flatten)]
    range: Range,
    /// Only what this subscription gets by the mode
    #[arg(long, value_name = "NAME")]
    subscription: Option<String>,
    /// Everything goes here instead of its destination; signed as the subscription signs
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Of this host
    #[arg(long)]
    host: Option<String>,
    /// Of this repository: acme/api; acme/* means all that begin so
    #[arg(long, value_name = "NAME")]
    repository: Option<String>,
    /// Of this event: push, pull_request.opened
    #[arg(long)]
    event: Option<String>,
    /// Of the event with this GUID (X-GitHub-Delivery)
    #[arg(long)]
    guid: Option<String>,
    /// Deliveries a second, over all subscriptions
    #[arg(long, default_value = "100/s", value_name = "N/s", value_parser = rate)]
    rate: u32,
    /// Why; it is recorded for ever
    #[arg(long, visible_alias = "reason", value_name = "TEXT")]
    why: Option<String>,
    /// Only count and list what it would deliver
    #[arg(long)]
    dry_run: bool,
    /// Do not ask; scripts must say it
    #[arg(long, short)]
    yes: bool,
}

/// Who gets it: one of them must be said.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Mode {
    /// Those who were owed it at the time, at the destinations that they had then
    #[arg(long)]
    original_targets: bool,
    /// Those who want it by the configuration of now
    #[arg(long)]
    current_routing: bool,
    /// Those who wanted it by the configuration as of 2h (ago), 2026-11-01, control/0@17 or @BOOKMARK
    #[arg(long, value_name = "POINT")]
    as_of_routing: Option<Bound>,
}

/// Which part of history. Without it, all of it.
#[derive(Args, Debug)]
struct Range {
    /// Received at or after: 2h (ago), 2026-11-01, 2026-11-01T12:00Z; or from webhooks/3@1042 on;
    /// or after @BOOKMARK
    #[arg(long, visible_alias = "since", value_name = "WHEN")]
    from: Option<Bound>,
    /// Received before; or before webhooks/3@2000; or before @BOOKMARK
    #[arg(long, visible_alias = "until", value_name = "WHEN")]
    to: Option<Bound>,
}

/// A time, or a place in the log or a bookmark, which are sent as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Bound {
    When(When),
    Point(String),
}

impl FromStr for Bound {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("http://") || text.starts_with("https://") {
            return Err(format!(
                "{text:?} is no time; to deliver to another URL, write --url {text}"
            ));
        }
        if text.contains('@') {
            let point: Result<PointSpec, _> = text.parse();
            let point = point.map_err(|error| error.to_string())?;
            return Ok(Self::Point(point.to_string()));
        }
        let when: Result<When, _> = text.parse();
        when.map(Self::When).map_err(|error| error.to_string())
    }
}

impl Bound {
    /// As it is sent: relative times are resolved here.
    fn sent(&self, now: Timestamp) -> String {
        match self {
            Self::When(when) => when.resolve(now).to_string(),
            Self::Point(point) => point.clone(),
        }
    }
}

const LIST: [Column; 6] = [
    ("RECEIVED", |row, now| row.ago("received_at", now)),
    ("EVENT", |row, _| row.event()),
    ("SUBSCRIPTION", |row, _| cut(&row.text("subscription"), 40)),
    ("TO", |row, _| cut(&row.text("destination"), 60)),
    ("OUTCOME", |row, _| row.text("outcome")),
    ("WEBHOOK", |row, _| row.text("position")),
];

const BY: [Column; 2] = [
    ("SUBSCRIPTION", |row, _| row.text("subscription")),
    ("DELIVERIES", |row, _| row.size("deliveries").to_string()),
];

pub(super) async fn run(args: Create, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let said = args
        .why
        .as_deref()
        .is_some_and(|why| !why.trim().is_empty());
    if !said && !args.dry_run {
        let text = "a replay needs --why TEXT; it is recorded for ever".to_owned();
        return Err(Usage(text).into());
    }
    let mut body = args.body(session.now);
    if args.dry_run || !args.yes {
        let list = if args.dry_run { LISTED } else { 0 };
        let rehearsal = with_given(
            body.clone(),
            [("dry_run", Some(json!(true))), ("list", Some(json!(list)))],
        );
        let reply = session.api.post(&["replays"], &rehearsal).await?;
        let found = reply.row().inner("counted");
        let count = found.size("deliveries");
        if args.dry_run || count == 0 {
            return session.show(&reply, rehearsed);
        }
        let phrase = phrase(found);
        if !session.json() {
            table::write(
                &mut session.out,
                &BY,
                &found.rows("subscriptions"),
                session.now,
            )?;
        }
        if !ask(
            session,
            &format!("deliver {phrase} again, {} a second?", args.rate),
        )? {
            return Ok(Answer::No);
        }
        if found.holds("complete") {
            body = with_given(body, [("counted", Some(json!(count)))]);
        }
    }
    let reply = session.api.post(&["replays"], &body).await?;
    session.show(&reply, |out, row, _| {
        let id = row.text("replay");
        out.line(format!(
            "asked for the replay {id}; look at it with: hooklog replay show {id} --follow"
        ))
    })
}

impl Create {
    /// As the API takes it.
    fn body(&self, now: Timestamp) -> Value {
        let mode = match (self.mode.original_targets, self.mode.current_routing) {
            (true, _) => "original_targets",
            (_, true) => "current_routing",
            (false, false) => "as_of_routing",
        };
        let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
        let bound = |bound: &Option<Bound>| bound.as_ref().map(|bound| json!(bound.sent(now)));
        with_given(
            json!({"mode": mode, "rate_per_second": self.rate}),
            [
                ("point", bound(&self.mode.as_of_routing)),
                ("from", bound(&self.range.from)),
                ("to", bound(&self.range.to)),
                ("subscription", text(&self.subscription)),
                ("url", text(&self.url)),
                ("source", text(&self.source)),
                ("host", text(&self.host)),
                ("repository", text(&self.repository)),
                ("event", text(&self.event)),
                ("guid", text(&self.guid)),
                ("reason", text(&self.why)),
            ],
        )
    }
}

/// `1,204 deliveries`, or at least so many.
fn phrase(found: Row<'_>) -> String {
    let count = counted(found.size("deliveries"), "delivery", "deliveries");
    if found.holds("complete") {
        count
    } else {
        format!("at least {count} (there is more history than could be counted in time)")
    }
}

fn rehearsed(out: &mut Out<'_>, row: Row<'_>, now: Timestamp) -> io::Result<()> {
    let found = row.inner("counted");
    let listed = found.rows("list");
    if !listed.is_empty() {
        table::write(out, &LIST, &listed, now)?;
        out.line("")?;
    }
    let some = |field, what: &str| {
        let count = found.size(field);
        (count > 0).then(|| format!("{count} {what}"))
    };
    let left = [
        some("filtered", "outside of the filter"),
        some("unmatched", "that nobody gets"),
        some("repeats", "that repeat an earlier receipt"),
        some("skipped", "whose body was erased"),
    ];
    let left: Vec<_> = left.into_iter().flatten().collect();
    if !left.is_empty() {
        let webhooks = found.size("webhooks");
        out.line(format!("of up to {webhooks} webhooks: {}", left.join(", ")))?;
    }
    if let Some(gone) = some(
        "left_out",
        "deliveries would go to deleted subscriptions, and do not",
    ) {
        out.line(gone)?;
    }
    table::write(out, &BY, &found.rows("subscriptions"), now)?;
    out.line(format!(
        "would deliver {}; nothing was changed",
        phrase(found)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_a_time_or_a_place_and_no_url() {
        assert!(matches!("2h".parse(), Ok(Bound::When(_))));
        assert!(matches!("webhooks/3@7".parse(), Ok(Bound::Point(_))));
        assert!(matches!("@before".parse(), Ok(Bound::Point(_))));
        let error = "https://a.example/".parse::<Bound>().unwrap_err();
        assert!(error.contains("--url https://a.example/"), "{error}");
        assert!("webhooks@7".parse::<Bound>().is_err());
    }
}
