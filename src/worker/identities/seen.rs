//! What the index remembers of one event: its first receipt, and to whom it is owed.

use hooklog_schemas::deliveries::{LIVE, MatchOutcome, Routed};
use hooklog_schemas::{DeliveryId, Offset, ReceiptId, SubscriptionId};
use uuid::Uuid;

/// One event, by host and GUID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The first receipt.
    pub(super) receipt: ReceiptId,
    /// Its offset in `webhooks`.
    pub(super) webhook: Offset,
    /// A short hash of its hook's id.
    pub(super) hook: u64,
    /// A short hash of the latest signature of its body; 0 if it is not known any more.
    pub(super) signed: u64,
    /// For which receipt it is owed to which subscription, the latest last.
    pub(super) owed: Vec<(ReceiptId, SubscriptionId)>,
}

const HEAD_BYTES: usize = 40;
const OWED_BYTES: usize = 32;

impl Seen {
    /// Adds what a decision owes anew.
    pub(super) fn add(&mut self, routed: &Routed) {
        let owed = routed
            .matches
            .iter()
            .filter(|m| m.outcome == MatchOutcome::Owed);
        self.owed
            .extend(owed.map(|found| (routed.receipt, found.subscription)));
    }

    /// Whether this decision was added.
    pub(super) fn knows(&self, routed: &Routed) -> bool {
        self.receipt == routed.receipt || self.owed.iter().any(|(of, _)| *of == routed.receipt)
    }

    /// The latest delivery of the event to a subscription.
    pub(super) fn delivery(&self, subscription: SubscriptionId) -> Option<DeliveryId> {
        let latest = self.owed.iter().rev().find(|(_, to)| *to == subscription);
        latest.map(|(receipt, to)| DeliveryId::derive(*receipt, *to, LIVE))
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + OWED_BYTES * self.owed.len());
        bytes.extend_from_slice(self.receipt.0.as_bytes());
        bytes.extend_from_slice(&self.hook.to_be_bytes());
        bytes.extend_from_slice(&self.signed.to_be_bytes());
        bytes.extend_from_slice(&self.webhook.0.to_be_bytes());
        for (receipt, subscription) in &self.owed {
            bytes.extend_from_slice(receipt.0.as_bytes());
            bytes.extend_from_slice(subscription.0.as_bytes());
        }
        bytes
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(HEAD_BYTES)?;
        let number = |at: usize| Some(u64::from_be_bytes(head.get(at..at + 8)?.try_into().ok()?));
        let owed = rest.chunks_exact(OWED_BYTES).filter_map(|pair| {
            let (receipt, subscription) = pair.split_at_checked(16)?;
            Some((
                ReceiptId(uuid(receipt)?),
                SubscriptionId(uuid(subscription)?),
            ))
        });
        Some(Self {
            receipt: receipt(head)?,
            hook: number(16)?,
            signed: number(24)?,
            webhook: Offset(number(32)?),
            owed: owed.collect(),
        })
    }
}

/// The receipt with which a value starts.
pub(super) fn receipt(bytes: &[u8]) -> Option<ReceiptId> {
    uuid(bytes.get(..16)?).map(ReceiptId)
}

fn uuid(bytes: &[u8]) -> Option<Uuid> {
    Uuid::from_slice(bytes).ok()
}
