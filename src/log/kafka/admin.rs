//! Finds the topics, makes them, and reads their settings back.

use super::client::{self, Context};
use super::names::Names;
use super::topics::{self, Found};
use super::{OpenError, setting};
use crate::config::{KafkaConfig, LogConfig, Mechanism};
use hooklog_schemas::Topic;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long brokers may take to answer at the start.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How long a topic that was just made may be unknown to a broker.
const KNOWN_WITHIN: Duration = Duration::from_secs(3);
/// The pause before a topic is looked for again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
/// How long one question may take before it is asked again.
const ASK: Duration = Duration::from_secs(1);

/// What `hooklog log init` did about a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// It was made, with so many partitions and copies.
    New {
        /// Its name.
        topic: String,
        /// Partitions.
        partitions: u32,
        /// Copies of each.
        replicas: u32,
    },
    /// It was there, and its settings are safe; nothing was changed.
    Fits {
        /// Its name.
        topic: String,
    },
    /// It was there, and its settings cannot be read by token; nothing was changed.
    Unread {
        /// Its name.
        topic: String,
        /// The command of Kafka's that shows its settings.
        shown_by: String,
    },
}

/// Makes the topics that are missing. Those that are there are looked at and left as they are.
///
/// # Errors
/// Brokers that do not answer or refuse, and topics that are there with other partitions or unsafe
/// settings: then nothing is made at all.
pub async fn make_topics(config: &LogConfig) -> Result<Vec<Made>, OpenError> {
    let kafka = &config.kafka;
    let names = Names::new(&kafka.topic_prefix, config.partitions);
    let base = client::base(kafka)?;
    let context = Context::new(kafka);
    let reading = client::consumer(&base, &kafka.topic_prefix);
    let asker = BaseConsumer::from_config_and_context(&reading, context.clone());
    let asker = Arc::new(asker.map_err(setting)?);
    let found = look(&asker, &names, kafka, &context).await?;
    let there: BTreeMap<_, _> = found
        .iter()
        .filter_map(|(topic, found)| Some((*topic, found.clone()?)))
        .collect();
    check(kafka, &base, &names, &there).await?;
    let missing: Vec<Topic> = Topic::ALL
        .into_iter()
        .filter(|topic| !there.contains_key(topic))
        .collect();
    let snapshots = answer(&asker, names.snapshots(), kafka, &context).await?;
    let mut new: Vec<New> = missing
        .iter()
        .map(|topic| New {
            name: names.of(*topic).to_owned(),
            partitions: names.partitions(*topic),
            settings: topics::of_new(*topic, kafka),
        })
        .collect();
    if snapshots.is_none() {
        new.push(New {
            name: names.snapshots().to_owned(),
            partitions: names.snapshot_partitions(),
            settings: topics::of_snapshots(kafka),
        });
    }
    if by_token(kafka) && !new.is_empty() {
        let commands = new.iter().map(|new| new.command(kafka));
        return Err(OpenError::ByToken(commands.collect()));
    }
    make(kafka, &base, &new).await?;
    let all = Topic::ALL.map(|topic| names.of(topic));
    let all = all.into_iter().chain([names.snapshots()]);
    Ok(all.map(|name| made(name, &new, kafka)).collect())
}

