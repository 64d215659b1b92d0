//! The role `append`: carries messages from the queue into the log, and only then acknowledges.
//!
//! A message that comes twice adds a record, never a delivery: its event id names the receipt, and
//! every append draws a fresh key. What can never be carried is set aside, where it blocks nobody;
//! it is brought back when a mover starts, which may be one of a newer release.

mod batch;

use super::{Bodies, BodiesError, Body, Claim, Intake, Message, Received, Token};
use crate::clock::Clock;
use crate::log::{AppendError, EventLog, ReadError, ReadLimit};
use crate::metrics::{Metrics, NameLabel};
use batch::{Item, Landed};
use bytes::Bytes;
use hooklog_schemas::{EventId, Partition, Position, Topic};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a queue, a log or a store that is away is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the queue is asked how much it holds.
const COUNT_EVERY: Duration = Duration::from_secs(5);
/// Messages whose bodies cannot be fetched now, at the most; beyond it no more are received.
const HELD_MAX: usize = 256;
/// Clocks of receivers and of the log may differ by this.
const CLOCKS_DIFFER: i64 = 600 * 1_000_000;

/// What a mover is made of.
pub struct MoverParts {
    /// From where.
    pub intake: Arc<dyn Intake>,
    /// Where large bodies lie.
    pub bodies: Option<Arc<dyn Bodies>>,
    /// To where.
    pub log: Arc<dyn EventLog>,
    /// Tells when a record is appended.
    pub clock: Arc<dyn Clock>,
    /// Messages in one append at the most.
    pub batch_messages_max: usize,
    /// What is counted.
    pub metrics: Metrics,
}

/// Carries messages into the log.
pub struct Mover {
    parts: MoverParts,
    /// Whether it gets on, and if not, why.
    state: watch::Sender<Result<(), String>>,
    stop: CancellationToken,
    /// What waits for its body, by event: a message that comes again takes its own place.
    held: HashMap<EventId, (Message, Received)>,
    counted: Option<Instant>,
    /// In this turn the object store did not answer: one wait for it is enough.
    store_away: bool,
}

/// Why a message is not carried now.
enum Fate {
    /// It is in the log, or will be with this batch.
    Carry(Item),
    /// Its body is already in the log.
    Done(Token),
    /// Its body cannot be fetched now.
    Hold(Message, Received),
    /// It can never be carried.
    Aside(Received, String),
}

impl Mover {
    /// Carries until `stop`, when what is in hand is finished. `state` tells whether it gets on.
    ///
    /// # Errors
    /// When the log has stopped for good.
    pub async fn run(
        parts: MoverParts,
        state: watch::Sender<Result<(), String>>,
        stop: CancellationToken,
    ) -> Result<(), AppendError> {
        let mut mover = Self {
            parts,
            state,
            stop,
            held: HashMap::new(),
            counted: None,
            store_away: false,
        };
        mover.bring_back().await;
        while !mover.stop.is_cancelled() {
            mover.turn().await?;
        }
        Ok(())
    }

    async fn bring_back(&self) {
        match self.parts.intake.bring_back().await {
            Ok(0) => {}
            Ok(many) => tracing::info!(many, "messages that were set aside are tried once more"),
            Err(error) => self.failed("bring_back", &error.to_string()),
        }
    }

    async fn turn(&mut self) -> Result<(), AppendError> {
        self.count().await;
        self.store_away = false;
        let mut items = self.fetch_held().await;
        if self.held.len() < HELD_MAX {
            match self
                .parts
                .intake
                .receive(self.parts.batch_messages_max)
                .await
            {
                Ok(received) => items.extend(self.sort(received).await),
                Err(error) => {
                    self.failed("receive", &error.to_string());
                    self.pause().await;
                }
            }
        } else {
            self.pause().await;
        }
        self.note_age(&items);
        self.carry(items).await
    }

    /// Whose bodies can be fetched by now.
    async fn fetch_held(&mut self) -> Vec<Item> {
        let held: Vec<_> = self.held.drain().map(|(_, held)| held).collect();
        let mut items = Vec::new();
        for (message, received) in held {
            let fate = self.fate(message, received).await;
            items.extend(self.meet(fate).await);
        }
        items
    }

    async fn sort(&mut self, received: Vec<Received>) -> Vec<Item> {
        let mut items = Vec::new();
        for one in received {
            let fate = match Message::decode(&one.bytes) {
                Ok(message) => self.fate(message, one).await,
                Err(error) => Fate::Aside(one, error.to_string()),
            };
            items.extend(self.meet(fate).await);
        }
        items
    }

