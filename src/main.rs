//! One binary: the server, and the commands that talk to it.

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    hooklog::cli::run(hooklog::cli::Cli::parse())
}
