//! Tables and lists of facts for people.

use super::out::{Out, Tone};
use super::row::Row;
use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};
use hooklog_schemas::Timestamp;
use std::io;

/// A column: its title, and what stands in it.
pub(crate) type Column = (&'static str, fn(&Row<'_>, Timestamp) -> String);

/// Titles of columns that hold numbers, which stand to the right.
const NUMBERS: [&str; 16] = [
    "ATTEMPTS",
    "MATCHES",
    "LAG",
    "RECEIVED",
    "OWED",
    "DELIVERED",
    "FAILED",
    "DEAD",
    "SECRETS",
    "PARTITIONS",
    "RECORDS",
    "VERSION",
    "WEBHOOKS",
    "OTHER",
    "WAS OWED",
    "WOULD BE",
];

/// Writes `rows` as a table.
///
/// # Errors
/// When the reader has gone.
pub(crate) fn write(
    out: &mut Out<'_>,
    columns: &[Column],
    rows: &[Row<'_>],
    now: Timestamp,
) -> io::Result<()> {
    let mut table = bare();
    if out.colours() {
        table.enforce_styling();
    }
    table.set_header(columns.iter().map(|(title, _)| *title));
    for row in rows {
        table.add_row(columns.iter().map(|(_, cell)| tinted(cell(row, now))));
    }
    for (index, (title, _)) in columns.iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            column.set_padding((0, 2));
            if NUMBERS.contains(title) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    for line in table.lines() {
        out.line(line.trim_end())?;
    }
    Ok(())
}

/// Writes rows of texts as a table.
///
/// # Errors
/// When the reader has gone.
pub(crate) fn plain(out: &mut Out<'_>, heading: &[String], rows: &[Vec<String>]) -> io::Result<()> {
    let mut table = bare();
    table.set_header(heading);
    rows.iter().for_each(|row| {
        table.add_row(row);
    });
    for index in 0..heading.len() {
        if let Some(column) = table.column_mut(index) {
            column.set_padding((0, 2));
        }
    }
    for line in table.lines() {
        out.line(line.trim_end())?;
    }
    Ok(())
}

/// A table without lines, which is as wide as its cells.
fn bare() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.force_no_tty();
    table
}

fn tinted(text: String) -> Cell {
    let tone = Tone::of(&text);
    let cell = Cell::new(text);
    match tone {
        Tone::Good => cell.fg(Color::DarkGreen),
        Tone::Watch => cell.fg(Color::DarkYellow),
        Tone::Bad => cell.fg(Color::DarkRed),
        Tone::Faint => cell.fg(Color::DarkGrey),
        Tone::Strong | Tone::Plain => cell,
    }
}

/// Writes facts about one thing, a name and a value a line; what has no value is left out.
///
/// # Errors
/// When the reader has gone.
pub(crate) fn facts(out: &mut Out<'_>, facts: &[(&str, Option<String>)]) -> io::Result<()> {
    let known = facts
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let width = known.clone().map(|(name, _)| name.chars().count()).max();
    for (name, value) in known {
        let label = format!("{name:width$}", width = width.unwrap_or_default());
        let value = out.paint(Tone::of(value), value);
        out.line(format!("{}  {value}", out.paint(Tone::Faint, &label)))?;
    }
    Ok(())
}

/// Writes a heading, with an empty line before it.
///
/// # Errors
/// When the reader has gone.
pub(crate) fn heading(out: &mut Out<'_>, text: &str) -> io::Result<()> {
    out.line("")?;
    out.line(out.paint(Tone::Strong, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(colours: bool) -> String {
        let (first, second) = (
            json!({"name": "billing", "state": "dead", "attempts": 10}),
            json!({"name": "a", "state": "delivered", "attempts": 1}),
        );
        let columns: [Column; 3] = [
            ("NAME", |row, _| row.text("name")),
            ("STATE", |row, _| row.text("state")),
            ("ATTEMPTS", |row, _| row.text("attempts")),
        ];
        let mut sink = Vec::new();
        let mut out = Out::new(&mut sink, colours);
        write(
            &mut out,
            &columns,
            &[Row(&first), Row(&second)],
            Timestamp(0),
        )
        .unwrap();
        String::from_utf8(sink).unwrap()
    }

    #[test]
    fn a_table_has_aligned_columns_and_no_borders() {
        let expected = "\
NAME     STATE      ATTEMPTS
billing  dead             10
a        delivered         1
";
        assert_eq!(shown(false), expected);
    }

    #[test]
    fn states_have_their_colour_on_a_terminal() {
        assert!(!shown(false).contains('\u{1b}'));
        assert!(shown(true).contains('\u{1b}'));
    }

    #[test]
    fn facts_without_a_value_are_left_out() {
        let mut sink = Vec::new();
        let known = [
            ("name", Some("a".to_owned())),
            ("rate", None),
            ("host", Some("b".to_owned())),
        ];
        facts(&mut Out::new(&mut sink, false), &known).unwrap();
        assert_eq!(String::from_utf8(sink).unwrap(), "name  a\nhost  b\n");
    }
}
