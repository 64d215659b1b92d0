//! Development only: load, a bare pipe to compare with, a subscriber, a checker.

mod backlog;
mod chance;
mod chaos;
mod check;
mod clock;
mod compare;
mod http;
mod kill;
mod load;
mod migrate;
mod pipe;
mod replay;
mod schemas;
mod server;
mod sign;
mod subscribe;
mod traffic;

use anyhow::{Result, anyhow};
use clap::Parser;
use std::io::Write as _;
use std::process::ExitCode;

/// Tools to try, measure and break hooklog with.
#[derive(Debug, Parser)]
#[command(name = "hooklog-tools", version)]
enum Command {
    Load(load::LoadCommand),
    Subscribe(subscribe::SubscribeCommand),
    Pipe(pipe::PipeCommand),
    Compare(compare::CompareCommand),
    Check(check::CheckCommand),
    Kill(kill::KillCommand),
    Chaos(chaos::ChaosCommand),
    Backlog(backlog::BacklogCommand),
    Replay(replay::ReplayCommand),
    Migrate(migrate::MigrateCommand),
    Schemas(schemas::SchemasCommand),
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // When standard error is gone, the exit code still tells.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<()> {
    // reqwest asks for the process's provider of TLS, also when nothing uses TLS.
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow!("a provider of TLS is installed already"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(run(Command::parse()))
}

async fn run(command: Command) -> Result<()> {
    match command {
        Command::Load(command) => command.run().await,
        Command::Subscribe(command) => command.run().await,
        Command::Pipe(command) => command.run().await,
        Command::Compare(command) => command.run().await,
        Command::Check(command) => command.run(),
        Command::Kill(command) => command.run().await,
        Command::Chaos(command) => command.run().await,
        Command::Backlog(command) => command.run().await,
        Command::Replay(command) => command.run().await,
        Command::Migrate(command) => command.run().await,
        Command::Schemas(command) => command.run(),
    }
}

/// Prints one text to standard output.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}
