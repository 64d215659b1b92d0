//! Bodies: how much, how long, and how much of them all at once.

use super::answer::Refusal;
use super::envelope::Envelope;
use crate::config::ReceiveConfig;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Memory is counted in pieces of this size.
const PIECE_BYTES: usize = 16 << 10;

/// The memory that all bodies together may take.
pub(super) struct Budget(Arc<Semaphore>);

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        let pieces = bytes.div_ceil(PIECE_BYTES).min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(pieces)))
    }
}

#[cfg(test)]
impl Budget {
    pub(super) fn is_used_up(&self) -> bool {
        self.0.available_permits() == 0
    }
}

/// What one body may take.
#[derive(Debug)]
pub(super) struct Allowance {
    bytes_max: usize,
    declared: Option<usize>,
    deadline: Instant,
}

impl Allowance {
    /// What the body after these headers may take; 413 if it says that it is larger. It must be
    /// there before the answer is due.
    pub(super) fn of(
        envelope: &Envelope,
        config: &ReceiveConfig,
        due: Instant,
    ) -> Result<Self, Refusal> {
        let bytes_max = if envelope.form {
            config.form_bytes_max
        } else {
            config.body_bytes_max
        };
        let declared = envelope.length.map(usize::try_from).transpose();
        let declared = declared.map_err(|_| Refusal::TooLarge)?;
        if declared.is_some_and(|length| length > bytes_max) {
            return Err(Refusal::TooLarge);
        }
        Ok(Self {
            bytes_max,
            declared,
            deadline: due.min(Instant::now() + Duration::from_millis(config.body_deadline_ms)),
        })
    }
}

/// A body with its share of the budget, which it gives back when dropped.
pub(super) struct Held {
    pub(super) bytes: Bytes,
    _share: Share,
}

/// Memory is taken as bytes come, not as lengths are declared: who declares much and sends
/// nothing takes nothing.
struct Share {
    budget: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

/// Reads a whole body.
pub(super) async fn read(
    body: Body,
    budget: &Budget,
    allowance: &Allowance,
) -> Result<Held, Refusal> {
    let mut share = Share {
        budget: Arc::clone(&budget.0),
        permit: None,
    };
    let collecting = collect(body, allowance, &mut share);
    let collected = tokio::time::timeout_at(allowance.deadline, collecting).await;
    Ok(Held {
        bytes: collected.map_err(|_| Refusal::Slow)??,
        _share: share,
    })
}

async fn collect(
    mut body: Body,
    allowance: &Allowance,
    share: &mut Share,
) -> Result<Bytes, Refusal> {
    // A body that comes in one piece, as most do, is not copied.
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::Interrupted)?;
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        let before = first.len() + joined.len();
        let length = before + piece.len();
        if length > allowance.bytes_max {
            return Err(Refusal::TooLarge);
        }
        share.grow(length).await?;
        if before == 0 {
            first = piece;
            continue;
        }
        if joined.is_empty() {
            joined.reserve(allowance.declared.unwrap_or_default().min(PIECES_AT_ONCE));
            joined.extend_from_slice(&std::mem::take(&mut first));
        }
        joined.extend_from_slice(&piece);
    }
    Ok(if joined.is_empty() {
        first
    } else {
        joined.freeze()
    })
}

/// How long a body waits for memory. Bodies come and go within milliseconds; where they do not, a
/// quick 503 is better than a pile of requests that wait.
const MEMORY_WAIT: Duration = Duration::from_secs(1);

/// What is reserved because of a declared length, at the most.
const PIECES_AT_ONCE: usize = 4 * PIECE_BYTES;

impl Share {
    async fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        let held = self
            .permit
            .as_ref()
            .map_or(0, |permit| permit.num_permits());
        let missing = bytes.div_ceil(PIECE_BYTES).saturating_sub(held);
        if missing == 0 {
            return Ok(());
        }
        let missing = u32::try_from(missing).map_err(|_| Refusal::TooLarge)?;
        let more = Arc::clone(&self.budget).acquire_many_owned(missing);
        let more = tokio::time::timeout(MEMORY_WAIT, more).await;
        let more = more.map_err(|_| Refusal::Memory)?;
        let more = more.map_err(|_| Refusal::Internal)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }
}
