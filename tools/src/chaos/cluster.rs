//! The product on many processes that share a log on Kafka: receivers, workers, and one that
//! projects and answers.

use super::broker::Broker;
use super::journal::{Journal, Kind};
use super::member::Member;
use crate::clock::now_us;
use crate::server::{Api, free_address};
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::Mutex;

/// How long a worker may be silent before others take its partitions: the least that brokers allow.
pub(super) const SESSION: Duration = Duration::from_secs(6);
/// Partitions of the log.
pub(super) const PARTITIONS: u32 = 6;
/// Attempts under way at once, of each worker.
pub(super) const IN_FLIGHT: usize = 128;
const SUPERVISE_EVERY: Duration = Duration::from_millis(250);
const OFFLINE_WITHIN: Duration = Duration::from_secs(300);

/// What a cluster is made of.
pub(super) struct Size {
    pub(super) receivers: usize,
    pub(super) workers: usize,
    /// Receivers have a spool.
    pub(super) spool: bool,
}

/// All processes. Whoever does something to one holds its lock meanwhile.
pub(super) struct Cluster {
    pub(super) broker: Mutex<Broker>,
    /// Held from a fault of the broker until the next one may come.
    pub(super) breaking: Mutex<()>,
    pub(super) receivers: Vec<Mutex<Member>>,
    pub(super) workers: Vec<Mutex<Member>>,
    projector: Mutex<Member>,
    pub(super) journal: Arc<Journal>,
    hooklog: PathBuf,
    folder: PathBuf,
}

impl Cluster {
    /// Makes the topics, and starts everything in `folder`.
    pub(super) async fn start(
        broker: Broker,
        hooklog: &Path,
        folder: &Path,
        size: &Size,
    ) -> Result<Self> {
        let journal = Arc::new(Journal::create(&folder.join("faults.ndjson"))?);
        let maker = Maker {
            hooklog,
            folder,
            brokers: broker.address.clone(),
            journal: Arc::clone(&journal),
        };
        let spool = if size.spool { SPOOL } else { "" };
        let many = |what: &'static str, count, more| {
            let names = (0..count).map(move |number| (format!("{what}-{number}"), more));
            names.collect::<Vec<_>>()
        };
        let make = |names: Vec<(String, &str)>, role| {
            let made = names.into_iter();
            made.map(|(name, more)| Ok(Mutex::new(maker.make(&name, role, more)?)))
                .collect::<Result<Vec<_>>>()
        };
        let cluster = Self {
            receivers: make(many("receiver", size.receivers, spool), "\"receive\"")?,
            workers: make(many("worker", size.workers, ""), "\"work\"")?,
            projector: Mutex::new(maker.make(PROJECTOR, "\"project\", \"api\"", "")?),
            broker: Mutex::new(broker),
            breaking: Mutex::default(),
            journal,
            hooklog: hooklog.to_owned(),
            folder: folder.to_owned(),
        };
        // For commands that look at the log from beside.
        maker.configure("copy", "\"all\"", "")?;
        cluster.begin().await?;
        Ok(cluster)
    }

    async fn begin(&self) -> Result<()> {
        let config = self.folder.join(PROJECTOR).join("hooklog.toml");
        let config = config.display().to_string();
        let words = ["log", "init", "--config", &config];
        self.offline(&words, &self.folder.join("init.txt")).await?;
        // The first one makes the log and the keys that all share.
        self.projector.lock().await.begin().await?;
        for member in self.receivers.iter().chain(&self.workers) {
            member.lock().await.start()?;
        }
        let begin = now_us();
        for member in self.receivers.iter().chain(&self.workers) {
            let mut member = member.lock().await;
            member.ready().await?;
            self.journal.over(Kind::Started, &member.name, begin)?;
        }
        Ok(())
    }

    /// Where each receiver takes webhooks of a source.
    pub(super) async fn webhooks(&self, source: &str) -> Vec<String> {
        let mut urls = Vec::new();
        for receiver in &self.receivers {
            let listen = receiver.lock().await.listen;
            urls.push(format!("http://{listen}/webhooks/{source}"));
        }
        urls
    }

    /// The API.
    pub(super) async fn api(&self) -> Api {
        self.projector.lock().await.api.clone()
    }

    /// Starts again whoever ends though nobody ended it, for as long as it is polled.
    pub(super) async fn supervise(&self) -> Result<()> {
        loop {
            for member in self.members() {
                // Who is busy with one looks after it.
                if let Ok(mut member) = member.try_lock() {
                    member.supervise()?;
                }
            }
            tokio::time::sleep(SUPERVISE_EVERY).await;
        }
    }

    /// Waits until everything is ready.
    pub(super) async fn healed(&self) -> Result<()> {
        for member in self.members() {
            member.lock().await.ready().await?;
        }
        Ok(())
    }

    /// Asks all to end, those first that bring work to the others.
    pub(super) async fn stop(&self) -> Result<()> {
        let begin = now_us();
        for member in self.members() {
            member.lock().await.stop().await?;
        }
        self.journal.over(Kind::Stopped, "all", begin)
    }

    /// Runs a command of the product, its standard output to `out`.
    pub(super) async fn offline(&self, words: &[&str], out: &Path) -> Result<()> {
        let command = Command::new(&self.hooklog)
            .args(words)
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(out)?)
            .kill_on_drop(true)
            .status();
        let ended = tokio::time::timeout(OFFLINE_WITHIN, command).await;
        let status = ended.with_context(|| format!("hooklog {} hangs", words.join(" ")))??;
        if !status.success() {
            bail!("hooklog {} failed: {status}", words.join(" "));
        }
        Ok(())
    }

    /// The data folder of the process that projects.
    pub(super) fn tables(&self) -> PathBuf {
        self.folder.join(PROJECTOR).join("data")
    }

    fn members(&self) -> impl Iterator<Item = &Mutex<Member>> {
        let first = self.receivers.iter().chain(&self.workers);
        first.chain([&self.projector])
    }
}

