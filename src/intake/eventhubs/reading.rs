//! Consuming as a member of the group.

use super::client::Context;
use super::positions::Positions;
use super::{ANSWER, blocking, unavailable};
use crate::intake::{IntakeError, Received, Token};
use bytes::Bytes;
use futures_util::FutureExt as _;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::consumer::{
    BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance, StreamConsumer,
};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a receive waits for a message.
const WAIT: Duration = Duration::from_secs(1);

/// Consumes from the first receive on: who only produces is no member of the group.
pub(super) struct Reading {
    settings: ClientConfig,
    hub: String,
    member: tokio::sync::Mutex<Option<Arc<Member>>>,
    ready: tokio::sync::Mutex<VecDeque<Came>>,
    committing: tokio::sync::Mutex<()>,
}

/// A member of the group.
struct Member {
    consumer: Option<Arc<StreamConsumer<Group>>>,
}

/// A message that came, and nobody received yet.
struct Came {
    round: u64,
    partition: i32,
    offset: i64,
    bytes: Bytes,
}

/// Hears when partitions are handed round.
#[derive(Clone, Default)]
struct Group {
    context: Context,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// How often partitions were handed round: tokens of an earlier round mean nothing.
    round: u64,
    partitions: BTreeMap<i32, Positions>,
}

impl Group {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Group {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.context.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }
}

impl ConsumerContext for Group {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if matches!(rebalance, Rebalance::Revoke(_)) {
            let mut state = self.lock();
            state.round += 1;
            state.partitions.clear();
        }
    }
}

impl Reading {
    pub(super) fn new(settings: ClientConfig, hub: &str) -> Self {
        Self {
            settings,
            hub: hub.to_owned(),
            member: tokio::sync::Mutex::default(),
            ready: tokio::sync::Mutex::default(),
            committing: tokio::sync::Mutex::default(),
        }
    }

    /// Who drops this loses nothing: what came and was not given away waits for the next call.
    pub(super) async fn receive(&self, limit: usize) -> Result<Vec<Received>, IntakeError> {
        let member = self.member().await?;
        let Some(consumer) = &member.consumer else {
            return Ok(Vec::new());
        };
        let mut ready = self.ready.lock().await;
        if ready.is_empty() {
            match tokio::time::timeout(WAIT, consumer.recv()).await {
                Ok(message) => ready.push_back(came(consumer, &message.map_err(unavailable)?)),
                Err(_) => return Ok(Vec::new()),
            }
        }
        while ready.len() < limit {
            match consumer.recv().now_or_never() {
                Some(Ok(message)) => ready.push_back(came(consumer, &message)),
                // An error comes again, when nothing else is there to be given.
                Some(Err(_)) | None => break,
            }
        }
        self.know(consumer, &ready).await?;
        Ok(give(consumer, &mut ready, limit))
    }

    /// Finds out what was acknowledged before in partitions that are new to us.
    async fn know(
        &self,
        consumer: &Arc<StreamConsumer<Group>>,
        ready: &VecDeque<Came>,
    ) -> Result<(), IntakeError> {
        let round = consumer.context().lock().round;
        let mut asked = TopicPartitionList::new();
        {
            let state = consumer.context().lock();
            for one in ready.iter().filter(|one| one.round == round) {
                let known = state.partitions.contains_key(&one.partition);
                if !known && asked.find_partition(&self.hub, one.partition).is_none() {
                    asked.add_partition(&self.hub, one.partition);
                }
            }
        }
        if asked.count() == 0 {
            return Ok(());
        }
        let (asking, hub) = (Arc::clone(consumer), self.hub.clone());
        let found = blocking(move || committed(&asking, &hub, asked)).await?;
        let mut state = consumer.context().lock();
        if state.round == round {
            for (partition, positions) in found {
                state.partitions.entry(partition).or_insert(positions);
            }
        }
        Ok(())
    }

    /// Commits, and returns when that is done. Tokens of an earlier round are forgotten: those
    /// messages come again.
    pub(super) async fn acknowledge(&self, tokens: &[Token]) -> Result<(), IntakeError> {
        let member = self.member.lock().await.clone();
        let Some(consumer) = member.as_ref().and_then(|one| one.consumer.clone()) else {
            return Ok(());
        };
        // One after the other: no commit takes back what another said.
        let _alone = self.committing.lock().await;
        let commit = self.mark(&consumer, tokens)?;
        if commit.count() == 0 {
            return Ok(());
        }
        blocking(move || match consumer.commit(&commit, CommitMode::Sync) {
            Err(error) if !is_handed_round(&error) => Err(unavailable(error)),
            _ => Ok(()),
        })
        .await
    }

