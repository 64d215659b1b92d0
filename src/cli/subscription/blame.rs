//! `hooklog subscription blame`: who set which field, when, from where and why.

use crate::cli::evidence;
use crate::cli::out::{Out, Tone};
use crate::cli::point::AsOf;
use crate::cli::row::{NOTHING, Row, cut};
use crate::cli::session::{Answer, Session};
use crate::cli::table::{self, Column};
use crate::cli::time::exact;
use hooklog_schemas::Timestamp;
use std::io;

pub(super) const EXAMPLES: &str = "\
A name that was used again after a deletion is told as what it is: another subscription, with an id
of its own.

Examples:
  hooklog subscription blame ci
  hooklog subscription blame 019a3c5e-7d1f-7c3a-b1de-0242ac120002 --output json";

pub(super) async fn run(
    name: &str,
    as_of: &AsOf,
    session: &mut Session<'_>,
) -> anyhow::Result<Answer> {
    let path = ["subscriptions", name, "blame"];
    let reply = session.api.get(&path, &as_of.query(session.now)).await?;
    session.show(&reply, tell)
}

fn tell(out: &mut Out<'_>, row: Row<'_>, now: Timestamp) -> io::Result<()> {
    for (place, life) in row.rows("lives").into_iter().enumerate() {
        if place > 0 {
            out.line("")?;
        }
        let title = format!("{}  {}", life.text("name"), life.text("id"));
        out.line(out.paint(Tone::Strong, &title))?;
        for (what, word) in [("created", "created"), ("deleted", "deleted")] {
            let event = life.inner(what);
            if let Some(at) = event.at("at") {
                let line = evidence::line(event);
                out.line(out.paint(Tone::Faint, &format!("{word} {}  {line}", exact(at))))?;
            }
        }
        table::write(out, &COLUMNS, &life.rows("fields"), now)?;
    }
    Ok(())
}

const COLUMNS: [Column; 8] = [
    ("FIELD", |row, _| row.text("field")),
    ("VALUE", |row, _| cut(&evidence::value(*row, "value"), 60)),
    ("WAS", |row, _| cut(&evidence::value(*row, "was"), 40)),
    ("SET AT", |row, _| {
        let at = row.inner("by").at("at");
        at.map_or_else(|| NOTHING.to_owned(), exact)
    }),
    ("BY", |row, _| row.inner("by").text("actor")),
    ("FROM", |row, _| row.inner("by").text("from")),
    ("WHY", |row, _| cut(&row.inner("by").text("why"), 60)),
    ("POSITION", |row, _| evidence::place(row.inner("by"))),
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_life_of_a_name_is_told_apart() {
        let by = |offset: u64, actor: &str| {
            json!({"offset": offset, "event_type": "subscription.changed", "actor": actor,
                   "from": "192.0.2.1", "at": 0, "why": "noisy", "about": "ci"})
        };
        let life = |id: &str, deleted| {
            json!({"id": id, "name": "ci", "created": by(1, "ann"), "deleted": deleted,
                   "fields": [{"field": "filter.events", "value": ["push"], "was": null,
                               "by": by(5, "bo")}]})
        };
        let value =
            json!({"name": "ci", "lives": [life("id-2", json!(null)), life("id-1", by(9, "chi"))]});
        let mut sink = Vec::new();
        tell(&mut Out::new(&mut sink, false), Row(&value), Timestamp(0)).unwrap();
        let told = String::from_utf8(sink).unwrap();
        let (second, first) = told.split_once("\n\n").unwrap();
        assert!(second.starts_with("ci  id-2\n") && !second.contains("deleted"));
        assert!(first.starts_with("ci  id-1\n") && first.contains("\ndeleted "));
        assert!(told.contains("filter.events  push   any"), "{told}");
        assert!(told.contains("bo") && told.contains("control/0@5"));
    }
}
