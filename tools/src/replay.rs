//! What live deliveries notice of a replay: their latency without one and with one, in turn.

use crate::backlog::{healthy_latencies, subscribe_healthy};
use crate::load::history::History;
use crate::load::{self, Latencies, Plan};
use crate::server::{Api, NewSubscription, Setup};
use crate::subscribe::{Behaviour, Mode, Subscriber};
use crate::traffic::Traffic;
use anyhow::{Context as _, Result, bail};
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

const SECRET: &str = "the secret of the source";
const READY_WITHIN: Duration = Duration::from_secs(120);
const PATIENCE: Duration = Duration::from_secs(30);
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(600);

/// Delivers a history, replays it, and watches live deliveries without the replay and beside it.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayCommand {
    /// The hooklog to measure: a release build.
    #[arg(long)]
    hooklog: PathBuf,
    /// Webhooks of the history.
    #[arg(long, default_value_t = 20_000)]
    count: u64,
    /// Bytes of every body.
    #[arg(long, default_value_t = 2_000)]
    body_bytes: usize,
    /// Webhooks of the history a second.
    #[arg(long, default_value_t = 1_000.0)]
    history_rate: f64,
    /// Deliveries of the replay a second.
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// Live webhooks a second.
    #[arg(long, default_value_t = 200.0)]
    live_rate: f64,
    /// How long each phase is watched, in seconds.
    #[arg(long, default_value_t = 10)]
    watch_seconds: u64,
    /// Pairs of phases: without the replay, then beside it.
    #[arg(long, default_value_t = 3)]
    rounds: u64,
    /// Decides the traffic.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder for data and evidence.
    #[arg(long, default_value = "target/replay")]
    folder: PathBuf,
}

/// What was measured, by phase.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// From sending a webhook to its arrival, without a replay.
    without: Vec<Latencies>,
    /// Likewise beside one.
    beside: Vec<Latencies>,
    /// Deliveries of the replay a second, while it ran.
    replayed_per_second: f64,
    /// The median of the rounds' 99th percentiles beside the replay, over that without.
    p99_ratio: f64,
}

impl ReplayCommand {
    /// Measures, and prints the report.
    pub(crate) async fn run(self) -> Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let folder = tempfile::tempdir_in(&self.folder)?;
        let setup = Setup::new(&self.hooklog, &folder.path().canonicalize()?)?;
        let api = setup.api()?;
        let mut server = setup.start()?;
        server.ready(&api, READY_WITHIN).await?;
        api.create_source("main", SECRET).await?;
        let archive = subscribe_archive(&api).await?;
        let live = subscribe_healthy(&api, folder.path()).await?;
        self.deliver_history(&setup, &api, &archive).await?;

        let replay = self.ask(&api).await?;
        hold(&api, &replay, "pause").await?;
        let (mut sent, mut ran, mut made) = (0, Duration::ZERO, 0);
        for round in 0..self.rounds {
            sent += self.watch(&setup, folder.path(), 2 * round).await?;
            let before = archive.counts().taken;
            hold(&api, &replay, "resume").await?;
            let start = Instant::now();
            sent += self.watch(&setup, folder.path(), 2 * round + 1).await?;
            hold(&api, &replay, "pause").await?;
            ran += start.elapsed();
            made += archive.counts().taken - before;
        }
        live.subscriber.wait_for(sent, PATIENCE).await;
        if state(&api, &replay).await? != "paused" {
            bail!("the replay came to its end before the last round; take a longer history");
        }
        live.receipts.flush()?;
        let mut report = Report {
            replayed_per_second: made as f64 / ran.as_secs_f64(),
            ..Report::default()
        };
        for phase in 0..2 * self.rounds {
            let latencies = healthy_latencies(
                &history(folder.path(), phase),
                &folder.path().join("receipts.ndjson"),
            )?;
            let phases = [&mut report.without, &mut report.beside];
            for (number, phases) in phases.into_iter().enumerate() {
                if number as u64 == phase % 2 {
                    phases.push(latencies);
                }
            }
        }
        report.p99_ratio = median(&report.beside) / median(&report.without);
        server.stop(Duration::from_secs(60)).await?;
        crate::print(&serde_json::to_string_pretty(&report)?)
    }

    async fn deliver_history(&self, setup: &Setup, api: &Api, archive: &Subscriber) -> Result<()> {
        let traffic = Traffic::new(self.seed, Some(self.body_bytes)).only("push");
        let mut plan = Plan::new(&setup.webhooks("main"), SECRET.as_bytes(), traffic)?;
        plan.count = self.count;
        plan.rate = Some(self.history_rate);
        let sent = load::run(plan).await?;
        archive.wait_for(sent.ok, CAUGHT_UP_WITHIN).await;
        api.caught_up(CAUGHT_UP_WITHIN).await
    }

    async fn ask(&self, api: &Api) -> Result<String> {
        let body = json!({
            "mode": "original_targets", "subscription": "archive",
            "rate_per_second": self.rate, "reason": "to measure it",
        });
        let answer = api.call(Method::POST, "replays", Some(body)).await?;
        let id = answer["replay"].as_str();
        Ok(id.context("the replay has no id")?.to_owned())
    }

    /// Sends live webhooks for a while, as one phase; tells how many were accepted.
    async fn watch(&self, setup: &Setup, folder: &Path, phase: u64) -> Result<u64> {
        let traffic = Traffic::new(self.seed + 1 + phase, Some(self.body_bytes)).only("issues");
        let mut plan = Plan::new(&setup.webhooks("main"), SECRET.as_bytes(), traffic)?;
        plan.connections = 4;
        plan.count = (self.live_rate * self.watch_seconds as f64) as u64;
        plan.rate = Some(self.live_rate);
        plan.history = Some(History::create(&history(folder, phase))?);
        Ok(load::run(plan).await?.ok)
    }
}

fn history(folder: &Path, phase: u64) -> PathBuf {
    folder.join(format!("phase-{phase}.ndjson"))
}

fn median(phases: &[Latencies]) -> f64 {
    let mut all: Vec<u32> = phases.iter().map(|one| one.p99_us).collect();
    all.sort_unstable();
    f64::from(all.get(all.len() / 2).copied().unwrap_or_default())
}

async fn hold(api: &Api, replay: &str, what: &str) -> Result<()> {
    let path = format!("replays/{replay}/{what}");
    api.call(Method::POST, &path, Some(json!({}))).await?;
    Ok(())
}

async fn state(api: &Api, replay: &str) -> Result<Value> {
    let path = format!("replays/{replay}");
    Ok(api.call(Method::GET, &path, None).await?["state"].take())
}

/// Takes the history, and its replay.
async fn subscribe_archive(api: &Api) -> Result<Arc<Subscriber>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let new = NewSubscription {
        name: "archive",
        to: format!("http://{}/archive", listener.local_addr()?),
        events: &["push"],
        sign: "github",
        policy: json!({}),
        secret: None,
        reason: None,
    };
    let secret = api.subscribe(&new).await?;
    let subscriber = Subscriber::new(Mode::Github, Some(secret.as_bytes()), Behaviour::default())?;
    let subscriber = Arc::new(subscriber);
    tokio::spawn(subscriber.clone().serve(listener));
    Ok(subscriber)
}