    /// Marks what is acknowledged, and gives the offsets to commit.
    fn mark(
        &self,
        consumer: &StreamConsumer<Group>,
        tokens: &[Token],
    ) -> Result<TopicPartitionList, IntakeError> {
        let mut state = consumer.context().lock();
        let round = state.round;
        let mut changed = BTreeMap::new();
        for (partition, offset) in tokens.iter().filter_map(|token| read(token, round)) {
            if let Some(positions) = state.partitions.get_mut(&partition)
                && positions.acknowledge(offset)
            {
                changed.insert(partition, positions.commit());
            }
        }
        let mut commit = TopicPartitionList::new();
        for (partition, (offset, metadata)) in changed {
            let added = commit.add_partition_offset(&self.hub, partition, Offset::Offset(offset));
            added.map_err(unavailable)?;
            if let Some(mut one) = commit.find_partition(&self.hub, partition) {
                one.set_metadata(metadata);
            }
        }
        Ok(commit)
    }

    async fn member(&self) -> Result<Arc<Member>, IntakeError> {
        let mut member = self.member.lock().await;
        if let Some(member) = &*member {
            return Ok(Arc::clone(member));
        }
        let consumer: KafkaResult<StreamConsumer<Group>> =
            StreamConsumer::from_config_and_context(&self.settings, Group::default());
        let consumer = consumer.map_err(unavailable)?;
        consumer.subscribe(&[&self.hub]).map_err(unavailable)?;
        let consumer = Some(Arc::new(consumer));
        let made = Arc::new(Member { consumer });
        *member = Some(Arc::clone(&made));
        Ok(made)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let consumer = self.consumer.take();
        // Leaving the group blocks until the service has heard of it.
        std::thread::spawn(move || drop(consumer));
    }
}

fn came(consumer: &StreamConsumer<Group>, message: &BorrowedMessage<'_>) -> Came {
    Came {
        round: consumer.context().lock().round,
        partition: message.partition(),
        offset: message.offset(),
        bytes: Bytes::copy_from_slice(message.payload().unwrap_or_default()),
    }
}

/// Gives what has to be carried, without what was acknowledged before or is another's by now.
fn give(
    consumer: &StreamConsumer<Group>,
    ready: &mut VecDeque<Came>,
    limit: usize,
) -> Vec<Received> {
    let mut state = consumer.context().lock();
    let round = state.round;
    let many = limit.min(ready.len());
    let new = ready.drain(..many).filter(|one| {
        let positions = state.partitions.get_mut(&one.partition);
        one.round == round && positions.is_some_and(|positions| positions.is_new(one.offset))
    });
    let named = new.map(|one| Received {
        bytes: one.bytes,
        token: Token::new(format!("{round}.{}.{}", one.partition, one.offset)),
    });
    named.collect()
}

fn read(token: &Token, round: u64) -> Option<(i32, i64)> {
    let mut parts = token.as_str().split('.');
    let ours = parts.next()?.parse() == Ok(round);
    let (partition, offset) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    ours.then_some((partition, offset))
}

/// What the group acknowledged in these partitions. What the service forgot since is gone.
fn committed(
    consumer: &StreamConsumer<Group>,
    hub: &str,
    asked: TopicPartitionList,
) -> Result<Vec<(i32, Positions)>, IntakeError> {
    let committed = consumer
        .committed_offsets(asked, ANSWER)
        .map_err(unavailable)?;
    let mut found = Vec::new();
    for one in committed.elements() {
        let (partition, from) = (one.partition(), offset(one.offset()));
        let bounds = consumer.fetch_watermarks(hub, partition, ANSWER);
        let (first, _) = bounds.map_err(unavailable)?;
        if first > from && one.offset() != Offset::Invalid {
            let lost = first - from;
            tracing::error!(
                hub,
                partition,
                lost,
                "the service forgot webhooks that nobody carried"
            );
        }
        found.push((partition, Positions::read(first.max(from), one.metadata())));
    }
    Ok(found)
}

/// What is committed; nothing is the very beginning.
pub(super) fn offset(offset: Offset) -> i64 {
    match offset {
        Offset::Offset(offset) => offset,
        _ => 0,
    }
}

/// Whether partitions are being handed round, so that another commits.
fn is_handed_round(error: &KafkaError) -> bool {
    let codes = [
        RDKafkaErrorCode::IllegalGeneration,
        RDKafkaErrorCode::RebalanceInProgress,
        RDKafkaErrorCode::UnknownMemberId,
    ];
    error
        .rdkafka_error_code()
        .is_some_and(|code| codes.contains(&code))
}
