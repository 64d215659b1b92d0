//! Looks at a data folder, and changes nothing in it.

use super::Check;
use crate::app::offline;
use crate::cli::key::opened;
use crate::config;
use crate::keyring::KeyringError;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// Free space below which a server soon refuses webhooks.
const FREE_WARNS: u64 = 1 << 30;

/// Everything that can be seen without a server.
pub(super) fn checks(data: &Path, file: Option<&Path>) -> Vec<Check> {
    let loaded = load(data, file);
    let key_file = match &loaded {
        Ok(loaded) => loaded.config.key_file.clone(),
        Err(_) => None,
    };
    let mut checks = vec![match loaded {
        Ok(_) => Check::ok("config", "every key and value is in order"),
        Err(error) => Check::fail("config", error.to_string(), None),
    }];
    if !data.is_dir() {
        let found = format!("{} is not a folder", data.display());
        let advice = "the first `hooklog serve --data DIR` makes it".to_owned();
        checks.push(Check::fail("folder", found, Some(advice)));
        return checks;
    }
    checks.push(owner(data));
    let key_file = key_file.unwrap_or_else(|| data.join("key"));
    checks.push(key(data, &key_file));
    checks.push(space(data));
    checks
}

fn load(data: &Path, file: Option<&Path>) -> Result<config::Loaded, config::ConfigError> {
    config::load(config::Sources {
        file: file.map(PathBuf::from),
        environment: config::environment().collect::<Vec<_>>(),
        flags: vec![("data".to_owned(), data.display().to_string())],
    })
}

/// A server holds the lock file of its log as long as it runs.
fn owner(data: &Path) -> Check {
    let path = data.join("log").join("lock");
    let Ok(file) = File::open(&path) else {
        return Check::ok(
            "folder",
            format!("{}; no server has ever used it", data.display()),
        );
    };
    match file.try_lock_shared() {
        Ok(()) => Check::ok(
            "folder",
            format!("{}; no server uses it now", data.display()),
        ),
        Err(TryLockError::WouldBlock) => {
            let pid = std::fs::read_to_string(&path).unwrap_or_default();
            Check::ok(
                "folder",
                format!("{}; in use by process {}", data.display(), pid.trim()),
            )
        }
        Err(TryLockError::Error(error)) => {
            let advice =
                "locks need a local file system; network file systems may not have them".to_owned();
            Check::fail(
                "folder",
                format!("{} cannot be locked: {error}", path.display()),
                Some(advice),
            )
        }
    }
}

fn key(data: &Path, path: &Path) -> Check {
    if !data.join("log").exists() && !path.exists() {
        return Check::ok("key file", "none yet; the first start makes one");
    }
    match offline::try_keys(data, path) {
        Ok(tried) => {
            let (keys, opened) = (tried.ids.len(), opened(tried.secrets));
            Check::ok("key file", format!("{keys} keys, mode in order; {opened}"))
        }
        Err(error) => {
            let missing = matches!(error.downcast_ref(), Some(KeyringError::Missing(_)));
            let advice = "restore it, or name it with key_file in the configuration".to_owned();
            Check::fail("key file", format!("{error:#}"), missing.then_some(advice))
        }
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
    use crate::keyring::Keyring;
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
        assert_eq!(level(&checks(dir.path(), None), "key file"), Level::Ok);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let after = checks(dir.path(), None);
        assert_eq!(level(&after, "key file"), Level::Fail);
        assert!(after.iter().any(|check| check.found.contains("chmod 600")));
    }

    #[test]
    fn a_folder_in_use_names_the_process() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("log")).unwrap();
        let path = dir.path().join("log/lock");
        std::fs::write(&path, "4711").unwrap();
        let file = File::open(&path).unwrap();
        let found = |checks: &[Check]| {
            checks
                .iter()
                .find(|check| check.name == "folder")
                .unwrap()
                .found
                .clone()
        };
        assert!(found(&checks(dir.path(), None)).contains("no server uses it now"));
        file.lock().unwrap();
        assert!(found(&checks(dir.path(), None)).contains("process 4711"));
    }

    #[test]
    fn an_unknown_key_of_the_configuration_fails() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hooklog.toml");
        std::fs::write(&file, "lisen = \"127.0.0.1:1\"\n").unwrap();
        assert_eq!(
            level(&checks(dir.path(), Some(&file)), "config"),
            Level::Fail
        );
    }

    #[test]
    fn a_folder_that_is_not_there_hides_the_rest() {
        let checks = checks(Path::new("/nonexistent/hooklog"), None);
        assert_eq!(checks.len(), 2);
        assert_eq!(level(&checks, "folder"), Level::Fail);
    }
}
