//! `hooklog tail`: new events, live.

use super::api::{ApiError, Query};
use super::out::{Out, Tone};
use super::row::{Row, cut};
use super::session::{Answer, Session};
use super::timeline::{clock, outcome, verdict};
use clap::Args;
use futures_util::StreamExt as _;
use reqwest::Response;
use serde_json::Value;
use std::io;
use std::time::Duration;

/// A line of the stream is at most this long; a server that sends more is not hooklog.
const LINE_BYTES_MAX: usize = 16 << 20;

/// `hooklog tail`: which events.
#[derive(Args, Debug)]
pub(crate) struct TailArgs {
    /// Only those of the event with this GUID (X-GitHub-Delivery)
    #[arg(long)]
    guid: Option<String>,
    /// Only those of this subscription
    #[arg(long, value_name = "NAME")]
    subscription: Option<String>,
}

pub(super) const EXAMPLES: &str = "\
Shows what is appended to the log from now on, until Ctrl-C. Scripts see every record; people
do not see those that keep subscribers' answers (`delivery show` does), or in which nothing happened.
With --output json each event is one JSON object on a line of its own.

Examples:
  hooklog tail
  hooklog tail --subscription ci
  hooklog tail --output json | jq 'select(.type == \"delivery.attempted\")'";

pub(super) async fn run(args: TailArgs, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let filters = [("guid", args.guid), ("subscription", args.subscription)];
    let query: Query = filters
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let mut stream = session.api.stream(&["tail"], &query).await?;
    session.note("waiting for new events; Ctrl-C ends it");
    loop {
        follow(stream, session).await?;
        session.note("the connection ended; trying again, what happens meanwhile is not shown");
        stream = again(session, &query).await?;
        session.note("connected again");
    }
}

/// Shows lines until the connection ends, for whatever reason.
async fn follow(stream: Response, session: &mut Session<'_>) -> anyhow::Result<()> {
    let mut parts = stream.bytes_stream();
    let mut pending = Vec::new();
    while let Some(Ok(part)) = parts.next().await {
        pending.extend_from_slice(&part);
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            show(session, line.trim_ascii())?;
        }
        if pending.len() > LINE_BYTES_MAX {
            anyhow::bail!("the server sent a line without end");
        }
        session.out.flush()?;
    }
    Ok(())
}

/// How often a lost connection is tried again, and after how long: a restart takes seconds.
const TRIES: u32 = 30;
const PAUSE: Duration = Duration::from_secs(1);

/// Connects again; only what a restart may cure is tried more than once.
async fn again(session: &Session<'_>, query: &Query) -> Result<Response, ApiError> {
    let mut tries = 0;
    loop {
        tokio::time::sleep(PAUSE).await;
        tries += 1;
        match session.api.stream(&["tail"], query).await {
            Err(ApiError::Unreachable { .. } | ApiError::Slow { .. }) if tries < TRIES => {}
            Err(ApiError::Problem { status: 503, .. }) if tries < TRIES => {}
            result => return result,
        }
    }
}

fn show(session: &mut Session<'_>, line: &[u8]) -> io::Result<()> {
    if line.is_empty() {
        return Ok(());
    }
    if session.json() {
        session.out.bytes(line)?;
        return session.out.bytes(b"\n");
    }
    match serde_json::from_slice::<Value>(line) {
        Ok(value) if is_silent(Row(&value)) => Ok(()),
        Ok(value) => {
            let text = told(&session.out, Row(&value));
            session.out.line(text)
        }
        Err(_) => Ok(()),
    }
}

/// What says nothing to people: the answer of an attempt that has just been told, and a command
/// that found nothing to do in a partition.
fn is_silent(row: Row<'_>) -> bool {
    match row.text("type").as_str() {
        "delivery.answered" => true,
        "command.applied" => row.number("count") == Some(0),
        _ => false,
    }
}

/// An event in one line: when, what, about what, where.
fn told(out: &Out<'_>, row: Row<'_>) -> String {
    let kind = row.text("type");
    format!(
        "{}  {}  {}  {}",
        out.paint(Tone::Faint, &clock(row, "at")),
        out.paint(tone(&kind, row), &format!("{kind:20}")),
        about(out, &kind, row),
        out.paint(Tone::Faint, &row.text("position")),
    )
}

