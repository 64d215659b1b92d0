//! Consuming, with acknowledgements.

use super::dial::Dial;
use super::link::{Link, Live, away};
use crate::intake::{Depth, IntakeError, Received, Token};
use bytes::Bytes;
use lapin::message::BasicGetMessage;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

mod inbox;

use inbox::Inbox;

/// Consumes over a connection of its own, which never publishes, so that it is never blocked.
pub(super) struct Reading {
    dial: Arc<Dial>,
    link: Link<Consumer>,
    queue: String,
    prefetch: u16,
    patience: Duration,
    consumers: AtomicU64,
}

/// A connection with what is asked of it; consuming begins with the first receive.
struct Consumer {
    connection: Connection,
    asking: Channel,
    inbox: tokio::sync::OnceCell<Inbox>,
    /// Which of this process's consumers it is: its tokens mean nothing to the next.
    number: u64,
}

impl Live for Consumer {
    fn is_live(&self) -> bool {
        let asks = self.connection.status().connected() && self.asking.status().connected();
        asks && self.inbox.get().is_none_or(Inbox::is_live)
    }
}

impl Reading {
    pub(super) fn new(dial: Arc<Dial>, queue: String, prefetch: u16, patience: Duration) -> Self {
        Self {
            dial,
            link: Link::new(),
            queue,
            prefetch,
            patience,
            consumers: AtomicU64::new(0),
        }
    }

    pub(super) async fn receive(&self, limit: usize) -> Result<Vec<Received>, IntakeError> {
        let consumer = self.consumer().await?;
        let beginning = consumer.inbox.get_or_try_init(|| self.begin(&consumer));
        let inbox = self.in_time(beginning).await?;
        let received = inbox.receive(limit).await?;
        let named = received.into_iter().map(|(tag, bytes)| Received {
            bytes,
            token: Token::new(format!("{}.{tag}", consumer.number)),
        });
        Ok(named.collect())
    }

    /// Begins to consume, on a task of its own: who drops a receive meanwhile must not leave something
    /// half begun, to which the broker gives messages that nobody ever sees.
    async fn begin(&self, consumer: &Arc<Consumer>) -> Result<Inbox, IntakeError> {
        let (consumer, queue, prefetch) = (Arc::clone(consumer), self.queue.clone(), self.prefetch);
        let begun =
            tokio::spawn(async move { Inbox::open(&consumer.connection, &queue, prefetch).await });
        let begun = begun.await;
        begun.unwrap_or_else(|error| Err(IntakeError::Unavailable(error.to_string())))
    }

    /// Tokens of a consumer that is gone are forgotten: those messages come again.
    pub(super) async fn acknowledge(&self, tokens: &[Token]) -> Result<(), IntakeError> {
        let Some(consumer) = self.link.current().await else {
            return Ok(());
        };
        let Some(inbox) = consumer.inbox.get() else {
            return Ok(());
        };
        let tag = |token: &Token| {
            let (number, tag) = token.as_str().split_once('.')?;
            let ours = number.parse() == Ok(consumer.number);
            ours.then(|| tag.parse().ok())?
        };
        let tags = tokens.iter().filter_map(tag);
        self.in_time(inbox.acknowledge(tags)).await
    }

    /// Ready messages as the broker counts them, and those that this process has.
    pub(super) async fn depth(&self, aside: &str) -> Result<Depth, IntakeError> {
        let consumer = self.consumer().await?;
        let counting = async {
            let ready = count(&consumer.asking, &self.queue).await?;
            let here = match consumer.inbox.get() {
                Some(inbox) => inbox.count().await,
                None => 0,
            };
            Ok(Depth {
                waiting: Some(u64::from(ready) + here),
                aside: Some(u64::from(count(&consumer.asking, aside).await?)),
            })
        };
        self.in_time(counting).await
    }

    /// What is in the queue of what was set aside, as much as there is now.
    pub(super) async fn aside(&self, queue: &str) -> Result<Aside, IntakeError> {
        let consumer = self.consumer().await?;
        let opening = async {
            let left = count(&consumer.asking, queue).await?;
            let channel = consumer.connection.create_channel().await;
            Ok((left, channel.map_err(|error| away(&error))?))
        };
        let (left, channel) = self.in_time(opening).await?;
        Ok(Aside {
            channel,
            queue: queue.to_owned(),
            left,
            patience: self.patience,
            taken: None,
        })
    }

    async fn consumer(&self) -> Result<Arc<Consumer>, IntakeError> {
        let making = async {
            let connection = self.dial.connect().await?;
            let asking = connection.create_channel().await;
            Ok(Consumer {
                asking: asking.map_err(|error| away(&error))?,
                connection,
                inbox: tokio::sync::OnceCell::new(),
                number: self.consumers.fetch_add(1, Ordering::Relaxed),
            })
        };
        self.in_time(self.link.get(making)).await
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, IntakeError>>,
    ) -> Result<T, IntakeError> {
        in_time(self.patience, work).await
    }
}

/// Messages that were set aside, one after the other.
pub(super) struct Aside {
    channel: Channel,
    queue: String,
    left: u32,
    patience: Duration,
    taken: Option<BasicGetMessage>,
}

impl Aside {
    /// The next one, which is still there until it is forgotten.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, IntakeError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let getting = self
            .channel
            .basic_get(self.queue.as_str().into(), BasicGetOptions::default());
        let got = in_time(self.patience, async {
            getting.await.map_err(|error| away(&error))
        });
        self.taken = got.await?;
        let bytes = self.taken.as_mut().map(|one| std::mem::take(&mut one.data));
        Ok(bytes.map(Bytes::from))
    }

    /// Takes the last one out of there.
    pub(super) async fn forget(&mut self) -> Result<(), IntakeError> {
        let Some(taken) = self.taken.take() else {
            return Ok(());
        };
        in_time(self.patience, async {
            let acked = taken.ack(BasicAckOptions::default()).await;
            acked.map_err(|error| away(&error))?;
            settled(&self.channel).await
        })
        .await
    }
}

/// Nothing waits for ever.
async fn in_time<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, IntakeError>>,
) -> Result<T, IntakeError> {
    let late =
        || IntakeError::Unavailable(format!("the broker did not answer within {patience:?}"));
    tokio::time::timeout(patience, work)
        .await
        .map_err(|_| late())?
}

/// Returns once the broker has done everything that was sent over the channel before.
async fn settled(channel: &Channel) -> Result<(), IntakeError> {
    // It is a question that changes nothing, of a kind that is answered in order.
    let asked = channel.basic_qos(0, BasicQosOptions { global: true }).await;
    asked.map_err(|error| away(&error))
}

async fn count(channel: &Channel, queue: &str) -> Result<u32, IntakeError> {
    let passive = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let asked = channel.queue_declare(queue.into(), passive, FieldTable::default());
    let found = asked.await.map_err(|error| away(&error))?;
    Ok(found.message_count())
}
