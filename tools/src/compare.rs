//! The bare pipe and hooklog in turn, on the same traffic: how much the rest costs.

mod round;
mod summary;

use crate::sign::read_secret;
use anyhow::Result;
use round::{Load, Measured};
use std::path::{Path, PathBuf};
use summary::Summary;

/// Runs the bare pipe and hooklog in turn on the same traffic, and prints the ratios.
#[derive(Debug, clap::Args)]
pub(crate) struct CompareCommand {
    /// The hooklog to measure: a release build.
    #[arg(long, default_value = "target/release/hooklog")]
    hooklog: PathBuf,
    /// Requests of each round.
    #[arg(long, default_value_t = 60_000)]
    count: u64,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Bytes of each body; 0 for realistic sizes.
    #[arg(long, default_value_t = 12_000)]
    body_bytes: usize,
    /// Rounds, each of both.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Requests a second, instead of as fast as they are answered.
    #[arg(long)]
    rate: Option<f64>,
    /// Decides the traffic, the same for both.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder for logs and files; it must be on the disk that is to be measured.
    #[arg(long, default_value = "target/compare")]
    folder: PathBuf,
    /// Measures the bare pipe alone.
    #[arg(long)]
    pipe_only: bool,
    /// Brokers (`host:port`): both go over Kafka, and hooklog in a process of each role. By
    /// `tools/services run kafka -- sh -c 'hooklog-tools compare --kafka "$HOOKLOG_TEST_KAFKA"'`.
    #[arg(long)]
    kafka: Option<String>,
    /// Prints JSON instead of text.
    #[arg(long)]
    json: bool,
}

impl CompareCommand {
    /// Runs all rounds and prints each, the medians, and the ratios.
    pub(crate) async fn run(self) -> Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let (mut pipes, mut hooklogs) = (Vec::new(), Vec::new());
        for round in 0..self.rounds {
            let load = Load {
                count: self.count,
                connections: self.connections,
                body_bytes: (self.body_bytes > 0).then_some(self.body_bytes),
                rate: self.rate,
                seed: self.seed + u64::from(round),
            };
            pipes.push(self.pipe(&load, round).await?);
            if !self.pipe_only {
                hooklogs.push(self.hooklog(&load, round).await?);
            }
        }
        let summary = Summary::of(&pipes, &hooklogs);
        crate::print(&if self.json {
            serde_json::to_string_pretty(&summary)?
        } else {
            summary.text()
        })
    }

    async fn pipe(&self, load: &Load, round: u32) -> Result<Measured> {
        let folder = tempfile::tempdir_in(&self.folder)?;
        let measured = round::pipe(folder.path(), load, self.kafka.as_deref()).await?;
        self.tell(round, "pipe", &measured)?;
        Ok(measured)
    }

    async fn hooklog(&self, load: &Load, round: u32) -> Result<Measured> {
        let folder = tempfile::tempdir_in(&self.folder)?;
        let folder = folder.path().canonicalize()?;
        let measured = match &self.kafka {
            Some(brokers) => round::hooklog_on_kafka(&self.hooklog, &folder, load, brokers).await?,
            None => round::hooklog(&self.hooklog, &folder, load).await?,
        };
        self.tell(round, "hooklog", &measured)?;
        Ok(measured)
    }

    fn tell(&self, round: u32, name: &str, measured: &Measured) -> Result<()> {
        if self.json {
            return Ok(());
        }
        crate::print(&format!("round {} {name:8} {measured}", round + 1))
    }
}

/// Writes a secret file and gives its content back.
fn secret_file(folder: &Path, name: &str, secret: &str) -> Result<(PathBuf, Vec<u8>)> {
    let path = folder.join(name);
    std::fs::write(&path, secret)?;
    let read = read_secret(&path)?;
    Ok((path, read))
}
