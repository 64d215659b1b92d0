//! A folder that describes a projection of somebody's own, for one store.

use super::manifest::{self, Manifest, ManifestError};
use super::sql::{Flavour, Sql, SqlError};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A projection of somebody's own, for one store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its name, and its folder's.
    pub name: String,
    /// Its version, from 1. It goes up with every change of its files.
    pub version: u32,
    /// What it is for, in the words of who wrote it.
    pub description: String,
    /// The types of events that it wants.
    pub events: BTreeSet<String>,
    /// What it does.
    pub sql: Sql,
    /// SHA-256, in hex, of what decides about its rows: tables that other files made are told by it.
    pub digest: String,
}

/// Why a folder is no projection.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// A file is not there, or not text.
    #[error("{} cannot be read: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The description is wrong.
    #[error("{}: {error}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: ManifestError,
    },
    /// The SQL is wrong.
    #[error("{}: {error}", path.display())]
    Sql {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: SqlError,
    },
}

impl Definition {
    /// Reads a folder, with the file of SQL that `flavour` names.
    ///
    /// # Errors
    /// The first thing that is wrong, with its file and what to do.
    pub fn read(folder: &Path, flavour: Flavour) -> Result<Self, DefinitionError> {
        let path = folder.join(manifest::FILE);
        let text = read(&path)?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let manifest = Manifest::read(&text, &name)
            .map_err(|error| DefinitionError::Manifest { path, error })?;
        let path = folder.join(flavour.file);
        let text = read(&path)?;
        let sql =
            Sql::read(&text, flavour).map_err(|error| DefinitionError::Sql { path, error })?;
        Ok(Self::of(manifest, sql))
    }

    fn of(manifest: Manifest, sql: Sql) -> Self {
        let statements = sql.tables.iter().chain(&sql.events);
        let texts = statements.map(|statement| &statement.text);
        let mut digest = Sha256::new();
        for text in manifest.events.iter().chain(texts) {
            digest.update(text);
            digest.update([0]);
        }
        Self {
            name: manifest.name,
            version: manifest.version,
            description: manifest.description,
            events: manifest.events,
            sql,
            digest: hex::encode(digest.finalize()),
        }
    }
}

fn read(path: &Path) -> Result<String, DefinitionError> {
    std::fs::read_to_string(path).map_err(|error| DefinitionError::Unreadable {
        path: path.to_owned(),
        error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAVOUR: Flavour = Flavour {
        file: "some.sql",
        brackets_quote: true,
        parameters: "$?:@#",
    };

    const SQL: &str =
        "-- hooklog: tables\nCREATE TABLE a (b);\n-- hooklog: events\nINSERT INTO a SELECT $1;";

    fn folder(manifest: &str, sql: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("days");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join(manifest::FILE), manifest).unwrap();
        std::fs::write(folder.join(FLAVOUR.file), sql).unwrap();
        (dir, folder)
    }

    const GOOD: &str = "name = \"days\"\nversion = 2\nevents = [\"webhook.routed\"]";

    #[test]
    fn only_what_decides_about_rows_changes_the_digest() {
        let digest = |manifest: &str, sql: &str| {
            let (_dir, folder) = folder(manifest, sql);
            Definition::read(&folder, FLAVOUR).unwrap().digest
        };
        let first = digest(GOOD, SQL);
        assert_eq!(digest(&GOOD.replace('2', "3"), SQL), first);
        assert_eq!(
            digest(&format!("# Why.\n{GOOD}"), &format!("-- Why.\n{SQL}")),
            first
        );
        assert_ne!(
            digest(&GOOD.replace("webhook.routed", "body.read"), SQL),
            first
        );
        assert_ne!(
            digest(GOOD, &SQL.replace("SELECT $1", "SELECT 1 + $1")),
            first
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_file() {
        let told = |manifest: &str, sql: &str| {
            let (_dir, folder) = folder(manifest, sql);
            Definition::read(&folder, FLAVOUR).unwrap_err().to_string()
        };
        assert!(told("name = 1", SQL).contains("days/projection.toml: "));
        let error = told(GOOD, "DROP TABLE a;");
        assert!(error.contains("days/some.sql: line 1: "), "{error}");
        let (_dir, folder) = folder(GOOD, SQL);
        std::fs::remove_file(folder.join(FLAVOUR.file)).unwrap();
        let error = Definition::read(&folder, FLAVOUR).unwrap_err().to_string();
        assert!(error.contains("days/some.sql cannot be read"), "{error}");
    }
}
