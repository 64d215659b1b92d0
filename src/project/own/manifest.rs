//! `projection.toml`: what a folder says of itself.

use super::events;
use hooklog_projections::projection::PROJECTIONS;
use serde::Deserialize;
use std::collections::BTreeSet;

/// The file's name.
pub(super) const FILE: &str = "projection.toml";

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) name: String,
    pub(super) version: u32,
    pub(super) events: BTreeSet<String>,
    #[serde(default)]
    pub(super) description: String,
}

/// What is wrong with the file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is not TOML, or has other keys than it should.
    #[error("{0}")]
    Syntax(String),
    /// The name cannot be one of a table's.
    #[error(
        "`name` is {0:?}; it begins with a lower-case letter, goes on with lower-case letters, digits \
         and single _, does not end with _, and has at most {NAME_MAX} characters"
    )]
    Name(String),
    /// The folder's name cannot be one of a table's.
    #[error(
        "the folder is called {0:?}, and its name is the projection's: it begins with a lower-case \
         letter, goes on with lower-case letters, digits and single _, does not end with _, and has at \
         most {NAME_MAX} characters"
    )]
    FolderName(String),
    /// The name is another than the folder's.
    #[error("`name` is {name:?}, and its folder is {folder:?}: give both the same name")]
    Folder {
        /// What the file says.
        name: String,
        /// What the folder is called.
        folder: String,
    },
    /// The name is taken.
    #[error("`name` is {0:?}, which is a projection of hooklog's: take another")]
    Ours(String),
    /// A version that is none.
    #[error("`version` is 0; versions begin with 1")]
    Version,
    /// No events.
    #[error("`events` is empty, so there would never be a row: name the types that it folds")]
    NoEvents,
    /// An event that does not exist.
    #[error("`events` names {event:?}, which does not exist; {advice}")]
    Event {
        /// What was written.
        event: String,
        /// What might have been meant.
        advice: String,
    },
}

/// The longest name: room for what is put before and after it in a schema's.
const NAME_MAX: usize = 40;

impl Manifest {
    /// Reads the file of the folder called `folder`.
    pub(super) fn read(text: &str, folder: &str) -> Result<Self, ManifestError> {
        let read: Result<Self, _> = toml::from_str(text);
        let manifest = read.map_err(|error| ManifestError::Syntax(error.to_string()))?;
        manifest.check_name(folder)?;
        if manifest.version == 0 {
            return Err(ManifestError::Version);
        }
        if manifest.events.is_empty() {
            return Err(ManifestError::NoEvents);
        }
        match manifest.events.iter().find(|event| !events::exists(event)) {
            Some(event) => Err(ManifestError::Event {
                event: event.clone(),
                advice: events::advice(event),
            }),
            None => Ok(manifest),
        }
    }

    fn check_name(&self, folder: &str) -> Result<(), ManifestError> {
        let name = &self.name;
        if !is_name(name) {
            return Err(ManifestError::Name(name.clone()));
        }
        if PROJECTIONS.iter().any(|ours| ours.name == name) {
            return Err(ManifestError::Ours(name.clone()));
        }
        if name != folder {
            return Err(ManifestError::Folder {
                name: name.clone(),
                folder: folder.to_owned(),
            });
        }
        Ok(())
    }
}

/// Whether a folder may be called so. Its name comes into statements before its file is read.
pub(super) fn check_folder(name: &str) -> Result<(), ManifestError> {
    match is_name(name) {
        true => Ok(()),
        false => Err(ManifestError::FolderName(name.to_owned())),
    }
}

/// Stores put words after a name, behind two underscores, so a name has no two of them.
fn is_name(name: &str) -> bool {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(known)
        && !name.contains("__")
        && !name.ends_with('_')
        && name.len() <= NAME_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(manifest: &str) -> String {
        Manifest::read(manifest, "days").unwrap_err().to_string()
    }

    #[test]
    fn a_manifest_says_its_name_its_version_and_what_it_wants() {
        let text = "name = \"days\"\nversion = 2\ndescription = \"By day.\"\nevents = [\"webhook.routed\"]";
        let manifest = Manifest::read(text, "days").unwrap();
        assert_eq!((manifest.name.as_str(), manifest.version), ("days", 2));
        assert_eq!(manifest.description, "By day.");
        assert!(manifest.events.contains("webhook.routed"));
    }

    #[test]
    fn what_is_wrong_is_told_with_what_to_do() {
        let routed = "events = [\"webhook.routed\"]";
        for (manifest, expected) in [
            (
                format!("name = \"days\"\nversion = 1\n{routed}\ncolour = 1"),
                "unknown field `colour`",
            ),
            (format!("version = 1\n{routed}"), "missing field `name`"),
            (
                format!("name = \"days\"\nversion = -1\n{routed}"),
                "version = -1",
            ),
            (
                format!("name = \"Days\"\nversion = 1\n{routed}"),
                "`name` is \"Days\"; it begins",
            ),
            (
                format!("name = \"a__b\"\nversion = 1\n{routed}"),
                "single _",
            ),
            (
                format!("name = \"a_\"\nversion = 1\n{routed}"),
                "does not end with _",
            ),
            (
                format!("name = \"hours\"\nversion = 1\n{routed}"),
                "its folder is \"days\"",
            ),
            (
                format!("name = \"counts\"\nversion = 1\n{routed}"),
                "hooklog's: take another",
            ),
            (
                format!("name = \"days\"\nversion = 0\n{routed}"),
                "versions begin with 1",
            ),
            (
                "name = \"days\"\nversion = 1\nevents = []".to_owned(),
                "`events` is empty",
            ),
        ] {
            let error = told(&manifest);
            assert!(error.contains(expected), "{expected:?}: {error}");
        }
    }

    #[test]
    fn an_event_that_does_not_exist_is_told_with_the_nearest() {
        let of = |event| {
            told(&format!(
                "name = \"days\"\nversion = 1\nevents = [\"{event}\"]"
            ))
        };
        let error = of("webhook.routted");
        assert!(error.contains("\"webhook.routted\""), "{error}");
        assert!(error.contains("did you mean webhook.routed?"), "{error}");
        let error = of("something");
        assert!(error.contains("there are body.read, "), "{error}");
    }
}
