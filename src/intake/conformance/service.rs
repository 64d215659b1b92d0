//! A service that one test has for itself, so that it may be killed.

use std::path::Path;
use std::process::Command;

/// A service of `tools/services` in a folder of its own; its end is the service's.
pub(crate) struct Service {
    name: &'static str,
    pub(crate) folder: tempfile::TempDir,
}

impl Service {
    pub(crate) fn new(name: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { name, folder }
    }

    /// Starts it, also again with its data, and gives the value of a variable of it.
    pub(crate) fn start(&self, variable: &str) -> String {
        let told = self.tell(&["start", self.name]);
        let mut lines = told.lines().filter_map(|line| line.split_once('='));
        let value = lines.find_map(|(name, value)| (name == variable).then_some(value));
        value.unwrap().to_owned()
    }

    pub(crate) fn stop(&self) {
        self.tell(&["stop"]);
    }

    /// As `kill -9` does.
    pub(crate) fn kill(&self) {
        self.tell(&["kill"]);
    }

    fn tell(&self, arguments: &[&str]) -> String {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/services");
        let folder = ["--folder", self.folder.path().to_str().unwrap()];
        let told = Command::new(program).args(arguments).args(folder).output();
        let told = told.unwrap();
        let problem = String::from_utf8_lossy(&told.stderr);
        assert!(told.status.success(), "{arguments:?}: {problem}");
        String::from_utf8(told.stdout).unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
    }
}
