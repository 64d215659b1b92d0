//! The spool drill: the broker is killed under load and stays away; nobody who sends notices.

use super::cluster::Cluster;
use super::journal::Kind;
use super::{Drill, Run};
use crate::load::history::{Operation, Outcome};
use anyhow::{Result, bail, ensure};
use std::time::Duration;

/// How long all is well before and after.
const BEFORE: Duration = Duration::from_secs(10);
const AFTER: Duration = Duration::from_secs(10);

impl Run {
    pub(super) async fn drill(&self, cluster: &Cluster) -> Result<()> {
        tokio::time::sleep(BEFORE).await;
        let away = Duration::from_secs(self.command.away);
        cluster.break_log(Kind::BrokerKilled, away).await?;
        tokio::time::sleep(AFTER).await;
        Ok(())
    }

    /// Every webhook was answered, those without a right signature by 401; and the spools were used.
    pub(super) async fn judge_drill(&self, operations: &[Operation], spooled: u64) -> Result<()> {
        if self.command.drill != Some(Drill::Spool) {
            return Ok(());
        }
        crate::print(&format!("{spooled} webhooks went through the spools"))?;
        ensure!(spooled > 0, "no webhook went into a spool");
        let mut open = operations.iter();
        if let Some(one) = open.find(|one| one.outcome == Outcome::Info) {
            let open = 1 + open.filter(|one| one.outcome == Outcome::Info).count();
            bail!(
                "{open} webhooks were not taken although there were spools: {} got {:?}",
                one.guid,
                one.status
            );
        }
        Ok(())
    }
}