    async fn fate(&self, message: Message, received: Received) -> Fate {
        let partitions = self.parts.log.partitions(Topic::Webhooks);
        if message.partition.0 >= partitions {
            let partition = message.partition;
            let reason = format!(
                "it is for partition {partition}, and the log has {partitions}: receivers and \
                 movers of one log have the same log.partitions"
            );
            return Fate::Aside(received, reason);
        }
        let claim = match &message.body {
            Body::Inline(body) => {
                let body = body.clone();
                return Fate::Carry(Item::new(message, body, received));
            }
            Body::Claim(claim) => claim.clone(),
        };
        if self.store_away {
            return Fate::Hold(message, received);
        }
        match self.fetch(&claim).await {
            Ok(body) if is_claimed(&claim, &body) => {
                Fate::Carry(Item::new(message, body, received))
            }
            Ok(_) => {
                let object = claim.object;
                let reason = format!("the object {object} is not the body that was claimed");
                Fate::Aside(received, reason)
            }
            Err(BodiesError::Missing(_)) => self.without_body(message, claim, received).await,
            Err(error) => {
                self.failed("claim", &error.to_string());
                Fate::Hold(message, received)
            }
        }
    }

    async fn fetch(&self, claim: &Claim) -> Result<Bytes, BodiesError> {
        match &self.parts.bodies {
            Some(bodies) => bodies.fetch(&claim.object).await,
            None => Err(BodiesError::Unavailable(
                "a body lies in an object store, and intake.claim_check.url is not set".to_owned(),
            )),
        }
    }

    /// The copy is deleted after the append. So a message that comes again after that has no body
    /// any more, and needs none.
    async fn without_body(&self, message: Message, claim: Claim, received: Received) -> Fate {
        match self.is_in_log(&message).await {
            Ok(true) => Fate::Done(received.token),
            Ok(false) => {
                let reason = format!(
                    "its body, the object {}, is gone, and the log does not have it: was it deleted \
                     by a rule of the store that is too quick? Restore it from the store's versions, \
                     and restart a mover; else ask GitHub to deliver {} again",
                    claim.object,
                    guid(&message)
                );
                Fate::Aside(received, reason)
            }
            Err(error) => {
                self.failed("claim", &error.to_string());
                Fate::Hold(message, received)
            }
        }
    }

    /// Looked for from the time of its enqueueing on.
    async fn is_in_log(&self, message: &Message) -> Result<bool, ReadError> {
        let Message {
            partition,
            event_id,
            mut enqueued_at,
            ..
        } = *message;
        enqueued_at.0 = enqueued_at.0.saturating_sub(CLOCKS_DIFFER);
        let log = &self.parts.log;
        let offset = log
            .offset_after(Topic::Webhooks, partition, enqueued_at)
            .await?;
        let mut at = Position::new(Topic::Webhooks, Partition(partition.0), offset);
        loop {
            let records = log.read(at, ReadLimit::default()).await?;
            if records.iter().any(|record| record.event_id == event_id) {
                return Ok(true);
            }
            let Some(last) = records.last() else {
                return Ok(false);
            };
            at.offset = last.position.offset.next();
        }
    }

    /// Does what is to be done now, and gives what is to be carried.
    async fn meet(&mut self, fate: Fate) -> Option<Item> {
        match fate {
            Fate::Carry(item) => return Some(item),
            Fate::Done(token) => self.acknowledge(vec![token]).await,
            Fate::Hold(message, received) => {
                self.store_away = true;
                self.held.insert(message.event_id, (message, received));
            }
            Fate::Aside(received, reason) => self.set_aside(received, &reason).await,
        }
        None
    }

    async fn set_aside(&self, received: Received, reason: &str) {
        tracing::error!(
            bytes = received.bytes.len(),
            reason,
            "a message is set aside"
        );
        self.count_failure("aside");
        if let Err(error) = self.parts.intake.set_aside(received).await {
            // It comes again, and is set aside then.
            self.failed("set_aside", &error.to_string());
        }
    }

