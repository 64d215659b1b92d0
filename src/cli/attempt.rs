//! `hooklog attempt`: the single tries of a delivery.

use super::args::id;
use super::evidence;
use super::out::{Out, Tone};
use super::point::AsOf;
use super::row::{NOTHING, Row};
use super::session::{Answer, Session};
use super::table;
use super::time::{exact, lasting};
use super::timeline;
use clap::Subcommand;
use hooklog_schemas::Timestamp;
use std::io;
use std::time::Duration;

/// What to do with attempts.
#[derive(Debug, Subcommand)]
pub(crate) enum AttemptCommand {
    /// Compare two attempts of a delivery: target, address, headers, phases, answer
    #[command(after_help = EXAMPLES)]
    Diff {
        /// The delivery's id, as `delivery list` and `timeline` show it
        #[arg(value_parser = id)]
        delivery: String,
        /// The place of one among its attempts, from 1; a redrive goes on counting [default: the one
        /// before the other]
        #[arg(value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        first: Option<u64>,
        /// The place of the other [default: the last]
        #[arg(value_name = "M", value_parser = clap::value_parser!(u64).range(1..))]
        second: Option<u64>,
        #[command(flatten)]
        as_of: AsOf,
    },
}

const EXAMPLES: &str = "\
Phases are told as the time after the start at which each ended; a connection that was open already
needs neither resolving nor connecting.

Examples:
  hooklog attempt diff 019a3c5e-7d1f-7c3a-b1de-0242ac120002
  hooklog attempt diff 019a3c5e-7d1f-7c3a-b1de-0242ac120002 1 3

Exit code 1 when there are not two attempts.";

pub(super) async fn run(
    command: AttemptCommand,
    session: &mut Session<'_>,
) -> anyhow::Result<Answer> {
    let AttemptCommand::Diff {
        delivery,
        first,
        second,
        as_of,
    } = command;
    let given = [("first", first), ("second", second)];
    let mut query = as_of.query(session.now);
    query.extend(
        given
            .into_iter()
            .filter_map(|(name, place)| Some((name, place?.to_string()))),
    );
    let path = ["deliveries", delivery.as_str(), "attempts", "diff"];
    let reply = session.api.get(&path, &query).await?;
    session.show(&reply, tell)
}

fn tell(out: &mut Out<'_>, row: Row<'_>, now: Timestamp) -> io::Result<()> {
    let delivery = row.inner("delivery");
    out.line(format!(
        "delivery {} to {}, {} of {}",
        delivery.text("id"),
        delivery.text("subscription"),
        delivery.event(),
        delivery.text("repository"),
    ))?;
    for which in ["first", "second"] {
        let place = row.text(&format!("{which}_place"));
        let attempt = timeline::attempt(out, row.inner(which));
        out.line(format!("{place} of {}  {attempt}", row.text("attempts")))?;
    }
    table::heading(out, "What differs")?;
    let differences = row.rows("differences");
    let told: Vec<_> = differences.iter().filter(|one| !is_plain(**one)).collect();
    if told.is_empty() {
        out.line(out.paint(Tone::Faint, "nothing but their times"))?;
    }
    for one in told {
        let field = one.text("field");
        let (was, now) = (value(*one, "was"), value(*one, "now"));
        out.line(format!("  {:22}  {was} → {now}", name(&field)))?;
    }
    table::heading(out, "What is the same")?;
    let same = row.0.get("same").and_then(serde_json::Value::as_array);
    let same = same.into_iter().flatten().filter_map(|one| one.as_str());
    let same: Vec<_> = same.map(name).collect();
    out.line(format!("  {}", same.join(", ")))?;
    let heading = "What was done to the subscription between them";
    evidence::list(out, heading, &row.rows("between"), now)
}

/// Facts that differ between any two attempts.
fn is_plain(row: Row<'_>) -> bool {
    ["number", "started_at"].contains(&row.text("field").as_str())
}

/// What people call a fact.
fn name(field: &str) -> &str {
    match field {
        "configuration_offset" => "configuration",
        "headers_sha256" => "headers sent (SHA-256)",
        "resolve_us" => "name resolved after",
        "connect_us" => "connected after",
        "headers_us" => "answered after",
        "duration_us" => "took",
        "started_at" => "start",
        "excerpt" => "answer",
        other => other,
    }
}

fn value(row: Row<'_>, which: &str) -> String {
    let field = row.text("field");
    let micros = row.number(which).filter(|_| field.ends_with("_us"));
    let offset = row
        .number(which)
        .filter(|_| field == "configuration_offset");
    let at = row.at(which).filter(|_| field == "started_at");
    match (micros, offset, at) {
        (Some(micros), ..) => lasting(Duration::from_micros(micros)),
        (_, Some(offset), _) => format!("control/0@{offset}"),
        (.., Some(at)) => exact(at),
        _ => row.maybe(which).unwrap_or_else(|| NOTHING.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_is_shown_in_order_and_what_is_the_same_is_named() {
        let attempt = |number: u64| {
            json!({"number": number, "started_at": 0, "duration_us": 2_000, "status": 503,
                   "verdict": "retry"})
        };
        let value = json!({
            "delivery": {"id": "d", "subscription": "ci", "event": "push", "repository": "a/b"},
            "attempts": 3, "first_place": 1, "first": attempt(1),
            "second_place": 2, "second": attempt(2),
            "differences": [
                {"field": "number", "was": 1, "now": 2},
                {"field": "configuration_offset", "was": 4, "now": 9},
                {"field": "target", "was": "https://a/", "now": "https://b/"},
                {"field": "connect_us", "was": 12_000, "now": null},
            ],
            "same": ["headers_sha256", "status"],
            "between": [],
        });
        let mut sink = Vec::new();
        tell(&mut Out::new(&mut sink, false), Row(&value), Timestamp(0)).unwrap();
        let told = String::from_utf8(sink).unwrap();
        let expected = "\
What differs
  configuration           control/0@4 → control/0@9
  target                  https://a/ → https://b/
  connected after         12 ms → –

What is the same
  headers sent (SHA-256), status
";
        assert!(told.ends_with(expected), "{told}");
        assert!(
            told.starts_with("delivery d to ci, push of a/b\n1 of 3  "),
            "{told}"
        );
    }
}
