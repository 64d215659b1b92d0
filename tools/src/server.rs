//! A hooklog server under test: started, watched, killed, asked.

mod api;
mod usage;

pub(crate) use api::{Api, NewSubscription, Reply};
pub(crate) use usage::Usage;

use crate::chance::Chance;
use anyhow::{Context as _, Result, bail};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

const OFFLINE_WITHIN: Duration = Duration::from_secs(300);
/// Small enough to be closed every few seconds of load.
const SEGMENT_BYTES: u64 = 1 << 20;
/// The admin token of every server under test.
pub(crate) const TOKEN: &str = "admin-token-of-a-test-run";

/// Topics on some brokers.
pub(crate) struct Kafka {
    /// `host:port`, of one or more.
    pub(crate) brokers: String,
    /// What the names of the topics begin with.
    pub(crate) prefix: String,
}

/// How to run a server: everything but the running process.
pub(crate) struct Setup {
    binary: PathBuf,
    folder: PathBuf,
    /// Where webhooks come in.
    pub(crate) listen: SocketAddr,
    api_listen: SocketAddr,
}

impl Setup {
    /// A server of `binary` with its data, configuration and log file under `folder`.
    pub(crate) fn new(binary: &Path, folder: &Path) -> Result<Self> {
        let setup = Self {
            binary: binary.to_owned(),
            folder: folder.to_owned(),
            listen: free_address()?,
            api_listen: free_address()?,
        };
        let configuration = "[deliver]\nallow = [\"127.0.0.0/8\"]\n";
        std::fs::write(setup.configuration(), configuration)?;
        Ok(setup)
    }

    /// The same, with segments of the log as small as the configuration allows.
    pub(crate) fn with_small_segments(self) -> Result<Self> {
        self.with(&format!("[log]\nsegment_bytes = {SEGMENT_BYTES}\n"))
    }

    /// The same, with more sections of the configuration.
    pub(crate) fn with(self, sections: &str) -> Result<Self> {
        let mut configuration = OpenOptions::new().append(true).open(self.configuration())?;
        configuration.write_all(sections.as_bytes())?;
        Ok(self)
    }

    /// A process of these roles, on brokers that have topics with this prefix. All share the key.
    pub(crate) fn on_kafka(
        binary: &Path,
        folder: &Path,
        roles: &str,
        kafka: &Kafka,
        key: &Path,
    ) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let setup = Self::new(binary, folder)?;
        let Kafka { brokers, prefix } = kafka;
        let configuration = format!(
            "roles = [{roles}]\nkey_file = \"{}\"\n[deliver]\nallow = [\"127.0.0.0/8\"]\n\
             [log]\nkind = \"kafka\"\n[log.kafka]\nbrokers = [\"{brokers}\"]\n\
             topic_prefix = \"{prefix}\"\nreplication_factor = 1\nmin_insync_replicas = 1\n",
            key.display()
        );
        std::fs::write(setup.configuration(), configuration)?;
        Ok(setup)
    }

    /// Makes the topics.
    pub(crate) async fn init(&self) -> Result<()> {
        let status = Command::new(&self.binary)
            .args(["log", "init", "--config"])
            .arg(self.configuration())
            .stdout(Stdio::null())
            .status();
        let status = status.await?;
        if !status.success() {
            bail!("hooklog log init failed: {status}");
        }
        Ok(())
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn configuration(&self) -> PathBuf {
        self.folder.join("hooklog.toml")
    }

    /// The URL of a source.
    pub(crate) fn webhooks(&self, source: &str) -> String {
        format!("http://{}/webhooks/{source}", self.listen)
    }

    /// A client of the API.
    pub(crate) fn api(&self) -> Result<Api> {
        Api::new(self.api_listen, TOKEN)
    }

    /// Starts the server; its output is appended to `server.log` in the folder.
    pub(crate) fn start(&self) -> Result<Server> {
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("server.log"))?;
        let child = Command::new(&self.binary)
            .arg("serve")
            .arg("--data")
            .arg(self.data())
            .arg("--listen")
            .arg(self.listen.to_string())
            .arg("--api-listen")
            .arg(self.api_listen.to_string())
            .arg("--config")
            .arg(self.configuration())
            .env("HOOKLOG_ADMIN_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.binary.display()))?;
        Server::of(child)
    }

    /// Runs an offline command on the data folder, its standard output to `out`.
    pub(crate) async fn offline(&self, words: &[&str], out: &Path) -> Result<()> {
        let output = File::create(out)?;
        let command = Command::new(&self.binary)
            .args(words)
            .arg("--data")
            .arg(self.data())
            .stdin(Stdio::null())
            .stdout(output)
            .kill_on_drop(true)
            .status();
        let ended = tokio::time::timeout(OFFLINE_WITHIN, command).await;
        let status = ended.with_context(|| format!("hooklog {} hangs", words.join(" ")))??;
        if !status.success() {
            bail!("hooklog {} failed: {status}", words.join(" "));
        }
        Ok(())
    }
}

/// An address of this machine where nobody listens just now.
///
/// Its port is below those that the kernel gives to outgoing connections: otherwise a client that
/// knocks while the server is away may get the very port, and even connect to itself.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let mut chance = Chance::at(Chance::fresh_seed(), 0);
    for _ in 0..1_000 {
        let port = 20_000 + chance.below(12_000) as u16;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port from 20000 to 32000 is free")
}

/// A running process under test. It is killed when dropped.
pub(crate) struct Server {
    child: Child,
    pid: u32,
}

impl Server {
    /// Watches a process that was just started.
    pub(crate) fn of(child: Child) -> Result<Self> {
        let pid = child.id().context("the server ended at once")?;
        Ok(Self { child, pid })
    }

    /// Waits until the API says ready; tells how long that took.
    pub(crate) async fn ready(&mut self, api: &Api, within: Duration) -> Result<Duration> {
        let start = Instant::now();
        while !api.is_ready().await {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended before it was ready: {status}; see its server.log");
            }
            if start.elapsed() > within {
                bail!("the server was not ready within {within:?}; see its server.log");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(start.elapsed())
    }

    /// Kills it at once, as kill -9 does.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("cannot kill the server")
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn stop(mut self, within: Duration) -> Result<ExitStatus> {
        self.signal("TERM").await?;
        let ended = tokio::time::timeout(within, self.child.wait()).await;
        Ok(ended.with_context(|| format!("the server did not stop within {within:?}"))??)
    }

    /// Sends it a signal, named without its SIG.
    pub(crate) async fn signal(&self, signal: &str) -> Result<()> {
        let pid = self.pid.to_string();
        let signal = format!("-{signal}");
        let sent = Command::new("kill").args([&signal, &pid]).status().await?;
        if !sent.success() {
            bail!("cannot send {signal} to {pid}");
        }
        Ok(())
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// What it has used up to now.
    pub(crate) fn usage(&self) -> Result<Usage> {
        Usage::of(self.pid)
    }
}
