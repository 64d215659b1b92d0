//! The JSON Schema files: one for each event in JSON and its version.

use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Writes the JSON Schemas of all events, or checks that the files are current.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false, id = "what")]
pub(crate) struct SchemasCommand {
    /// Fails if a file differs from the types.
    #[arg(long, group = "what")]
    check: bool,
    /// Writes the files.
    #[arg(long, group = "what")]
    write: bool,
    /// Where the files are.
    #[arg(long, default_value = "schemas/json")]
    folder: PathBuf,
}

impl SchemasCommand {
    /// Writes or checks.
    pub(crate) fn run(&self) -> Result<()> {
        if self.write {
            return write(&self.folder);
        }
        let differences = differences(&self.folder)?;
        if differences.is_empty() {
            return crate::print("the JSON Schemas are current");
        }
        bail!(
            "not current: {}; run `cargo run -p hooklog-tools -- schemas --write`",
            differences.join(", ")
        )
    }
}

/// Every file's name and content, as the types say.
fn files() -> Result<BTreeMap<String, String>> {
    let schemas = hooklog_schemas::json_schemas().into_iter();
    schemas
        .map(|(name, version, schema)| {
            let text = serde_json::to_string_pretty(&schema)?;
            Ok((format!("{name}.v{version}.json"), text + "\n"))
        })
        .collect()
}

fn write(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let files = files()?;
    for (name, text) in &files {
        std::fs::write(folder.join(name), text)?;
    }
    crate::print(&format!("{} files in {}", files.len(), folder.display()))
}

/// Files that are missing or differ. Files of older versions may stay: old logs hold such events.
fn differences(folder: &Path) -> Result<Vec<String>> {
    std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let files = files()?.into_iter();
    let differs = |(name, text): &(String, String)| {
        std::fs::read(folder.join(name)).ok() != Some(text.clone().into_bytes())
    };
    Ok(files.filter(differs).map(|(name, _)| name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schemas_are_current() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/json");
        assert_eq!(differences(&folder).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_file_that_differs_is_named() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        std::fs::write(folder.path().join("delivery.attempted.v1.json"), "{}").unwrap();
        let found = differences(folder.path()).unwrap();
        assert_eq!(found, ["delivery.attempted.v1.json"]);
    }
}
