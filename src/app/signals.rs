//! What tells the process to stop.

use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

/// A signal this soon after the first one is the same one, sent to the process and to its group, as
/// `timeout` does.
const ECHO: Duration = Duration::from_millis(500);

/// Resolves at SIGTERM or SIGINT; a second one ends the process at once, which is safe too.
///
/// # Errors
/// When the system does not let the process listen for them.
pub(crate) fn told_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
        tracing::info!("stopping; once more to stop at once");
        let first = Instant::now();
        tokio::spawn(async move {
            while first.elapsed() < ECHO {
                tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
            }
            std::process::exit(130);
        });
    })
}
