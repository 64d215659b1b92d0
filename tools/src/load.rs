//! The load generator: signed webhooks over a few connections, each answer timed and recorded.
//!
//! It shares the machine with what it measures, so it is frugal: requests are written by hand on
//! plain sockets, bodies are put together from ready pieces, and there is one HMAC per request.

mod connection;
pub(crate) mod history;
mod latency;

use crate::chance::Chance;
use crate::clock::now_us;
use crate::sign::{Signer, read_secret, sha256_hex};
use crate::traffic::Traffic;
use anyhow::{Context as _, Result, bail};
use connection::{Connection, Target};
use history::{History, Operation, Outcome};
pub(crate) use latency::Latencies;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Sends signed, realistic webhooks, and prints rate and latencies.
#[derive(Debug, clap::Args)]
pub(crate) struct LoadCommand {
    /// Where to send: http://127.0.0.1:8080/webhooks/NAME.
    #[arg(long)]
    url: String,
    /// The source's secret; one trailing newline is dropped.
    #[arg(long)]
    secret_file: PathBuf,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Requests in all.
    #[arg(long, default_value_t = 10_000)]
    count: u64,
    /// Requests a second over all connections; as fast as they are answered if not given.
    #[arg(long)]
    rate: Option<f64>,
    /// Bodies of exactly this many bytes instead of realistic sizes.
    #[arg(long)]
    body_bytes: Option<usize>,
    /// Decides the traffic.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Every so many requests the signature is wrong: it must be refused.
    #[arg(long, default_value_t = 0)]
    forge_every: u64,
    /// Every so many requests the one before is sent again, same GUID and bytes.
    #[arg(long, default_value_t = 0)]
    redeliver_every: u64,
    /// Writes one line of JSON for each request.
    #[arg(long)]
    history: Option<PathBuf>,
    /// Prints JSON instead of text.
    #[arg(long)]
    json: bool,
}

impl LoadCommand {
    /// Sends everything, and prints what came of it.
    pub(crate) async fn run(self) -> Result<()> {
        let secret = read_secret(&self.secret_file)?;
        let mut plan = Plan::new(&self.url, &secret, Traffic::new(self.seed, self.body_bytes))?;
        plan.connections = self.connections.max(1);
        plan.count = self.count;
        plan.rate = self.rate;
        plan.forge_every = self.forge_every;
        plan.redeliver_every = self.redeliver_every;
        plan.history = self.history.as_deref().map(History::create).transpose()?;
        let summary = run(plan).await?;
        let text = if self.json {
            serde_json::to_string_pretty(&summary)?
        } else {
            summary.text()
        };
        crate::print(&text)?;
        if summary.ok == 0 {
            bail!("no request was accepted");
        }
        Ok(())
    }
}

/// What is to be sent, and how.
pub(crate) struct Plan {
    target: Target,
    /// Signs; whoever rotates the source's secret changes it.
    pub(crate) signer: Arc<RwLock<Signer>>,
    traffic: Traffic,
    /// Connections, each with one request at a time.
    pub(crate) connections: usize,
    /// Requests in all.
    pub(crate) count: u64,
    /// Requests a second over all connections.
    pub(crate) rate: Option<f64>,
    /// Every so many requests the signature is wrong; 0 is never.
    pub(crate) forge_every: u64,
    /// Every so many requests repeat an earlier one; 0 is never.
    pub(crate) redeliver_every: u64,
    /// How far back that one lies at the most; 1 is the one before.
    pub(crate) redeliver_within: u64,
    /// Where each request is recorded.
    pub(crate) history: Option<History>,
    /// Ends the run early once it is set.
    pub(crate) stop: Arc<AtomicBool>,
}

impl Plan {
    /// 10,000 requests over 64 connections, as fast as they are answered.
    pub(crate) fn new(url: &str, secret: &[u8], traffic: Traffic) -> Result<Self> {
        Ok(Self {
            target: Target::parse(url)?,
            signer: Arc::new(RwLock::new(Signer::github(secret)?)),
            traffic,
            connections: 64,
            count: 10_000,
            rate: None,
            forge_every: 0,
            redeliver_every: 0,
            redeliver_within: 1,
            history: None,
            stop: Arc::new(AtomicBool::new(false)),
        })
    }
}

impl Plan {
    /// The request that request `op` repeats.
    fn earlier(&self, op: u64) -> u64 {
        let back = 1 + Chance::at(self.redeliver_within, op).below(self.redeliver_within);
        op.saturating_sub(back)
    }
}

/// What came of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// Answered 2xx.
    pub(crate) ok: u64,
    /// Answered 4xx: certainly not taken.
    pub(crate) fail: u64,
    /// Answered 5xx, or not at all: taken or not.
    pub(crate) info: u64,
    /// From the first request to the last answer.
    pub(crate) seconds: f64,
    /// Answers of 2xx a second.
    pub(crate) ok_per_second: f64,
    /// Of the answers of 2xx.
    pub(crate) latency: Latencies,
}

