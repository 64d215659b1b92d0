//! One attempt of one delivery: read the body, sign, send, judge. It records nothing itself.

use super::batch::Term;
use super::lines;
use super::room::{Held, Room};
use super::schedule::Slot;
use crate::clock::Clock;
use crate::deliver::sent::headers_sha256;
use crate::deliver::target::{Target, TargetError};
use crate::deliver::{Again, Answer, Excerpt, Transport, outcome};
use crate::log::{EventLog, ReadLimit};
use futures_util::FutureExt as _;
use hooklog_schemas::control::ConfigurationVersion;
use hooklog_schemas::deliveries::{Answered, Attempted, DeadReason, ErrorClass, Verdict};
use hooklog_schemas::{DeliveryId, Position, ReceiptId, Record, Timestamp};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// What an attempt needs of the worker.
pub(super) struct Surroundings {
    pub(super) log: Arc<dyn EventLog>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) transport: Arc<dyn Transport>,
    /// For the bodies of attempts under way.
    pub(super) room: Room,
    /// Held by the erasure that is under way.
    pub(super) erasing: tokio::sync::Mutex<()>,
}

/// One attempt that is to be made.
pub(super) struct Attempt {
    /// Who decided to make it.
    pub(super) term: Term,
    pub(super) delivery: DeliveryId,
    pub(super) receipt: ReceiptId,
    pub(super) number: u32,
    pub(super) webhook: Position,
    /// The webhook, if it is still at hand.
    pub(super) record: Option<Arc<Record>>,
    /// An erasure of it was ordered.
    pub(super) erased: bool,
    pub(super) target: Arc<Target>,
    /// The slot that it holds.
    pub(super) slot: Slot,
    /// What it tells the receiver, if a replay owes it.
    pub(super) again: Option<Again>,
    pub(super) configuration: ConfigurationVersion,
}

/// One attempt that was made.
pub(super) struct Finished {
    pub(super) slot: Slot,
    pub(super) term: Term,
    pub(super) attempted: Attempted,
    pub(super) answered: Option<Answered>,
    pub(super) target: Arc<Target>,
    pub(super) guid: String,
}

impl Attempt {
    /// Makes the attempt. A panic in it is an internal error like any other.
    pub(super) async fn run(mut self, around: &Surroundings) -> Finished {
        let at_hand = self.record.take();
        let begun = around.clock.now();
        let made = AssertUnwindSafe(self.make(at_hand, around))
            .catch_unwind()
            .await;
        let Made {
            answer,
            refused,
            guid,
            started_at,
            headers_sha256,
        } = made.unwrap_or_else(|_| Made::internal("the attempt panicked", begun));
        let policy = &self.target.subscription().spec.policy;
        let judged = outcome::verdict(
            &answer,
            policy,
            self.number,
            around.clock.now(),
            rand::random(),
        );
        // Whoever is gone elsewhere says nothing about the subscription.
        let gone = self.slot.queue.elsewhere.is_some() && judged == Verdict::Paused;
        let verdict = if refused || gone {
            let reason = DeadReason::Undeliverable;
            Verdict::DeadLettered { reason }
        } else {
            judged
        };
        let answered = answer.excerpt.map(|Excerpt { text, truncated }| Answered {
            delivery: self.delivery,
            receipt: self.receipt,
            number: self.number,
            started_at,
            excerpt: text,
            truncated,
        });
        let attempted = Attempted {
            delivery: self.delivery,
            receipt: self.receipt,
            subscription: self.target.subscription().id,
            number: self.number,
            started_at,
            duration_us: answer.duration_us,
            resolve_us: answer.phases.resolve_us,
            connect_us: answer.phases.connect_us,
            headers_us: answer.phases.headers_us,
            headers_sha256,
            target: self.target.shown().to_owned(),
            address: answer.address.map(|address| address.to_string()),
            outcome: answer.outcome,
            verdict,
            configuration: self.configuration,
        };
        Finished {
            slot: self.slot,
            term: self.term,
            attempted,
            answered,
            target: self.target,
            guid,
        }
    }

    async fn make(&self, at_hand: Option<Arc<Record>>, around: &Surroundings) -> Made {
        let (webhook, _held) = match self.webhook(at_hand, around).await {
            Ok(webhook) => webhook,
            Err(detail) => return Made::internal(&detail, around.clock.now()),
        };
        let started_at = around.clock.now();
        let made = |answer, refused, sent| Made {
            answer,
            refused,
            guid: lines::guid(&webhook),
            started_at,
            headers_sha256: sent,
        };
        let failed = |class, detail: &str| Answer::failed(class, detail, Duration::ZERO);
        if self.erased {
            let erased = failed(ErrorClass::Erased, &TargetError::Erased.to_string());
            return made(erased, false, None);
        }
        match self.target.request(&webhook, self.delivery, started_at) {
            Ok(mut request) => {
                if let Some(again) = &self.again {
                    again.tell(&mut request.headers);
                }
                let sent = headers_sha256(&request.headers);
                made(around.transport.attempt(request).await, false, Some(sent))
            }
            Err(error) => {
                let (class, refused) = match &error {
                    TargetError::Refused(_) => (ErrorClass::Refused, true),
                    TargetError::Secret(_) => (ErrorClass::Internal, false),
                    TargetError::Erased => (ErrorClass::Erased, false),
                };
                made(failed(class, &error.to_string()), refused, None)
            }
        }
    }

    /// The webhook, and the room that it takes until the attempt has ended.
    async fn webhook(
        &self,
        at_hand: Option<Arc<Record>>,
        around: &Surroundings,
    ) -> Result<(Arc<Record>, Held), String> {
        let mut held = Held::default();
        if let Some(record) = at_hand
            && held.try_grow(&around.room, record.size())
        {
            return Ok((record, held));
        }
        loop {
            let reading = around.room.reading().await;
            let record = self.read(around).await?;
            let size = record.size();
            if held.try_grow(&around.room, size) {
                return Ok((record, held));
            }
            // While it waits for room it holds nothing.
            drop((record, reading));
            held.grow(&around.room, size).await;
        }
    }

    async fn read(&self, around: &Surroundings) -> Result<Arc<Record>, String> {
        let one = ReadLimit {
            records: 1,
            bytes: 0,
        };
        let read = around.log.read(self.webhook, one).await;
        let records = read.map_err(|error| error.to_string())?;
        let found = records
            .into_iter()
            .find(|record| record.position == self.webhook);
        found.ok_or_else(|| format!("there is no record at {}", self.webhook))
    }
}

/// What came of it.
struct Made {
    answer: Answer,
    /// The target is refused for good.
    refused: bool,
    guid: String,
    /// When the request began: what it waited for before is no part of its duration.
    started_at: Timestamp,
    /// Of the headers that were sent, if any were.
    headers_sha256: Option<String>,
}

impl Made {
    fn internal(detail: &str, started_at: Timestamp) -> Self {
        Self {
            answer: Answer::failed(ErrorClass::Internal, detail, Duration::ZERO),
            refused: false,
            guid: String::new(),
            started_at,
            headers_sha256: None,
        }
    }
}
