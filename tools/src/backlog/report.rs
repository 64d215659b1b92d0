//! What a backlog costs, in figures.

use crate::check::read_lines;
use crate::load::Latencies;
use crate::load::history::{Operation, Outcome};
use crate::server::Usage;
use crate::subscribe::Receipt;
use anyhow::{Result, bail};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// What was measured.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// Webhooks of the backlog taken a second.
    pub(crate) accepted_per_second: f64,
    /// From the last of them until all were routed and in the tables.
    pub(crate) caught_up_seconds: f64,
    /// The server's memory with the backlog waiting, peak included.
    pub(crate) backlog: Usage,
    /// From the start of the process after kill -9 until it was ready. On Kafka the brokers miss the
    /// dead one only after its session has timed out.
    pub(crate) restart_seconds: f64,
    /// The server's memory after that restart.
    pub(crate) restarted: Usage,
    /// From SIGTERM to its end.
    pub(crate) stop_seconds: f64,
    /// From the start of the process after that until it was ready.
    pub(crate) start_seconds: f64,
    /// From sending a webhook to its arrival at the healthy subscriber, by phase: alone, during
    /// the pile-up, with the backlog waiting, after the restart.
    pub(crate) healthy: BTreeMap<&'static str, Latencies>,
}

/// From each request's sending to its arrival; fails if an accepted one did not arrive.
pub(crate) fn healthy_latencies(history: &Path, receipts: &Path) -> Result<Latencies> {
    let mut arrived: HashMap<String, i64> = HashMap::new();
    read_lines(receipts, |line| {
        let receipt: Receipt = serde_json::from_str(line)?;
        arrived.entry(receipt.guid).or_insert(receipt.at);
        Ok(())
    })?;
    let (mut micros, mut missing) = (Vec::new(), 0);
    read_lines(history, |line| {
        let operation: Operation = serde_json::from_str(line)?;
        match arrived.get(&operation.guid) {
            _ if operation.outcome != Outcome::Ok => {}
            Some(at) => micros.push(u32::try_from(at - operation.invoke).unwrap_or_default()),
            None => missing += 1,
        }
        Ok(())
    })?;
    if missing > 0 {
        bail!("{missing} webhooks of {} never arrived", history.display());
    }
    Ok(Latencies::of(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_that_never_arrived_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (history, receipts) = (folder.path().join("h"), folder.path().join("r"));
        let operation = r#"{"op":0,"guid":"g","sha256":"","invoke":5,"complete":6,"outcome":"ok","status":200}"#;
        let receipt =
            r#"{"path":"/","id":"","guid":"g","sha256":"","at":9,"status":200,"verified":true}"#;
        std::fs::write(&history, operation).unwrap();
        std::fs::write(&receipts, receipt).unwrap();
        assert_eq!(healthy_latencies(&history, &receipts).unwrap().max_us, 4);
        std::fs::write(&receipts, "").unwrap();
        assert!(healthy_latencies(&history, &receipts).is_err());
    }
}
