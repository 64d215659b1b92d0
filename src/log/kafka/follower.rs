//! The task that follows the ends of partitions.

use super::source::Source;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often idle consumers are closed, idle partitions left, and ends of others looked at.
const TIDY_EVERY: Duration = Duration::from_secs(10);

/// Follows until it is told to stop, or until the log cannot be followed any more: then it is
/// poisoned.
pub(super) async fn follow(
    source: Arc<Source>,
    poison: watch::Sender<Option<String>>,
    stop: CancellationToken,
) {
    let mut tidy = tokio::time::interval(TIDY_EVERY);
    let mut looking: Option<JoinHandle<()>> = None;
    loop {
        let done = tokio::select! {
            () = stop.cancelled() => return,
            () = source.tail.asked.notified() => source.tail.join(&source.consumer).map_err(text),
            _ = tidy.tick() => {
                let readers = Arc::clone(&source.readers);
                // Nobody waits for it: a consumer that is slow to close holds up nobody.
                drop(tokio::task::spawn_blocking(move || readers.close_idle()));
                if looking.as_ref().is_none_or(JoinHandle::is_finished) {
                    let source = Arc::clone(&source);
                    looking = Some(tokio::spawn(async move { source.look_at_ends().await }));
                }
                source.tail.leave(&source.consumer).map_err(text)
            }
            message = source.consumer.recv() => match message {
                Ok(message) => source.take(&message).map_err(text),
                Err(error) => passing(&error),
            },
        };
        if let Err(reason) = done {
            tracing::error!(reason, "the log cannot be followed any more");
            poison.send_replace(Some(reason));
            return;
        }
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Most errors pass: the client library connects again by itself. Lost records do not.
fn passing(error: &KafkaError) -> Result<(), String> {
    let lost = [
        RDKafkaErrorCode::AutoOffsetReset,
        RDKafkaErrorCode::OffsetOutOfRange,
        RDKafkaErrorCode::LogTruncation,
    ];
    match error.rdkafka_error_code() {
        Some(code) if lost.contains(&code) => Err(format!(
            "the brokers do not have the end of a partition any more, so records were lost, as by \
             an unclean election: {error}"
        )),
        _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => Err(error.to_string()),
        _ => {
            tracing::debug!(%error, "following the log");
            Ok(())
        }
    }
}
