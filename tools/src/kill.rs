//! kill -9 at random moments under load and orders, and what is left must add up.

mod finale;
mod issued;
mod operator;
mod receiving;
pub(crate) mod verdict;

use crate::chance::Chance;
use crate::load::history::History;
use crate::load::{self, Plan, Summary};
use crate::server::{Api, Server, Setup};
use crate::sign::Signer;
use crate::traffic::Traffic;
use anyhow::{Context as _, Result, bail};
pub(crate) use issued::Issued;
use operator::Operator;
pub(crate) use receiving::Receiving;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

const SECRET: &str = "the secret of the source";
const READY_WITHIN: Duration = Duration::from_secs(60);
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// Kills a server at random moments under load and orders, then checks everything.
#[derive(Debug, clap::Args)]
pub(crate) struct KillCommand {
    /// The hooklog to kill.
    #[arg(long)]
    hooklog: PathBuf,
    /// How often.
    #[arg(long, default_value_t = 50)]
    kills: u32,
    /// Webhooks a second.
    #[arg(long, default_value_t = 300.0)]
    rate: f64,
    /// Connections of the load.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// The longest time from a start to the next kill, in milliseconds.
    #[arg(long, default_value_t = 1_500)]
    gap_ms: u64,
    /// The mean time between two orders of the operator, in milliseconds.
    #[arg(long, default_value_t = 100)]
    order_ms: u64,
    /// Receipts that are erased after the last kill, beside those erased before.
    #[arg(long, default_value_t = 5)]
    erase_last: u64,
    /// Decides traffic, orders and moments; drawn and printed if not given.
    #[arg(long)]
    seed: Option<u64>,
    /// No more kills after this, in seconds; fewer than asked for is a failure.
    #[arg(long, default_value_t = 600)]
    seconds_max: u64,
    /// What is owed at the end must have ended within this, in seconds.
    #[arg(long, default_value_t = 120)]
    settle_seconds: u64,
    /// The folder for data and evidence; it is kept when something is wrong.
    #[arg(long, default_value = "target/kill")]
    folder: PathBuf,
}

impl KillCommand {
    /// Runs the loop and all checks; the evidence stays where they fail.
    pub(crate) async fn run(self) -> Result<()> {
        let seed = self.seed.unwrap_or_else(Chance::fresh_seed);
        crate::print(&format!("seed {seed}"))?;
        std::fs::create_dir_all(&self.folder)?;
        let folder = tempfile::Builder::new()
            .prefix("kill-")
            .disable_cleanup(true)
            .tempdir_in(&self.folder)?;
        let run = Run {
            seed,
            setup: Setup::new(&self.hooklog, folder.path())?.with_small_segments()?,
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
    setup: Setup,
    folder: PathBuf,
    command: KillCommand,
}

/// What goes on while the server is killed.
struct Busy {
    stop: Arc<AtomicBool>,
    load: JoinHandle<Result<Summary>>,
    operator: JoinHandle<Result<Operator>>,
}

impl Run {
    async fn whole(&self) -> Result<()> {
        let api = self.setup.api()?;
        let mut server = self.setup.start()?;
        server.ready(&api, READY_WITHIN).await?;
        api.create_source("main", SECRET).await?;
        let busy = self.begin(&api).await?;
        let stop = busy.stop.clone();
        let killed = self.kill_often(server, &api).await;
        stop.store(true, Ordering::Relaxed);
        let operator = busy.end().await;
        // Why the server did not come back says more than why nobody could work with it.
        self.finale(&api, killed?, operator?).await
    }

    async fn begin(&self, api: &Api) -> Result<Busy> {
        let signer = Arc::new(RwLock::new(Signer::github(SECRET.as_bytes())?));
        let folder = &self.folder;
        let operator = Operator::start(api.clone(), folder, signer.clone(), self.seed).await?;
        let plan = self.plan(signer)?;
        let stop = plan.stop.clone();
        let gap = Duration::from_millis(self.command.order_ms);
        Ok(Busy {
            stop: stop.clone(),
            load: tokio::spawn(load::run(plan)),
            operator: tokio::spawn(operator.run(stop, gap)),
        })
    }

    fn plan(&self, signer: Arc<RwLock<Signer>>) -> Result<Plan> {
        let traffic = Traffic::new(self.seed, None);
        let mut plan = Plan::new(&self.setup.webhooks("main"), SECRET.as_bytes(), traffic)?;
        plan.signer = signer;
        plan.connections = self.command.connections;
        plan.count = u64::MAX;
        plan.rate = Some(self.command.rate);
        plan.forge_every = 61;
        plan.redeliver_every = 37;
        // Far enough back that some of them are dead or cancelled meanwhile.
        plan.redeliver_within = 3_000;
        plan.history = Some(History::create(&self.folder.join("history.ndjson"))?);
        Ok(plan)
    }

    /// Every fifth kill comes at any moment after the start, also before the server is ready.
    async fn kill_often(&self, mut server: Server, api: &Api) -> Result<Server> {
        let start = Instant::now();
        let mut chance = Chance::at(!self.seed, 0);
        for kill in 0..self.command.kills {
            if start.elapsed().as_secs() > self.command.seconds_max {
                bail!("only {kill} kills in {:.0?}", start.elapsed());
            }
            if kill % 5 != 4 {
                server.ready(api, READY_WITHIN).await?;
            }
            let gap = chance.below(self.command.gap_ms);
            tokio::time::sleep(Duration::from_millis(gap)).await;
            server.kill().await?;
            server = self.setup.start()?;
        }
        let took = server.ready(api, READY_WITHIN).await?;
        crate::print(&format!(
            "{} kills in {:.0?}; ready {took:.1?} after the last",
            self.command.kills,
            start.elapsed()
        ))?;
        Ok(server)
    }
}

impl Busy {
    /// Waits until both have ended, and prints what they did.
    async fn end(self) -> Result<Operator> {
        let summary = self.load.await.context("the load died")??;
        let operator = self.operator.await.context("the operator died")??;
        crate::print(&format!(
            "{} accepted, {} refused, {} unknown; accept {}",
            summary.ok, summary.fail, summary.info, summary.latency
        ))?;
        crate::print(&operator.summary())?;
        Ok(operator)
    }
}
