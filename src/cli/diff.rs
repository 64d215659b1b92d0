//! `hooklog diff`: what changed between two points.

use super::evidence::value;
use super::out::{Out, Tone};
use super::point::Moment;
use super::row::{NOTHING, Row, counted};
use super::session::{Answer, Session};
use super::table;
use clap::Args;
use hooklog_schemas::Timestamp;
use std::io;

/// `hooklog diff`: between which points.
#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    /// The earlier point: 2h (ago), 2026-11-01T12:00Z, webhooks/3@1042 (a record), @NAME (a bookmark)
    #[arg(long, visible_alias = "since", value_name = "POINT")]
    from: Moment,
    /// The later point [default: now]
    #[arg(long, visible_alias = "until", value_name = "POINT")]
    to: Option<Moment>,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  hooklog diff --from 1d
  hooklog diff --from @before-migration --to 2026-11-01T12:00Z --output json

Who changed something, and why, is in its history: hooklog subscription history NAME.";

pub(super) async fn run(args: DiffArgs, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let now = session.now;
    let mut query = vec![("from", args.from.resolve(now).to_string())];
    query.extend(args.to.map(|to| ("to", to.resolve(now).to_string())));
    let reply = session.api.get(&["diff"], &query).await?;
    session.show(&reply, tell)
}

fn tell(out: &mut Out<'_>, row: Row<'_>, _: Timestamp) -> io::Result<()> {
    let differences = row.rows("configuration");
    if differences.is_empty() {
        out.line("the configuration is the same at both points")?;
    }
    for one in differences {
        let what = format!("{} {}", one.text("kind"), one.text("name"));
        let change = one.text("change");
        let tone = match change.as_str() {
            "created" => Tone::Good,
            "deleted" => Tone::Bad,
            _ => Tone::Watch,
        };
        out.line(format!("{}  {what}", out.paint(tone, &change)))?;
        for field in one.rows("fields") {
            out.line(format!("  {}", changed(field)))?;
        }
    }
    let (from, to) = (
        row.inner("from").inner("totals"),
        row.inner("to").inner("totals"),
    );
    table::heading(out, "Totals")?;
    for (name, one, many) in TOTALS {
        let (before, after) = (from.size(name), to.size(name));
        let counted = counted(after, one, many);
        out.line(match i128::from(after) - i128::from(before) {
            0 => format!("{counted}, as before"),
            by => format!("{counted}, {by:+}"),
        })?;
    }
    Ok(())
}

const TOTALS: [(&str, &str, &str); 5] = [
    ("receipts", "receipt", "receipts"),
    ("open", "open delivery", "open deliveries"),
    ("delivered", "delivered", "delivered"),
    ("dead", "dead letter", "dead letters"),
    ("cancelled", "cancelled", "cancelled"),
];

/// A field, what it was unless it was nothing, and what it is.
fn changed(field: Row<'_>) -> String {
    let name = field.text("field");
    let (from, to) = (value(field, "from"), value(field, "to"));
    match from == NOTHING {
        true => format!("{name}: {to}"),
        false => format!("{name}: {from} → {to}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_filter_that_is_narrowed_was_any_and_what_was_nothing_is_not_told() {
        let told = |field: &str, from, to| {
            let row = json!({"field": field, "from": from, "to": to});
            changed(Row(&row))
        };
        let (push, none, url) = (json!(["push"]), json!(null), json!("https://a/"));
        assert_eq!(
            told("filter.events", &none, &push),
            "filter.events: any → push"
        );
        assert_eq!(
            told("filter.events", &push, &none),
            "filter.events: push → any"
        );
        assert_eq!(told("to", &none, &url), "to: https://a/");
        assert_eq!(told("to", &url, &none), "to: https://a/ → –");
    }
}
