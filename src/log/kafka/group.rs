//! Who owns which partitions: a consumer group on `webhooks`, through which nothing is read.
//!
//! The brokers assign the partitions of the topic to the members of the group, and notice when one
//! is gone. Nothing is committed: what a partition's owner has done stands in the log. Assignments
//! are cooperative, so that only partitions that move are given up.

use super::client::{self, Context};
use crate::config::KafkaConfig;
use crate::log::ownership::{Change, Handover, Ownership};
use async_trait::async_trait;
use hooklog_schemas::Partition;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{ClientConfig, TopicPartitionList};
use std::error::Error;
use std::future::pending;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long revoked partitions may keep a rebalance waiting. A worker takes less: it waits seven
/// seconds for attempts under way, and writes its snapshots.
const HANDOVER_MAX: Duration = Duration::from_secs(20);
/// How often the group is looked after, at the least.
const POLL: Duration = Duration::from_millis(100);
/// How long leaving may take. Who does not manage it is missed after the session's time-out.
const LEAVE_MAX: Duration = Duration::from_secs(3);

/// A membership. Who drops it leaves.
pub(super) struct Group {
    changes: mpsc::UnboundedReceiver<Change>,
    left: Option<oneshot::Receiver<()>>,
    stay: Option<DropGuard>,
}

impl Group {
    /// Joins the group of the workers of `topic`.
    pub(super) fn join(
        base: &ClientConfig,
        config: &KafkaConfig,
        topic: &str,
        context: Context,
    ) -> KafkaResult<Self> {
        let (tell, changes) = mpsc::unbounded_channel();
        let member = Member { context, tell };
        let settings = settings(base, config);
        let consumer = BaseConsumer::from_config_and_context(&settings, member)?;
        consumer.subscribe(&[topic])?;
        let stop = CancellationToken::new();
        let (leaving, left) = oneshot::channel();
        let stopped = stop.clone();
        // A thread of its own, since a rebalance waits for whoever hands over.
        std::thread::spawn(move || {
            look_after(&consumer, &stopped);
            drop(consumer);
            // Nobody may wait for it.
            let _ = leaving.send(());
        });
        Ok(Self {
            changes,
            left: Some(left),
            stay: Some(stop.drop_guard()),
        })
    }
}

#[async_trait]
impl Ownership for Group {
    async fn changed(&mut self) -> Change {
        match self.changes.recv().await {
            Some(change) => change,
            None => pending().await,
        }
    }

    fn is_settled(&self) -> bool {
        true
    }

    async fn leave(&mut self) {
        self.stay.take();
        // Nobody looks at changes any more, so nothing waits for a handover.
        self.changes.close();
        while self.changes.try_recv().is_ok() {}
        if let Some(left) = self.left.take()
            && tokio::time::timeout(LEAVE_MAX, left).await.is_err()
        {
            tracing::warn!("the brokers did not let us leave the group of workers in time");
        }
    }
}

fn settings(base: &ClientConfig, config: &KafkaConfig) -> ClientConfig {
    let prefix = &config.topic_prefix;
    let mut client = client::consumer(base, prefix);
    let beat = (config.session_timeout_ms / 3).min(3_000);
    client
        .set("group.id", format!("{prefix}workers"))
        .set("session.timeout.ms", config.session_timeout_ms.to_string())
        .set("heartbeat.interval.ms", beat.to_string())
        .set("partition.assignment.strategy", "cooperative-sticky")
        // Nothing is read, so neither is anything kept ready to be read.
        .set("auto.offset.reset", "latest")
        .set("queued.min.messages", "1");
    client
}

fn look_after(consumer: &BaseConsumer<Member>, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        // What slips in before a pause is read elsewhere.
        // The context has told an operator of it, now and then.
        if let Some(Err(error)) = consumer.poll(POLL) {
            tracing::debug!(target: "kafka", %error, "the group of workers");
        }
    }
}

/// Hears what the group decides.
struct Member {
    context: Context,
    tell: mpsc::UnboundedSender<Change>,
}

impl Member {
    fn revoke(&self, consumer: &BaseConsumer<Self>, partitions: Vec<Partition>) {
        if partitions.is_empty() {
            return;
        }
        if consumer.assignment_lost() {
            self.say(Change::Lost(partitions));
            return;
        }
        let (handover, handed_over) = Handover::new();
        self.say(Change::Revoked(partitions, handover));
        if !handed_over.wait(HANDOVER_MAX) {
            tracing::warn!(
                "a handover took too long; the next owner gets the partitions all the same"
            );
        }
    }

    fn say(&self, change: Change) {
        // An error says that the worker has left.
        let _ = self.tell.send(change);
    }
}

impl ConsumerContext for Member {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Revoke(list) => self.revoke(consumer, numbers(list)),
            Rebalance::Error(error) => {
                tracing::error!(%error, "the group of workers could not be balanced");
                let assigned = consumer.assignment();
                self.say(Change::Lost(
                    assigned.map(|list| numbers(&list)).unwrap_or_default(),
                ));
            }
            Rebalance::Assign(_) => {}
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance {
            if let Err(error) = consumer.pause(list) {
                tracing::debug!(target: "kafka", %error, "pausing what is not read");
            }
            self.say(Change::Assigned(numbers(list)));
        }
    }
}

fn numbers(list: &TopicPartitionList) -> Vec<Partition> {
    let elements = list.elements();
    let numbers = elements.iter().map(|element| element.partition());
    numbers
        .filter_map(|n| u32::try_from(n).ok().map(Partition))
        .collect()
}

impl ClientContext for Member {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = Context::ENABLE_REFRESH_OAUTH_TOKEN;

    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        self.context.log(level, fac, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.context.generate_oauth_token(config)
    }
}
