//! A saved fold of one partition: chunks of deliveries, then a manifest with hashes and position.
//!
//! Snapshots are derived: one that is torn, of another log, or beyond the log's end is passed over
//! with a warning, and the log is folded from its start instead.

mod files;

pub use files::SnapshotFiles;

use super::fold::{Delivery, Fold};
use async_trait::async_trait;
use hooklog_schemas::{DeliveryId, EventId, Offset, Partition};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;

/// The version of what is kept. A release reads its own: from an older one the log is folded anew.
const FORMAT: u32 = 2;
/// Deliveries of one chunk: about 4 MB.
const CHUNK_DELIVERIES: usize = 65_536;

/// Where snapshots are kept: files of this machine, or a place that the next owner of a partition
/// can read wherever it is.
///
/// # Rules for implementers
/// - `put` writes the manifest only when all its chunks are durable, and forgets chunks of older
///   generations only when the manifest is. So whoever is cut off leaves the snapshot before.
/// - Two owners may write at once, one of them late: then either manifest may stay.
/// - What is read need not be what was written: manifest and chunks have hashes.
#[async_trait]
pub trait SnapshotStore: Send + Sync {
    /// Replaces the snapshot of a partition.
    async fn put(&self, partition: Partition, snapshot: Sealed) -> io::Result<()>;

    /// The snapshot of a partition, with the chunks that there are, also of other generations; none
    /// if there is no manifest.
    async fn get(&self, partition: Partition) -> io::Result<Option<Found>>;
}

/// A snapshot, as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Grows from one snapshot of a partition to the next.
    pub generation: u64,
    /// Deliveries.
    pub chunks: Vec<Vec<u8>>,
    /// Everything else, and what the chunks must be.
    pub manifest: Vec<u8>,
}

/// What is kept of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The manifest that was written last.
    pub manifest: Vec<u8>,
    /// Chunks by generation and number.
    pub chunks: BTreeMap<(u64, usize), Vec<u8>>,
}

/// A fold, taken apart so that another task can seal and write it.
pub(super) struct Saved {
    /// Everything but the deliveries.
    pub(super) head: Fold,
    /// The deliveries.
    pub(super) deliveries: Vec<(DeliveryId, Delivery)>,
}

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SnapshotError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is of another log")]
    OtherLog,
    #[error("it is of format {0}, which this release does not read")]
    Format(u32),
    #[error("it reaches to {next}, beyond the log's end at {tail}")]
    Beyond { next: Offset, tail: Offset },
    #[error("{0} is damaged")]
    Damaged(String),
    #[error("{0} is missing")]
    Missing(String),
    #[error("it cannot be encoded: {0}")]
    Encode(#[from] bincode::error::EncodeError),
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    format: u32,
    log: EventId,
    partition: Partition,
    generation: u64,
    chunks: Vec<[u8; 32]>,
    head: Fold,
}

impl Saved {
    /// The bytes of a snapshot of this log.
    pub(super) fn seal(self, log: EventId, partition: Partition) -> Result<Sealed, SnapshotError> {
        let generation = self.head.next.0;
        let mut chunks = Vec::new();
        for deliveries in self.deliveries.chunks(CHUNK_DELIVERIES) {
            let bytes = bincode::serde::encode_to_vec(deliveries, bincode::config::standard())?;
            chunks.push(bytes);
        }
        let manifest = Manifest {
            format: FORMAT,
            log,
            partition,
            generation,
            chunks: chunks.iter().map(|c| Sha256::digest(c).into()).collect(),
            head: self.head,
        };
        let mut bytes = bincode::serde::encode_to_vec(&manifest, bincode::config::standard())?;
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        bytes.extend_from_slice(&digest);
        Ok(Sealed {
            generation,
            chunks,
            manifest: bytes,
        })
    }
}

impl Found {
    /// The saved fold of a partition of this log, which ends at `tail`.
    pub(super) fn open(
        &self,
        log: EventId,
        partition: Partition,
        tail: Offset,
    ) -> Result<Fold, SnapshotError> {
        let manifest = read_manifest(&self.manifest)?;
        if manifest.log != log || manifest.partition != partition {
            return Err(SnapshotError::OtherLog);
        }
        let mut fold = manifest.head;
        if fold.next > tail {
            let next = fold.next;
            return Err(SnapshotError::Beyond { next, tail });
        }
        for (number, digest) in manifest.chunks.iter().enumerate() {
            let name = || format!("chunk {number} of generation {}", manifest.generation);
            let found = self.chunks.get(&(manifest.generation, number));
            let bytes = found.ok_or_else(|| SnapshotError::Missing(name()))?;
            if Sha256::digest(bytes)[..] != digest[..] {
                return Err(SnapshotError::Damaged(name()));
            }
            let deliveries: Vec<(DeliveryId, Delivery)> =
                decode(bytes).ok_or_else(|| SnapshotError::Damaged(name()))?;
            fold.deliveries.extend(deliveries);
        }
        Ok(fold)
    }
}

fn read_manifest(bytes: &[u8]) -> Result<Manifest, SnapshotError> {
    let damaged = || SnapshotError::Damaged("the manifest".to_owned());
    let (body, digest) = bytes.split_last_chunk::<32>().ok_or_else(damaged)?;
    if Sha256::digest(body)[..] != digest[..] {
        return Err(damaged());
    }
    // What follows it may be laid out in any way.
    match decode(body).ok_or_else(damaged)? {
        FORMAT => decode(body).ok_or_else(damaged),
        other => Err(SnapshotError::Format(other)),
    }
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let decoded = bincode::serde::decode_from_slice(bytes, bincode::config::standard());
    decoded.ok().map(|(value, _)| value)
}

#[cfg(test)]
pub(crate) mod conformance;
#[cfg(test)]
mod tests;