fn tone(kind: &str, row: Row<'_>) -> Tone {
    match kind {
        "delivery.attempted" => Tone::of(&verdict(row)),
        "webhook.received" | "webhook.routed" => Tone::Strong,
        "delivery.requeued" | "delivery.cancelled" => Tone::Watch,
        "webhooks.rejected" => Tone::Bad,
        _ => Tone::Plain,
    }
}

fn about(out: &Out<'_>, kind: &str, row: Row<'_>) -> String {
    match kind {
        // A tombstone: the record that erases a webhook is of its type, and holds nothing.
        "webhook.received" if row.maybe("event").is_none() => "erased".to_owned(),
        "webhook.received" => format!(
            "{}  from {}  {}",
            subject(row),
            row.text("source"),
            row.text("guid")
        ),
        "webhook.routed" => format!("{}  → {}  {}", subject(row), wanted(row), row.text("guid")),
        "delivery.attempted" => format!("{}  {}", row.text("subscription"), outcome(out, row)),
        _ => others(row),
    }
}

fn subject(row: Row<'_>) -> String {
    match row.maybe("repository") {
        Some(repository) => format!("{}  {repository}", row.event()),
        None => row.event(),
    }
}

/// Who wanted it, and what became of the match where it is not owed.
fn wanted(row: Row<'_>) -> String {
    if let Some(error) = row.maybe("error") {
        return format!("routing failed: {error}");
    }
    let name = |row: &Row<'_>| match row.maybe("outcome").filter(|outcome| outcome != "owed") {
        Some(outcome) => format!(
            "{} ({})",
            row.text("subscription"),
            outcome.replace('_', " ")
        ),
        None => row.text("subscription"),
    };
    let names: Vec<_> = row.rows("matches").iter().map(name).collect();
    if names.is_empty() {
        "nobody".to_owned()
    } else {
        cut(&names.join(", "), 120)
    }
}

/// Of other events, those plain fields that people look for.
fn others(row: Row<'_>) -> String {
    const FIELDS: [&str; 13] = [
        "source",
        "name",
        "subscription",
        "role",
        "build",
        "count",
        "reason",
        "actor",
        "guid",
        "delivery",
        "receipt",
        "replay",
        "error",
    ];
    let plain = |field: &str| {
        let value = row.0.get(field)?;
        (value.is_string() || value.is_number())
            .then(|| row.maybe(field))
            .flatten()
    };
    let said = FIELDS
        .iter()
        .filter_map(|field| Some(format!("{field}: {}", plain(field)?)));
    cut(&said.collect::<Vec<_>>().join("  "), 200)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(value: &Value) -> String {
        let mut sink = Vec::new();
        told(&Out::new(&mut sink, false), Row(value))
    }

    #[test]
    fn an_attempt_is_told_as_in_a_timeline() {
        let value = json!({
            "position": "deliveries/3@18", "at": 1_793_534_400_000_000_i64, "type": "delivery.attempted",
            "subscription": "ci", "number": 2, "duration_us": 12_000, "status": 503,
            "verdict": {"retry": {"at": 1}},
        });
        let expected = "2026-11-01 12:00:00.000Z  delivery.attempted    ci  attempt 2  503 in 12 ms → retry  \
                        deliveries/3@18";
        assert_eq!(line(&value), expected);
    }

    #[test]
    fn a_decision_names_who_wanted_it() {
        let routed = |matches: Value| {
            line(
                &json!({"type": "webhook.routed", "event": "push", "repository": "acme/api", "matches": matches}),
            )
        };
        let two = routed(json!([
            {"subscription": "ci", "outcome": "owed"},
            {"subscription": "audit", "outcome": "already_delivered"},
        ]));
        assert!(
            two.contains("push  acme/api  → ci, audit (already delivered)"),
            "{two}"
        );
        assert!(routed(json!([])).contains("→ nobody"));
    }

    #[test]
    fn what_says_nothing_is_left_out_and_an_erasure_is_said() {
        assert!(is_silent(Row(&json!({"type": "delivery.answered"}))));
        assert!(is_silent(Row(
            &json!({"type": "command.applied", "count": 0})
        )));
        assert!(!is_silent(Row(
            &json!({"type": "command.applied", "count": 1})
        )));
        assert!(line(&json!({"type": "webhook.received"})).contains("erased"));
    }

    #[test]
    fn other_events_show_their_plain_fields() {
        let rejected = line(
            &json!({"type": "webhooks.rejected", "source": "a", "reason": "signature", "count": 3, "scope": {}}),
        );
        assert!(
            rejected.contains("source: a  count: 3  reason: signature"),
            "{rejected}"
        );
    }
}
