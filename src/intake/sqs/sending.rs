//! Batches: at most ten messages, and as many bytes as the service takes.

use super::BATCH_MAX;
use super::client::{Queue, failed};
use crate::intake::IntakeError;
use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchRequestEntry};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

/// Requests under way at once.
const REQUESTS_MAX: usize = 4;
/// How often a message is sent for which the service had no time.
const TRIES_MAX: usize = 3;

/// Returns once the service has all of `messages`.
pub(super) async fn send(
    queue: &Queue,
    messages: &[Bytes],
    payload_bytes_max: usize,
) -> Result<(), IntakeError> {
    let texts: Vec<_> = messages
        .iter()
        .map(|one| BASE64_STANDARD.encode(one))
        .collect();
    let batches = stream::iter(batches(texts, payload_bytes_max));
    let sending = batches.map(|batch| send_batch(queue, batch));
    sending.buffer_unordered(REQUESTS_MAX).try_collect().await
}

async fn send_batch(queue: &Queue, mut batch: Vec<String>) -> Result<(), IntakeError> {
    for _ in 1..TRIES_MAX {
        let left = try_batch(queue, &batch).await?;
        if left.is_empty() {
            return Ok(());
        }
        batch = left.into_iter().map(|(text, _)| text).collect();
    }
    let left = try_batch(queue, &batch).await?;
    match left.into_iter().next() {
        Some((_, why)) => Err(IntakeError::Unavailable(told(&why))),
        None => Ok(()),
    }
}

/// Sends once, and gives what has to be sent again.
async fn try_batch(
    queue: &Queue,
    batch: &[String],
) -> Result<Vec<(String, BatchResultErrorEntry)>, IntakeError> {
    let entries = batch.iter().enumerate().map(|(number, text)| {
        let entry = SendMessageBatchRequestEntry::builder().id(number.to_string());
        entry.message_body(text).build()
    });
    let entries: Result<Vec<_>, _> = entries.collect();
    let entries = entries.map_err(|error| IntakeError::Refused(error.to_string()))?;
    let sending = queue.client.send_message_batch().queue_url(&queue.url);
    let sent = sending.set_entries(Some(entries)).send().await;
    let sent = sent.map_err(|error| failed(&error))?;
    let mut left = Vec::new();
    for one in sent.failed {
        if one.sender_fault {
            return Err(IntakeError::Refused(told(&one)));
        }
        let text = one
            .id
            .parse()
            .ok()
            .and_then(|number: usize| batch.get(number));
        left.extend(text.cloned().map(|text| (text, one)));
    }
    Ok(left)
}

fn told(problem: &BatchResultErrorEntry) -> String {
    let message = problem.message.as_deref().unwrap_or("it gives no reason");
    format!(
        "the service did not take a message: {}: {message}",
        problem.code
    )
}

fn batches(texts: Vec<String>, payload_bytes_max: usize) -> Vec<Vec<String>> {
    let mut batches: Vec<Vec<String>> = Vec::new();
    let mut bytes = 0;
    for text in texts {
        match batches.last_mut() {
            Some(last) if last.len() < BATCH_MAX && bytes + text.len() <= payload_bytes_max => {
                bytes += text.len();
                last.push(text);
            }
            _ => {
                bytes = text.len();
                batches.push(vec![text]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_ten_messages_and_the_service_s_bytes_at_the_most() {
        let sizes = |texts: &[usize]| {
            let texts = texts.iter().map(|len| "x".repeat(*len)).collect();
            let batches = batches(texts, 100);
            batches.iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&[1; 23]), [10, 10, 3]);
        assert_eq!(sizes(&[60, 40, 1, 100, 30, 70, 70]), [2, 1, 1, 2, 1]);
    }
}
