//! `hooklog explain --subscription NAME --from … --to …`: of everything that was received in a range,
//! what the subscription got, what it did not, and why.

use crate::cli::evidence;
use crate::cli::out::{Out, Tone};
use crate::cli::row::{NOTHING, Row, counted};
use crate::cli::session::{Answer, Session};
use crate::cli::table::{self, Column};
use crate::cli::time::exact;
use crate::cli::walk::{self, Ask};
use hooklog_schemas::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;

/// Asks for the whole range, and tells it; at most `limit` webhooks are listed.
pub(super) async fn run(
    query: Vec<(&'static str, String)>,
    limit: usize,
    session: &mut Session<'_>,
) -> anyhow::Result<Answer> {
    let mut sum = Sum::default();
    let ask = Ask::Get(&["explain"], query);
    walk::pages(ask, session, |page| sum.add(page, limit)).await?;
    let value = sum.value();
    if session.json() {
        session.out.line(value.to_string())?;
    } else {
        tell(&mut session.out, Row(&value), session.now)?;
    }
    Ok(Answer::Yes)
}

/// What the pages said, added up.
#[derive(Default)]
struct Sum {
    subscription: Value,
    subscription_id: Value,
    looked_at: u64,
    counts: BTreeMap<(String, Option<String>), u64>,
    evidence: BTreeMap<u64, Value>,
    items: Vec<Value>,
    unlisted: u64,
}

impl Sum {
    fn add(&mut self, page: Row<'_>, limit: usize) {
        for (field, kept) in [
            ("subscription", &mut self.subscription),
            ("subscription_id", &mut self.subscription_id),
        ] {
            kept.clone_from(page.0.get(field).unwrap_or(&Value::Null));
        }
        self.looked_at += page.size("looked_at");
        for row in page.rows("counts") {
            let key = (row.text("reason"), row.maybe("detail"));
            *self.counts.entry(key).or_default() += row.size("count");
        }
        let evidence = page.rows("evidence").into_iter();
        let evidence = evidence.map(|row| (row.size("offset"), row.0.clone()));
        self.evidence.extend(evidence);
        let items = page.rows("items");
        let room = limit.saturating_sub(self.items.len());
        self.unlisted += items.len().saturating_sub(room) as u64;
        let kept = items.into_iter().take(room);
        self.items.extend(kept.map(|row| row.0.clone()));
    }

    fn value(self) -> Value {
        let counts = self.counts.into_iter();
        let mut counts: Vec<_> = counts
            .map(|((reason, detail), count)| (count, reason, detail))
            .collect();
        counts.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let counts = counts.into_iter().map(
            |(count, reason, detail)| json!({"reason": reason, "detail": detail, "count": count}),
        );
        json!({
            "subscription": self.subscription,
            "subscription_id": self.subscription_id,
            "looked_at": self.looked_at,
            "counts": counts.collect::<Vec<_>>(),
            "evidence": self.evidence.into_values().collect::<Vec<_>>(),
            "items": self.items,
            "unlisted": self.unlisted,
        })
    }
}

fn tell(out: &mut Out<'_>, row: Row<'_>, now: Timestamp) -> io::Result<()> {
    let looked_at = row.size("looked_at");
    if looked_at == 0 {
        return out.line("nothing was received here; take a wider range (`hooklog webhook list`)");
    }
    let webhooks = counted(looked_at, "webhook was", "webhooks were");
    out.line(format!(
        "{webhooks} received; of them {}",
        out.paint(Tone::Strong, &row.text("subscription"))
    ))?;
    table::write(out, &COUNTS, &row.rows("counts"), now)?;
    let heading = "Who made it so";
    evidence::list(out, heading, &row.rows("evidence"), now)?;
    let items = row.rows("items");
    if items.is_empty() {
        return Ok(());
    }
    table::heading(out, "One by one, the latest first")?;
    table::write(out, &ITEMS, &items, now)?;
    match row.size("unlisted") {
        0 => Ok(()),
        more => {
            let more = format!("… and {more} more: repeat with --limit N");
            out.line(out.paint(Tone::Faint, &more))
        }
    }
}

const COUNTS: [Column; 2] = [
    ("WEBHOOKS", |row, _| row.text("count")),
    ("WHAT BECAME OF THEM", |row, _| words(*row)),
];

const ITEMS: [Column; 7] = [
    ("RECEIVED", |row, _| {
        row.at("received_at")
            .map_or_else(|| NOTHING.to_owned(), exact)
    }),
    ("EVENT", |row, _| row.event()),
    ("REPOSITORY", |row, _| row.text("repository")),
    ("WHAT BECAME OF IT", |row, _| words(*row)),
    ("LAST ANSWER", |row, _| row.text("last_answer")),
    ("EVIDENCE", |row, _| positions(*row)),
    ("GUID", |row, _| row.text("guid")),
];

/// A reason as people say it.
pub(super) fn words(row: Row<'_>) -> String {
    let detail = row
        .maybe("detail")
        .map_or_else(String::new, |detail| detail.replace('_', " "));
    match row.text("reason").as_str() {
        "delivered" => "delivered".to_owned(),
        "dead" => format!("given up: {detail}"),
        "open" if detail.is_empty() => "still under way".to_owned(),
        "open" => format!("still under way: {detail}"),
        "cancelled" => format!("cancelled: {detail}"),
        "served_by_earlier_receipt" => format!("a redelivery: {detail}"),
        "filter" => format!("not matched: {detail}"),
        "not_created" => "not matched: it was not created yet".to_owned(),
        "deleted" => "not matched: it was deleted".to_owned(),
        "routing_failed" => format!("routing failed: {detail}"),
        "erased" => "erased since, so nobody can say".to_owned(),
        "another_rule" => "not matched by the rules of that time, which were others".to_owned(),
        other => other.replace('_', " "),
    }
}

fn positions(row: Row<'_>) -> String {
    let offsets = row.0.get("evidence").and_then(Value::as_array);
    let offsets = offsets.into_iter().flatten();
    let said: Vec<_> = offsets.map(|at| format!("control/0@{at}")).collect();
    if said.is_empty() {
        return NOTHING.to_owned();
    }
    said.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(count: u64, guid: &str) -> Value {
        json!({
            "subscription": "ci", "subscription_id": "i", "looked_at": count, "next": null,
            "counts": [{"reason": "filter", "detail": "events", "count": count}],
            "evidence": [{"offset": 5, "event_type": "subscription.changed", "actor": "bo",
                          "from": "local", "at": 0, "why": "noisy", "about": "ci"}],
            "items": [{"guid": guid, "event": "push", "repository": "a/b", "received_at": 0,
                       "reason": "filter", "detail": "events", "evidence": [5]}],
        })
    }

    #[test]
    fn pages_are_added_up_and_the_list_is_cut() {
        let mut sum = Sum::default();
        sum.add(Row(&page(3, "g1")), 1);
        sum.add(Row(&page(4, "g2")), 1);
        let value = sum.value();
        assert_eq!(value["looked_at"], 7);
        assert_eq!(value["counts"][0]["count"], 7);
        assert_eq!(value["evidence"].as_array().unwrap().len(), 1);
        assert_eq!(
            (&value["items"][0]["guid"], &value["unlisted"]),
            (&json!("g1"), &json!(1))
        );
        let mut sink = Vec::new();
        tell(&mut Out::new(&mut sink, false), Row(&value), Timestamp(0)).unwrap();
        let told = String::from_utf8(sink).unwrap();
        assert!(
            told.starts_with("7 webhooks were received; of them ci\n"),
            "{told}"
        );
        for part in [
            "\n       7  not matched: events\n",
            "control/0@5",
            "bo",
            "and 1 more",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}