impl Summary {
    fn text(&self) -> String {
        format!(
            "{} ok, {} refused, {} unknown in {:.2} s: {:.0} accepted/s\nlatency {}",
            self.ok, self.fail, self.info, self.seconds, self.ok_per_second, self.latency
        )
    }
}

struct Shared {
    plan: Plan,
    next: AtomicU64,
    start: Instant,
}

/// Sends everything; ends when the count is reached or the plan's `stop` is set.
pub(crate) async fn run(mut plan: Plan) -> Result<Summary> {
    let history = plan.history.take();
    let shared = Arc::new(Shared {
        plan,
        next: AtomicU64::new(0),
        start: Instant::now(),
    });
    let lines = history.as_ref().map(History::lines);
    let tasks: Vec<_> = (0..shared.plan.connections)
        .map(|_| tokio::spawn(drive(shared.clone(), lines.clone())))
        .collect();
    drop(lines);
    let mut total = Tally::default();
    for task in tasks {
        total.add(task.await.context("a connection's task died")??);
    }
    let seconds = shared.start.elapsed().as_secs_f64();
    if let Some(history) = history {
        history.finish()?;
    }
    Ok(Summary {
        ok: total.ok,
        fail: total.fail,
        info: total.info,
        seconds,
        ok_per_second: total.ok as f64 / seconds,
        latency: Latencies::of(total.micros),
    })
}

#[derive(Default)]
struct Tally {
    ok: u64,
    fail: u64,
    info: u64,
    micros: Vec<u32>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.ok += other.ok;
        self.fail += other.fail;
        self.info += other.info;
        self.micros.extend(other.micros);
    }

    fn count(&mut self, outcome: Outcome, micros: i64) {
        match outcome {
            Outcome::Ok => {
                self.ok += 1;
                self.micros.push(u32::try_from(micros).unwrap_or(u32::MAX));
            }
            Outcome::Fail => self.fail += 1,
            Outcome::Info => self.info += 1,
        }
    }
}

/// One connection: it takes the next number, sends that request, and waits for its answer.
async fn drive(shared: Arc<Shared>, lines: Option<history::Lines>) -> Result<Tally> {
    let plan = &shared.plan;
    let mut tally = Tally::default();
    let mut connection: Option<Connection> = None;
    let mut out = Vec::with_capacity(32 << 10);
    while !plan.stop.load(Ordering::Relaxed) {
        let open = match connection.take().filter(Connection::is_open) {
            Some(open) => open,
            None => match Connection::open(&plan.target, &plan.stop).await? {
                Some(open) => open,
                None => break,
            },
        };
        let op = shared.next.fetch_add(1, Ordering::Relaxed);
        if op >= plan.count {
            break;
        }
        let due = wait_until_due(&shared, op).await;
        let (step, guid, sha256) = request(plan, op, lines.is_some(), &mut out);
        let invoke = now_us();
        let begun = due.unwrap_or_else(Instant::now);
        let (status, again) = open.exchange(&out).await;
        connection = again;
        let outcome = Outcome::of(status);
        tally.count(outcome, begun.elapsed().as_micros() as i64);
        if let Some(lines) = &lines {
            lines.write(Operation {
                op,
                step,
                guid,
                sha256,
                invoke,
                complete: now_us(),
                outcome,
                status,
                history: 0,
            });
        }
    }
    Ok(tally)
}

/// With a rate, waits for the time of request `op`; latencies count from then.
async fn wait_until_due(shared: &Shared, op: u64) -> Option<Instant> {
    let rate = shared.plan.rate?;
    let due = shared.start + Duration::from_secs_f64(op as f64 / rate.max(0.001));
    tokio::time::sleep_until(due.into()).await;
    Some(due)
}

/// Writes request `op` to `out`; tells its step of the traffic, its GUID and, if `hashed`, the hash
/// of its body.
fn request(plan: &Plan, op: u64, hashed: bool, out: &mut Vec<u8>) -> (u64, String, String) {
    let every = |n: u64| n > 0 && op % n == n - 1;
    let forged = every(plan.forge_every);
    let repeated = !forged && every(plan.redeliver_every) && op > 0;
    let step = if repeated { plan.earlier(op) } else { op };
    let webhook = plan.traffic.webhook(step);
    let signer = plan.signer.read().unwrap_or_else(PoisonError::into_inner);
    let mut signature = signer.hub(&webhook.body);
    drop(signer);
    if forged {
        let flipped = if signature.ends_with('0') { "1" } else { "0" };
        signature.replace_range(signature.len() - 1.., flipped);
    }
    plan.target.write(&webhook, &signature, out);
    let sha256 = if hashed {
        sha256_hex(&webhook.body)
    } else {
        String::new()
    };
    (step, webhook.guid, sha256)
}
