//! Where receivers put webhooks when a queue stands in front of the log.

use super::{Bodies, Body, Claim, Intake, IntakeError, Message};
use crate::log::AppendError;
use crate::metrics::Metrics;
use crate::receive::Inlet;
use async_trait::async_trait;
use bytes::Bytes;
use hooklog_schemas::Append;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Calls of the queue that are under way at once: one may take long.
const LANES: usize = 4;
/// Webhooks that share one call of the queue, at the most.
const BATCH: usize = 64;
/// Who watches the process does not wait for long.
const PATIENCE: Duration = Duration::from_secs(2);

/// Puts webhooks into a queue. Those that come while others are under way share a call.
pub struct IntoQueue {
    intake: Arc<dyn Intake>,
    bodies: Option<Arc<dyn Bodies>>,
    waiting: mpsc::UnboundedSender<Waiting>,
    room: Arc<Semaphore>,
    metrics: Metrics,
}

/// Webhooks of one caller.
struct Waiting {
    messages: Vec<Bytes>,
    /// What was kept in the object store for them.
    objects: Vec<String>,
    told: oneshot::Sender<Result<(), IntakeError>>,
    _room: OwnedSemaphorePermit,
}

impl IntoQueue {
    /// An inlet before `intake`; what waits for it has `waiting_bytes_max` bytes at the most.
    #[must_use]
    pub fn new(
        intake: Arc<dyn Intake>,
        bodies: Option<Arc<dyn Bodies>>,
        waiting_bytes_max: usize,
        metrics: Metrics,
    ) -> Self {
        let (waiting, coming) = mpsc::unbounded_channel();
        // It ends with this inlet; should it end earlier, every put says so.
        tokio::spawn(carry(Arc::clone(&intake), bodies.clone(), coming));
        Self {
            intake,
            bodies,
            waiting,
            room: Arc::new(Semaphore::new(waiting_bytes_max)),
            metrics,
        }
    }

    fn admit(&self, bytes: usize) -> Result<OwnedSemaphorePermit, AppendError> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(bytes);
        room.map_err(|_| {
            AppendError::Unavailable(
                "too many webhooks wait for the intake queue's confirmation \
                 (intake.waiting_bytes_max)"
                    .to_owned(),
            )
        })
    }

    /// The message of a webhook; a body that is too large is kept in the object store before.
    async fn message(
        &self,
        webhook: Append,
        objects: &mut Vec<String>,
    ) -> Result<Bytes, AppendError> {
        let limit = self.intake.message_bytes_max();
        let mut message = Message::of(webhook);
        let Body::Inline(body) = message.body.clone() else {
            return Ok(message.encode());
        };
        if body.len() <= limit {
            let encoded = message.encode();
            if encoded.len() <= limit {
                return Ok(encoded);
            }
        }
        let bytes = body.len();
        let Some(bodies) = &self.bodies else {
            return Err(AppendError::TooLarge { bytes, limit });
        };
        let object = message.event_id.to_string();
        message.body = Body::Claim(Claim {
            object: object.clone(),
            bytes: bytes as u64,
            sha256: Sha256::digest(&body).into(),
        });
        // Named before it is there: whoever is dropped meanwhile leaves no more than an orphan.
        let kept = bodies.keep(&object, body).await;
        kept.map_err(|error| AppendError::Unavailable(error.to_string()))?;
        self.metrics.intake_claims.inc();
        objects.push(object);
        Ok(message.encode())
    }

    async fn enqueue(&self, webhooks: Vec<Append>) -> Result<(), AppendError> {
        let size = |webhook: &Append| webhook.value.as_ref().map_or(0, Bytes::len) + 4096;
        let room = self.admit(webhooks.iter().map(size).sum())?;
        let mut messages = Vec::with_capacity(webhooks.len());
        let mut objects = Vec::new();
        for webhook in webhooks {
            messages.push(self.message(webhook, &mut objects).await?);
        }
        let (told, answer) = oneshot::channel();
        let waiting = Waiting {
            messages,
            objects,
            told,
            _room: room,
        };
        let ended = || AppendError::Unavailable("the intake queue's writer ended".to_owned());
        self.waiting.send(waiting).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?.map_err(refusal)
    }
}

#[async_trait]
impl Inlet for IntoQueue {
    async fn put(&self, webhook: Append) -> Result<(), AppendError> {
        self.put_all(vec![webhook]).await
    }

    async fn put_all(&self, webhooks: Vec<Append>) -> Result<(), AppendError> {
        let began = Instant::now();
        self.enqueue(webhooks).await?;
        let took = began.elapsed().as_secs_f64();
        self.metrics.intake_enqueue.observe(took);
        Ok(())
    }

    async fn takes_webhooks(&self) -> Result<(), AppendError> {
        match tokio::time::timeout(PATIENCE, self.intake.depth()).await {
            Ok(told) => told.map(drop).map_err(refusal),
            Err(_) => Err(AppendError::Unavailable(
                "the intake queue does not answer in time".to_owned(),
            )),
        }
    }
}

fn refusal(error: IntakeError) -> AppendError {
    match error {
        IntakeError::TooLarge { bytes, limit } => AppendError::TooLarge { bytes, limit },
        other => AppendError::Unavailable(other.to_string()),
    }
}

/// Gathers what waits, and has it enqueued, until the inlet is dropped.
async fn carry(
    intake: Arc<dyn Intake>,
    bodies: Option<Arc<dyn Bodies>>,
    mut coming: mpsc::UnboundedReceiver<Waiting>,
) {
    let lanes = Arc::new(Semaphore::new(LANES));
    loop {
        let Ok(lane) = Arc::clone(&lanes).acquire_owned().await else {
            return;
        };
        let mut some = Vec::new();
        if coming.recv_many(&mut some, BATCH).await == 0 {
            return;
        }
        let (intake, bodies) = (Arc::clone(&intake), bodies.clone());
        tokio::spawn(async move {
            enqueue(&*intake, bodies.as_deref(), some).await;
            drop(lane);
        });
    }
}

async fn enqueue(intake: &dyn Intake, bodies: Option<&dyn Bodies>, some: Vec<Waiting>) {
    // Whoever gave up before anything was sent was told 503: GitHub may send it again.
    let (gone, wanted): (Vec<_>, Vec<_>) = some.into_iter().partition(|one| one.told.is_closed());
    for one in gone {
        remove(bodies, &one.objects).await;
    }
    let messages: Vec<_> = wanted
        .iter()
        .flat_map(|one| one.messages.iter().cloned())
        .collect();
    if messages.is_empty() {
        return;
    }
    let outcome = intake.enqueue(messages).await;
    // After any other error the message may be in the queue, and then its body is needed.
    let is_not_there = matches!(
        outcome,
        Err(IntakeError::Full(_) | IntakeError::TooLarge { .. })
    );
    for one in wanted {
        if is_not_there {
            remove(bodies, &one.objects).await;
        }
        // A caller who gave up meanwhile hears nothing; the message is in the queue all the same.
        let _ = one.told.send(outcome.clone());
    }
}

async fn remove(bodies: Option<&dyn Bodies>, objects: &[String]) {
    let Some(bodies) = bodies else { return };
    for object in objects {
        if let Err(error) = bodies.remove(object).await {
            tracing::warn!(object, %error, "a body that nobody needs stays in the object store");
        }
    }
}

#[cfg(test)]
mod tests;
