//! A change of a table's schema on PostgreSQL while webhooks keep coming and readers keep asking.

mod database;
mod readers;

use crate::backlog::subscribe_healthy;
use crate::load::{self, Latencies, Plan};
use crate::server::{Api, Reply, Server, Setup, Usage};
use crate::traffic::Traffic;
use anyhow::{Result, bail};
use database::Database;
use readers::{Readers, Reading};
use reqwest::Method;
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const SECRET: &str = "the secret of the source";
const READY_WITHIN: Duration = Duration::from_secs(120);
const PATIENCE: Duration = Duration::from_secs(30);
const SWITCHED_WITHIN: Duration = Duration::from_secs(1_800);

/// Delivers a history, makes its table `deliveries` what the release before had, starts the server,
/// and watches readers and live deliveries while it builds the new one and switches; then switches
/// back, and forward again.
#[derive(Debug, clap::Args)]
pub(crate) struct MigrateCommand {
    /// The hooklog to measure: a release build with `store-postgres`.
    #[arg(long)]
    hooklog: PathBuf,
    /// The database, without a password: `postgres://USER@HOST:PORT/NAME`.
    #[arg(long)]
    postgres: String,
    /// The folder with its `password` and `ca.pem`.
    #[arg(long)]
    postgres_files: PathBuf,
    /// Webhooks of the history: each makes three records.
    #[arg(long, default_value_t = 334_000)]
    count: u64,
    /// Bytes of every body.
    #[arg(long, default_value_t = 500)]
    body_bytes: usize,
    /// Webhooks of the history a second.
    #[arg(long, default_value_t = 2_000.0)]
    history_rate: f64,
    /// Live webhooks a second.
    #[arg(long, default_value_t = 50.0)]
    live_rate: f64,
    /// Decides the traffic.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder for data.
    #[arg(long, default_value = "target/migrate")]
    folder: PathBuf,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Report {
    /// Records in the log when the new tables were begun.
    records: u64,
    /// Deliveries in the table before.
    deliveries: u64,
    /// From the start of the server to switched tables, in seconds.
    build_seconds: f64,
    /// Rows that were delivered and lack the new column's value, afterwards.
    without_value: u64,
    /// Switching back: to the old tables, brought to where the new ones were.
    back_seconds: f64,
    /// Switching forward again.
    forward_seconds: f64,
    /// What readers met meanwhile.
    reading: Reading,
    /// Live webhooks that were accepted, and how long that took.
    live_accepted: u64,
    live_refused: u64,
    live_latency: Latencies,
    /// Live deliveries that arrived.
    live_delivered: u64,
    server: Usage,
}

impl MigrateCommand {
    /// Measures, and prints the report; fails when a reader or a webhook did.
    pub(crate) async fn run(self) -> Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let folder = tempfile::tempdir_in(&self.folder)?;
        let database = Database::create(&self.postgres, &self.postgres_files).await?;
        let setup = Setup::new(&self.hooklog, &folder.path().canonicalize()?)?;
        let setup = setup.with(&database.section())?;
        let api = setup.api()?;
        let mut server = setup.start()?;
        server.ready(&api, READY_WITHIN).await?;
        api.create_source("main", SECRET).await?;
        let live = subscribe_healthy(&api, folder.path()).await?;
        let history = load::run(self.plan(&setup, 0)?).await?.ok;
        live.subscriber.wait_for(history, SWITCHED_WITHIN).await;
        api.settled(Duration::from_millis(500), SWITCHED_WITHIN)
            .await?;
        let records = records(&api).await?;
        server.stop(Duration::from_secs(120)).await?;
        let deliveries = database.count("deliveries", "true").await?;
        database.age().await?;

        let start = Instant::now();
        let mut server = setup.start()?;
        server.ready(&api, READY_WITHIN).await?;
        let readers = Readers::start(&api).await?;
        let plan = self.plan(&setup, 1)?;
        let stop = plan.stop.clone();
        let sending = tokio::spawn(load::run(plan));
        switched(&database, &mut server, 2).await?;
        let build_seconds = start.elapsed().as_secs_f64();
        let delivered = "state = 'delivered' AND first_attempt_at IS NULL";
        let without_value = database.count("deliveries", delivered).await?;
        let back_seconds = switch(&api, &database, &mut server, 1).await?;
        let forward_seconds = switch(&api, &database, &mut server, 2).await?;

        stop.store(true, Ordering::Relaxed);
        let sent = sending.await??;
        live.subscriber.wait_for(history + sent.ok, PATIENCE).await;
        let reading = readers.stop().await;
        let report = Report {
            records,
            deliveries,
            build_seconds,
            without_value,
            back_seconds,
            forward_seconds,
            live_accepted: sent.ok,
            live_refused: sent.fail + sent.info,
            live_latency: sent.latency,
            live_delivered: live.subscriber.counts().taken - history,
            server: server.usage()?,
            reading,
        };
        server.stop(Duration::from_secs(60)).await?;
        database.drop().await?;
        report.check()?;
        crate::print(&serde_json::to_string_pretty(&report)?)
    }

    /// The history, or what comes while the tables change.
    fn plan(&self, setup: &Setup, phase: u64) -> Result<Plan> {
        let traffic = Traffic::new(self.seed + phase, Some(self.body_bytes)).only("issues");
        let mut plan = Plan::new(&setup.webhooks("main"), SECRET.as_bytes(), traffic)?;
        if phase == 0 {
            plan.count = self.count;
            plan.rate = Some(self.history_rate);
        } else {
            plan.connections = 4;
            plan.count = u64::MAX;
            plan.rate = Some(self.live_rate);
        }
        Ok(plan)
    }
}

impl Report {
    fn check(&self) -> Result<()> {
        if let Some(error) = &self.reading.first_error {
            bail!("{} answers failed, the first: {error}", self.reading.failed);
        }
        if self.live_refused > 0 || self.live_delivered != self.live_accepted {
            bail!("live webhooks suffered: {}", serde_json::to_string(self)?);
        }
        if self.without_value > 0 {
            bail!("{} rows lack the new value", self.without_value);
        }
        Ok(())
    }
}

/// Records of the whole log.
async fn records(api: &Api) -> Result<u64> {
    let status = api.call(Method::GET, "status", None).await?;
    let partitions = status["partitions"].as_array().into_iter().flatten();
    Ok(partitions.filter_map(|one| one["tail"].as_u64()).sum())
}

/// Switches to the tables that were replaced last, and tells how long that took.
async fn switch(api: &Api, database: &Database, server: &mut Server, version: u32) -> Result<f64> {
    let start = Instant::now();
    // The job before says that it is done a moment after its switch.
    loop {
        let asked = api
            .ask(Method::POST, "projections/switch", Some(json!({})))
            .await;
        match asked {
            Reply::Answer(202, _) => break,
            _ if start.elapsed() < PATIENCE => tokio::time::sleep(Duration::from_millis(100)).await,
            other => bail!("projections/switch: {other:?}"),
        }
    }
    switched(database, server, version).await?;
    Ok(start.elapsed().as_secs_f64())
}

/// Waits until queries read `deliveries` of this version.
async fn switched(database: &Database, server: &mut Server, version: u32) -> Result<()> {
    let start = Instant::now();
    while database.version().await? != version {
        if let Some(status) = server.ended()? {
            bail!("the server ended: {status}");
        }
        if start.elapsed() > SWITCHED_WITHIN {
            bail!("the tables were not switched within {SWITCHED_WITHIN:?}");
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}
