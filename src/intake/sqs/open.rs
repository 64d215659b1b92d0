//! What is checked before a queue is used.

use super::attributes::{self, RETENTION_SECONDS_MAX};
use super::client::{self, Attributes, Queue, is_missing, is_refusal, said};
use crate::config::SqsConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::QueueAttributeName;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;

/// Why the queue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file of the access key cannot be used.
    #[error("intake.sqs.access_key_file = {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Nobody says which region.
    #[error("no region is known: set intake.sqs.region, or AWS_REGION")]
    NoRegion,
    /// The service does not answer, or there are no credentials to ask it with.
    #[error(
        "the service does not answer: {0}; check intake.sqs.region and endpoint, and that there are \
         credentials: intake.sqs.access_key_id and access_key_file, or a role of the machine or pod"
    )]
    Unreachable(String),
    /// The service does not let us do this.
    #[error(
        "the service refuses us: {0}; check the credentials, and that they may GetQueueUrl, \
         GetQueueAttributes, SendMessage, ReceiveMessage, DeleteMessage and ChangeMessageVisibility"
    )]
    Refused(String),
    /// A queue is missing.
    #[error(
        "there is no queue {queue} in the region {region}; is that the right region? With \
         intake.sqs.create = true the next start makes what is missing, with the settings that are \
         needed"
    )]
    NoQueue {
        /// The queue.
        queue: String,
        /// Where it should be.
        region: String,
    },
    /// A queue that keeps the order asks for more than we tell it.
    #[error(
        "{0} is a FIFO queue; hooklog needs a standard queue, which takes any number of webhooks"
    )]
    Fifo(String),
    /// Settings of queues could lose webhooks.
    #[error("the settings of the queues are not safe:{}", complaints(.0))]
    Unsafe(Vec<Complaint>),
}

/// A setting of a queue under which a confirmed webhook could be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    pub(super) queue: String,
    /// `name=value`, as it can be accepted.
    pub(super) setting: String,
    pub(super) wanted: String,
    pub(super) because: &'static str,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            queue,
            setting,
            wanted,
            because,
        } = self;
        write!(
            f,
            "{queue} has {setting}, and needs {wanted}: {because}; change it by `aws sqs \
             set-queue-attributes`, or accept it by adding {setting:?} to intake.sqs.accept"
        )
    }
}

fn complaints(all: &[Complaint]) -> String {
    all.iter().map(|one| format!("\n  {one}")).collect()
}

/// Queues that may be used.
pub(super) struct Opened {
    pub(super) queue: Queue,
    pub(super) aside: Queue,
    pub(super) payload_bytes_max: usize,
}

/// Finds both queues, and checks that what is confirmed stays in them.
pub(super) async fn open(config: &SqsConfig) -> Result<Opened, OpenError> {
    let client = client::client(config).await?;
    let queue = find_or_make(&client, &config.queue, config.create).await?;
    let aside = find_or_make(&client, &config.aside_queue, config.create).await?;
    let mut found = Vec::new();
    let mut payload_bytes_max = config.payload_bytes_max;
    let judges: [fn(&str, &Attributes) -> Vec<Complaint>; 2] =
        [attributes::of_queue, attributes::of_aside];
    let queues = [(&queue, &config.queue), (&aside, &config.aside_queue)];
    for ((queue, name), judge) in queues.into_iter().zip(judges) {
        match queue.attributes().await {
            Ok(attributes) => {
                let limit = attributes::message_bytes_max(&attributes);
                payload_bytes_max = payload_bytes_max.min(limit.unwrap_or(usize::MAX));
                found.extend(judge(name, &attributes));
            }
            Err(error) if is_missing(&error) => return Err(missing(&client, name)),
            Err(error) if is_refusal(&error) => found.push(unchecked(name)),
            Err(error) => return Err(problem(&error)),
        }
    }
    found.retain(|one| !config.accept.contains(&one.setting));
    match found.is_empty() {
        true => Ok(Opened {
            queue,
            aside,
            payload_bytes_max,
        }),
        false => Err(OpenError::Unsafe(found)),
    }
}

/// Finds a queue, or makes it where that is wanted.
async fn find_or_make(client: &Client, name: &str, create: bool) -> Result<Queue, OpenError> {
    match find(client, name).await {
        Err(OpenError::NoQueue { .. }) if create && !name.contains("://") => {
            let retention = QueueAttributeName::MessageRetentionPeriod;
            let making = client.create_queue().queue_name(name);
            let making = making.attributes(retention, RETENTION_SECONDS_MAX.to_string());
            making.send().await.map_err(|error| problem(&error))?;
            tracing::info!(queue = name, "made the queue");
            find(client, name).await
        }
        found => found,
    }
}

/// The queue with this name or URL.
async fn find(client: &Client, name: &str) -> Result<Queue, OpenError> {
    if name.ends_with(".fifo") {
        return Err(OpenError::Fifo(name.to_owned()));
    }
    let url = match name.contains("://") {
        true => name.to_owned(),
        false => match client.get_queue_url().queue_name(name).send().await {
            Ok(found) => found.queue_url.unwrap_or_default(),
            Err(error) if is_missing(&error) => return Err(missing(client, name)),
            Err(error) => return Err(problem(&error)),
        },
    };
    let client = client.clone();
    Ok(Queue { client, url })
}

fn missing(client: &Client, queue: &str) -> OpenError {
    let region = client.config().region();
    OpenError::NoQueue {
        queue: queue.to_owned(),
        region: region.map(ToString::to_string).unwrap_or_default(),
    }
}

fn unchecked(queue: &str) -> Complaint {
    Complaint {
        queue: queue.to_owned(),
        setting: "settings=unknown".to_owned(),
        wanted: "the permission GetQueueAttributes".to_owned(),
        because: "its settings might lose webhooks",
    }
}

fn problem<E>(error: &SdkError<E>) -> OpenError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match is_refusal(error) {
        true => OpenError::Refused(said(error)),
        false => OpenError::Unreachable(said(error)),
    }
}
