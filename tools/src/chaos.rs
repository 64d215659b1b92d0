//! The product on Kafka on many processes, broken at random, and what is left must add up.

mod broker;
mod cluster;
mod drill;
mod faults;
mod finale;
mod journal;
mod member;
mod report;

use crate::chance::Chance;
use crate::http::asked_to_end;
use crate::kill::Receiving;
use crate::load::history::History;
use crate::load::{self, Plan};
use crate::server::Api;
use crate::traffic::Traffic;
use anyhow::{Context as _, Result, bail, ensure};
use broker::Broker;
use cluster::{Cluster, Size};
pub(crate) use journal::{Incident, Kind};
use reqwest::Method;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const SECRET: &str = "the secret of the source";
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Runs receivers, workers and a projector on a real Kafka, breaks them at random, then checks
/// everything.
#[derive(Debug, clap::Args)]
pub(crate) struct ChaosCommand {
    /// The hooklog to break; built with `log-kafka`.
    #[arg(long)]
    hooklog: PathBuf,
    /// What runs the broker.
    #[arg(long, default_value = "tools/services")]
    services: PathBuf,
    /// For so long there is load and things break.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Webhooks a second, over all receivers.
    #[arg(long, default_value_t = 200.0)]
    rate: f64,
    /// Connections of the load to each receiver.
    #[arg(long, default_value_t = 24)]
    connections: usize,
    /// Processes that deliver.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=16))]
    workers: u64,
    /// Processes that take webhooks in.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=16))]
    receivers: u64,
    /// The mean time between two faults, in milliseconds.
    #[arg(long, default_value_t = 3_000)]
    fault_ms: u64,
    /// Another run: not everything at random, but this alone.
    #[arg(long, value_enum)]
    drill: Option<Drill>,
    /// How long the broker is away in the drill, in seconds.
    #[arg(long, default_value_t = 60)]
    away: u64,
    /// Decides traffic and faults; drawn and printed if not given.
    #[arg(long)]
    seed: Option<u64>,
    /// What is owed at the end must have ended within this, in seconds.
    #[arg(long, default_value_t = 240)]
    settle_seconds: u64,
    /// The folder for data and evidence; it is kept when something is wrong.
    #[arg(long, default_value = "target/chaos")]
    folder: PathBuf,
}

/// One thing that goes wrong, for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Drill {
    /// The broker is killed and stays away; receivers have spools, and answer 200 all the same.
    Spool,
}

impl ChaosCommand {
    /// Runs everything and all checks; the evidence stays where they fail.
    pub(crate) async fn run(self) -> Result<()> {
        let seed = self.seed.unwrap_or_else(Chance::fresh_seed);
        crate::print(&format!("seed {seed}"))?;
        std::fs::create_dir_all(&self.folder)?;
        let folder = tempfile::Builder::new()
            .prefix("chaos-")
            .disable_cleanup(true)
            .tempdir_in(std::fs::canonicalize(&self.folder)?)?;
        let run = Run {
            seed,
            folder: folder.path().to_owned(),
            command: self,
        };
        if let Err(error) = run.whole().await {
            let kept = folder.path().display();
            return Err(error.context(format!("seed {seed}; the evidence is in {kept}")));
        }
        std::fs::remove_dir_all(folder.path())?;
        crate::print(&format!("seed {seed}: everything adds up"))
    }
}

struct Run {
    seed: u64,
    folder: PathBuf,
    command: ChaosCommand,
}

impl Run {
    /// The broker ends with the run, however that ends.
    async fn whole(&self) -> Result<()> {
        let services = std::fs::canonicalize(&self.command.services);
        let services = services.with_context(|| self.command.services.display().to_string())?;
        let folder = self.folder.join("broker");
        let result = tokio::select! {
            result = self.on(&services, &folder) => result,
            ended = asked_to_end() => ended.and_then(|()| bail!("somebody ended the run")),
        };
        let stopped = broker::stop(&services, &folder).await;
        result.and(stopped)
    }

