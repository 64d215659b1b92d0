//! The first admin token: from the environment, or made at the first start.

use crate::secret::Secret;
use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The environment variable that gives the first admin token.
pub const VARIABLE: &str = "HOOKLOG_ADMIN_TOKEN";

/// The token that the environment gives, if it gives one.
#[must_use]
pub fn from_environment() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

/// The token that is an admin until the first named admin token exists; none once one does.
///
/// Without one in the environment, the first start writes one to `DIR/admin-token`, mode 0600.
///
/// # Errors
/// When the variable is set but too short, or the file cannot be read or written.
pub fn bootstrap(
    data: &Path,
    from_environment: Option<String>,
    named_admin: bool,
) -> anyhow::Result<Option<Secret>> {
    if named_admin {
        if from_environment.is_some() {
            tracing::warn!("{VARIABLE} is ignored: a named admin token exists");
        }
        return Ok(None);
    }
    first(data, from_environment).map(Some)
}

fn first(data: &Path, from_environment: Option<String>) -> anyhow::Result<Secret> {
    if let Some(token) = from_environment {
        if token.len() < TOKEN_CHARS_MIN {
            bail!(
                "{VARIABLE} is shorter than {TOKEN_CHARS_MIN} characters; make one with: openssl rand -hex 32"
            );
        }
        return Ok(Secret::new(token.into_bytes()));
    }
    let path = data.join("admin-token");
    if path.exists() {
        let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        return Ok(Secret::from_file_bytes(bytes));
    }
    let token = random_token()?;
    write_new(&path, &token).with_context(|| format!("writing {}", path.display()))?;
    tracing::info!(path = %path.display(), "wrote an admin token; create a named one and delete the file");
    Ok(Secret::new(token.into_bytes()))
}

/// Long enough that guessing is hopeless even for a weak choice of characters.
const TOKEN_CHARS_MIN: usize = 16;

fn random_token() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the system gave no random bytes")?;
    Ok(format!("hl_{}", URL_SAFE_NO_PAD.encode(bytes)))
}

fn write_new(path: &Path, token: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{token}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn first_token(data: &Path, given: Option<&str>) -> Secret {
        bootstrap(data, given.map(str::to_owned), false)
            .unwrap()
            .unwrap()
    }

    #[test]
    fn once_a_named_admin_exists_no_other_token_is_made_or_taken() {
        let dir = tempfile::tempdir().unwrap();
        let given = Some("0123456789abcdef".to_owned());
        assert!(bootstrap(dir.path(), given, true).unwrap().is_none());
        assert!(bootstrap(dir.path(), None, true).unwrap().is_none());
        assert!(!dir.path().join("admin-token").exists());
    }

    #[test]
    fn the_first_start_writes_a_token_and_the_second_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = first_token(dir.path(), None);
        let second = first_token(dir.path(), None);
        assert_eq!(first.expose(), second.expose());
        assert!(first.expose().starts_with(b"hl_") && first.expose().len() == 46);
        let mode = std::fs::metadata(dir.path().join("admin-token"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_token_from_the_environment_must_be_worth_something() {
        let dir = tempfile::tempdir().unwrap();
        assert!(bootstrap(dir.path(), Some("short".into()), false).is_err());
        let token = first_token(dir.path(), Some("0123456789abcdef"));
        assert_eq!(token.expose(), b"0123456789abcdef");
        assert!(!dir.path().join("admin-token").exists());
    }
}
