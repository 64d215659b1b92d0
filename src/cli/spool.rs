//! `hooklog spool`: what waits in a receiver's spool, and how it comes into the log without it.

mod drain;
mod stats;

use super::serve::ConfigurationArgs;
use super::session::Answer;
use crate::config::{self, Loaded};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

/// Look at the spool of a receiver, or empty that of a stopped one.
#[derive(Debug, clap::Subcommand)]
pub(super) enum SpoolCommand {
    /// How many webhooks wait, since when, and in how many bytes; a server may have the spool open
    #[command(after_help = stats::EXAMPLES)]
    Stats(stats::Stats),
    /// Bring what waits in the spool of a stopped receiver into the log
    #[command(after_help = drain::EXAMPLES)]
    Drain(drain::Drain),
}

pub(super) fn run(command: SpoolCommand) -> anyhow::Result<Answer> {
    let mut out = io::stdout().lock();
    let answer = match command {
        SpoolCommand::Stats(stats) => stats.run(&mut out),
        SpoolCommand::Drain(drain) => drain.run(&mut out, io::stderr().is_terminal()),
    }?;
    out.flush()?;
    Ok(answer)
}

/// Which spool.
#[derive(clap::Args, Debug, Default)]
pub(super) struct Place {
    #[command(flatten)]
    configuration: ConfigurationArgs,
    /// The folder of the spool, when its volume is now elsewhere than spool.folder says
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Place {
    /// The configuration, with the folder of the spool in it.
    fn load(&self) -> anyhow::Result<(Loaded, PathBuf)> {
        let mut sources = self.configuration.sources();
        if let Some(folder) = &self.folder {
            let folder = folder.display().to_string();
            sources.flags.push(("spool.folder".to_owned(), folder));
            // It is there, and holds what somebody put there.
            let persistent = ("spool.persistent".to_owned(), "true".to_owned());
            sources.flags.push(persistent);
        }
        let loaded = config::load(sources)?;
        let folder = loaded.config.spool.folder.clone();
        let missing = || {
            anyhow::anyhow!(
                "no spool is configured: name the receiver's configuration with --config FILE, or \
                 the folder with --folder DIR"
            )
        };
        let folder = folder.ok_or_else(missing)?;
        Ok((loaded, folder))
    }
}

#[cfg(test)]
mod tests;