    async fn on(&self, services: &Path, folder: &Path) -> Result<()> {
        let broker = Broker::start(services, folder).await?;
        let size = Size {
            receivers: self.command.receivers as usize,
            workers: self.command.workers as usize,
            spool: self.command.drill == Some(Drill::Spool),
        };
        let cluster = Cluster::start(broker, &self.command.hooklog, &self.folder, &size).await?;
        let cluster = Arc::new(cluster);
        let api = cluster.api().await;
        api.create_source("main", SECRET).await?;
        let receiving = self.subscribe(&api).await?;
        crate::print("everything runs")?;
        let supervised = Arc::clone(&cluster);
        tokio::select! {
            result = self.busy(&cluster, &receiving) => result?,
            ended = async move { supervised.supervise().await } => ended?,
        }
        self.finale(&cluster, receiving).await
    }

    async fn subscribe(&self, api: &Api) -> Result<Receiving> {
        let mut receiving = Receiving::new(&self.folder)?;
        for body in receiving.add_each(self.seed).await? {
            api.call(Method::POST, "subscriptions", Some(body)).await?;
        }
        Ok(receiving)
    }

    /// Load, and what goes wrong meanwhile; then everything is ready, and nothing is owed.
    async fn busy(&self, cluster: &Arc<Cluster>, receiving: &Receiving) -> Result<()> {
        let stop = Arc::new(AtomicBool::new(false));
        let loads = self.load(cluster, &stop).await?;
        let broken = async {
            match self.command.drill {
                Some(Drill::Spool) => self.drill(cluster).await,
                None => self.torment(cluster).await,
            }
        };
        let broken = tokio::select! {
            broken = broken => broken,
            told = self.tell(receiving) => told,
        };
        stop.store(true, Ordering::Relaxed);
        for ended in loads.join_all().await {
            ended?;
        }
        broken?;
        cluster.healed().await?;
        self.settled(cluster).await
    }

    async fn torment(&self, cluster: &Arc<Cluster>) -> Result<()> {
        let mean = Duration::from_millis(self.command.fault_ms);
        let until = Instant::now() + Duration::from_secs(self.command.seconds);
        faults::torment(Arc::clone(cluster), self.seed, mean, until).await?;
        tokio::time::sleep_until(until).await;
        Ok(())
    }

    /// One stream of webhooks to each receiver, each with a history of its own.
    async fn load(
        &self,
        cluster: &Cluster,
        stop: &Arc<AtomicBool>,
    ) -> Result<JoinSet<Result<load::Summary>>> {
        let mut loads = JoinSet::new();
        let urls = cluster.webhooks("main").await;
        ensure!(!urls.is_empty(), "nobody receives");
        for (number, url) in urls.iter().enumerate() {
            let traffic = Traffic::new(self.seed.wrapping_add(number as u64), None);
            let mut plan = Plan::new(url, SECRET.as_bytes(), traffic)?;
            plan.connections = self.command.connections;
            plan.count = u64::MAX;
            plan.rate = Some(self.command.rate / urls.len() as f64);
            plan.forge_every = 61;
            plan.redeliver_every = 37;
            plan.redeliver_within = 1_000;
            plan.history = Some(History::create(&self.history(number))?);
            plan.stop = Arc::clone(stop);
            loads.spawn(load::run(plan));
        }
        Ok(loads)
    }

    fn history(&self, receiver: usize) -> PathBuf {
        self.folder.join(format!("history-{receiver}.ndjson"))
    }

    /// Tells now and then that it goes on, for as long as it is polled.
    async fn tell(&self, receiving: &Receiving) -> Result<()> {
        let start = Instant::now();
        loop {
            tokio::time::sleep(TELL_EVERY).await;
            let faults = report::faults(&self.folder)?;
            let (seconds, taken) = (start.elapsed().as_secs(), receiving.taken());
            crate::print(&format!(
                "{seconds:>4} s: {taken} deliveries taken, {faults} faults"
            ))?;
        }
    }
}
