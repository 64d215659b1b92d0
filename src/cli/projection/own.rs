//! Projections of the operator's own: how they are, and a trial of a folder.

use crate::app::own;
use crate::cli::args::{Format, Shown};
use crate::cli::out::Out;
use crate::cli::row::Row;
use crate::cli::session::Answer;
use crate::cli::table::{self, Column};
use clap::Args;
use hooklog_schemas::Timestamp;
use serde_json::json;
use std::path::PathBuf;

/// `projection check`.
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// The folder with projection.toml and the SQL
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    #[command(flatten)]
    shown: Shown,
}

impl Check {
    pub(super) fn run(&self, out: &mut Out<'_>) -> anyhow::Result<Answer> {
        let tried = super::runtime()?.block_on(own::check(&self.folder))?;
        match self.shown.output {
            Format::Json => {
                let own::Tried {
                    name,
                    version,
                    files,
                } = tried;
                let told = json!({"name": name, "version": version, "files": files});
                out.line(told.to_string())?;
            }
            Format::Table => {
                out.line(format!(
                    "{} version {} is in order",
                    tried.name, tried.version
                ))?;
                for file in tried.files {
                    out.line(format!("  {file}"))?;
                }
            }
        }
        Ok(Answer::Yes)
    }
}

const OWN: [Column; 7] = [
    ("PROJECTION", |row, _| row.text("name")),
    ("STATE", |row, _| row.text("state")),
    ("VERSION", |row, _| row.text("version")),
    ("ANSWERS", |row, _| row.text("answers")),
    ("RECORDS", |row, _| row.text("folded")),
    ("LAG", |row, _| lag(*row)),
    ("KEPT", |row, _| kept(*row)),
];

/// How they are, if there are any; why one stands still is a line of its own.
pub(super) fn show(out: &mut Out<'_>, own: &[Row<'_>], now: Timestamp) -> std::io::Result<()> {
    if own.is_empty() {
        return Ok(());
    }
    table::heading(out, "Projections of your own")?;
    table::write(out, &OWN, own, now)?;
    for row in own {
        if let Some(error) = row.maybe("error") {
            out.line(format!("{} stands still: {error}", row.text("name")))?;
        }
    }
    Ok(())
}

/// Records that are not read, and of tables that are built, those that are left.
fn lag(row: Row<'_>) -> String {
    match row.number("left") {
        Some(left) => format!("{} ({left} to build)", row.text("lag")),
        None => row.text("lag"),
    }
}

fn kept(row: Row<'_>) -> String {
    let kept = row.0["kept"].as_array().cloned().unwrap_or_default();
    let versions: Vec<_> = kept.iter().map(|version| format!("v{version}")).collect();
    match versions.is_empty() {
        true => "-".to_owned(),
        false => versions.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_stands_still_says_why_and_one_that_is_built_how_far() {
        let told = json!({"own": [
            {"name": "days", "state": "builds", "version": 2, "answers": 1, "folded": 70, "lag": 0,
                "left": 30, "kept": [], "error": null},
            {"name": "looks", "state": "fails", "version": 1, "answers": null, "folded": 0,
                "lag": null, "left": null, "kept": [1, 2], "error": "no such table: a"},
        ]});
        let mut sink = Vec::new();
        let rows = Row(&told).rows("own");
        show(&mut Out::new(&mut sink, false), &rows, Timestamp(0)).unwrap();
        let text = String::from_utf8(sink).unwrap();
        let ending = "looks stands still: no such table: a\n";
        assert!(
            text.contains("0 (30 to build)") && text.contains("v1, v2"),
            "{text}"
        );
        assert!(text.ends_with(ending), "{text}");
    }
}
