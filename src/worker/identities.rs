//! Which events were seen before: by host and GUID, and by signature.
//!
//! A derived index on disk, one keyspace a day of receipt time. It is written after the decisions
//! are durable, replayed from where the fold starts, and may be deleted while the server is
//! stopped. Partitions do not share entries: a redelivery has the same body, so the same partition.

mod seen;

use fjall::config::PartitioningPolicy;
use hooklog_schemas::deliveries::{MatchOutcome, RepeatKind, Repeats, Routed};
use hooklog_schemas::{DeliveryId, EventId, Partition, ReceiptId, Timestamp};
use seen::Seen;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

const DAY_MICROS: i64 = 86_400_000_000;
/// Blocks of the index in memory: with a million receipts about what their filters need.
const CACHE_BYTES: u64 = 24 << 20;
const MEMTABLE_BYTES: u64 = 4 << 20;
const JOURNAL_BYTES: u64 = 64 << 20;

type Key = [u8; 17];

/// The index.
pub(super) struct Identities {
    database: fjall::Database,
    days: BTreeMap<i64, fjall::Keyspace>,
    window_days: i64,
    /// What this turn adds: it is not in the log yet, so not on disk either.
    fresh: HashMap<Key, (i64, Vec<u8>)>,
    /// What this turn owes: the fold does not know it yet.
    owed: HashSet<DeliveryId>,
}

/// What an event is recognised by.
#[derive(Clone, Copy)]
pub(super) struct Marks {
    event: Key,
    signature: Option<Key>,
    hook: u64,
    signed: u64,
}

/// What is known of an earlier receipt of the same event.
pub(super) struct Earlier {
    /// What the receipt is of the earlier one.
    pub(super) repeats: Repeats,
    seen: Option<Seen>,
}

