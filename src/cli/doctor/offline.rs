//! Looks at a data folder, and changes nothing in it.

use super::Check;
use crate::keyring::{Keyring, KeyringError};
use std::path::Path;

/// Free space below which a server soon refuses webhooks.
const FREE_WARNS: u64 = 1 << 30;

/// Everything that can be seen without a server.
pub(super) fn checks(data: &Path) -> Vec<Check> {
    if !data.is_dir() {
        let found = format!("{} is not a folder", data.display());
        let advice = "the first `hooklog serve --data DIR` makes it".to_owned();
        return vec![Check::fail("folder", found, Some(advice))];
    }
    vec![
        Check::ok("folder", data.display().to_string()),
        key(data),
        space(data),
    ]
}

fn key(data: &Path) -> Check {
    match Keyring::read(&data.join("key")) {
        Ok(keyring) => Check::ok(
            "key file",
            format!("{} keys, mode in order", keyring.ids().count()),
        ),
        Err(error @ KeyringError::Missing(_)) => {
            let advice = "restore it, or name it with key_file in the configuration".to_owned();
            Check::fail("key file", error.to_string(), Some(advice))
        }
        Err(error) => Check::fail("key file", error.to_string(), None),
    }
}

fn space(data: &Path) -> Check {
    match rustix::fs::statvfs(data) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let found = format!("{} MiB free", free >> 20);
            if free < FREE_WARNS {
                let advice = "make room: near the end of the disk webhooks get 503";
                return Check::warn("disk", found, advice);
            }
            Check::ok("disk", found)
        }
        Err(error) => Check::fail(
            "disk",
            format!("it does not tell its free space: {error}"),
            None,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn level(checks: &[Check], name: &str) -> Level {
        checks
            .iter()
            .find(|check| check.name == name)
            .unwrap()
            .level
    }

    #[test]
    fn a_key_file_that_others_can_read_fails_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        Keyring::create(&path).unwrap();
        assert_eq!(level(&checks(dir.path()), "key file"), Level::Ok);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let after = checks(dir.path());
        assert_eq!(level(&after, "key file"), Level::Fail);
        assert!(after.iter().any(|check| check.found.contains("chmod 600")));
    }

    #[test]
    fn a_folder_that_is_not_there_is_the_only_failure() {
        let checks = checks(Path::new("/nonexistent/hooklog"));
        assert_eq!(checks.len(), 1);
        assert_eq!(level(&checks, "folder"), Level::Fail);
    }
}
