//! One process of the product, and who starts it again.

use super::journal::{Journal, Kind};
use crate::clock::now_us;
use crate::server::{Api, Server, TOKEN};
use anyhow::{Context as _, Result, bail};
use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::process::Command;

/// A process that needs the log waits for a broker that comes back, and folds what it missed.
const READY_WITHIN: Duration = Duration::from_secs(120);
const STOP_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A supervisor leaves a process that ends some time before it starts it again.
const START_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// A process with its configuration file, or the place where one was.
pub(super) struct Member {
    /// Its name in the journal.
    pub(super) name: String,
    binary: PathBuf,
    folder: PathBuf,
    /// Where webhooks come in, if it receives.
    pub(super) listen: SocketAddr,
    /// Its API, or at least its health.
    pub(super) api: Api,
    server: Option<Server>,
    journal: Arc<Journal>,
}

impl Member {
    /// One whose configuration is `hooklog.toml` in `folder`. It does not run yet.
    pub(super) fn new(
        name: &str,
        binary: PathBuf,
        folder: PathBuf,
        addresses: [SocketAddr; 2],
        journal: Arc<Journal>,
    ) -> Result<Self> {
        let [listen, api_listen] = addresses;
        Ok(Self {
            name: name.to_owned(),
            binary,
            folder,
            listen,
            api: Api::new(api_listen, TOKEN)?,
            server: None,
            journal,
        })
    }

    /// Starts it; its output is appended to `server.log` in its folder.
    pub(super) fn start(&mut self) -> Result<()> {
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("server.log"))?;
        let child = Command::new(&self.binary)
            .args(["serve", "--config"])
            .arg(self.folder.join("hooklog.toml"))
            .env("HOOKLOG_ADMIN_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn();
        let child = child.with_context(|| format!("cannot start {}", self.binary.display()))?;
        self.server = Some(Server::of(child)?);
        Ok(())
    }

    /// Starts it for the first time, and waits until it is ready.
    pub(super) async fn begin(&mut self) -> Result<()> {
        let begin = now_us();
        self.start()?;
        self.ready().await?;
        self.journal.over(Kind::Started, &self.name, begin)
    }

    /// Waits until it says ready; one that ends meanwhile is started again.
    pub(super) async fn ready(&mut self) -> Result<()> {
        let start = Instant::now();
        while !self.api.is_ready().await {
            if self.has_ended()? {
                tokio::time::sleep(START_AGAIN_AFTER).await;
                self.start()?;
            }
            if start.elapsed() > READY_WITHIN {
                let (name, log) = (&self.name, self.folder.join("server.log"));
                let log = log.display();
                bail!("{name} was not ready within {READY_WITHIN:?}; see {log}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Starts it again if it ended, though nobody had ended it.
    pub(super) fn supervise(&mut self) -> Result<()> {
        if self.has_ended()? {
            self.start()?;
        }
        Ok(())
    }

    /// Kills it, as kill -9 does.
    pub(super) async fn kill(&mut self) -> Result<()> {
        match self.server.take() {
            Some(server) => server.kill().await,
            None => Ok(()),
        }
    }

    /// Asks it to end, and waits until it has; another end than a good one is recorded.
    pub(super) async fn stop(&mut self) -> Result<()> {
        let Some(server) = self.server.take() else {
            return Ok(());
        };
        let stopped = server.stop(STOP_WITHIN).await;
        let status = stopped.with_context(|| format!("stopping {}", self.name))?;
        if !status.success() {
            let note = format!("{status}, when it was asked to stop");
            self.journal.ended(&self.name, note)?;
        }
        Ok(())
    }

    /// Holds it (`STOP`) or lets it go on (`CONT`).
    pub(super) async fn signal(&self, signal: &str) -> Result<()> {
        let server = self.server.as_ref();
        let server = server.with_context(|| format!("{} does not run", self.name))?;
        server.signal(signal).await
    }

    fn has_ended(&mut self) -> Result<bool> {
        let Some(server) = &mut self.server else {
            return Ok(false);
        };
        let Some(status) = server.ended()? else {
            return Ok(false);
        };
        self.server = None;
        self.journal.ended(&self.name, status.to_string())?;
        Ok(true)
    }
}
