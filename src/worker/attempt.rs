//! One attempt of one delivery: read the body, sign, send, judge. It records nothing itself.

use super::lines;
use crate::clock::Clock;
use crate::deliver::target::{Target, TargetError};
use crate::deliver::{Answer, Excerpt, Transport, outcome};
use crate::log::{EventLog, ReadLimit};
use futures_util::FutureExt as _;
use hooklog_schemas::control::ConfigurationVersion;
use hooklog_schemas::deliveries::{Answered, Attempted, DeadReason, ErrorClass, Verdict};
use hooklog_schemas::{DeliveryId, Partition, Position, ReceiptId, Record};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// What an attempt needs of the worker.
pub(super) struct Surroundings {
    pub(super) log: Arc<dyn EventLog>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) transport: Arc<dyn Transport>,
    /// Held by the erasure that is under way.
    pub(super) erasing: tokio::sync::Mutex<()>,
}

/// One attempt that is to be made.
pub(super) struct Attempt {
    pub(super) delivery: DeliveryId,
    pub(super) receipt: ReceiptId,
    pub(super) number: u32,
    pub(super) webhook: Position,
    /// The webhook, if it is still at hand.
    pub(super) record: Option<Arc<Record>>,
    /// An erasure of it was ordered.
    pub(super) erased: bool,
    pub(super) target: Arc<Target>,
    pub(super) configuration: ConfigurationVersion,
}

/// One attempt that was made.
pub(super) struct Finished {
    pub(super) partition: Partition,
    pub(super) attempted: Attempted,
    pub(super) answered: Option<Answered>,
    pub(super) target: Arc<Target>,
    pub(super) guid: String,
}

impl Attempt {
    /// Makes the attempt. A panic in it is an internal error like any other.
    pub(super) async fn run(self, around: &Surroundings) -> Finished {
        let started_at = around.clock.now();
        let made = AssertUnwindSafe(self.make(around)).catch_unwind().await;
        let (answer, refused, guid) = made.unwrap_or_else(|_| {
            let answer =
                Answer::failed(ErrorClass::Internal, "the attempt panicked", Duration::ZERO);
            (answer, false, String::new())
        });
        let policy = &self.target.subscription().spec.policy;
        let verdict = if refused {
            let reason = DeadReason::Undeliverable;
            Verdict::DeadLettered { reason }
        } else {
            let now = around.clock.now();
            outcome::verdict(&answer, policy, self.number, now, rand::random())
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
            headers_us: answer.headers_us,
            target: self.target.shown().to_owned(),
            address: answer.address.map(|address| address.to_string()),
            outcome: answer.outcome,
            verdict,
            configuration: self.configuration,
        };
        Finished {
            partition: self.webhook.partition,
            attempted,
            answered,
            target: self.target,
            guid,
        }
    }

    /// The answer, whether the target is refused for good, and the GUID.
    async fn make(&self, around: &Surroundings) -> (Answer, bool, String) {
        let failed = |class, detail: &str| Answer::failed(class, detail, Duration::ZERO);
        let webhook = match self.webhook(around).await {
            Ok(webhook) => webhook,
            Err(detail) => return (failed(ErrorClass::Internal, &detail), false, String::new()),
        };
        let guid = lines::guid(&webhook);
        if self.erased {
            let erased = failed(ErrorClass::Erased, &TargetError::Erased.to_string());
            return (erased, false, guid);
        }
        match self
            .target
            .request(&webhook, self.delivery, around.clock.now())
        {
            Ok(request) => (around.transport.attempt(request).await, false, guid),
            Err(error) => {
                let (class, refused) = match &error {
                    TargetError::Refused(_) => (ErrorClass::Refused, true),
                    TargetError::Secret(_) => (ErrorClass::Internal, false),
                    TargetError::Erased => (ErrorClass::Erased, false),
                };
                (failed(class, &error.to_string()), refused, guid)
            }
        }
    }

    async fn webhook(&self, around: &Surroundings) -> Result<Arc<Record>, String> {
        if let Some(record) = &self.record {
            return Ok(Arc::clone(record));
        }
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
