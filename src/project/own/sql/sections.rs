//! The parts of a file of SQL, each of which a comment begins.

use super::SqlError;

/// What a section is for.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Tables,
    Events,
}

/// A part of a file.
pub(super) struct Section<'a> {
    pub(super) kind: Kind,
    /// Its lines, with their numbers from 1.
    pub(super) lines: Vec<(usize, &'a str)>,
}

/// What begins the line of a section.
const MARK: &str = "-- hooklog:";

/// The parts of a file, in their order.
pub(super) fn sections(text: &str) -> Result<Vec<Section<'_>>, SqlError> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(name) = line.trim().strip_prefix(MARK) {
            let kind = kind(number, name.trim())?;
            let lines = Vec::new();
            sections.push(Section { kind, lines });
            continue;
        }
        match sections.last_mut() {
            Some(section) => section.lines.push((number, line)),
            None if line.trim().is_empty() || line.trim().starts_with("--") => {}
            None => return Err(SqlError::Homeless(number)),
        }
    }
    Ok(sections)
}

fn kind(line: usize, name: &str) -> Result<Kind, SqlError> {
    match name {
        "tables" => Ok(Kind::Tables),
        "events" => Ok(Kind::Events),
        other => Err(SqlError::Section {
            line,
            name: other.to_owned(),
        }),
    }
}
