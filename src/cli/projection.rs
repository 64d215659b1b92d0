//! `hooklog projection`: the tables themselves, for comparing them.

use super::out::Out;
use super::session::Answer;
use crate::app::offline;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What to do with the tables.
#[derive(Debug, Subcommand)]
pub(crate) enum ProjectionCommand {
    /// Write all rows in a canonical form: the same rows give the same text on every store
    Dump(Place),
    /// Print SHA-256 of that dump, to compare tables of two folders or before and after a rebuild
    Hash(Place),
}

/// Where the tables are.
#[derive(Args, Debug)]
pub(crate) struct Place {
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
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
            runtime.block_on(offline::dump(&place.data, each))?;
            written?;
        }
        ProjectionCommand::Hash(place) => {
            out.line(runtime.block_on(offline::hash(&place.data))?)?;
        }
    }
    Ok(Answer::Yes)
}
