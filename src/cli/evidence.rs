//! Events of `control` as evidence, in words and in a table.

use super::out::Out;
use super::row::{NOTHING, Row, cut};
use super::table::{self, Column};
use super::time;
use hooklog_schemas::Timestamp;
use serde_json::Value;
use std::io;

/// Where it stands, what was done, by whom and why, in one line.
pub(super) fn line(row: Row<'_>) -> String {
    let about = row
        .maybe("about")
        .map_or_else(String::new, |name| format!(" {name}"));
    let why = row
        .maybe("why")
        .map_or_else(String::new, |why| format!(": {why}"));
    format!(
        "{} {}{about} by {}{why}",
        place(row),
        row.text("event_type"),
        row.text("actor"),
    )
}

/// `control/0@17`.
pub(super) fn place(row: Row<'_>) -> String {
    format!("control/0@{}", row.text("offset"))
}

/// Lists events under a heading; nothing at all if there are none.
pub(super) fn list(
    out: &mut Out<'_>,
    heading: &str,
    rows: &[Row<'_>],
    now: Timestamp,
) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    table::heading(out, heading)?;
    let told = rows.iter().any(|row| !row.rows("fields").is_empty());
    let columns = if told { &COLUMNS[..] } else { &COLUMNS[..7] };
    table::write(out, columns, rows, now)
}

const COLUMNS: [Column; 8] = [
    ("POSITION", |row, _| place(*row)),
    ("AT", |row, _| {
        row.at("at").map_or_else(|| NOTHING.to_owned(), time::exact)
    }),
    ("CHANGE", |row, _| row.text("event_type")),
    ("OF", |row, _| row.text("about")),
    ("BY", |row, _| row.text("actor")),
    ("FROM", |row, _| row.text("from")),
    ("WHY", |row, _| cut(&row.text("why"), 60)),
    ("FIELDS", |row, _| cut(&fields(*row), 100)),
];

/// Which fields it set, from what to what.
pub(super) fn fields(row: Row<'_>) -> String {
    let said: Vec<_> = row.rows("fields").iter().map(|one| field(*one)).collect();
    if said.is_empty() {
        return NOTHING.to_owned();
    }
    said.join("; ")
}

/// One field before and after: `filter.events: any → push`.
pub(super) fn field(row: Row<'_>) -> String {
    let name = row.text("field");
    format!("{name}: {} → {}", value(row, "was"), value(row, "now"))
}

/// The value of a field as people say it: a clause without values lets any through.
pub(super) fn value(row: Row<'_>, which: &str) -> String {
    let clause = row.text("field").starts_with("filter.");
    match row.0.get(which) {
        None | Some(Value::Null) if clause => "any".to_owned(),
        None | Some(Value::Null) => NOTHING.to_owned(),
        Some(_) => row.text(which),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_is_told_in_one_line_who_did_what_and_why() {
        let value = json!({
            "offset": 17, "event_type": "subscription.changed", "actor": "bo", "about": "ci",
            "why": "too noisy",
            "fields": [{"field": "filter.events", "was": null, "now": ["push", "create"]}],
        });
        let row = Row(&value);
        assert_eq!(
            line(row),
            "control/0@17 subscription.changed ci by bo: too noisy"
        );
        assert_eq!(fields(row), "filter.events: any → push, create");
        let bare = json!({"offset": 3, "event_type": "deliveries.paused", "actor": "ann"});
        assert_eq!(line(Row(&bare)), "control/0@3 deliveries.paused by ann");
    }
}
