//! From bytes to a webhook: first the signature, then everything else.

use super::answer::Refusal;
use super::envelope::Envelope;
use super::facts::{Claim, Extracted, extract};
use super::sources::Gate;
use bytes::Bytes;
use hooklog_schemas::webhook::form_payload;
use hooklog_schemas::{SecretId, Timestamp};
use std::sync::Arc;

/// Larger bodies are verified on a thread of their own, so that small ones do not wait.
const LARGE_BYTES: usize = 256 << 10;

/// A request that was read.
pub(super) struct Unverified {
    pub(super) gate: Arc<Gate>,
    pub(super) envelope: Envelope,
    pub(super) body: Bytes,
    /// When the body was complete.
    pub(super) at: Timestamp,
    /// A form's payload at the most.
    pub(super) payload_bytes_max: usize,
}

/// A webhook that GitHub sent.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) secret: SecretId,
    pub(super) extracted: Extracted,
}

impl Unverified {
    /// Verifies the signature, and then extracts what routing looks at.
    pub(super) async fn verify(self) -> Result<Verified, Refusal> {
        if self.body.len() < LARGE_BYTES {
            return self.verify_here();
        }
        let verified = tokio::task::spawn_blocking(move || self.verify_here()).await;
        verified.map_err(|_| Refusal::Internal)?
    }

    fn verify_here(self) -> Result<Verified, Refusal> {
        let signature = &self.envelope.signature;
        let (secret, organizations) = self.gate.verify(&self.body, signature, self.at)?;
        let payload = self.envelope.form.then(|| form_payload(&self.body));
        let payload = match &payload {
            None => Some(&self.body[..]),
            Some(payload) => payload.as_deref(),
        };
        if payload.is_some_and(|payload| payload.len() > self.payload_bytes_max) {
            return Err(Refusal::TooLarge);
        }
        let claim = Claim {
            guid: self.envelope.guid,
            event: self.envelope.event,
            hook_id: self.envelope.hook_id,
            host: self.gate.source.spec.host.clone(),
            body_bytes: self.body.len() as u64,
            form: self.envelope.form,
        };
        let extracted = extract(claim, payload);
        if !may_speak(organizations, &extracted) {
            return Err(Refusal::Organization);
        }
        Ok(Verified { secret, extracted })
    }
}

/// Whether a secret that is bound to `organizations` may sign this body.
///
/// A bound secret signs only what names one of its organisations: a body that names none, be it a
/// user's, an enterprise's, or not readable, is refused like one that names another.
fn may_speak(organizations: &[i64], extracted: &Extracted) -> bool {
    let named = [
        extracted.facts.organization_id,
        extracted.owner_organization_id,
    ];
    let mut named = named.into_iter().flatten().peekable();
    organizations.is_empty()
        || (named.peek().is_some() && named.all(|id| organizations.contains(&id)))
}