impl Marks {
    /// Of an event in a partition; the signature is known only while the webhook is at hand.
    pub(super) fn new(partition: Partition, routed: &Routed, signature: Option<&[u8]>) -> Self {
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

impl Identities {
    /// Opens the index of this log; that of another log is emptied.
    pub(super) fn open(
        folder: &Path,
        window_days: u32,
        log: EventId,
    ) -> Result<Self, fjall::Error> {
        let database = fjall::Database::builder(folder)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(1)
            .open()?;
        let mut identities = Self {
            database,
            days: BTreeMap::new(),
            window_days: i64::from(window_days),
            fresh: HashMap::new(),
            owed: HashSet::new(),
        };
        let meta = identities.database.keyspace("meta", options)?;
        let ours = meta
            .get(b"log")?
            .is_none_or(|id| id[..] == log.0.as_bytes()[..]);
        for name in identities.database.list_keyspace_names() {
            let Ok(day) = name.trim_start_matches('d').parse::<i64>() else {
                continue;
            };
            let keyspace = identities.database.keyspace(&name, options)?;
            if ours {
                identities.days.insert(day, keyspace);
            } else {
                identities.database.delete_keyspace(keyspace)?;
            }
        }
        meta.insert(b"log", log.0.as_bytes().as_slice())?;
        Ok(identities)
    }

    /// What is known of an earlier receipt of this event, or of one with the same signature.
    pub(super) fn earlier(&self, marks: &Marks) -> Result<Option<Earlier>, fjall::Error> {
        if let Some(bytes) = self.get(&marks.event)?
            && let Some(seen) = Seen::read(&bytes)
        {
            let receipt = seen.receipt;
            let kind = match (seen.hook == marks.hook, seen.signed == marks.signed) {
                (false, _) => RepeatKind::OtherHook,
                (true, false) if seen.signed != 0 => RepeatKind::Conflict,
                (true, _) => RepeatKind::Redelivery,
            };
            let repeats = Repeats { kind, receipt };
            // Other bytes under the same name are no redelivery: nothing is subtracted.
            let seen = Some(seen).filter(|_| kind != RepeatKind::Conflict);
            return Ok(Some(Earlier { repeats, seen }));
        }
        let Some(signature) = &marks.signature else {
            return Ok(None);
        };
        let found = self.get(signature)?;
        Ok(found.and_then(|bytes| {
            let receipt = seen::receipt(&bytes)?;
            let kind = RepeatKind::ReplaySuspect;
            Some(Earlier {
                repeats: Repeats { kind, receipt },
                seen: None,
            })
        }))
    }

    /// Remembers a decision of this turn; [`Self::commit`] writes it once it is durable.
    pub(super) fn note(&mut self, marks: &Marks, routed: &Routed, earlier: Option<&Earlier>) {
        let day = day(routed.received_at);
        let known = earlier.and_then(|earlier| earlier.seen.as_ref());
        let mut seen = known.cloned().unwrap_or_else(|| Seen {
            receipt: routed.receipt,
            hook: marks.hook,
            signed: marks.signed,
            owed: Vec::new(),
        });
        seen.add(routed);
        let owed = routed
            .matches
            .iter()
            .filter(|m| m.outcome == MatchOutcome::Owed);
        self.owed.extend(owed.map(|found| found.delivery));
        self.fresh.insert(marks.event, (day, seen.bytes()));
        if let Some(signature) = marks.signature {
            let receipt = routed.receipt.0.as_bytes().to_vec();
            self.fresh.entry(signature).or_insert((day, receipt));
        }
    }

    /// Remembers a decision that was read from the log, unless it is known already.
    pub(super) fn replay(
        &mut self,
        partition: Partition,
        routed: &Routed,
    ) -> Result<(), fjall::Error> {
        let marks = Marks::new(partition, routed, None);
        let found = self.get(&marks.event)?;
        let seen = found.and_then(|bytes| Seen::read(&bytes));
        if seen.as_ref().is_some_and(|seen| seen.knows(routed)) {
            return Ok(());
        }
        // What was decided against other bytes under the same name begins anew, as it did then.
        let repeats = routed.repeats.as_ref();
        let conflict = repeats.is_some_and(|repeats| repeats.kind == RepeatKind::Conflict);
        let earlier = seen.filter(|_| !conflict).map(|seen| {
            let receipt = seen.receipt;
            let repeats = Repeats {
                kind: RepeatKind::Redelivery,
                receipt,
            };
            Earlier {
                repeats,
                seen: Some(seen),
            }
        });
        self.note(&marks, routed, earlier.as_ref());
        if self.fresh.len() >= REPLAY_MAX {
            self.commit()?;
        }
        Ok(())
    }

    /// Remembers that a delivery was cancelled, not delivered.
    pub(super) fn cancelled(&mut self, delivery: DeliveryId, at: Timestamp) {
        let key = key(b'c', &[delivery.0.as_bytes()]);
        self.fresh.insert(key, (day(at), Vec::new()));
    }

    /// Whether a delivery is owed by a decision of this turn.
    pub(super) fn is_fresh(&self, delivery: DeliveryId) -> bool {
        self.owed.contains(&delivery)
    }

    /// Whether a delivery that is not open or dead any more was cancelled.
    pub(super) fn was_cancelled(&self, delivery: DeliveryId) -> Result<bool, fjall::Error> {
        Ok(self.get(&key(b'c', &[delivery.0.as_bytes()]))?.is_some())
    }

    /// Writes what was noted, and forgets days that are out of the window.
    pub(super) fn commit(&mut self) -> Result<(), fjall::Error> {
        self.owed.clear();
        if self.fresh.is_empty() {
            return Ok(());
        }
        let fresh = std::mem::take(&mut self.fresh);
        let mut batch = self.database.batch();
        for (key, (day, value)) in fresh {
            batch.insert(&self.day(day)?, key.as_slice(), value);
        }
        batch.commit()?;
        self.forget()
    }

    /// A handle through which another thread makes everything written so far durable.
    pub(super) fn database(&self) -> fjall::Database {
        self.database.clone()
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, fjall::Error> {
        if let Some((_, value)) = self.fresh.get(key) {
            return Ok(Some(value.clone()));
        }
        for keyspace in self.days.values().rev() {
            if let Some(value) = keyspace.get(key)? {
                return Ok(Some(value.to_vec()));
            }
        }
        Ok(None)
    }

    fn day(&mut self, day: i64) -> Result<fjall::Keyspace, fjall::Error> {
        if let Some(keyspace) = self.days.get(&day) {
            return Ok(keyspace.clone());
        }
        let keyspace = self.database.keyspace(&format!("d{day}"), options)?;
        self.days.insert(day, keyspace.clone());
        Ok(keyspace)
    }

    fn forget(&mut self) -> Result<(), fjall::Error> {
        let Some(newest) = self.days.keys().next_back().copied() else {
            return Ok(());
        };
        while let Some(oldest) = self.days.first_entry()
            && newest - *oldest.key() > self.window_days
        {
            self.database.delete_keyspace(oldest.remove())?;
        }
        Ok(())
    }
}

impl Earlier {
    /// The delivery that the event already has for this subscription, if any.
    pub(super) fn delivery(
        &self,
        subscription: hooklog_schemas::SubscriptionId,
    ) -> Option<DeliveryId> {
        self.seen.as_ref()?.delivery(subscription)
    }

    /// Whether the earlier receipt is this very one.
    pub(super) fn is(&self, receipt: ReceiptId) -> bool {
        self.repeats.receipt == receipt
    }
}

/// Decisions that a replay keeps in memory before it writes them.
const REPLAY_MAX: usize = 10_000;

/// Filters and indexes are kept in small blocks. As one block a table they grow with the table until
/// they no longer fit into the cache, and then every look-up reads and sums a megabyte: with a
/// million receipts that was a third of the worker's time.
fn options() -> fjall::KeyspaceCreateOptions {
    fjall::KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE_BYTES)
        .filter_block_partitioning_policy(PartitioningPolicy::all(true))
        .index_block_partitioning_policy(PartitioningPolicy::all(true))
}

fn day(at: Timestamp) -> i64 {
    at.0.div_euclid(DAY_MICROS)
}

fn key(kind: u8, parts: &[&[u8]]) -> Key {
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

#[cfg(test)]
mod tests;
