//! `hooklog projection`: the tables themselves, for comparing them.

use super::args::{Format, Shown};
use super::out::Out;
use super::session::Answer;
use crate::app::offline;
use crate::config::{self, Config};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;

/// What to do with the tables.
#[derive(Debug, Subcommand)]
pub(crate) enum ProjectionCommand {
    /// Write all rows in a canonical form: the same rows give the same text on every store
    Dump(Place),
    /// Print SHA-256 of that dump, to compare tables of two folders or before and after a rebuild
    Hash(Hash),
}

/// Where the tables are.
#[derive(Args, Debug)]
pub(crate) struct Place {
    /// The data folder
    #[arg(long, value_name = "DIR", required_unless_present = "config")]
    data: Option<PathBuf>,
    /// The server's configuration file, which may name another store of tables
    #[arg(long, env = "HOOKLOG_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    fn configuration(&self) -> anyhow::Result<Config> {
        let data = self.data.iter();
        let loaded = config::load(config::Sources {
            file: self.config.clone(),
            environment: config::environment().collect::<Vec<_>>(),
            flags: data
                .map(|data| ("data".to_owned(), data.display().to_string()))
                .collect(),
        })?;
        Ok(loaded.config)
    }
}

/// `projection hash`.
#[derive(Args, Debug)]
pub(crate) struct Hash {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    shown: Shown,
}

pub(super) fn run(command: &ProjectionCommand, out: &mut Out<'_>) -> anyhow::Result<Answer> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    match command {
        ProjectionCommand::Dump(place) => {
            let mut written = Ok(());
            let each = |line: &str| {
                if written.is_ok() {
                    written = out.line(line.trim_end_matches('\n'));
                }
            };
            runtime.block_on(offline::dump(&place.configuration()?, each))?;
            written?;
        }
        ProjectionCommand::Hash(args) => {
            let hash = runtime.block_on(offline::hash(&args.place.configuration()?))?;
            match args.shown.output {
                Format::Table => out.line(hash)?,
                Format::Json => out.line(json!({"sha256": hash}).to_string())?,
            }
        }
    }
    Ok(Answer::Yes)
}
