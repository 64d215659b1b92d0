//! One binary: the server, and the commands that talk to it.

use clap::Parser as _;
use mimalloc::MiMalloc;
use std::process::ExitCode;

/// Bodies are allocated on one thread and freed on another, which makes glibc's arenas fight over
/// their locks: a profile of the server under load showed a fifth of its time in them.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    hooklog::cli::run(hooklog::cli::Cli::parse())
}
