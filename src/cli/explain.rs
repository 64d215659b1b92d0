//! `hooklog explain`: which clause decided, under which configuration: why, and why not.

use super::out::{Out, Tone};
use super::row::Row;
use super::session::{Answer, Session};
use clap::Args;
use hooklog_schemas::Timestamp;
use std::io;

/// `hooklog explain`: which event, and for whom.
#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// GitHub's id of the event (X-GitHub-Delivery)
    guid: String,
    /// The subscription that got it, or did not
    #[arg(long, value_name = "NAME")]
    subscription: String,
}

pub(super) const EXAMPLES: &str = "\
The recorded decision comes first; then the filter is computed again, clause by clause, under the
configuration that decided. A difference is marked.

Examples:
  hooklog explain 72d3162e-cc78-11e3-81ab-4c9367dc0958 --subscription ci

Exit code 1 when nothing was received with this GUID.";

pub(super) async fn run(args: ExplainArgs, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let query = vec![("subscription", args.subscription)];
    let reply = session.api.get(&["explain", &args.guid], &query).await?;
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
  under today's configuration it would match:
    ✓ branches: wants main; it has none
";
        assert_eq!(String::from_utf8(sink).unwrap(), expected);
    }
}
