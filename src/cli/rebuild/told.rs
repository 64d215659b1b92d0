//! What came of a rebuild, or of a switch back, in words.

use crate::cli::args::Format;
use crate::cli::out::Out;
use crate::cli::row::{Row, counted};
use crate::cli::session::Answer;
use crate::cli::time::lasting;
use crate::project::Rebuilt;
use crate::project::told::RebuiltTold;
use std::time::Duration;

/// Tells what came of it; that tables differed is a no.
pub(crate) fn tell(out: &mut Out<'_>, rebuilt: &Rebuilt, format: Format) -> anyhow::Result<Answer> {
    let told = serde_json::to_value(RebuiltTold::of(rebuilt))?;
    let row = Row(&told);
    match format {
        Format::Json => out.line(told.to_string())?,
        Format::Table => {
            for sentence in sentences(row) {
                out.line(sentence)?;
            }
        }
    }
    Ok(answer(row))
}

/// That tables differed is a no.
pub(super) fn answer(row: Row<'_>) -> Answer {
    let compared = row.rows("compared");
    match compared.iter().any(|c| c.text("found") == "different") {
        true => Answer::No,
        false => Answer::Yes,
    }
}

/// What came of it, for people.
pub(super) fn sentences(row: Row<'_>) -> Vec<String> {
    let records = row.number("records").unwrap_or_default();
    let resumed = row.number("resumed_at").unwrap_or_default();
    let took = Duration::try_from_secs_f64(row.0["seconds"].as_f64().unwrap_or_default());
    let took = lasting(took.unwrap_or_default().max(Duration::from_millis(1)));
    let before = match resumed {
        0 => String::new(),
        resumed => format!(", {resumed} of them by an earlier run"),
    };
    let mut told = vec![format!(
        "folded {}{before}, in {took} ({} a second), and switched",
        counted(records, "record", "records"),
        row.text("rate"),
    )];
    told.extend(comparison(&row.rows("compared")));
    told.extend(row.maybe("kept").map(|kept| {
        format!(
            "the tables that were replaced are kept as {kept}: `hooklog projection switch --back` goes \
             back to them, `hooklog projection drop {kept}` frees their room"
        )
    }));
    told
}

fn comparison(compared: &[Row<'_>]) -> Vec<String> {
    let found = |what: &'static str| move |c: &&Row<'_>| c.text("found") == what;
    let same = compared.iter().filter(found("same"));
    let rows: u64 = same.clone().filter_map(|c| c.number("rows")).sum();
    let mut told = Vec::new();
    if same.clone().count() > 0 {
        told.push(format!(
            "compared {} of {}: the same",
            counted(rows, "row", "rows"),
            counted(same.clone().count() as u64, "projection", "projections"),
        ));
    }
    for compared in same {
        let added = compared.0["added"].as_array().cloned().unwrap_or_default();
        let added: Vec<_> = added.iter().filter_map(|a| a.as_str()).collect();
        if !added.is_empty() {
            told.push(format!("new, so not compared: {}", added.join(", ")));
        }
    }
    for compared in compared.iter().filter(found("different")) {
        told.push(format!(
            "{} DIFFERS from what it replaced, first in {} at the key {}: the log is right, so the \
             new tables answer; please report it",
            compared.text("projection"),
            compared.text("table"),
            compared.text("key"),
        ));
    }
    told
}
