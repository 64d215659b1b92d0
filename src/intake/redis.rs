//! A queue in Redis Streams: one stream, one consumer group that all movers share.
//!
//! # What is honoured where
//! - A message is confirmed after Redis has synced it to its disk: the settings that promise this are
//!   read when the queue is opened, and weaker ones refused (`settings.rs`); with `replicas_min`
//!   also after so many replicas have it.
//! - A batch is enqueued in one transaction, so that a server without room takes none of it.
//! - What was received stays in the group's list of pending entries. Each receive looks there first
//!   for what nobody acknowledged in time (`XAUTOCLAIM`), so nothing waits for a dead consumer. A
//!   consumer that is slow, or holds messages for long, may see one twice.
//! - To acknowledge is to forget: `XACK` and `XDEL` in one transaction. No entry is trimmed.
//! - Nothing depends on the consumer's name: all may have the same.
//! - A connection that broke is made anew by the next call (`link.rs`).

mod entries;
mod link;
mod settings;

pub use settings::Complaint;

use super::files::FileError;
use super::{Depth, Intake, IntakeError, Received, Token, check_sizes};
use crate::config::RedisConfig;
use async_trait::async_trait;
use bytes::Bytes;
use entries::Pace;
use link::{Link, told};
use redis::streams::{StreamAutoClaimReply, StreamRangeReply, StreamReadReply};
use redis::{Cmd, Pipeline, RedisError, cmd, pipe};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a receive waits for a message.
const WAIT: Duration = Duration::from_secs(1);
/// Messages that are brought back in one transaction.
const STEP: usize = 16;

/// One producer and consumer of a stream.
pub struct RedisIntake {
    config: RedisConfig,
    /// The stream of what is set aside.
    aside: String,
    asking: Link,
    /// A connection on which a read waits answers nobody else.
    reading: Link,
    pace: Mutex<Pace>,
    /// When this consumer looked last for what others left.
    claimed: Mutex<Option<Instant>>,
}

/// Why the queue cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file that the configuration names cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The client library does not take the address or a certificate.
    #[error("intake.redis cannot be used: {0}")]
    Client(String),
    /// Nobody answers.
    #[error(
        "Redis does not answer at intake.redis.url = {url}: {reason}; is it running there, and does \
         it expect TLS (rediss://), and with TLS, is its certificate signed by intake.redis.ca_file?"
    )]
    Unreachable {
        /// Who was asked.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The server does not let this user do what is needed.
    #[error(
        "Redis refuses us at intake.redis.url = {url}: {reason}; check intake.redis.username and \
         password_file, that the URL names the primary, that intake.redis.stream is used by nobody \
         else, and that the user may call what docs/intake.md lists"
    )]
    Refused {
        /// Who was asked.
        url: String,
        /// What it said.
        reason: String,
    },
    /// Under its settings the server would lose confirmed webhooks.
    #[error("the settings of Redis are not safe:{}", complaints(.0))]
    Unsafe(Vec<Complaint>),
}

fn complaints(all: &[Complaint]) -> String {
    all.iter().map(|one| format!("\n  {one}")).collect()
}

