//! The attributes of queues.

use super::client::Attributes;
use super::open::Complaint;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde::Deserialize;

/// The longest time for which the service keeps a message: 14 days.
pub(super) const RETENTION_SECONDS_MAX: u64 = 14 * 86_400;
/// A log may be away for a long weekend.
const RETENTION_SECONDS_MIN: u64 = 4 * 86_400;

/// When messages leave a queue for another one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedrivePolicy {
    /// Written as a number or as text.
    max_receive_count: serde_json::Value,
}

/// What is wrong with the queue of webhooks.
pub(super) fn of_queue(queue: &str, attributes: &Attributes) -> Vec<Complaint> {
    let because = "webhooks are lost when the log is away for longer";
    let mut all = Vec::new();
    all.extend(retention(queue, attributes, RETENTION_SECONDS_MIN, because));
    all.extend(redrive(queue, attributes));
    all
}

/// What is wrong with the queue of what was set aside.
pub(super) fn of_aside(queue: &str, attributes: &Attributes) -> Vec<Complaint> {
    let because = "what was set aside is lost when nobody looks for longer";
    let mut all = Vec::new();
    all.extend(retention(queue, attributes, RETENTION_SECONDS_MAX, because));
    all.extend(redrive(queue, attributes));
    all
}

/// The largest message, where the queue has a limit of its own.
pub(super) fn message_bytes_max(attributes: &Attributes) -> Option<usize> {
    attributes.get(&Name::MaximumMessageSize)?.parse().ok()
}

/// A server that knows no such attribute keeps messages for ever.
fn retention(
    queue: &str,
    attributes: &Attributes,
    least: u64,
    because: &'static str,
) -> Option<Complaint> {
    let seconds = attributes.get(&Name::MessageRetentionPeriod)?;
    if seconds.parse().is_ok_and(|seconds: u64| seconds >= least) {
        return None;
    }
    Some(Complaint {
        queue: queue.to_owned(),
        setting: format!("MessageRetentionPeriod={seconds}"),
        wanted: format!("at least {least} (14 days are {RETENTION_SECONDS_MAX})"),
        because,
    })
}

fn redrive(queue: &str, attributes: &Attributes) -> Option<Complaint> {
    let policy = attributes
        .get(&Name::RedrivePolicy)
        .filter(|it| !it.is_empty())?;
    let read = serde_json::from_str(policy).map(|it: RedrivePolicy| it.max_receive_count);
    let count = match read {
        Ok(serde_json::Value::String(count)) => count,
        Ok(count) => count.to_string(),
        Err(_) => policy.clone(),
    };
    Some(Complaint {
        queue: queue.to_owned(),
        setting: format!("RedrivePolicy={count}"),
        wanted: "none".to_owned(),
        because: "webhooks are moved to a dead-letter queue that nobody empties, when they come again \
                  so often, as they do while the log is away",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(attributes: &[(Name, &str)]) -> Vec<String> {
        let attributes = attributes
            .iter()
            .map(|(name, value)| (name.clone(), (*value).to_owned()));
        let attributes: Attributes = attributes.collect();
        let found = of_queue("q", &attributes);
        found.into_iter().map(|one| one.setting).collect()
    }

    #[test]
    fn a_queue_that_forgets_too_soon_is_unsafe() {
        for (seconds, unsafe_) in [
            ("60", true),
            ("345599", true),
            ("345600", false),
            ("1209600", false),
        ] {
            let found = complaints(&[(Name::MessageRetentionPeriod, seconds)]);
            assert_eq!(!found.is_empty(), unsafe_, "{seconds}: {found:?}");
        }
        assert_eq!(
            complaints(&[]),
            [""; 0],
            "a server without an end of messages"
        );
    }

    #[test]
    fn what_is_set_aside_is_kept_for_as_long_as_the_service_can() {
        let attributes = [(Name::MessageRetentionPeriod, "345600".to_owned())].into();
        let told = of_aside("q", &attributes)[0].to_string();
        assert!(told.contains("at least 1209600"), "{told}");
    }

    #[test]
    fn a_queue_that_moves_messages_away_is_unsafe() {
        for policy in [
            r#"{"deadLetterTargetArn":"arn:aws:sqs:r:1:d","maxReceiveCount":5}"#,
            r#"{"deadLetterTargetArn":"arn:aws:sqs:r:1:d","maxReceiveCount":"5"}"#,
        ] {
            assert_eq!(
                complaints(&[(Name::RedrivePolicy, policy)]),
                ["RedrivePolicy=5"]
            );
        }
    }
}
