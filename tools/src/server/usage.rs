//! What a process uses, as the kernel counts it.

use anyhow::{Context as _, Result};
use serde::Serialize;

/// Linux counts processor time of processes in hundredths of a second, whatever its own tick.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time and memory of a process.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Usage {
    /// User and system time, in seconds.
    pub(crate) cpu_seconds: f64,
    /// Resident memory now, in MB.
    pub(crate) rss_mb: f64,
    /// The most there ever was (`VmHWM`), in MB.
    pub(crate) rss_peak_mb: f64,
}

impl Usage {
    /// Of the process `pid`.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let read = |name| {
            let path = format!("/proc/{pid}/{name}");
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
        };
        let status = read("status")?;
        Ok(Self {
            cpu_seconds: cpu_seconds(&read("stat")?).context("/proc/PID/stat is strange")?,
            rss_mb: megabytes(&status, "VmRSS:").unwrap_or_default(),
            rss_peak_mb: megabytes(&status, "VmHWM:").unwrap_or_default(),
        })
    }
}

/// The sum over several processes.
impl std::iter::Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            cpu_seconds: sum.cpu_seconds + one.cpu_seconds,
            rss_mb: sum.rss_mb + one.rss_mb,
            rss_peak_mb: sum.rss_peak_mb + one.rss_peak_mb,
        })
    }
}

/// Fields 14 and 15, counted behind the name in parentheses, which may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut ticks = fields.split_whitespace().skip(11);
    let user: f64 = ticks.next()?.parse().ok()?;
    let system: f64 = ticks.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

fn megabytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    let kibibytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1_024.0 / 1_000_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_the_name() {
        let stat = "12 (a b) c) S 1 1 1 0 -1 4 0 0 0 0 250 150 0 0 20 0";
        assert_eq!(cpu_seconds(stat), Some(4.0));
    }

    #[test]
    fn this_process_has_memory() {
        assert!(Usage::of(std::process::id()).unwrap().rss_peak_mb > 0.1);
    }
}
