//! A dead subscription with a huge backlog: what it costs, and whether anybody else notices.

mod report;

use crate::load::history::History;
use crate::load::{self, Plan};
use crate::server::{Api, Kafka, NewSubscription, Server, Setup, free_address};
use crate::subscribe::{Behaviour, Mode, Receipts, Subscriber};
use crate::traffic::Traffic;
use anyhow::{Context as _, Result};
use report::Report;
pub(crate) use report::healthy_latencies;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

const SECRET: &str = "the secret of the source";
const READY_WITHIN: Duration = Duration::from_secs(120);
const PATIENCE: Duration = Duration::from_secs(30);
const PATIENCE_CAUGHT_UP: Duration = Duration::from_secs(600);

/// Piles up deliveries for a dead subscription, and watches a healthy one.
#[derive(Debug, clap::Args)]
pub(crate) struct BacklogCommand {
    /// The hooklog to measure: a release build.
    #[arg(long)]
    hooklog: PathBuf,
    /// Webhooks for the dead subscription.
    #[arg(long, default_value_t = 1_000_000)]
    count: u64,
    /// Bytes of each of their bodies.
    #[arg(long, default_value_t = 2_000)]
    body_bytes: usize,
    /// Webhooks a second for the dead subscription. More than the worker can route makes everybody
    /// wait, which says nothing about dead subscriptions.
    #[arg(long, default_value_t = 3_500.0)]
    rate: f64,
    /// Webhooks a second for the healthy subscription.
    #[arg(long, default_value_t = 50.0)]
    healthy_rate: f64,
    /// How long the healthy one is watched alone, in seconds: before, and at the end.
    #[arg(long, default_value_t = 10)]
    watch_seconds: u64,
    /// Decides the traffic.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Brokers (`host:port`): the log is on Kafka.
    #[arg(long)]
    kafka: Option<String>,
    /// The folder for data and evidence.
    #[arg(long, default_value = "target/backlog")]
    folder: PathBuf,
}

impl BacklogCommand {
    /// Builds the backlog, restarts, and prints what was measured.
    pub(crate) async fn run(self) -> Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let folder = tempfile::tempdir_in(&self.folder)?;
        let setup = self.setup(&folder.path().canonicalize()?).await?;
        let api = setup.api()?;
        let mut server = setup.start()?;
        server.ready(&api, READY_WITHIN).await?;
        api.create_source("main", SECRET).await?;
        subscribe_dead(&api).await?;
        let healthy = subscribe_healthy(&api, folder.path()).await?;

        let mut report = Report::default();
        let mut sent = self.watch(&setup, folder.path(), "alone").await?;
        let (rate, beside) = self.pile_up(&setup, folder.path()).await?;
        report.accepted_per_second = rate;
        let piled = Instant::now();
        api.caught_up(PATIENCE_CAUGHT_UP).await?;
        report.caught_up_seconds = piled.elapsed().as_secs_f64();
        sent += beside + self.watch(&setup, folder.path(), "with").await?;
        report.backlog = server.usage()?;
        let (server, seconds) = restart(&setup, &api, server).await?;
        report.restart_seconds = seconds;
        sent += self.watch(&setup, folder.path(), "after").await?;
        healthy.subscriber.wait_for(sent, PATIENCE).await;
        report.restarted = server.usage()?;
        let stop = Instant::now();
        server.stop(Duration::from_secs(60)).await?;
        report.stop_seconds = stop.elapsed().as_secs_f64();
        let start = Instant::now();
        let mut server = setup.start()?;
        server.ready(&api, READY_WITHIN).await?;
        report.start_seconds = start.elapsed().as_secs_f64();
        server.stop(Duration::from_secs(60)).await?;