/// A topic that is to be made.
struct New {
    name: String,
    partitions: u32,
    settings: Vec<(&'static str, String)>,
}

impl New {
    /// How Kafka's own tool makes it.
    fn command(&self, kafka: &KafkaConfig) -> String {
        let Self {
            name,
            partitions,
            settings,
        } = self;
        let copies = kafka.replication_factor;
        let settings = settings.iter();
        let settings = settings.map(|(setting, value)| format!(" --config {setting}={value}"));
        let settings: String = settings.collect();
        format!(
            "kafka-topics.sh --bootstrap-server {} --command-config FILE --create --topic {name} \
             --partitions {partitions} --replication-factor {copies}{settings}",
            kafka.brokers.join(",")
        )
    }
}

/// Whether we show a token to get in. The client library gets none for its admin client, which alone
/// makes topics and reads their settings.
fn by_token(kafka: &KafkaConfig) -> bool {
    kafka.security.names_a_user() && kafka.sasl_mechanism == Mechanism::OauthBearer
}

/// How Kafka's own tool shows the settings of a topic.
fn shown_by(name: &str, kafka: &KafkaConfig) -> String {
    let brokers = kafka.brokers.join(",");
    format!(
        "kafka-configs.sh --bootstrap-server {brokers} --command-config FILE --describe --all \
         --entity-type topics --entity-name {name}"
    )
}

fn made(name: &str, new: &[New], kafka: &KafkaConfig) -> Made {
    let topic = name.to_owned();
    match new.iter().find(|new| new.name == name) {
        Some(new) => Made::New {
            topic,
            partitions: new.partitions,
            replicas: kafka.replication_factor,
        },
        None if by_token(kafka) => Made::Unread {
            topic,
            shown_by: shown_by(name, kafka),
        },
        None => Made::Fits { topic },
    }
}

async fn make(kafka: &KafkaConfig, base: &ClientConfig, new: &[New]) -> Result<(), OpenError> {
    let new = new.iter().map(|topic| {
        let partitions = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
        let copies = i32::try_from(kafka.replication_factor).unwrap_or(i32::MAX);
        let fixed = TopicReplication::Fixed(copies);
        let new = NewTopic::new(&topic.name, partitions, fixed);
        let settings = topic.settings.iter();
        settings.fold(new, |new, (name, value)| new.set(name, value))
    });
    let new: Vec<NewTopic<'_>> = new.collect();
    if new.is_empty() {
        return Ok(());
    }
    let what = "make the topics";
    let answers = admin(base)?.create_topics(&new, &options()).await;
    for answer in answers.map_err(|error| refused(what, &error))? {
        answer.map_err(|(topic, code)| OpenError::Admin {
            what: format!("make the topic {topic}"),
            reason: hint(code),
        })?;
    }
    Ok(())
}

fn hint(code: RDKafkaErrorCode) -> String {
    match code {
        RDKafkaErrorCode::InvalidReplicationFactor => format!(
            "{code}: there are fewer brokers than log.kafka.replication_factor asks for; one broker \
             takes 1, with log.kafka.min_insync_replicas = 1"
        ),
        code => code.to_string(),
    }
}

/// Finds all topics of the log.
pub(super) async fn find(
    asker: &Arc<BaseConsumer<Context>>,
    names: &Names,
    kafka: &KafkaConfig,
    context: &Context,
) -> Result<BTreeMap<Topic, Found>, OpenError> {
    let mut all = BTreeMap::new();
    for topic in Topic::ALL {
        let found = find_one(asker, names.of(topic), kafka, context).await?;
        all.insert(topic, found);
    }
    Ok(all)
}

/// Finds a topic, which a broker may not know for a moment if it was just made.
pub(super) async fn find_one(
    asker: &Arc<BaseConsumer<Context>>,
    name: &str,
    kafka: &KafkaConfig,
    context: &Context,
) -> Result<Found, OpenError> {
    let began = Instant::now();
    loop {
        match answer(asker, name, kafka, context).await? {
            Some(found) => return Ok(found),
            None if began.elapsed() < KNOWN_WITHIN => tokio::time::sleep(AGAIN_AFTER).await,
            None => return Err(OpenError::NoTopic(name.to_owned())),
        }
    }
}

/// Looks for the topics; none where there is none.
async fn look(
    asker: &Arc<BaseConsumer<Context>>,
    names: &Names,
    kafka: &KafkaConfig,
    context: &Context,
) -> Result<Vec<(Topic, Option<Found>)>, OpenError> {
    let mut found = Vec::new();
    for topic in Topic::ALL {
        found.push((topic, answer(asker, names.of(topic), kafka, context).await?));
    }
    Ok(found)
}

/// What brokers say of a topic, as soon as one of them answers.
async fn answer(
    asker: &Arc<BaseConsumer<Context>>,
    name: &str,
    kafka: &KafkaConfig,
    context: &Context,
) -> Result<Option<Found>, OpenError> {
    let began = Instant::now();
    loop {
        let (asked, topic) = (Arc::clone(asker), name.to_owned());
        let asking = tokio::task::spawn_blocking(move || ask(&asked, &topic));
        let error = match asking.await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        if let Some(reason) = context.refused() {
            return Err(OpenError::Refused(reason));
        }
        if began.elapsed() > ANSWER_MAX {
            return Err(OpenError::Unreachable {
                brokers: kafka.brokers.join(", "),
                security: kafka.security.as_str(),
                reason: context.problem().map_or(error, |problem| problem.reason),
            });
        }
    }
}

fn ask(asker: &BaseConsumer<Context>, name: &str) -> Result<Option<Found>, KafkaError> {
    client::serve(asker);
    let metadata = asker.fetch_metadata(Some(name), ASK)?;
    let topic = metadata.topics().iter().find(|topic| topic.name() == name);
    match topic {
        Some(topic) => found(topic),
        None => Ok(None),
    }
}

fn found(topic: &MetadataTopic) -> Result<Option<Found>, KafkaError> {
    if let Some(error) = topic.error() {
        let code = RDKafkaErrorCode::from(error);
        let missing = [
            RDKafkaErrorCode::UnknownTopicOrPartition,
            RDKafkaErrorCode::UnknownTopic,
        ];
        return if missing.contains(&code) {
            Ok(None)
        } else {
            Err(KafkaError::MetadataFetch(code))
        };
    }
    let partitions = topic.partitions();
    let replicas = partitions
        .iter()
        .map(|partition| partition.replicas().len());
    Ok(Some(Found {
        partitions: partitions.len(),
        replicas: replicas.min().unwrap_or_default(),
        settings: BTreeMap::new(),
    }))
}

/// Checks the topics that were found: partitions first, then settings.
pub(super) async fn check(
    kafka: &KafkaConfig,
    base: &ClientConfig,
    names: &Names,
    found: &BTreeMap<Topic, Found>,
) -> Result<(), OpenError> {
    for (topic, found) in found {
        let wanted = names.partitions(*topic);
        if u32::try_from(found.partitions) != Ok(wanted) {
            return Err(OpenError::Partitions {
                topic: names.of(*topic).to_owned(),
                found: found.partitions,
                wanted,
            });
        }
    }
    if by_token(kafka) {
        tracing::warn!(
            "settings of topics cannot be read with OAUTHBEARER, so nobody checks them: \
             `hooklog log init` tells how to look at them, docs/kafka.md what they must be"
        );
        return Ok(());
    }
    let mut complaints = Vec::new();
    for (topic, found) in with_settings(base, names, found).await? {
        complaints.extend(topics::complaints(names.of(topic), &found));
        for warning in topics::warnings(names.of(topic), &found) {
            tracing::warn!("{warning}");
        }
    }
    if complaints.is_empty() {
        return Ok(());
    }
    Err(OpenError::Unsafe(complaints))
}

async fn with_settings(
    base: &ClientConfig,
    names: &Names,
    found: &BTreeMap<Topic, Found>,
) -> Result<Vec<(Topic, Found)>, OpenError> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let what = "tell the settings of the topics";
    let asked: Vec<_> = found
        .keys()
        .map(|topic| ResourceSpecifier::Topic(names.of(*topic)))
        .collect();
    let answers = admin(base)?.describe_configs(&asked, &options()).await;
    let answers = answers.map_err(|error| refused(what, &error))?;
    let mut all = Vec::new();
    for ((topic, found), answer) in found.iter().zip(answers) {
        let answer = answer.map_err(|code| OpenError::Admin {
            what: what.to_owned(),
            reason: code.to_string(),
        })?;
        let entries = answer.entries.into_iter();
        let settings = entries.filter_map(|entry| Some((entry.name, entry.value?)));
        let found = Found {
            settings: settings.collect(),
            ..found.clone()
        };
        all.push((*topic, found));
    }
    Ok(all)
}

fn admin(base: &ClientConfig) -> Result<AdminClient<DefaultClientContext>, OpenError> {
    let admin = AdminClient::from_config_and_context(base, DefaultClientContext);
    admin.map_err(setting)
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(ANSWER_MAX))
        .operation_timeout(Some(ANSWER_MAX))
}

fn refused(what: &str, error: &KafkaError) -> OpenError {
    OpenError::Admin {
        what: what.to_owned(),
        reason: error.to_string(),
    }
}
