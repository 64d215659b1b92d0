//! `hooklog explain`: which clause decided, under which configuration: why, and why not.

mod range;

use super::args::Which;
use super::evidence;
use super::out::{Out, Tone};
use super::point::AsOf;
use super::row::Row;
use super::session::{Answer, Session, Usage};
use clap::Args;
use hooklog_schemas::Timestamp;
use std::io;

/// `hooklog explain`: which event, and for whom.
#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// GitHub's id of the event (X-GitHub-Delivery); without it, say which events by the flags
    guid: Option<String>,
    /// The subscription that got it, or did not: its name, or its id
    #[arg(long, value_name = "NAME")]
    subscription: String,
    #[command(flatten)]
    which: Which,
    /// List only what was not delivered; the counts are of everything all the same
    #[arg(long)]
    missed: bool,
    /// Of many events, list so many at the most; all are counted
    #[arg(long, default_value_t = 50, value_name = "ROWS")]
    limit: usize,
    #[command(flatten)]
    as_of: AsOf,
}

pub(super) const EXAMPLES: &str = "\
The recorded decision comes first; then the filter is computed again, clause by clause, under the
configuration that decided. A difference is marked.

Of many events, those that were received in a range, what became of them is counted first, then told
one by one.

Examples:
  hooklog explain 72d3162e-cc78-11e3-81ab-4c9367dc0958 --subscription ci
  hooklog explain --subscription ci --from 2026-11-24 --to 2026-11-25 --missed
  hooklog explain --subscription ci --since 7d --repository acme/api --output json

Exit code 1 when nothing was received with this GUID.";

pub(super) async fn run(args: ExplainArgs, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let mut many = args.which.query(session.now);
    let Some(guid) = args.guid else {
        if many.is_empty() {
            let said = "say which events: a GUID, or --from, --to, --repository, …";
            return Err(Usage(said.to_owned()).into());
        }
        many.push(("subscription", args.subscription));
        many.extend(args.as_of.query(session.now));
        many.extend(args.missed.then(|| ("missed", "true".to_owned())));
        return range::run(many, args.limit, session).await;
    };
    if !many.is_empty() || args.missed {
        let said = "a GUID names one event; leave it out to ask about a range";
        return Err(Usage(said.to_owned()).into());
    }
    let mut query = args.as_of.query(session.now);
    query.push(("subscription", args.subscription));
    let reply = session.api.get(&["explain", &guid], &query).await?;
    let found = !reply.row().rows("receipts").is_empty();
    session.show(&reply, tell)?;
    if found {
        Ok(Answer::Yes)
    } else {
        Ok(Answer::No)
    }
}

fn tell(out: &mut Out<'_>, row: Row<'_>, _now: Timestamp) -> io::Result<()> {
    let receipts = row.rows("receipts");
    if receipts.is_empty() {
        return out.line(format!(
            "nothing was received with the GUID {}",
            row.text("guid")
        ));
    }
    for receipt in receipts {
        out.line(format!("receipt {}", receipt.text("receipt")))?;
        recorded(out, receipt.inner("recorded"), &row.text("subscription"))?;
        recomputed(out, receipt.inner("recomputed"))?;
        if receipt.holds("differs") {
            let warning =
                "  DIFFERS: computed again, the answer is another one; the recorded one counts";
            out.line(out.paint(Tone::Bad, warning))?;
        }
        shown(out, receipt)?;
        today(out, receipt)?;
    }
    Ok(())
}

fn recorded(out: &mut Out<'_>, row: Row<'_>, subscription: &str) -> io::Result<()> {
    if row.0.is_null() {
        return out.line(out.paint(Tone::Watch, "  no decision is recorded yet"));
    }
    if let Some(error) = row.maybe("error") {
        let failed = format!("  recorded: routing failed: {error}");
        return out.line(out.paint(Tone::Bad, &failed));
    }
    let outcome = row
        .maybe("outcome")
        .map_or_else(String::new, |what| format!(" ({})", what.replace('_', " ")));
    out.line(format!(
        "  recorded: {subscription} {}{outcome}, under configuration control/0@{}, matcher {}",
        matched(out, row),
        row.text("configuration_offset"),
        row.text("matcher"),
    ))
}

