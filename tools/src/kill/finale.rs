//! After the last kill: everything ends, a few more receipts are erased in peace, and the evidence
//! is gathered.

use super::operator::Operator;
use super::{READY_WITHIN, Run, STOP_WITHIN, verdict};
use crate::server::{Api, Reply, Server};
use anyhow::{Context as _, Result, bail};
use reqwest::Method;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::time::{Duration, Instant};

/// An erasure reads the log and rewrites what it erases from; a debug build takes its time.
const QUIET_FOR: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(200);

impl Run {
    /// Takes the log before the last erasures and after them: nothing else may differ.
    pub(super) async fn finale(
        &self,
        api: &Api,
        server: Server,
        mut operator: Operator,
    ) -> Result<()> {
        operator.resume_all().await?;
        self.replayed(api).await?;
        self.settled(api).await?;
        stop(server).await?;
        verdict::dump(&self.setup, &self.folder.join("before.ndjson")).await?;
        let mut server = self.setup.start()?;
        server.ready(api, READY_WITHIN).await?;
        self.erase_last(api, &mut operator).await?;
        self.settled(api).await?;
        self.save_answers(api).await?;
        verdict::save_deliveries(api, &self.folder).await?;
        stop(server).await?;
        operator.finish()?;
        verdict::check(&self.setup, &self.folder, self.seed).await
    }

    async fn settled(&self, api: &Api) -> Result<()> {
        let within = Duration::from_secs(self.command.settle_seconds);
        let settling = Instant::now();
        api.settled(LOOK_EVERY, within).await?;
        crate::print(&format!("settled after {:.1?}", settling.elapsed()))
    }

    /// Waits until every replay has come to its end.
    async fn replayed(&self, api: &Api) -> Result<()> {
        let within = Duration::from_secs(self.command.settle_seconds);
        let start = Instant::now();
        loop {
            let (rows, _) = api.page("replays?limit=500").await?;
            let open = |row: &&Value| row["finished_at"].is_null() && row["state"] != "cancelled";
            let open = rows.iter().filter(open).count();
            if open == 0 {
                let count = rows.len();
                return crate::print(&format!(
                    "{count} replays, finished after {:.1?}",
                    start.elapsed()
                ));
            }
            if start.elapsed() > within {
                bail!("{open} replays have not finished within {within:?}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Each erasure is recorded as applied in every partition; earlier ones may be under way, too.
    async fn erase_last(&self, api: &Api, operator: &mut Operator) -> Result<()> {
        let before = quiet_tail(api).await?;
        operator.erase_some(self.command.erase_last).await?;
        let start = Instant::now();
        let within = Duration::from_secs(self.command.settle_seconds);
        loop {
            let tail = quiet_tail(api).await?;
            if tail >= before + self.command.erase_last {
                return Ok(());
            }
            if start.elapsed() > within {
                bail!("the last erasures are not recorded as applied within {within:?}");
            }
        }
    }

    /// Whatever the API says about a receipt that somebody wanted to be erased.
    async fn save_answers(&self, api: &Api) -> Result<()> {
        let mut receipts = Vec::new();
        crate::check::read_lines(&self.folder.join("commands.ndjson"), |line| {
            let issued: super::Issued = serde_json::from_str(line)?;
            receipts.extend(issued.receipt);
            Ok(())
        })?;
        receipts.sort_unstable();
        receipts.dedup();
        let mut out = BufWriter::new(File::create(self.folder.join("answers.ndjson"))?);
        for receipt in receipts {
            for path in paths(api, &receipt.to_string()).await? {
                let Reply::Answer(status, text) = api.ask(Method::GET, &path, None).await else {
                    bail!("GET {path} was not answered");
                };
                let answer =
                    json!({"receipt": receipt, "path": path, "status": status, "text": text});
                writeln!(out, "{answer}")?;
            }
        }
        Ok(out.flush()?)
    }
}

async fn stop(server: Server) -> Result<()> {
    let status = server.stop(STOP_WITHIN).await?;
    if !status.success() {
        bail!("the server ended with {status} when asked to stop");
    }
    Ok(())
}

/// Everything that shows something of a receipt.
async fn paths(api: &Api, receipt: &str) -> Result<Vec<String>> {
    let own = format!("webhooks/{receipt}");
    let webhook = api.call(Method::GET, &own, None).await?;
    let guid = webhook["guid"].as_str().context("a webhook has no guid")?;
    let mut paths = vec![format!("{own}/body"), format!("timeline/{guid}"), own];
    let deliveries = webhook["deliveries"].as_array().map(Vec::as_slice);
    let ids = deliveries.unwrap_or_default().iter();
    paths.extend(ids.filter_map(|one| Some(format!("deliveries/{}", one["id"].as_str()?))));
    Ok(paths)
}

/// Records of `deliveries`, once there were no more of them for a while.
async fn quiet_tail(api: &Api) -> Result<u64> {
    let (mut tail, mut since) = (deliveries_tail(api).await?, Instant::now());
    while since.elapsed() < QUIET_FOR {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = deliveries_tail(api).await?;
        if now != tail {
            (tail, since) = (now, Instant::now());
        }
    }
    Ok(tail)
}

async fn deliveries_tail(api: &Api) -> Result<u64> {
    let status = api.call(Method::GET, "status", None).await?;
    let partitions = status["partitions"].as_array();
    let partitions = partitions.context("/status names no partitions")?;
    let deliveries = partitions.iter().filter(|one| one["topic"] == "deliveries");
    let tails = deliveries.map(|one| Value::as_u64(&one["tail"]));
    tails
        .sum::<Option<u64>>()
        .context("a partition has no tail")
}
