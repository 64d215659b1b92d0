//! Which events were seen before: by host and GUID, and by signature.
//!
//! A derived index on disk, one keyspace a day of receipt time. It is written after the decisions
//! are durable, and knows how far it has read each partition: what another worker decided since, or
//! all that the window covers if the index was deleted, is filled in from the log when a partition
//! is restored. That leaves the signatures out, so a replayed capture of such a webhook is not
//! suspected.
//!
//! The same GUID and hook mean the same event if the body is the same. Equal signatures say so at
//! no cost; after a rotation of the secret the two bodies are compared, which reads one record.
//!
//! Partitions do not share entries: a redelivery has the same body, so the same partition. What
//! another partition holds is not seen: a GUID that comes again with another repository's body is
//! no conflict, and neither is it subtracted.

mod earlier;
mod marks;
mod seen;

pub(super) use earlier::Earlier;
pub(super) use marks::Marks;

use fjall::config::PartitioningPolicy;
use hooklog_schemas::deliveries::{MatchOutcome, RepeatKind, Repeats, Routed};
use hooklog_schemas::{DeliveryId, EventId, Offset, Partition, Timestamp};
use marks::{Key, key};
use seen::Seen;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

const DAY_MICROS: i64 = 86_400_000_000;
/// Blocks of the index in memory: with a million receipts about what their filters need.
const CACHE_BYTES: u64 = 24 << 20;
const MEMTABLE_BYTES: u64 = 4 << 20;
const JOURNAL_BYTES: u64 = 64 << 20;

/// The index.
pub(super) struct Identities {
    database: fjall::Database,
    meta: fjall::Keyspace,
    days: BTreeMap<i64, fjall::Keyspace>,
    window_days: i64,
    /// What this turn adds: it is not in the log yet, so not on disk either.
    fresh: HashMap<Key, (i64, Vec<u8>)>,
    /// What this turn owes: the fold does not know it yet.
    owed: HashSet<DeliveryId>,
}

