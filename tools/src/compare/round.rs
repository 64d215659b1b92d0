//! One round: the same load through one of the two, with a subscriber that takes everything.

use super::secret_file;
use crate::load::{self, Plan};
use crate::server::{Api, Kafka, NewSubscription, Server, Setup, Usage, free_address};
use crate::subscribe::{Behaviour, Mode, Subscriber};
use crate::traffic::Traffic;
use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use serde_json::json;
use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinHandle;

const SOURCE_SECRET: &str = "the secret of the source";
const PIPE_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const READY_WITHIN: Duration = Duration::from_secs(30);
const SETTLED_WITHIN: Duration = Duration::from_secs(120);
/// Nothing new at the subscriber for this long: what is missing will not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is sent in a round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) count: u64,
    pub(crate) connections: usize,
    pub(crate) body_bytes: Option<usize>,
    pub(crate) rate: Option<f64>,
    pub(crate) seed: u64,
}

/// What a round showed.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Measured {
    /// Events a second, from the first request until the subscriber had all.
    pub(crate) delivered_per_second: f64,
    /// The same, until also the tables had all. The bare pipe has no tables.
    pub(crate) recorded_per_second: f64,
    /// Half of all requests were answered within.
    pub(crate) accept_p50_us: f64,
    /// 99 of a hundred were.
    pub(crate) accept_p99_us: f64,
    /// Processor time of the process per event, until all was recorded.
    pub(crate) cpu_us_per_event: f64,
    /// The most memory the process had resident, in MB of 10^6 bytes.
    pub(crate) rss_peak_mb: f64,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:6.0} delivered/s {:6.0} recorded/s  accept p50 {:6.2} ms p99 {:6.2} ms  {:4.0} us cpu/event  {:4.0} MB",
            self.delivered_per_second,
            self.recorded_per_second,
            self.accept_p50_us / 1_000.0,
            self.accept_p99_us / 1_000.0,
            self.cpu_us_per_event,
            self.rss_peak_mb
        )
    }
}

/// A subscriber in this process. It stops when dropped.
struct Receiving {
    subscriber: Arc<Subscriber>,
    task: JoinHandle<Result<()>>,
}

impl Receiving {
    fn start(listener: TcpListener, secret: &[u8]) -> Result<Self> {
        let subscriber = Subscriber::new(Mode::Standard, Some(secret), Behaviour::default())?;
        let subscriber = Arc::new(subscriber);
        let task = tokio::spawn(subscriber.clone().serve(listener));
        Ok(Self { subscriber, task })
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A round of the bare pipe, over a file or over a topic on `brokers`.
pub(crate) async fn pipe(folder: &Path, load: &Load, brokers: Option<&str>) -> Result<Measured> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let to = format!("http://{}/hook", listener.local_addr()?);
    let (secret_path, secret) = secret_file(folder, "source-secret", SOURCE_SECRET)?;
    let (sign_path, sign) = secret_file(folder, "sign-secret", PIPE_SECRET)?;
    let listen = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["pipe", "--listen", &listen.to_string(), "--to", &to])
        .arg("--secret-file")
        .arg(secret_path)
        .arg("--sign-secret-file")
        .arg(sign_path);
    match brokers {
        Some(brokers) => command.arg("--kafka").arg(brokers),
        None => command.arg("--file").arg(folder.join("bodies")),
    };
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start the bare pipe")?;
    let server = Server::of(child)?;
    wait_for_listener(listen).await?;
    let receiving = Receiving::start(listener, &sign)?;
    let url = format!("http://{listen}/webhooks/main");
    let measured = measure(&url, &secret, load, &[&server], &receiving, None).await?;
    server.kill().await?;
    Ok(measured)
}

