//! The composition root: from configuration to running parts.

pub mod admin_token;
pub mod open;
pub mod tasks;
pub mod telemetry;

use crate::cli::ServeArgs;

/// Runs the server until it is told to stop.
///
/// # Errors
/// When it cannot start, or the log fails.
pub async fn serve(args: ServeArgs) -> anyhow::Result<()> {
    anyhow::bail!("this build has no server yet; asked for: {args:?}")
}