    /// Into the log, then out of the queue, then out of the object store.
    async fn carry(&mut self, items: Vec<Item>) -> Result<(), AppendError> {
        if items.is_empty() {
            return Ok(());
        }
        let mut left = vec![items];
        while let Some(items) = left.pop() {
            match self.land(&items).await? {
                Landed::All => self.finish(items).await,
                Landed::OneIsTooLarge if items.len() == 1 => {
                    for item in items {
                        let reason = "the log does not take a record of this size".to_owned();
                        self.set_aside(item.received, &reason).await;
                    }
                }
                Landed::OneIsTooLarge => left.extend(items.into_iter().map(|item| vec![item])),
                // They come again, to whoever starts next.
                Landed::Stopped => return Ok(()),
            }
        }
        Ok(())
    }

    /// Appends, and while the log is away tries again.
    async fn land(&self, items: &[Item]) -> Result<Landed, AppendError> {
        loop {
            let now = self.parts.clock.now();
            let appends = items.iter().map(|item| item.append(now)).collect();
            match self.parts.log.append(Topic::Webhooks, appends).await {
                Ok(_) => {
                    self.state
                        .send_if_modified(|state| std::mem::replace(state, Ok(())).is_err());
                    return Ok(Landed::All);
                }
                Err(AppendError::TooLarge { .. }) => return Ok(Landed::OneIsTooLarge),
                Err(error @ AppendError::Poisoned(_)) => return Err(error),
                Err(error) => self.failed("append", &error.to_string()),
            }
            self.pause().await;
            if self.stop.is_cancelled() {
                return Ok(Landed::Stopped);
            }
        }
    }

    async fn finish(&self, items: Vec<Item>) {
        self.parts.metrics.intake_moved.inc_by(items.len() as u64);
        let objects: Vec<_> = items.iter().filter_map(Item::object).collect();
        self.acknowledge(items.into_iter().map(|item| item.received.token).collect())
            .await;
        let Some(bodies) = &self.parts.bodies else {
            return;
        };
        for object in objects {
            if let Err(error) = bodies.remove(&object).await {
                tracing::warn!(object, %error, "the copy of a body stays in the object store");
            }
        }
    }

    async fn acknowledge(&self, tokens: Vec<Token>) {
        if let Err(error) = self.parts.intake.acknowledge(tokens).await {
            // They come again, and add a record each.
            self.failed("acknowledge", &error.to_string());
        }
    }

    async fn count(&mut self) {
        if self.counted.is_some_and(|at| at.elapsed() < COUNT_EVERY) {
            return;
        }
        self.counted = Some(Instant::now());
        match self.parts.intake.depth().await {
            Ok(depth) => {
                let gauge = |count: Option<u64>| count.and_then(|count| i64::try_from(count).ok());
                let metrics = &self.parts.metrics;
                gauge(depth.waiting).map(|count| metrics.intake_waiting.set(count));
                gauge(depth.aside).map(|count| metrics.intake_aside.set(count));
                self.state
                    .send_if_modified(|state| std::mem::replace(state, Ok(())).is_err());
            }
            Err(error) => self.failed("depth", &error.to_string()),
        }
    }

    fn note_age(&self, items: &[Item]) {
        let held = self.held.values().map(|(message, _)| message.enqueued_at);
        let oldest = items.iter().map(Item::enqueued_at).chain(held).min();
        let now = self.parts.clock.now();
        let age = oldest.map_or(0, |oldest| now.since(oldest).as_secs());
        self.parts
            .metrics
            .intake_age
            .set(i64::try_from(age).unwrap_or(i64::MAX));
    }

    fn failed(&self, step: &'static str, reason: &str) {
        self.count_failure(step);
        tracing::warn!(step, reason, "the mover does not get on");
        let _ = self.state.send_replace(Err(format!("{step}: {reason}")));
    }

    fn count_failure(&self, name: &'static str) {
        let failures = &self.parts.metrics.intake_failures;
        failures.get_or_create(&NameLabel { name }).inc();
    }

    async fn pause(&self) {
        let _ = tokio::time::timeout(PAUSE, self.stop.cancelled()).await;
    }
}

fn is_claimed(claim: &Claim, body: &Bytes) -> bool {
    let digest: [u8; 32] = Sha256::digest(body).into();
    body.len() as u64 == claim.bytes && digest == claim.sha256
}

/// The event's name at GitHub.
fn guid(message: &Message) -> String {
    let header = message.headers.iter().find(|header| header.name == "ce_id");
    header.map_or_else(String::new, |header| {
        String::from_utf8_lossy(&header.value).into_owned()
    })
}

#[cfg(test)]
mod tests;