const PROJECTOR: &str = "projector";
const SPOOL: &str = "[spool]\nfolder = \"FOLDER/spool\"\npersistent = true\n";

/// Makes processes of one cluster.
struct Maker<'a> {
    hooklog: &'a Path,
    folder: &'a Path,
    brokers: String,
    journal: Arc<Journal>,
}

impl Maker<'_> {
    fn make(&self, name: &str, roles: &str, more: &str) -> Result<Member> {
        let addresses = self.configure(name, roles, more)?;
        let folder = self.folder.join(name);
        let journal = Arc::clone(&self.journal);
        Member::new(name, self.hooklog.to_owned(), folder, addresses, journal)
    }

    /// Writes `hooklog.toml` into a new folder of that name.
    fn configure(&self, name: &str, roles: &str, more: &str) -> Result<[std::net::SocketAddr; 2]> {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(folder.join("spool"))?;
        let addresses = [free_address()?, free_address()?];
        let [listen, api_listen] = addresses;
        let key = self.folder.join("key");
        let (key, data, brokers) = (key.display(), folder.display(), &self.brokers);
        let session = SESSION.as_millis();
        let more = more.replace("FOLDER", &data.to_string());
        let text = format!(
            "roles = [{roles}]\ndata = \"{data}/data\"\nkey_file = \"{key}\"\n\
             listen = \"{listen}\"\napi_listen = \"{api_listen}\"\n\
             [deliver]\nallow = [\"127.0.0.0/8\"]\nin_flight_max = {IN_FLIGHT}\n\
             [log]\nkind = \"kafka\"\npartitions = {PARTITIONS}\n\
             [log.kafka]\nbrokers = [\"{brokers}\"]\nreplication_factor = 1\n\
             min_insync_replicas = 1\nsession_timeout_ms = {session}\n{more}"
        );
        std::fs::write(folder.join("hooklog.toml"), text)?;
        Ok(addresses)
    }
}