impl Identities {
    /// Opens the index of this log. One of another log or format, or of a shorter window, is
    /// emptied, so that it is filled from the log.
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
        let meta = database.keyspace("meta", options)?;
        let window = meta.get(WINDOW)?.and_then(|days| number(&days));
        let ours = is(&meta, LOG, log.0.as_bytes())? && is(&meta, FORMAT, &FORMAT_NOW)?;
        let fits = ours && window.is_some_and(|days| days >= window_days);
        let mut identities = Self {
            database,
            meta,
            days: BTreeMap::new(),
            window_days: i64::from(window_days),
            fresh: HashMap::new(),
            owed: HashSet::new(),
        };
        identities.open_days(fits)?;
        if !fits {
            // Gone before the rest goes, and back after it: half an emptied index fits nothing.
            identities.meta.remove(WINDOW)?;
            identities.forget_reached()?;
        }
        identities.meta.insert(LOG, log.0.as_bytes().as_slice())?;
        identities.meta.insert(FORMAT, FORMAT_NOW)?;
        identities.meta.insert(WINDOW, window_days.to_be_bytes())?;
        Ok(identities)
    }

    fn open_days(&mut self, keep: bool) -> Result<(), fjall::Error> {
        for name in self.database.list_keyspace_names() {
            let Ok(day) = name.trim_start_matches('d').parse::<i64>() else {
                continue;
            };
            let keyspace = self.database.keyspace(&name, options)?;
            if keep {
                self.days.insert(day, keyspace);
            } else {
                self.database.delete_keyspace(keyspace)?;
            }
        }
        Ok(())
    }

    fn forget_reached(&self) -> Result<(), fjall::Error> {
        let mut keys = Vec::new();
        for entry in self.meta.prefix(REACHED) {
            keys.push(entry.key()?);
        }
        keys.into_iter().try_for_each(|key| self.meta.remove(key))
    }

    /// Up to where the decisions of a partition are in the index: from its start, or from where the
    /// window begins.
    pub(super) fn reached(&self, partition: Partition) -> Result<Offset, fjall::Error> {
        let found = self.meta.get(reached_key(partition))?;
        let offset = found.and_then(|bytes| Some(u64::from_be_bytes(bytes[..].try_into().ok()?)));
        Ok(Offset(offset.unwrap_or_default()))
    }

    /// What notes from another thread how far the index is.
    pub(super) fn marker(&self) -> Marker {
        Marker {
            database: self.database.clone(),
            meta: self.meta.clone(),
        }
    }

    /// The time before which nothing is looked for, given the time of now.
    pub(super) fn begins(&self, now: Timestamp) -> Timestamp {
        Timestamp(now.0 - (self.window_days + 1) * DAY_MICROS)
    }

    /// Forgets what was noted of decisions that nobody knows to be durable.
    pub(super) fn discard(&mut self) {
        self.fresh.clear();
        self.owed.clear();
    }

    /// What is known of an earlier receipt of this event, or of one with the same signature.
    pub(super) fn earlier(&self, marks: &Marks) -> Result<Option<Earlier>, fjall::Error> {
        if let Some(bytes) = self.get(&marks.event)?
            && let Some(seen) = Seen::read(&bytes)
        {
            return Ok(Some(Earlier::of(seen, marks)));
        }
        let Some(signature) = &marks.signature else {
            return Ok(None);
        };
        let found = self.get(signature)?;
        let receipt = found.and_then(|bytes| seen::receipt(&bytes));
        Ok(receipt.map(Earlier::suspect))
    }

    /// Remembers a decision of this turn; [`Self::commit`] writes it once it is durable.
    pub(super) fn note(&mut self, marks: &Marks, routed: &Routed, earlier: Option<&Earlier>) {
        let day = day(routed.received_at);
        let known = earlier.and_then(|earlier| earlier.seen.as_ref());
        let mut seen = known.cloned().unwrap_or_else(|| Seen {
            receipt: routed.receipt,
            webhook: routed.webhook,
            hook: marks.hook,
            signed: marks.signed,
            owed: Vec::new(),
        });
        if seen.hook == marks.hook && marks.signed != 0 {
            // After a rotation the next receipt has the new secret's signature.
            seen.signed = marks.signed;
        }
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

    /// Remembers a decision that was read from the log; tells whether it was not known already.
    pub(super) fn replay(
        &mut self,
        partition: Partition,
        routed: &Routed,
    ) -> Result<bool, fjall::Error> {
        let marks = Marks::new(partition, routed, None);
        let found = self.get(&marks.event)?;
        let seen = found.and_then(|bytes| Seen::read(&bytes));
        if seen.as_ref().is_some_and(|seen| seen.knows(routed)) {
            return Ok(false);
        }
        // What was recorded as a conflict began anew under the same name.
        let conflict = |repeats: &Repeats| repeats.kind == RepeatKind::Conflict;
        let anew = routed.repeats.as_ref().is_some_and(conflict);
        let earlier = seen.filter(|_| !anew).map(|seen| Earlier::of(seen, &marks));
        self.note(&marks, routed, earlier.as_ref());
        if self.fresh.len() >= REPLAY_MAX {
            self.commit()?;
        }
        Ok(true)
    }

    /// Adds the signature of a webhook whose decision was replayed.
    pub(super) fn replay_signature(
        &mut self,
        marks: &Marks,
        received_at: Timestamp,
    ) -> Result<(), fjall::Error> {
        let found = self.get(&marks.event)?;
        let (Some(signature), Some(mut seen)) =
            (marks.signature, found.and_then(|bytes| Seen::read(&bytes)))
        else {
            return Ok(());
        };
        if seen.hook == marks.hook {
            seen.signed = marks.signed;
        }
        let (day, receipt) = (day(received_at), seen.receipt.0.as_bytes().to_vec());
        self.fresh.insert(marks.event, (day, seen.bytes()));
        if self.get(&signature)?.is_none() {
            self.fresh.insert(signature, (day, receipt));
        }
        Ok(())
    }

    /// Remembers that a delivery was cancelled, not delivered.
    pub(super) fn cancelled(&mut self, delivery: DeliveryId, at: Timestamp) {
        let key = key(b'c', &[delivery.0.as_bytes()]);
        self.fresh.insert(key, (day(at), Vec::new()));
    }

    /// Remembers that a delivery was delivered by an attempt that ended when it was cancelled.
    pub(super) fn delivered_late(
        &mut self,
        delivery: DeliveryId,
        at: Timestamp,
    ) -> Result<(), fjall::Error> {
        if self.was_cancelled(delivery)? {
            let key = key(b'l', &[delivery.0.as_bytes()]);
            self.fresh.insert(key, (day(at), Vec::new()));
        }
        Ok(())
    }

    /// Whether a delivery is owed by a decision of this turn.
    pub(super) fn is_fresh(&self, delivery: DeliveryId) -> bool {
        self.owed.contains(&delivery)
    }

    /// Whether a delivery that is not open or dead any more was cancelled, and not delivered late.
    pub(super) fn was_cancelled(&self, delivery: DeliveryId) -> Result<bool, fjall::Error> {
        let id: &[&[u8]] = &[delivery.0.as_bytes()];
        let cancelled = self.get(&key(b'c', id))?.is_some();
        Ok(cancelled && self.get(&key(b'l', id))?.is_none())
    }

    /// Writes what was noted, and forgets days that are out of the window.
    pub(super) fn commit(&mut self) -> Result<(), fjall::Error> {
        self.owed.clear();
        if self.fresh.is_empty() {
            return Ok(());
        }
        let fresh = std::mem::take(&mut self.fresh);
        let mut batch = self.database.batch();
        let newest = fresh.values().map(|(day, _)| *day);
        let newest = newest.chain(self.days.keys().next_back().copied()).max();
        let oldest = newest.unwrap_or_default() - self.window_days;
        // A replay from the start passes days that are out of the window.
        let within = fresh.into_iter().filter(|(_, (day, _))| *day >= oldest);
        for (key, (day, value)) in within {
            batch.insert(&self.day(day)?, key.as_slice(), value);
        }
        batch.commit()?;
        self.forget()
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

/// Notes how far the index is, apart from its owner.
pub(super) struct Marker {
    database: fjall::Database,
    meta: fjall::Keyspace,
}

impl Marker {
    /// Notes that everything before `next` is in the index. It is written after all that, so that
    /// no crash leaves it there alone.
    pub(super) fn mark(&self, partition: Partition, next: Offset) -> Result<(), fjall::Error> {
        let key = reached_key(partition);
        self.meta.insert(key, next.0.to_be_bytes())
    }

    /// Makes everything written so far durable.
    pub(super) fn persist(&self) -> Result<(), fjall::Error> {
        self.database.persist(fjall::PersistMode::SyncAll)
    }
}

const LOG: &[u8] = b"log";
const FORMAT: &[u8] = b"format";
/// 3: how far each partition is.
const FORMAT_NOW: [u8; 1] = [3];
/// The days of receipt time that the index covers.
const WINDOW: &[u8] = b"window";
/// With a partition's number: how far it is.
const REACHED: &[u8] = b"reached";

fn reached_key(partition: Partition) -> Vec<u8> {
    [REACHED, &partition.0.to_be_bytes()].concat()
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

fn is(meta: &fjall::Keyspace, key: &[u8], value: &[u8]) -> Result<bool, fjall::Error> {
    Ok(meta.get(key)?.is_some_and(|found| found[..] == *value))
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

fn day(at: Timestamp) -> i64 {
    at.0.div_euclid(DAY_MICROS)
}

#[cfg(test)]
mod tests;
