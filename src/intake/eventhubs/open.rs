//! What is checked before an event hub is used.

use super::client::{self, ConnectionStringError, Context, setting};
use crate::config::EventHubsConfig;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Why the event hub cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The connection string cannot be used.
    #[error(transparent)]
    ConnectionString(#[from] ConnectionStringError),
    /// The client library does not take a setting.
    #[error("[intake.eventhubs] cannot be used: {0}")]
    Setting(String),
    /// The service does not answer.
    #[error(
        "Event Hubs does not answer: {0}; is the namespace of the connection string right, does its \
         tier have the Kafka surface (Standard or higher), and may this machine reach port 9093?"
    )]
    Unreachable(String),
    /// The service does not let us in.
    #[error(
        "Event Hubs refuses us: {0}; check that intake.eventhubs.connection_string_file holds a \
         connection string of the portal whose policy may Send and Listen"
    )]
    Refused(String),
    /// An event hub is missing.
    #[error(
        "there is no event hub {0} in the namespace; with intake.eventhubs.create = true and a \
         policy that may Manage, the next start makes what is missing"
    )]
    NoHub(String),
    /// The event hub cannot be made.
    #[error("the event hub {hub} cannot be made: {reason}; may the policy Manage?")]
    Make {
        /// The event hub.
        hub: String,
        /// What the service says.
        reason: String,
    },
    /// An event hub forgets too soon.
    #[error("the settings of the event hubs are not safe:{}", complaints(.0))]
    Unsafe(Vec<Complaint>),
}

/// An event hub that forgets webhooks before anybody carried them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    hub: String,
    /// `name=value`, as it can be accepted.
    setting: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hub, setting } = self;
        write!(
            f,
            "{hub} has {setting}, and needs at least {RETENTION_MS_MIN} (a day): webhooks are lost \
             when the log is away for longer; set the retention in the portal, or accept it by \
             adding {setting:?} to intake.eventhubs.accept"
        )
    }
}

fn complaints(all: &[Complaint]) -> String {
    all.iter().map(|one| format!("\n  {one}")).collect()
}

/// The shortest retention of an event hub: a day.
const RETENTION_MS_MIN: i64 = 86_400_000;
/// What a new one gets: a week, the longest that the Standard tier has.
const RETENTION_MS: &str = "604800000";
/// How long the service may take to answer at the start.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How long one question may take before it is asked again.
const ASK: Duration = Duration::from_secs(1);

/// Checks that both event hubs are there, and that they keep messages for long enough.
pub(super) async fn check(base: &ClientConfig, config: &EventHubsConfig) -> Result<(), OpenError> {
    let context = Context::default();
    let admin = AdminClient::from_config_and_context(base, context.clone());
    let admin = admin.map_err(|error| setting(&error))?;
    let asking = client::consumer(base, config);
    let asker = BaseConsumer::from_config_and_context(&asking, context.clone());
    let asker = Arc::new(asker.map_err(|error| setting(&error))?);
    let mut found = Vec::new();
    for hub in [&config.hub, &config.aside_hub] {
        let (asker, name, heard) = (Arc::clone(&asker), hub.clone(), context.clone());
        let looking = tokio::task::spawn_blocking(move || exists(&asker, &name, &heard));
        let there = looking
            .await
            .map_err(|error| OpenError::Setting(error.to_string()))??;
        match (there, config.create) {
            (true, _) => found.extend(retention(&admin, hub).await),
            (false, true) => make(&admin, hub, config).await?,
            (false, false) => return Err(OpenError::NoHub(hub.clone())),
        }
    }
    found.retain(|one| !config.accept.contains(&one.setting));
    match found.is_empty() {
        true => Ok(()),
        false => Err(OpenError::Unsafe(found)),
    }
}

/// Asks until there is an answer, a refusal, or no patience left.
fn exists(asker: &BaseConsumer<Context>, hub: &str, context: &Context) -> Result<bool, OpenError> {
    let began = Instant::now();
    loop {
        match asker.fetch_metadata(Some(hub), ASK) {
            Ok(metadata) => {
                let mut topics = metadata.topics().iter();
                return Ok(topics.any(|topic| topic.name() == hub && topic.error().is_none()));
            }
            Err(error) => {
                // Errors are told to who polls.
                let _ = asker.poll(Duration::ZERO);
                if let Some(reason) = context.refused() {
                    return Err(OpenError::Refused(reason));
                }
                if began.elapsed() > ANSWER_MAX {
                    return Err(OpenError::Unreachable(context.why(&error)));
                }
            }
        }
    }
}

/// A service that does not tell it is believed: it then has its tier's, which is a day at the least.
async fn retention(admin: &AdminClient<Context>, hub: &str) -> Option<Complaint> {
    let asked = [ResourceSpecifier::Topic(hub)];
    let described = admin.describe_configs(&asked, &options()).await.ok()?;
    let described = described.into_iter().next()?.ok()?;
    let value = described.get("retention.ms")?.value.clone()?;
    let short = value
        .parse()
        .is_ok_and(|ms: i64| (0..RETENTION_MS_MIN).contains(&ms));
    short.then(|| Complaint {
        hub: hub.to_owned(),
        setting: format!("retention.ms={value}"),
    })
}

async fn make(
    admin: &AdminClient<Context>,
    hub: &str,
    config: &EventHubsConfig,
) -> Result<(), OpenError> {
    let problem = |reason: String| OpenError::Make {
        hub: hub.to_owned(),
        reason,
    };
    let partitions = i32::try_from(config.partitions).unwrap_or(1);
    let topic = NewTopic::new(hub, partitions, TopicReplication::Fixed(1));
    let topic = topic.set("retention.ms", RETENTION_MS);
    let made: Result<_, KafkaError> = admin.create_topics(&[topic], &options()).await;
    for one in made.map_err(|error| problem(error.to_string()))? {
        one.map_err(|(_, code)| problem(code.to_string()))?;
    }
    tracing::info!(hub, "made the event hub");
    Ok(())
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(ANSWER_MAX))
}
