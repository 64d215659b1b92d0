//! What an event is recognised by, as keys of the index.

use hooklog_schemas::Partition;
use hooklog_schemas::deliveries::Routed;
use sha2::{Digest, Sha256};

/// A kind, and half of a hash: enough that no two values share one.
pub(super) type Key = [u8; 17];

/// What an event is recognised by.
#[derive(Clone, Copy)]
pub(in crate::worker) struct Marks {
    pub(super) event: Key,
    pub(super) signature: Option<Key>,
    pub(super) hook: u64,
    pub(super) signed: u64,
}

impl Marks {
    /// Of an event in a partition; the signature is known only while the webhook is at hand.
    pub(in crate::worker) fn new(
        partition: Partition,
        routed: &Routed,
        signature: Option<&[u8]>,
    ) -> Self {
        let part = partition.0.to_be_bytes();
        let summary = &routed.summary;
        let event = [
            &part[..],
            summary.host.as_bytes(),
            b"\0",
            summary.guid.as_bytes(),
        ];
        let hook = summary.hook_id.as_deref().unwrap_or_default();
        Self {
            event: key(b'g', &event),
            signature: signature.map(|signature| key(b's', &[&part, signature])),
            hook: short(hook.as_bytes()),
            signed: signature.map(short).unwrap_or_default(),
        }
    }
}

/// The key of a value of a kind.
pub(super) fn key(kind: u8, parts: &[&[u8]]) -> Key {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let mut key = [kind; 17];
    key[1..].copy_from_slice(&digest[..16]);
    key
}

/// Enough of a hash to tell two values of one event apart; never 0, which means unknown.
fn short(bytes: &[u8]) -> u64 {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first).max(1)
}
