//! A folder that describes a projection of somebody's own: `projection.toml`, and a file of SQL for
//! each store.

use super::sql::{Sql, SqlError};
use hooklog_schemas::EVENT_TYPES;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A projection of somebody's own, for one store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its name: lower-case letters, digits and `_`, at most forty.
    pub name: String,
    /// Its version, from 1. It goes up with every change of its files.
    pub version: u32,
    /// The types of events that it wants.
    pub events: BTreeSet<String>,
    /// What it does.
    pub sql: Sql,
    /// SHA-256 of its files, in hex: what was folded by other ones is told.
    pub digest: String,
}

/// Why a folder is no projection.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct DefinitionError {
    path: PathBuf,
    reason: String,
}

/// `projection.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    name: String,
    version: u32,
    events: BTreeSet<String>,
}

/// The longest name: room for suffixes in a schema's.
const NAME_MAX: usize = 40;

/// Reads every folder in `dir`, by name, with the files of SQL that are called `sql_file`.
///
/// # Errors
/// The first thing that is wrong, with its file and what to do.
pub fn read_all(dir: &Path, sql_file: &str) -> Result<Vec<Definition>, DefinitionError> {
    let fail = |reason: String| failed(dir, reason);
    let entries = std::fs::read_dir(dir)
        .map_err(|error| fail(format!("project.own.dir cannot be read: {error}")))?;
    let mut folders = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| fail(error.to_string()))?.path();
        if path.is_dir() && path.join(MANIFEST).is_file() {
            folders.push(path);
        }
    }
    folders.sort();
    let mut all: Vec<Definition> = Vec::new();
    for folder in folders {
        let definition = read(&folder, sql_file)?;
        if all.iter().any(|other| other.name == definition.name) {
            let reason = format!("another folder describes {:?} too", definition.name);
            return Err(failed(&folder, reason));
        }
        all.push(definition);
    }
    Ok(all)
}

const MANIFEST: &str = "projection.toml";

fn read(folder: &Path, sql_file: &str) -> Result<Definition, DefinitionError> {
    let path = folder.join(MANIFEST);
    let text = text(&path)?;
    let manifest: Manifest =
        toml::from_str(&text).map_err(|error| failed(&path, error.to_string()))?;
    check(&manifest).map_err(|reason| failed(&path, reason))?;
    let sql_path = folder.join(sql_file);
    let sql_text = self::text(&sql_path)?;
    let sql = Sql::read(&sql_text);
    let sql = sql.map_err(|error: SqlError| failed(&sql_path, error.to_string()))?;
    let digest = Sha256::new().chain_update(&text).chain_update(&sql_text);
    Ok(Definition {
        name: manifest.name,
        version: manifest.version,
        events: manifest.events,
        sql,
        digest: hex::encode(digest.finalize()),
    })
}

fn text(path: &Path) -> Result<String, DefinitionError> {
    std::fs::read_to_string(path).map_err(|error| failed(path, error.to_string()))
}

fn failed(path: &Path, reason: String) -> DefinitionError {
    let path = path.to_owned();
    DefinitionError { path, reason }
}

fn check(manifest: &Manifest) -> Result<(), String> {
    let Manifest {
        name,
        version,
        events,
    } = manifest;
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let first = name.chars().next().is_some_and(|c| c.is_ascii_lowercase());
    if !first || !name.chars().all(letter) || name.len() > NAME_MAX {
        return Err(format!(
            "`name` is {name:?}; it begins with a lower-case letter, goes on with lower-case letters, \
             digits and _, and has at most {NAME_MAX}"
        ));
    }
    let ours = hooklog_projections::projection::PROJECTIONS;
    if ours.iter().any(|p| p.name == name) {
        return Err(format!("`name` is {name:?}, which is a projection of hooklog's"));
    }
    if *version == 0 {
        return Err("`version` is 0; versions begin with 1".to_owned());
    }
    if events.is_empty() {
        return Err("`events` names none; it would never hold a row".to_owned());
    }
    let known = |name: &&str| **name != "webhook.received";
    match events.iter().find(|e| !EVENT_TYPES.iter().filter(|k| known(k)).any(|k| k == e)) {
        None => Ok(()),
        Some(event) => {
            let known: Vec<_> = EVENT_TYPES.iter().filter(|k| known(k)).copied().collect();
            Err(format!("`events` names {event:?}; there are {}", known.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQL: &str = "-- hooklog: tables\nCREATE TABLE a (b);\n-- hooklog: fold\nINSERT INTO a SELECT $1;";

    fn folder(manifest: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("one");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join(MANIFEST), manifest).unwrap();
        std::fs::write(folder.join("sqlite.sql"), SQL).unwrap();
        dir
    }

    #[test]
    fn a_folder_with_a_manifest_and_sql_is_a_projection() {
        let dir = folder("name = \"days\"\nversion = 2\nevents = [\"webhook.routed\"]");
        let all = read_all(dir.path(), "sqlite.sql").unwrap();
        assert_eq!((all[0].name.as_str(), all[0].version), ("days", 2));
        let missing = read_all(dir.path(), "postgres.sql").unwrap_err().to_string();
        assert!(missing.contains("one/postgres.sql"), "{missing}");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_file() {
        for (manifest, told) in [
            ("name = \"days\"\nversion = 1\nevents = []\ncolour = 1", "unknown field `colour`"),
            ("name = \"Days\"\nversion = 1\nevents = [\"webhook.routed\"]", "`name` is \"Days\""),
            ("name = \"counts\"\nversion = 1\nevents = [\"webhook.routed\"]", "hooklog's"),
            ("name = \"days\"\nversion = 0\nevents = [\"webhook.routed\"]", "`version` is 0"),
            ("name = \"days\"\nversion = 1\nevents = []", "names none"),
            ("name = \"days\"\nversion = 1\nevents = [\"webhook.routted\"]", "webhook.routed"),
            ("name = \"days\"\nversion = 1\nevents = [\"webhook.received\"]", "names \"webhook.received\""),
        ] {
            let dir = folder(manifest);
            let error = read_all(dir.path(), "sqlite.sql").unwrap_err().to_string();
            assert!(error.contains(told) && error.contains("projection.toml"), "{error}");
        }
        let none = read_all(Path::new("/nowhere"), "sqlite.sql").unwrap_err().to_string();
        assert!(none.contains("project.own.dir"), "{none}");
    }
}