        healthy.receipts.flush()?;
        for (phase, seed) in PHASES {
            let history = folder.path().join(format!("{phase}-{seed}.ndjson"));
            let latencies = healthy_latencies(&history, &folder.path().join("receipts.ndjson"))?;
            report.healthy.insert(phase, latencies);
        }
        crate::print(&serde_json::to_string_pretty(&report)?)
    }

    async fn setup(&self, folder: &Path) -> Result<Setup> {
        let Some(brokers) = &self.kafka else {
            return Setup::new(&self.hooklog, folder);
        };
        let kafka = Kafka {
            brokers: brokers.clone(),
            prefix: format!("backlog.{}.", uuid::Uuid::now_v7().simple()),
        };
        let key = folder.join("key");
        let setup = Setup::on_kafka(&self.hooklog, folder, "\"all\"", &kafka, &key)?;
        setup.init().await?;
        Ok(setup)
    }

    /// Sends to the healthy subscription for a while, as one phase; tells how much was accepted.
    async fn watch(&self, setup: &Setup, folder: &Path, phase: &str) -> Result<u64> {
        let count = (self.healthy_rate * self.watch_seconds as f64) as u64;
        let sent = load::run(self.healthy_plan(setup, folder, phase, count)?).await?;
        Ok(sent.ok)
    }

    fn healthy_plan(&self, setup: &Setup, folder: &Path, phase: &str, count: u64) -> Result<Plan> {
        let seed = PHASES.iter().find(|(name, _)| *name == phase);
        let seed = seed.context("a phase without a seed")?.1;
        let traffic = Traffic::new(self.seed + seed, Some(self.body_bytes)).only("issues");
        let mut plan = Plan::new(&setup.webhooks("main"), SECRET.as_bytes(), traffic)?;
        plan.connections = 4;
        plan.count = count;
        plan.rate = Some(self.healthy_rate);
        plan.history = Some(History::create(
            &folder.join(format!("{phase}-{seed}.ndjson")),
        )?);
        Ok(plan)
    }

    /// Sends the backlog with the healthy traffic beside it.
    async fn pile_up(&self, setup: &Setup, folder: &Path) -> Result<(f64, u64)> {
        let healthy = self.healthy_plan(setup, folder, "during", u64::MAX)?;
        let stop = healthy.stop.clone();
        let beside = tokio::spawn(load::run(healthy));
        let traffic = Traffic::new(self.seed, Some(self.body_bytes)).only("push");
        let mut plan = Plan::new(&setup.webhooks("main"), SECRET.as_bytes(), traffic)?;
        plan.count = self.count;
        plan.rate = Some(self.rate);
        let sent = load::run(plan).await;
        stop.store(true, Ordering::Relaxed);
        let beside = beside.await.context("the healthy load died")??;
        Ok((sent?.ok_per_second, beside.ok))
    }
}

/// The phases in which the healthy subscription is watched, each with traffic of its own.
const PHASES: [(&str, u64); 4] = [
    ("alone", 101),
    ("during", 102),
    ("with", 103),
    ("after", 104),
];

async fn subscribe_dead(api: &Api) -> Result<()> {
    let new = NewSubscription {
        name: "dead",
        to: format!("http://{}/dead", free_address()?),
        events: &["push"],
        sign: "standard",
        policy: json!({}),
        secret: None,
        reason: None,
    };
    api.subscribe(&new).await?;
    Ok(())
}

/// The healthy subscriber, in this process.
pub(crate) struct Healthy {
    /// Counts what it takes.
    pub(crate) subscriber: Arc<Subscriber>,
    /// What it took, and when.
    pub(crate) receipts: Receipts,
}

/// GitHub's way of signing brings the GUID along, by which a receipt finds its request.
pub(crate) async fn subscribe_healthy(api: &Api, folder: &Path) -> Result<Healthy> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let new = NewSubscription {
        name: "healthy",
        to: format!("http://{}/healthy", listener.local_addr()?),
        events: &["issues"],
        sign: "github",
        policy: json!({}),
        secret: None,
        reason: None,
    };
    let secret = api.subscribe(&new).await?;
    let receipts = Receipts::create(&folder.join("receipts.ndjson"))?;
    let behaviour = Behaviour::default();
    let subscriber = Subscriber::new(Mode::Github, Some(secret.as_bytes()), behaviour)?;
    let subscriber = Arc::new(subscriber.recording(&receipts));
    tokio::spawn(subscriber.clone().serve(listener));
    Ok(Healthy {
        subscriber,
        receipts,
    })
}

/// Kills the server, which gets no chance to tidy up; tells how long a new one takes until ready.
async fn restart(setup: &Setup, api: &Api, server: Server) -> Result<(Server, f64)> {
    server.kill().await?;
    let start = Instant::now();
    let mut server = setup.start()?;
    server.ready(api, READY_WITHIN).await?;
    Ok((server, start.elapsed().as_secs_f64()))
}