fn matched(out: &Out<'_>, row: Row<'_>) -> String {
    let (tone, words) = match row.holds("matched") {
        true => (Tone::Good, "matched"),
        false => (Tone::Bad, "did not match"),
    };
    out.paint(tone, words)
}

fn recomputed(out: &mut Out<'_>, row: Row<'_>) -> io::Result<()> {
    if row.0.is_null() {
        return out.line("    it cannot be computed again: the webhook was erased");
    }
    clauses(out, row)?;
    if row.rows("clauses").is_empty() && row.holds("matched") {
        out.line("    its filter has no clauses: it wants everything")?;
    }
    Ok(())
}

fn clauses(out: &mut Out<'_>, row: Row<'_>) -> io::Result<()> {
    for clause in row.rows("clauses") {
        let (tone, mark) = if clause.holds("holds") {
            (Tone::Good, "✓")
        } else {
            (Tone::Bad, "✗")
        };
        let found = clause.maybe("found").map_or_else(
            || "it has none".to_owned(),
            |found| format!("it is {found}"),
        );
        out.line(format!(
            "    {} {}: wants {}; {found}",
            out.paint(tone, mark),
            clause.text("clause"),
            clause.text("wanted"),
        ))?;
    }
    Ok(())
}

/// What became of it, and the events of `control` that show why.
fn shown(out: &mut Out<'_>, receipt: Row<'_>) -> io::Result<()> {
    if receipt.maybe("reason").is_some() {
        let reason = range::words(receipt.inner("reason"));
        out.line(format!("  what became of it: {reason}"))?;
    }
    for event in receipt.rows("evidence") {
        out.line(format!("    {}", evidence::line(event)))?;
        if !event.rows("fields").is_empty() {
            let fields = evidence::fields(event);
            out.line(out.paint(Tone::Faint, &format!("      {fields}")))?;
        }
    }
    Ok(())
}

/// Said only where the subscription has changed its mind since.
fn today(out: &mut Out<'_>, receipt: Row<'_>) -> io::Result<()> {
    let (then, now) = (receipt.inner("recomputed"), receipt.inner("today"));
    if now.0.is_null() || then.0.is_null() || then.holds("matched") == now.holds("matched") {
        return Ok(());
    }
    let answer = if now.holds("matched") {
        "would match"
    } else {
        "would not match"
    };
    out.line(format!("  under today's configuration it {answer}:"))?;
    clauses(out, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_clause_that_decided_is_shown_and_a_difference_is_marked() {
        let value = json!({"guid": "g", "subscription": "ci", "receipts": [{
            "receipt": "r",
            "recorded": {"matched": false, "outcome": null, "configuration_offset": 4, "matcher": 1},
            "recomputed": {"matched": false, "clauses": [
                {"clause": "events", "wanted": ["push"], "found": "create", "holds": false},
                {"clause": "repositories", "wanted": ["acme/*"], "found": "acme/api", "holds": true},
            ]},
            "differs": true,
            "reason": {"reason": "filter", "detail": "events"},
            "evidence": [{"offset": 4, "event_type": "subscription.changed", "actor": "bo",
                          "about": "ci", "why": "noisy",
                          "fields": [{"field": "filter.events", "was": null, "now": ["push"]}]}],
            "today": {"matched": true, "clauses": [
                {"clause": "branches", "wanted": ["main"], "found": null, "holds": true},
            ]},
        }]});
        let mut sink = Vec::new();
        tell(&mut Out::new(&mut sink, false), Row(&value), Timestamp(0)).unwrap();
        let expected = "\
receipt r
  recorded: ci did not match, under configuration control/0@4, matcher 1
    ✗ events: wants push; it is create
    ✓ repositories: wants acme/*; it is acme/api
  DIFFERS: computed again, the answer is another one; the recorded one counts
  what became of it: not matched: events
    control/0@4 subscription.changed ci by bo: noisy
      filter.events: any → push
  under today's configuration it would match:
    ✓ branches: wants main; it has none
";
        assert_eq!(String::from_utf8(sink).unwrap(), expected);
    }
}