impl RedisIntake {
    /// Connects, checks the server's settings, and makes stream and group if they are not there.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(config: &RedisConfig) -> Result<Self, OpenError> {
        let client = link::client(config)?;
        let timeout = Duration::from_millis(config.timeout_ms);
        let asking = Link::new(client.clone(), timeout);
        settings::check(&asking, config).await?;
        let intake = Self {
            aside: format!("{}.aside", config.stream),
            asking,
            reading: Link::new(client, timeout + WAIT),
            pace: Mutex::new(Pace::new(config.message_bytes_max)),
            claimed: Mutex::default(),
            config: config.clone(),
        };
        let made = intake.make_group().await;
        made.map_err(|error| refused(config, &error))?;
        Ok(intake)
    }

    /// From the very beginning: what receivers enqueued before the first mover came is read too.
    async fn make_group(&self) -> Result<(), RedisError> {
        let mut make = cmd("XGROUP");
        make.arg("CREATE").arg(&self.config.stream);
        make.arg(&self.config.group).arg("0").arg("MKSTREAM");
        match self.asking.ask::<()>(&make).await {
            Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
            other => other,
        }
    }

    /// Entries that a consumer has had for too long, which are ours now.
    async fn claim(&self, limit: usize) -> Result<Vec<Received>, RedisError> {
        if !self.may_claim() {
            return Ok(Vec::new());
        }
        let mut claim = cmd("XAUTOCLAIM");
        claim.arg(&self.config.stream).arg(&self.config.group);
        claim
            .arg(&self.config.consumer)
            .arg(self.config.redelivery_ms);
        claim.arg("0-0").arg("COUNT").arg(limit);
        let claimed: StreamAutoClaimReply = self.asking.ask(&claim).await?;
        if claimed.claimed.is_empty() {
            let mut last = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some(Instant::now());
        }
        Ok(entries::received(claimed.claimed))
    }

    /// Every so often, and again at once while something is found.
    fn may_claim(&self) -> bool {
        let pause = Duration::from_millis(self.config.redelivery_ms / 2).min(WAIT);
        let last = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_none_or(|last| last.elapsed() >= pause)
    }

    async fn read(&self, limit: usize) -> Result<Vec<Received>, RedisError> {
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP")
            .arg(&self.config.group)
            .arg(&self.config.consumer);
        read.arg("COUNT")
            .arg(limit)
            .arg("BLOCK")
            .arg(WAIT.as_millis() as u64);
        read.arg("STREAMS").arg(&self.config.stream).arg(">");
        let read: Option<StreamReadReply> = self.reading.ask(&read).await?;
        let keys = read.into_iter().flat_map(|reply| reply.keys);
        Ok(entries::received(keys.flat_map(|key| key.ids)))
    }

    async fn next(&self, limit: usize) -> Result<Vec<Received>, RedisError> {
        let claimed = self.claim(limit).await?;
        if claimed.is_empty() {
            return self.read(limit).await;
        }
        Ok(claimed)
    }

    fn forget(&self, pipe: &mut Pipeline, ids: &[&str]) {
        let (stream, group) = (&self.config.stream, &self.config.group);
        pipe.cmd("XACK").arg(stream).arg(group).arg(ids).ignore();
        pipe.cmd("XDEL").arg(stream).arg(ids).ignore();
    }

    async fn depth_of(&self, stream: &str) -> Result<Option<u64>, IntakeError> {
        self.asking.look(cmd("XLEN").arg(stream)).await.map(Some)
    }

    fn with_pace<T>(&self, work: impl FnOnce(&mut Pace) -> T) -> T {
        work(&mut self.pace.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn refused(config: &RedisConfig, error: &RedisError) -> OpenError {
    let (url, reason) = (config.url.clone(), error.to_string());
    match told(error) {
        // While it runs that is a failover, and passes; at the start it is the wrong server.
        _ if error.code() == Some("READONLY") => OpenError::Refused { url, reason },
        IntakeError::Unavailable(reason) => OpenError::Unreachable { url, reason },
        _ => OpenError::Refused { url, reason },
    }
}

#[async_trait]
impl Intake for RedisIntake {
    fn message_bytes_max(&self) -> usize {
        self.config.message_bytes_max
    }

    async fn enqueue(&self, messages: Vec<Bytes>) -> Result<(), IntakeError> {
        check_sizes(&messages, self.config.message_bytes_max)?;
        if messages.is_empty() {
            return Ok(());
        }
        let mut add = pipe();
        add.atomic();
        for message in &messages {
            entries::add(add.cmd("XADD"), &self.config.stream, message);
        }
        let wanted = self.config.replicas_min;
        if wanted == 0 {
            return self.asking.transact(&add).await;
        }
        match self.asking.transact_on_replicas(&add, wanted).await? {
            copies if copies >= wanted => Ok(()),
            copies => Err(IntakeError::Unavailable(format!(
                "{copies} replicas of Redis have the webhook, and intake.redis.replicas_min is {wanted}"
            ))),
        }
    }

    async fn receive(&self, limit: usize) -> Result<Vec<Received>, IntakeError> {
        let limit = self.with_pace(|pace| pace.limit(limit));
        let received = match self.next(limit).await {
            Err(error) if error.code() == Some("NOGROUP") => {
                tracing::error!(
                    stream = self.config.stream,
                    "Redis lost the stream or its group, with whatever webhooks it held: was it \
                     flushed, or started without its data? It is made anew"
                );
                self.make_group().await.map_err(|error| told(&error))?;
                Vec::new()
            }
            next => next.map_err(|error| told(&error))?,
        };
        self.with_pace(|pace| pace.note(&received));
        Ok(received)
    }

    async fn acknowledge(&self, tokens: Vec<Token>) -> Result<(), IntakeError> {
        let ids: Vec<_> = tokens.iter().map(Token::as_str).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let mut forget = pipe();
        self.forget(forget.atomic(), &ids);
        self.asking.transact(&forget).await
    }

    async fn set_aside(&self, message: Received) -> Result<(), IntakeError> {
        let mut keep = pipe();
        keep.atomic();
        entries::add(keep.cmd("XADD"), &self.aside, &message.bytes);
        self.forget(&mut keep, &[message.token.as_str()]);
        self.asking.transact(&keep).await
    }

    async fn bring_back(&self) -> Result<u64, IntakeError> {
        let range = |from: &str, to: &str, command: &str, many: usize| -> Cmd {
            let mut range = cmd(command);
            range
                .arg(&self.aside)
                .arg(from)
                .arg(to)
                .arg("COUNT")
                .arg(many);
            range
        };
        let last: StreamRangeReply = self.asking.look(&range("+", "-", "XREVRANGE", 1)).await?;
        // What is set aside meanwhile stays: else an unreadable message would go round for ever.
        let Some(last) = last.ids.into_iter().next() else {
            return Ok(0);
        };
        let mut back = 0;
        loop {
            let some = range("-", &last.id, "XRANGE", STEP);
            let some: StreamRangeReply = self.asking.look(&some).await?;
            let some: Vec<Received> = entries::received(some.ids);
            if some.is_empty() {
                return Ok(back);
            }
            let mut again = pipe();
            again.atomic();
            for one in &some {
                entries::add(again.cmd("XADD"), &self.config.stream, &one.bytes);
                again
                    .cmd("XDEL")
                    .arg(&self.aside)
                    .arg(one.token.as_str())
                    .ignore();
                back += 1;
            }
            self.asking.transact(&again).await?;
        }
    }

    async fn depth(&self) -> Result<Depth, IntakeError> {
        Ok(Depth {
            waiting: self.depth_of(&self.config.stream).await?,
            aside: self.depth_of(&self.aside).await?,
        })
    }
}

#[cfg(test)]
mod tests;
