//! Files that the configuration of a queue or of an object store names: passwords and certificates.

use crate::secret::Secret;
use std::path::{Path, PathBuf};

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{key} = {}: {reason}", path.display())]
pub struct FileError {
    /// The configuration's key.
    pub key: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub reason: String,
}

/// The bytes of the file that `key` names.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(path).map_err(|error| wrong(key, path, error.to_string()))
}

/// The secret in the file that `key` names: text, without the newline at its end.
///
/// # Errors
/// When it cannot be read, is empty, or is not UTF-8.
pub(crate) fn secret(key: &'static str, path: &Path) -> Result<Secret, FileError> {
    let secret = Secret::from_file_bytes(read(key, path)?);
    if secret.is_empty() {
        return Err(wrong(key, path, "it is empty".to_owned()));
    }
    match std::str::from_utf8(secret.expose()) {
        Ok(_) => Ok(secret),
        Err(_) => Err(wrong(key, path, "it is not UTF-8".to_owned())),
    }
}

/// The text of what [`secret`] read.
pub(crate) fn text(secret: &Secret) -> &str {
    std::str::from_utf8(secret.expose()).unwrap_or_default()
}

fn wrong(key: &'static str, path: &Path, reason: String) -> FileError {
    FileError {
        key,
        path: path.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_the_key_and_never_with_the_secret() {
        let folder = tempfile::tempdir().unwrap();
        let told = |name: &str, content: Option<&[u8]>| {
            let path = folder.path().join(name);
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            secret("intake.x", &path).map_err(|error| error.to_string())
        };
        assert!(
            told("missing", None)
                .unwrap_err()
                .starts_with("intake.x = ")
        );
        assert!(told("empty", Some(b"\n")).unwrap_err().contains("is empty"));
        let binary = told("binary", Some(b"canary\xff")).unwrap_err();
        assert!(!binary.contains("canary"), "{binary}");
        assert_eq!(text(&told("good", Some(b"pass\n")).unwrap()), "pass");
    }
}
