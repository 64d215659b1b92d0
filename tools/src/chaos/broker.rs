//! A broker of its own, run by `tools/services`: it comes back in its folder, on its port.

use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// The first start may have to install it.
const DONE_WITHIN: Duration = Duration::from_secs(300);
const ADDRESS: &str = "HOOKLOG_TEST_KAFKA=";

/// A broker, or the place where one was.
pub(super) struct Broker {
    services: PathBuf,
    folder: PathBuf,
    /// `host:port`.
    pub(super) address: String,
}

impl Broker {
    /// Starts a new one, with its data in `folder`.
    pub(super) async fn start(services: &Path, folder: &Path) -> Result<Self> {
        let mut broker = Self {
            services: services.to_owned(),
            folder: folder.to_owned(),
            address: String::new(),
        };
        let said = broker.command(&["start", "kafka"]).await?;
        let address = said.lines().find_map(|line| line.strip_prefix(ADDRESS));
        let address = address.with_context(|| format!("the services did not print {ADDRESS}"))?;
        address.clone_into(&mut broker.address);
        Ok(broker)
    }

    /// Starts it again; it is there when this returns.
    pub(super) async fn start_again(&self) -> Result<()> {
        self.command(&["start", "kafka"]).await.map(drop)
    }

    /// Asks it to end, and waits until it has.
    pub(super) async fn stop(&self) -> Result<()> {
        stop(&self.services, &self.folder).await
    }

    /// Kills it, as kill -9 does.
    pub(super) async fn kill(&self) -> Result<()> {
        self.command(&["kill"]).await.map(drop)
    }

    async fn command(&self, words: &[&str]) -> Result<String> {
        command(&self.services, &self.folder, words).await
    }
}

/// Ends whatever broker runs in `folder`, also one of which nothing else is known.
pub(super) async fn stop(services: &Path, folder: &Path) -> Result<()> {
    command(services, folder, &["stop"]).await.map(drop)
}

async fn command(services: &Path, folder: &Path, words: &[&str]) -> Result<String> {
    let command = Command::new(services)
        .args(words)
        .arg("--folder")
        .arg(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output();
    let what = words.join(" ");
    let ended = tokio::time::timeout(DONE_WITHIN, command).await;
    let ended = ended.with_context(|| format!("tools/services {what} hangs"))?;
    let ended = ended.with_context(|| format!("cannot run {}", services.display()))?;
    if !ended.status.success() {
        bail!("tools/services {what} failed: {}", ended.status);
    }
    String::from_utf8(ended.stdout).context("tools/services printed no text")
}
