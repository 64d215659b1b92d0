//! The messages that a consumer was given.

use super::settled;
use crate::intake::IntakeError;
use crate::intake::amqp::link::away;
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer, Error};
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a receive waits for a message.
const WAIT: Duration = Duration::from_secs(1);

/// A channel on which messages come.
pub(super) struct Inbox {
    channel: Channel,
    coming: tokio::sync::Mutex<Coming>,
    /// Tags of what was received and not acknowledged: a tag that is acknowledged twice is an error
    /// to the broker.
    held: Mutex<BTreeSet<u64>>,
    ended: AtomicBool,
}

struct Coming {
    consumer: Consumer,
    /// What came, and nobody received yet.
    ready: VecDeque<Delivery>,
}

impl Inbox {
    pub(super) async fn open(
        connection: &Connection,
        queue: &str,
        prefetch: u16,
    ) -> Result<Self, IntakeError> {
        let opening = async {
            let channel = connection.create_channel().await?;
            let each = BasicQosOptions { global: false };
            channel.basic_qos(prefetch, each).await?;
            let (options, nothing) = (BasicConsumeOptions::default(), FieldTable::default());
            let (queue, tag) = (queue.into(), "".into());
            let consumer = channel.basic_consume(queue, tag, options, nothing).await?;
            Ok((channel, consumer))
        };
        let (channel, consumer) = opening.await.map_err(|error: Error| away(&error))?;
        let ready = VecDeque::new();
        Ok(Self {
            channel,
            coming: tokio::sync::Mutex::new(Coming { consumer, ready }),
            held: Mutex::default(),
            ended: AtomicBool::new(false),
        })
    }

    pub(super) fn is_live(&self) -> bool {
        self.channel.status().connected() && !self.ended.load(Ordering::Relaxed)
    }

    /// Tags and bytes of the next messages. Between the last wait and the end there is no other, so
    /// that who drops this loses nothing.
    pub(super) async fn receive(&self, limit: usize) -> Result<Vec<(u64, Bytes)>, IntakeError> {
        let mut coming = self.coming.lock().await;
        if coming.ready.is_empty() {
            let next = tokio::time::timeout(WAIT, coming.consumer.next()).await;
            if let Ok(next) = next {
                let first = self.understand(next)?;
                coming.ready.push_back(first);
            }
        }
        self.gather(&mut coming)?;
        let many = limit.min(coming.ready.len());
        let received = coming.ready.drain(..many);
        let mut held = self.held();
        let received = received.map(|one| {
            held.insert(one.delivery_tag);
            (one.delivery_tag, Bytes::from(one.data))
        });
        Ok(received.collect())
    }

    /// Tells the broker to forget these, and returns once it did.
    pub(super) async fn acknowledge(
        &self,
        tags: impl Iterator<Item = u64>,
    ) -> Result<(), IntakeError> {
        let tags: Vec<u64> = {
            let mut held = self.held();
            tags.filter(|tag| held.remove(tag)).collect()
        };
        if tags.is_empty() {
            return Ok(());
        }
        for tag in tags {
            let acked = self.channel.basic_ack(tag, BasicAckOptions::default());
            acked.await.map_err(|error| away(&error))?;
        }
        settled(&self.channel).await
    }

    /// How many messages are here, received or not.
    pub(super) async fn count(&self) -> u64 {
        let mut coming = self.coming.lock().await;
        // An error shows itself in the next receive.
        let _ = self.gather(&mut coming);
        let many = coming.ready.len() + self.held().len();
        u64::try_from(many).unwrap_or(u64::MAX)
    }

    /// Takes over what came by now.
    fn gather(&self, coming: &mut Coming) -> Result<(), IntakeError> {
        while let Some(next) = coming.consumer.next().now_or_never() {
            let one = self.understand(next)?;
            coming.ready.push_back(one);
        }
        Ok(())
    }

    fn understand(&self, next: Option<lapin::Result<Delivery>>) -> Result<Delivery, IntakeError> {
        let problem = match next {
            Some(Ok(delivery)) => return Ok(delivery),
            Some(Err(error)) => away(&error),
            None => IntakeError::Unavailable("the broker ended the consumer".to_owned()),
        };
        self.ended.store(true, Ordering::Relaxed);
        Err(problem)
    }

    fn held(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
