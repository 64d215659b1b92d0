//! Evidence from files: one value of JSON a line.

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

/// One delivery, as tables tell it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Row {
    /// The delivery's id.
    pub(crate) id: String,
    /// Its state's name.
    pub(crate) state: String,
}

/// Gives each line that is not empty to `take`; an error names the line.
pub(crate) fn lines(path: &Path, mut take: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            break;
        }
        if !line.trim().is_empty() {
            take(line.trim()).with_context(|| format!("{}, line {number}", path.display()))?;
        }
    }
    Ok(())
}

/// Rows of a file that holds pages of the API, timelines, or single rows.
pub(crate) fn rows(path: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    lines(path, |line| {
        let mut value: Value = serde_json::from_str(line)?;
        let listed = ["items", "deliveries"].into_iter().find_map(|name| {
            let list = value.get_mut(name)?.take();
            list.is_array().then_some(list)
        });
        match listed {
            Some(list) => rows.extend(serde_json::from_value::<Vec<Row>>(list)?),
            None => rows.push(serde_json::from_value(value)?),
        }
        Ok(())
    })?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_timelines_and_rows_are_all_rows() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = concat!(
            r#"{"items":[{"id":"a","state":"dead"}],"next":null}"#,
            "\n\n",
            r#"{"guid":"g","deliveries":[{"id":"b","state":"open"}]}"#,
            "\n",
            r#"{"id":"c","state":"open"}"#,
        );
        std::fs::write(file.path(), text).unwrap();
        let ids: Vec<_> = rows(file.path())
            .unwrap()
            .into_iter()
            .map(|r| r.id)
            .collect();
        assert_eq!(ids, ["a", "b", "c"]);
    }

    #[test]
    fn a_line_that_is_no_row_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{\"id\":\"c\",\"state\":\"open\"}\n{}\n").unwrap();
        let error = format!("{:#}", rows(file.path()).unwrap_err());
        assert!(error.contains("line 2"), "{error}");
    }
}
