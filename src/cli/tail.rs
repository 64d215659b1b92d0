//! `hooklog tail`: new events, live.

use super::out::{Out, Tone};
use super::row::{NOTHING, Row, cut};
use super::session::{Answer, Session};
use super::timeline::clock;
use clap::Args;
use futures_util::StreamExt as _;
use serde_json::Value;
use std::io;

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
Shows what is appended to the log from now on, until Ctrl-C.

Examples:
  hooklog tail
  hooklog tail --subscription ci
  hooklog tail --output json | jq 'select(.type == \"delivery.attempted\")'";

pub(super) async fn run(args: TailArgs, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let filters = [("guid", args.guid), ("subscription", args.subscription)];
    let query = filters
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let mut parts = session.api.stream(&["tail"], &query).await?.bytes_stream();
    session.note("waiting for new events; Ctrl-C ends it");
    let mut pending = Vec::new();
    while let Some(part) = parts.next().await {
        pending.extend_from_slice(&part?);
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            show(session, line.trim_ascii())?;
        }
        if pending.len() > LINE_BYTES_MAX {
            anyhow::bail!("the server sent a line without end");
        }
        session.out.flush()?;
    }
    anyhow::bail!("the server ended the stream; it is probably stopping")
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
        Ok(value) => {
            let text = told(&session.out, Row(&value));
            session.out.line(text)
        }
        Err(_) => Ok(()),
    }
}

/// An event in one line: when, what, about what, where.
fn told(out: &Out<'_>, row: Row<'_>) -> String {
    let kind = row.text("type");
    let about = about(row);
    format!(
        "{}  {}  {}  {}",
        out.paint(Tone::Faint, &clock(row, "at")),
        out.paint(tone(&kind, row), &format!("{kind:20}")),
        about,
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

fn verdict(row: Row<'_>) -> String {
    match row
        .0
        .get("verdict")
        .or_else(|| row.0.get("event").and_then(|event| event.get("verdict")))
    {
        Some(Value::String(word)) => word.clone(),
        Some(Value::Object(one)) => one.keys().next().cloned().unwrap_or_default(),
        _ => NOTHING.to_owned(),
    }
}

/// The fields of the event itself that people look for, wherever the server put them.
fn about(row: Row<'_>) -> String {
    const FIELDS: [&str; 11] = [
        "event",
        "action",
        "repository",
        "source",
        "name",
        "subscription",
        "status",
        "error",
        "guid",
        "delivery",
        "reason",
    ];
    let mut said: Vec<String> = FIELDS
        .iter()
        .filter_map(|field| simple(row, field))
        .collect();
    let verdict = verdict(row);
    if verdict != NOTHING {
        said.push(format!("→ {}", verdict.replace('_', " ")));
    }
    cut(&said.join("  "), 200)
}

fn simple(row: Row<'_>, field: &str) -> Option<String> {
    let value = row.0.get(field)?;
    (value.is_string() || value.is_number())
        .then(|| row.maybe(field))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_one_line_with_what_people_look_for() {
        let value = json!({
            "position": "deliveries/3@18", "at": 1_793_534_400_000_000_i64, "type": "delivery.attempted",
            "subscription": "ci", "status": 503, "verdict": {"retry": {"at": 1}},
        });
        let mut sink = Vec::new();
        let line = told(&Out::new(&mut sink, false), Row(&value));
        let expected =
            "2026-11-01 12:00:00.000Z  delivery.attempted    ci  503  → retry  deliveries/3@18";
        assert_eq!(line, expected);
    }
}
