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
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
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

impl KeyringError {
    fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
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
        let metadata = std::fs::metadata(path).map_err(io)?;
        let mode = metadata.permissions().mode() & 0o777;
        if others_can_read(mode, metadata.uid()) {
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
        // A process may have been killed after the renaming: nothing is to be sealed with a key
        // whose file a power cut can take away. A folder that cannot be synced is not written to.
        let _ = std::fs::File::open(folder_of(path)).and_then(|dir| dir.sync_all());
        Ok(Self { keys })
    }

    /// Makes a key file with one new key, mode 0600. It never replaces one.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn create(path: &Path) -> Result<Self, KeyringError> {
        let folder = Folder::of(path)?;
        if path.exists() {
            let exists = std::io::ErrorKind::AlreadyExists.into();
            return Err(KeyringError::io(path, exists));
        }
        folder.put(path, &fresh_line()?, "")?;
        Self::read(path)
    }

    /// Puts a new key in front of the file's keys, and tells its id.
    ///
    /// # Errors
    /// When the file cannot be read or replaced.
    pub fn rotate(path: &Path) -> Result<String, KeyringError> {
        let folder = Folder::of(path)?;
        Self::read(path)?;
        let old = std::fs::read_to_string(path).map_err(|source| KeyringError::io(path, source))?;
        folder.put(path, &fresh_line()?, &old)?;
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

/// A file of root's may let one group read it: so Kubernetes mounts a secret for a user who is not
/// root, and systemd a credential, and neither can do it otherwise.
const fn others_can_read(mode: u32, owner: u32) -> bool {
    let forbidden = if owner == 0 { 0o037 } else { 0o077 };
    mode & forbidden != 0
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

/// The folder of a key file, locked: one process at a time changes what is in it.
struct Folder(std::fs::File);

impl Folder {
    fn of(path: &Path) -> Result<Self, KeyringError> {
        let dir = folder_of(path);
        let open = std::fs::File::open(dir).and_then(|dir| dir.lock().map(|()| dir));
        open.map(Self)
            .map_err(|source| KeyringError::io(dir, source))
    }

    /// Puts a file with these keys in the place of `path`, durably, in one step. A process that
    /// was killed may have left keys in an unfinished file; they are kept behind the others, since
    /// a power cut can undo a renaming after which secrets were sealed.
    fn put(&self, path: &Path, first: &str, old: &str) -> Result<(), KeyringError> {
        let unfinished = unfinished(path);
        let mut text = format!("{first}{}", ended(old));
        for line in left_over(&unfinished) {
            if !text.lines().any(|known| known.trim() == line) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        let put = write_synced(&unfinished, text.as_bytes())
            .and_then(|()| std::fs::rename(&unfinished, path))
            .and_then(|()| self.0.sync_all());
        put.map_err(|source| KeyringError::io(path, source))
    }
}

fn folder_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Beside the key file, so that it can be renamed.
fn unfinished(path: &Path) -> PathBuf {
    path.with_extension("new")
}

/// The whole keys of an unfinished file, if there is one.
fn left_over(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().map(str::trim);
    let keys = lines.filter(|line| !line.is_empty() && parse(path, 1, line).is_ok());
    keys.map(str::to_owned).collect()
}

fn ended(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') {
        text.to_owned()
    } else {
        format!("{text}\n")
    }
}

fn fresh_line() -> Result<String, KeyringError> {
    Ok(format!("{}\n", BASE64.encode(random::<KEY_BYTES>()?)))
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // What a process left there has the mode that it gave it.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    let options = options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
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
    fn what_a_killed_rotation_left_is_no_obstacle_and_none_of_its_keys_is_lost() {
        let (_dir, path) = file();
        let first = Keyring::create(&path).unwrap().current().to_owned();
        let (_other, elsewhere) = file();
        let left = Keyring::create(&elsewhere).unwrap().current().to_owned();
        let text = std::fs::read_to_string(&elsewhere).unwrap() + "AAAA torn";
        std::fs::write(path.with_extension("new"), text).unwrap();
        let fresh = Keyring::rotate(&path).unwrap();
        let keyring = Keyring::read(&path).unwrap();
        let ids: Vec<_> = keyring.ids().collect();
        assert_eq!(ids, [fresh.as_str(), &first, &left]);
        assert!(!path.with_extension("new").exists());
        Keyring::rotate(&path).unwrap();
        assert_eq!(Keyring::read(&path).unwrap().ids().count(), 4);
    }

    #[test]
    fn what_a_killed_start_left_is_no_key_file_and_no_obstacle() {
        let (_dir, path) = file();
        std::fs::write(path.with_extension("new"), "").unwrap();
        assert!(matches!(
            Keyring::read(&path),
            Err(KeyringError::Missing(_))
        ));
        assert_eq!(Keyring::create(&path).unwrap().ids().count(), 1);
        assert!(!path.with_extension("new").exists());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(Keyring::create(&path).is_err(), "it never replaces one");
    }

    #[test]
    fn two_rotations_at_once_lose_no_key() {
        let (_dir, path) = file();
        Keyring::create(&path).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| Keyring::rotate(&path).unwrap());
            }
        });
        assert_eq!(Keyring::read(&path).unwrap().ids().count(), 9);
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

    #[test]
    fn a_group_may_read_a_key_file_only_if_root_mounted_it() {
        assert!(!others_can_read(0o600, 10_001) && !others_can_read(0o440, 0));
        assert!(others_can_read(0o440, 10_001) && others_can_read(0o444, 0));
        assert!(
            others_can_read(0o660, 0),
            "and nobody but root may change it"
        );
    }
}