async fn wait_for_listener(address: std::net::SocketAddr) -> Result<()> {
    let start = Instant::now();
    while TcpStream::connect(address).await.is_err() {
        if start.elapsed() > READY_WITHIN {
            bail!("the bare pipe does not listen at {address}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// A round of hooklog.
pub(crate) async fn hooklog(binary: &Path, folder: &Path, load: &Load) -> Result<Measured> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let setup = Setup::new(binary, folder)?;
    let api = setup.api()?;
    let mut server = setup.start()?;
    server.ready(&api, READY_WITHIN).await?;
    let receiving = subscribe(&api, listener).await?;
    let url = setup.webhooks("main");
    let source = SOURCE_SECRET.as_bytes();
    let measured = measure(&url, source, load, &[&server], &receiving, Some(&api)).await?;
    server.stop(Duration::from_secs(30)).await?;
    Ok(measured)
}

/// A round of hooklog on Kafka: a process of each role, but for tables and API, which share one.
pub(crate) async fn hooklog_on_kafka(
    binary: &Path,
    folder: &Path,
    load: &Load,
    brokers: &str,
) -> Result<Measured> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let kafka = Kafka {
        brokers: brokers.to_owned(),
        prefix: format!("compare.{}.", uuid::Uuid::now_v7().simple()),
    };
    let key = folder.join("key");
    let process =
        |name: &str, roles: &str| Setup::on_kafka(binary, &folder.join(name), roles, &kafka, &key);
    let tables = process("tables", "\"project\", \"api\"")?;
    let worker = process("worker", "\"work\"")?;
    let receiver = process("receiver", "\"receive\"")?;
    tables.init().await?;
    let mut servers = Vec::new();
    for setup in [&tables, &worker, &receiver] {
        let mut server = setup.start()?;
        server.ready(&setup.api()?, READY_WITHIN).await?;
        servers.push(server);
    }
    let api = tables.api()?;
    let receiving = subscribe(&api, listener).await?;
    let (url, source) = (receiver.webhooks("main"), SOURCE_SECRET.as_bytes());
    wait_for_source(&url).await?;
    let all: Vec<&Server> = servers.iter().collect();
    let measured = measure(&url, source, load, &all, &receiving, Some(&api)).await?;
    for server in servers.into_iter().rev() {
        server.stop(Duration::from_secs(30)).await?;
    }
    Ok(measured)
}

/// A receiver hears of a new source a moment after the process that made it.
async fn wait_for_source(url: &str) -> Result<()> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let start = Instant::now();
    while client.post(url).body("{}").send().await?.status() == reqwest::StatusCode::NOT_FOUND {
        if start.elapsed() > READY_WITHIN {
            bail!("the receiver does not know the source");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// A source, and a subscription to everything that comes from it.
async fn subscribe(api: &Api, listener: TcpListener) -> Result<Receiving> {
    api.create_source("main", SOURCE_SECRET).await?;
    let new = NewSubscription {
        name: "all",
        to: format!("http://{}/hook", listener.local_addr()?),
        events: &[],
        sign: "standard",
        // The bare pipe has no limit per subscription, only one in all.
        policy: json!({"concurrency_max": 256}),
        secret: None,
        reason: None,
    };
    let secret = api.subscribe(&new).await?;
    Receiving::start(listener, secret.as_bytes())
}

async fn measure(
    url: &str,
    secret: &[u8],
    load: &Load,
    servers: &[&Server],
    receiving: &Receiving,
    api: Option<&Api>,
) -> Result<Measured> {
    let mut plan = Plan::new(url, secret, Traffic::new(load.seed, load.body_bytes))?;
    plan.count = load.count;
    plan.connections = load.connections;
    plan.rate = load.rate;
    let used = || {
        servers
            .iter()
            .map(|server| server.usage())
            .sum::<Result<Usage>>()
    };
    let before = used()?;
    let start = Instant::now();
    let sent = load::run(plan).await?;
    if sent.ok != load.count {
        bail!("of {} requests only {} were accepted", load.count, sent.ok);
    }
    if !receiving.subscriber.wait_for(sent.ok, PATIENCE).await {
        bail!(
            "{} accepted, but {}",
            sent.ok,
            receiving.subscriber.counts()
        );
    }
    let delivered = start.elapsed();
    if let Some(api) = api {
        let every = Duration::from_millis(20);
        api.settled(every, SETTLED_WITHIN).await?;
    }
    let recorded = start.elapsed();
    let after = used()?;
    Ok(figures(&sent, delivered, recorded, before, after))
}

fn figures(
    sent: &load::Summary,
    delivered: Duration,
    recorded: Duration,
    before: Usage,
    after: Usage,
) -> Measured {
    let events = sent.ok as f64;
    Measured {
        delivered_per_second: events / delivered.as_secs_f64(),
        recorded_per_second: events / recorded.as_secs_f64(),
        accept_p50_us: f64::from(sent.latency.p50_us),
        accept_p99_us: f64::from(sent.latency.p99_us),
        cpu_us_per_event: (after.cpu_seconds - before.cpu_seconds) * 1e6 / events,
        rss_peak_mb: after.rss_peak_mb,
    }
}
