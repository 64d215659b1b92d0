//! What would have been different, added up and told.

use crate::cli::out::{Out, Tone};
use crate::cli::row::{NOTHING, Row, counted};
use crate::cli::table::{self, Column};
use crate::cli::time::exact;
use hooklog_schemas::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;

/// What the pages said, added up.
#[derive(Default)]
pub(super) struct Sum {
    totals: [u64; 3],
    subscriptions: BTreeMap<String, [u64; 4]>,
    items: Vec<Value>,
    unlisted: u64,
}

const TOTALS: [&str; 3] = ["looked_at", "erased", "differs"];
const TALLY: [&str; 4] = ["before", "after", "more", "fewer"];

impl Sum {
    pub(super) fn add(&mut self, page: Row<'_>, limit: usize) {
        for (total, field) in self.totals.iter_mut().zip(TOTALS) {
            *total += page.size(field);
        }
        for row in page.rows("subscriptions") {
            let tally = self.subscriptions.entry(row.text("name")).or_default();
            for (sum, field) in tally.iter_mut().zip(TALLY) {
                *sum += row.size(field);
            }
        }
        let items = page.rows("items");
        let room = limit.saturating_sub(self.items.len());
        self.unlisted += items.len().saturating_sub(room) as u64;
        let kept = items.into_iter().take(room);
        self.items.extend(kept.map(|row| row.0.clone()));
    }

    pub(super) fn value(self) -> Value {
        let [looked_at, erased, differs] = self.totals;
        let compared = |(name, tally): (String, [u64; 4])| {
            let [before, after, more, fewer] = tally;
            json!({"name": name, "before": before, "after": after, "more": more, "fewer": fewer})
        };
        let subscriptions: Vec<_> = self.subscriptions.into_iter().map(compared).collect();
        json!({
            "looked_at": looked_at,
            "erased": erased,
            "differs": differs,
            "subscriptions": subscriptions,
            "items": self.items,
            "unlisted": self.unlisted,
        })
    }
}

pub(super) fn tell(out: &mut Out<'_>, row: Row<'_>, now: Timestamp) -> io::Result<()> {
    let looked_at = row.size("looked_at");
    if looked_at == 0 {
        return out.line("nothing was received here; take a wider range (`hooklog webhook list`)");
    }
    let webhooks = counted(looked_at, "webhook", "webhooks");
    out.line(format!("{webhooks} of history, through what is proposed"))?;
    table::write(out, &COMPARED, &row.rows("subscriptions"), now)?;
    for (field, what) in [
        (
            "erased",
            "erased since: nobody can say what they would have matched",
        ),
        (
            "differs",
            "decided by other rules than today's: the difference may come from these",
        ),
    ] {
        if row.size(field) > 0 {
            let webhooks = counted(row.size(field), "webhook was", "webhooks were");
            out.line(out.paint(Tone::Watch, &format!("{webhooks} {what}")))?;
        }
    }
    let items = row.rows("items");
    if items.is_empty() {
        return out.line("nothing would have been different");
    }
    table::heading(out, "What would have been different, the latest first")?;
    table::write(out, &ITEMS, &items, now)?;
    match row.size("unlisted") {
        0 => Ok(()),
        more => {
            let more = format!("… and {more} more: repeat with --limit N");
            out.line(out.paint(Tone::Faint, &more))
        }
    }
}

const COMPARED: [Column; 5] = [
    ("SUBSCRIPTION", |row, _| row.text("name")),
    ("WAS OWED", |row, _| row.text("before")),
    ("WOULD BE", |row, _| row.text("after")),
    ("MORE", |row, _| row.text("more")),
    ("FEWER", |row, _| row.text("fewer")),
];

const ITEMS: [Column; 6] = [
    ("RECEIVED", |row, _| {
        row.at("received_at")
            .map_or_else(|| NOTHING.to_owned(), exact)
    }),
    ("EVENT", |row, _| row.event()),
    ("REPOSITORY", |row, _| row.text("repository")),
    ("MORE", |row, _| row.text("more")),
    ("FEWER", |row, _| row.text("fewer")),
    ("GUID", |row, _| row.text("guid")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_added_up_and_the_list_is_cut() {
        let page = |guid: &str| {
            json!({
                "looked_at": 10, "erased": 1, "differs": 0, "next": null,
                "subscriptions": [{"name": "ci", "before": 5, "after": 3, "more": 0, "fewer": 2}],
                "items": [{"guid": guid, "event": "push", "repository": "a/b", "received_at": 0,
                           "more": [], "fewer": ["ci"]}],
            })
        };
        let mut sum = Sum::default();
        sum.add(Row(&page("g1")), 1);
        sum.add(Row(&page("g2")), 1);
        let value = sum.value();
        let tally = json!([{"name": "ci", "before": 10, "after": 6, "more": 0, "fewer": 4}]);
        assert_eq!(value["subscriptions"], tally);
        let mut sink = Vec::new();
        tell(&mut Out::new(&mut sink, false), Row(&value), Timestamp(0)).unwrap();
        let told = String::from_utf8(sink).unwrap();
        for part in [
            "20 webhooks of history",
            "2 webhooks were erased",
            "g1",
            "and 1 more",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(!told.contains("g2"), "{told}");
    }
}
