//! When nothing breaks any more: everything ends, the log is copied into a folder, and what clients,
//! subscribers, log, journal and tables say must agree.

use super::cluster::{Cluster, IN_FLIGHT, PARTITIONS};
use super::{Run, report};
use crate::check::CheckCommand;
use crate::kill::{Receiving, verdict};
use anyhow::{Result, bail};
use std::sync::Arc;
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Workers tell every five seconds what is not routed yet.
const TOLD_AFTER: Duration = Duration::from_secs(6);

impl Run {
    /// Waits until all spools are empty, every partition has an owner that has routed all webhooks,
    /// and nothing is owed.
    pub(super) async fn settled(&self, cluster: &Cluster) -> Result<()> {
        let within = Duration::from_secs(self.command.settle_seconds);
        let start = Instant::now();
        let api = cluster.api().await;
        loop {
            let spooled = sum(&cluster.receivers, "hooklog_spool_webhooks").await;
            tokio::time::sleep(TOLD_AFTER).await;
            let unrouted = Unrouted::ask(cluster).await;
            let left = within.saturating_sub(start.elapsed());
            if matches!(spooled, Ok(0)) && unrouted.as_ref().is_ok_and(Unrouted::is_nothing) {
                api.settled(LOOK_EVERY, left).await?;
                return crate::print(&format!("settled after {:.1?}", start.elapsed()));
            }
            if left.is_zero() {
                bail!(
                    "not settled within {within:?}: in spools {spooled:?}, not routed {unrouted:?}"
                );
            }
        }
    }

    pub(super) async fn finale(&self, cluster: &Arc<Cluster>, receiving: Receiving) -> Result<()> {
        let spooled = sum(&cluster.receivers, "hooklog_webhooks_spooled_total").await?;
        verdict::save_deliveries(&cluster.api().await, &self.folder).await?;
        cluster.stop().await?;
        receiving.finish()?;
        let operations = report::summarize(&self.folder, self.command.receivers as usize)?;
        self.copy(cluster).await?;
        // All are run, so that one failure does not hide another.
        let checked = self.checked().run();
        let same = self.tables(cluster).await;
        let drilled = self.judge_drill(&operations, spooled).await;
        checked.and(same).and(drilled)
    }

    /// Brings the log into a folder, where it can be looked at without the broker.
    async fn copy(&self, cluster: &Cluster) -> Result<()> {
        let at = |name: &str| self.folder.join(name);
        let text = |name: &str| at(name).display().to_string();
        let (from, to) = (text("copy/hooklog.toml"), text("log"));
        let words = ["log", "copy", &from, &to];
        cluster.offline(&words, &at("copy.txt")).await?;
        let words = ["log", "verify", "--data", &to];
        cluster.offline(&words, &at("verify.txt")).await?;
        let words = ["log", "dump", "--bodies", "--data", &to];
        cluster.offline(&words, &at("log.ndjson")).await
    }

    fn checked(&self) -> CheckCommand {
        let at = |name: &str| self.folder.join(name);
        CheckCommand {
            history: (0..self.command.receivers as usize)
                .map(|receiver| self.history(receiver))
                .collect(),
            receipts: vec![at("receipts.ndjson")],
            log: at("log.ndjson"),
            before: None,
            deliveries: Some(at("deliveries.ndjson")),
            commands: None,
            answers: None,
            data: None,
            faults: Some(at("faults.ndjson")),
            seed: Some(self.seed),
            in_flight: IN_FLIGHT,
        }
    }

    /// The tables that lived beside the broker against those folded from the copy.
    async fn tables(&self, cluster: &Cluster) -> Result<()> {
        let at = |name: &str| self.folder.join(name);
        let (lived, copy) = (cluster.tables().display().to_string(), at("log"));
        let copy = copy.display().to_string();
        let words = ["projection", "dump", "--data", &lived];
        cluster.offline(&words, &at("live.dump")).await?;
        // The folder has as many partitions as the topics had.
        std::fs::write(
            at("copied.toml"),
            format!("[log]\npartitions = {PARTITIONS}\n"),
        )?;
        let config = at("copied.toml").display().to_string();
        let words = ["rebuild", "--data", &copy, "--config", &config];
        cluster.offline(&words, &at("rebuild.txt")).await?;
        let words = ["projection", "dump", "--data", &copy];
        cluster.offline(&words, &at("rebuilt.dump")).await?;
        verdict::compare(&at("live.dump"), &at("rebuilt.dump"))
    }
}

/// What each worker says of webhooks that are not routed: of each of its partitions, how many.
#[derive(Debug, PartialEq, Eq)]
struct Unrouted(Vec<(String, Vec<(String, u64)>)>);

impl Unrouted {
    async fn ask(cluster: &Cluster) -> Result<Self> {
        let mut all = Vec::new();
        for worker in &cluster.workers {
            let worker = worker.lock().await;
            let counts = worker.api.labelled("hooklog_webhooks_unrouted").await?;
            all.push((worker.name.clone(), counts));
        }
        Ok(Self(all))
    }

    /// Whether every partition has one owner, who has routed everything.
    fn is_nothing(&self) -> bool {
        let all = self.0.iter().flat_map(|(_, counts)| counts);
        let mut labels: Vec<_> = all.clone().map(|(label, _)| label).collect();
        let owned = labels.len();
        labels.sort_unstable();
        labels.dedup();
        let once = labels.len() == owned && owned == PARTITIONS as usize;
        once && all.into_iter().all(|(_, count)| *count == 0)
    }
}

/// A metric of some processes, summed.
async fn sum(members: &[tokio::sync::Mutex<super::member::Member>], name: &str) -> Result<u64> {
    let mut sum = 0;
    for member in members {
        sum += member.lock().await.api.metric(name).await?;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_routed_when_each_partition_has_one_owner_who_says_so() {
        let label = |number| format!("{{partition=\"{number}\"}}");
        let of = |numbers: std::ops::Range<u32>, count| {
            let counts = numbers.map(|number| (label(number), count));
            ("worker".to_owned(), counts.collect::<Vec<_>>())
        };
        assert!(Unrouted(vec![of(0..2, 0), of(2..PARTITIONS, 0)]).is_nothing());
        assert!(!Unrouted(vec![of(0..2, 0), of(2..PARTITIONS, 1)]).is_nothing());
        // One that nobody owns, and one that two own.
        assert!(!Unrouted(vec![of(0..2, 0), of(3..PARTITIONS, 0)]).is_nothing());
        assert!(!Unrouted(vec![of(0..3, 0), of(2..PARTITIONS, 0)]).is_nothing());
    }
}
