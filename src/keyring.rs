//! The keys that seal secrets in the log: XChaCha20-Poly1305, from a file of mode 0600.
//!
//! The file has one key a line, base64 of 32 bytes, the current one first. Rotating puts a new key
//! in front; older keys stay, since the log that they sealed never changes.

use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hooklog_schemas::{Sealed, SecretId};
use sha2::{Digest, Sha256};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// The keys of one installation.
pub struct Keyring {
    keys: Vec<(String, XChaCha20Poly1305)>,
}

/// Why secrets cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// There is a log, but its key file is gone.
    #[error(
        "the key file {0} is missing, and the log holds secrets that it sealed; restore it from your backup"
    )]
    Missing(PathBuf),
    /// The file cannot be read or written.
    #[error("the key file {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Others may read the file.
    #[error("the key file {path} has mode {mode:o}, so others can read it; run: chmod 600 {path}")]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A line is not a key.
    #[error("line {line} of the key file {path} is not base64 of 32 bytes")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// A secret was sealed with a key that the file does not have.
    #[error(
        "a secret was sealed with key {0}, which the key file does not have; is it the right file?"
    )]
    Unknown(String),
    /// A sealed secret does not open: wrong key, or changed bytes.
    #[error("the sealed secret {0} does not open: it was changed, or the key is wrong")]
    Broken(SecretId),
    /// The system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(String),
}

impl Keyring {
    /// Reads the key file.
    ///
    /// # Errors
    /// When it is missing, readable by others, or not what a key file looks like.
    pub fn read(path: &Path) -> Result<Self, KeyringError> {
        let io = |source| KeyringError::Io {
            path: path.to_owned(),
            source,
        };
        if !path.exists() {
            return Err(KeyringError::Missing(path.to_owned()));
        }
        let mode = std::fs::metadata(path).map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyringError::Permissions {
                path: path.to_owned(),
                mode,
            });
        }
        let text = std::fs::read_to_string(path).map_err(io)?;
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let keys: Result<Vec<_>, _> = lines
            .enumerate()
            .map(|(index, line)| parse(path, index + 1, line))
            .collect();
        let keys = keys?;
        if keys.is_empty() {
            return Err(KeyringError::Malformed {
                path: path.to_owned(),
                line: 1,
            });
        }
        Ok(Self { keys })
    }

    /// Makes a key file with one new key, mode 0600. It never replaces one.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn create(path: &Path) -> Result<Self, KeyringError> {
        let line = format!("{}\n", BASE64.encode(random::<KEY_BYTES>()?));
        write_new(path, line.as_bytes())?;
        Self::read(path)
    }

    /// Puts a new key in front of the file's keys, and tells its id.
    ///
    /// # Errors
    /// When the file cannot be read or replaced.
    pub fn rotate(path: &Path) -> Result<String, KeyringError> {
        Self::read(path)?;
        let io = |source| KeyringError::Io {
            path: path.to_owned(),
            source,
        };
        let old = std::fs::read_to_string(path).map_err(io)?;
        let fresh = path.with_extension("new");
        let text = format!("{}\n{old}", BASE64.encode(random::<KEY_BYTES>()?));
        write_new(&fresh, text.as_bytes())?;
        std::fs::rename(&fresh, path).map_err(io)?;
        Ok(Self::read(path)?.current().to_owned())
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn current(&self) -> &str {
        self.keys.first().map_or("", |(id, _)| id)
    }

    /// The ids of all keys, the current one first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(id, _)| id.as_str())
    }

    /// Seals `secret`, bound to the id under which it will be kept.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn seal(&self, id: SecretId, secret: &Secret) -> Result<Sealed, KeyringError> {
        let nonce = random::<NONCE_BYTES>()?;
        let Some((key_id, cipher)) = self.keys.first() else {
            return Err(KeyringError::Unknown(String::new()));
        };
        let payload = Payload {
            msg: secret.expose(),
            aad: id.0.as_bytes(),
        };
        let sealed = cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| KeyringError::Broken(id))?;
        let joined = [nonce.as_slice(), sealed.as_slice()].concat();
        Ok(Sealed {
            key_id: key_id.clone(),
            box_base64: BASE64.encode(joined),
        })
    }

    /// Opens what [`Self::seal`] sealed.
    ///
    /// # Errors
    /// When the key is not there, or the box was changed.
    pub fn open(&self, id: SecretId, sealed: &Sealed) -> Result<Secret, KeyringError> {
        let cipher = self
            .keys
            .iter()
            .find(|(key_id, _)| *key_id == sealed.key_id);
        let (_, cipher) = cipher.ok_or_else(|| KeyringError::Unknown(sealed.key_id.clone()))?;
        let joined = BASE64
            .decode(&sealed.box_base64)
            .map_err(|_| KeyringError::Broken(id))?;
        let (nonce, msg) = joined
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(KeyringError::Broken(id))?;
        let payload = Payload {
            msg,
            aad: id.0.as_bytes(),
        };
        let opened = cipher.decrypt(&XNonce::from(*nonce), payload);
        opened
            .map(Secret::new)
            .map_err(|_| KeyringError::Broken(id))
    }
}

fn parse(
    path: &Path,
    line: usize,
    text: &str,
) -> Result<(String, XChaCha20Poly1305), KeyringError> {
    let malformed = || KeyringError::Malformed {
        path: path.to_owned(),
        line,
    };
    let bytes = BASE64.decode(text.trim()).map_err(|_| malformed())?;
    let bytes: [u8; KEY_BYTES] = bytes.try_into().map_err(|_| malformed())?;
    let id = hex::encode(&Sha256::digest(bytes)[..4]);
    Ok((id, XChaCha20Poly1305::new(&Key::from(bytes))))
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeyringError> {
    let io = |source| KeyringError::Io {
        path: path.to_owned(),
        source,
    };
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    file.sync_all().map_err(io)
}

fn random<const N: usize>() -> Result<[u8; N], KeyringError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| KeyringError::Random(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const ID: SecretId = SecretId(Uuid::from_u128(1));

    fn file() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        (dir, path)
    }

    #[test]
    fn a_sealed_secret_opens_also_after_the_key_was_rotated() {
        let (_dir, path) = file();
        let sealed = Keyring::create(&path)
            .unwrap()
            .seal(ID, &Secret::new(b"s".to_vec()))
            .unwrap();
        let rotated = Keyring::rotate(&path).unwrap();
        let keyring = Keyring::read(&path).unwrap();
        assert_eq!(keyring.current(), rotated);
        assert_ne!(keyring.current(), sealed.key_id);
        assert_eq!(keyring.open(ID, &sealed).unwrap().expose(), b"s");
    }

    #[test]
    fn another_key_file_or_another_id_does_not_open_it() {
        let ((_a, first), (_b, second)) = (file(), file());
        let keyring = Keyring::create(&first).unwrap();
        let sealed = keyring.seal(ID, &Secret::new(b"s".to_vec())).unwrap();
        let other = Keyring::create(&second).unwrap();
        assert!(matches!(
            other.open(ID, &sealed),
            Err(KeyringError::Unknown(_))
        ));
        let moved = SecretId(Uuid::from_u128(2));
        assert!(matches!(
            keyring.open(moved, &sealed),
            Err(KeyringError::Broken(_))
        ));
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused_with_the_command_to_run() {
        let (_dir, path) = file();
        Keyring::create(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = Keyring::read(&path).err().unwrap().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }
}
