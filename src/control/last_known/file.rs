//! The file: what a receiver needs of the configuration, sealed with the key file's current key.

use crate::keyring::{Keyring, KeyringError};
use crate::secret::Secret;
use hooklog_projections::configuration::{Configuration, Source};
use hooklog_schemas::control::ConfigurationVersion;
use hooklog_schemas::{EventId, Sealed, SecretId, Timestamp};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

const FILE: &str = "configuration.sealed";

/// The name to which the seal is bound: no sealed secret can stand in for the file.
const NAME: SecretId = SecretId(Uuid::from_u128(0x636f_6e66_6967_7572_6174_696f_6e00_0001));

/// What a receiver needs of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The log's id.
    pub log: EventId,
    /// Partitions of `webhooks`.
    pub partitions: u32,
    /// The version of the configuration.
    pub version: ConfigurationVersion,
    /// The sources that are not deleted, with their sealed secrets.
    pub sources: Vec<Source>,
    /// When it was in force.
    pub as_of: Timestamp,
}

/// Why there is no configuration to go by.
#[derive(Debug, thiserror::Error)]
pub enum LastKnownError {
    /// No process with these keys and this data folder ever knew one.
    #[error("there is no {0}: a receiver writes it once it has read the configuration")]
    Missing(PathBuf),
    /// The file system says no.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it says.
        error: io::Error,
    },
    /// The file was changed, or sealed with a key that the key file does not have.
    #[error("{path}: {error}")]
    Sealed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: KeyringError,
    },
    /// Another release wrote it.
    #[error("{path} is not understood by this release: {error}")]
    Unknown {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: serde_json::Error,
    },
}

impl Known {
    /// What is known `as_of` then; none while there is no source to verify anything of.
    #[must_use]
    pub fn of(configuration: &Configuration, as_of: Timestamp) -> Option<Self> {
        let (log, partitions) = configuration.log?;
        let live = configuration.sources.values().filter(|s| !s.deleted);
        Some(Self {
            log,
            partitions,
            version: configuration.version?,
            sources: live.map(|source| Source::clone(source)).collect(),
            as_of,
        })
    }

    /// As a configuration to verify by. It has no subscriptions and no tokens.
    #[must_use]
    pub fn configuration(&self) -> Configuration {
        let sources = self.sources.iter().cloned();
        Configuration {
            log: Some((self.log, self.partitions)),
            version: Some(self.version),
            sources: sources.map(|s| (s.id, Arc::new(s))).collect(),
            ..Configuration::default()
        }
    }

    /// Reads the file in the data folder `data`.
    ///
    /// # Errors
    /// When it is missing, cannot be read or opened, or is not understood.
    pub fn read(data: &Path, keyring: &Keyring) -> Result<Self, LastKnownError> {
        let path = data.join(FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LastKnownError::Missing(path));
            }
            Err(error) => return Err(LastKnownError::Io { path, error }),
        };
        let unknown = |error| LastKnownError::Unknown {
            path: path.clone(),
            error,
        };
        let sealed: Sealed = serde_json::from_slice(&bytes).map_err(unknown)?;
        let opened = keyring.open(NAME, &sealed);
        let opened = opened.map_err(|error| LastKnownError::Sealed {
            path: path.clone(),
            error,
        })?;
        serde_json::from_slice(opened.expose()).map_err(unknown)
    }

    /// Replaces the file in the data folder `data`, durably.
    ///
    /// # Errors
    /// When it cannot be sealed or written.
    pub fn write(&self, data: &Path, keyring: &Keyring) -> Result<(), LastKnownError> {
        let path = data.join(FILE);
        let unknown = |error| LastKnownError::Unknown {
            path: path.clone(),
            error,
        };
        let text = Secret::new(serde_json::to_vec(self).map_err(unknown)?);
        let sealed = keyring.seal(NAME, &text);
        let sealed = sealed.map_err(|error| LastKnownError::Sealed {
            path: path.clone(),
            error,
        })?;
        let bytes = serde_json::to_vec(&sealed).map_err(unknown)?;
        let put = put(data, &path, &bytes);
        put.map_err(|error| LastKnownError::Io { path, error })
    }
}

fn put(data: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut options = File::options();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(data)?.sync_all()
}
