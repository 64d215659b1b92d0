//! The configuration file: its values, and the lines on which they stand.

use super::keys;
use super::load::{ConfigError, Given, Origin, bad, unknown};
use std::path::Path;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

/// Reads every value of the file, with the line of its key.
///
/// # Errors
/// When it cannot be read, is not TOML, or has a key that does not exist.
pub(super) fn read(path: &Path) -> Result<Vec<Given>, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    let syntax = |error: toml::de::Error| ConfigError::Syntax {
        path: path.to_owned(),
        line: line_of(&text, error.span().map_or(0, |span| span.start)),
        reason: error.message().to_owned(),
    };
    // Parsed twice: once for the places of the keys, once for plain values.
    let places = DeTable::parse(&text).map_err(syntax)?;
    let values: Table = text.parse().map_err(syntax)?;
    let file = File { path, text: &text };
    let mut given = Vec::new();
    file.collect("", places.get_ref(), &values, &mut given)?;
    Ok(given)
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn collect(
        &self,
        section: &str,
        places: &DeTable<'_>,
        values: &Table,
        given: &mut Vec<Given>,
    ) -> Result<(), ConfigError> {
        for (name, place) in places {
            let key = format!("{section}{}", name.get_ref());
            let Some(value) = values.get(name.get_ref().as_ref()) else {
                continue;
            };
            self.collect_one(key, name.span().start, place, value, given)?;
        }
        Ok(())
    }

    fn collect_one(
        &self,
        key: String,
        at: usize,
        place: &Spanned<DeValue<'_>>,
        value: &Value,
        given: &mut Vec<Given>,
    ) -> Result<(), ConfigError> {
        let origin = Origin::File(self.path.to_owned(), line_of(self.text, at));
        if let (true, Some(places), Value::Table(values)) =
            (keys::is_section(&key), place.get_ref().as_table(), value)
        {
            return self.collect(&format!("{key}."), places, values, given);
        }
        if keys::is_section(&key) {
            let reason = format!("it is a section; write [{key}] on a line of its own");
            return Err(bad(&key, value, &origin, reason));
        }
        if !keys::all().contains_key(&key) {
            return Err(unknown(key, origin));
        }
        let value = value.clone();
        given.push(Given { key, value, origin });
        Ok(())
    }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}
