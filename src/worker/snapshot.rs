//! A saved fold of one partition: chunks of deliveries, then a manifest with hashes and position.
//!
//! Snapshots are derived: one that is torn, of another log, or beyond the log's end is passed over
//! with a warning, and the log is folded from its start instead.

use super::fold::{Delivery, Fold};
use hooklog_schemas::{DeliveryId, EventId, Offset, Partition};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The version of the files. A release reads its own and its predecessor's.
const FORMAT: u32 = 1;
/// Deliveries of one chunk.
const CHUNK_DELIVERIES: usize = 65_536;
const MANIFEST: &str = "manifest";

/// Where the snapshots of one log are.
#[derive(Clone, Debug)]
pub(super) struct Snapshots {
    folder: PathBuf,
    log: EventId,
}

/// A fold, taken apart so that another thread can write it.
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

impl Snapshots {
    pub(super) const fn new(folder: PathBuf, log: EventId) -> Self {
        Self { folder, log }
    }

    /// Writes a snapshot; the one before it stays valid until the manifest is renamed.
    pub(super) fn write(&self, partition: Partition, saved: Saved) -> Result<(), SnapshotError> {
        let folder = self.folder_of(partition);
        fs::create_dir_all(&folder)?;
        let generation = saved.head.next.0;
        let mut chunks = Vec::new();
        for (number, deliveries) in saved.deliveries.chunks(CHUNK_DELIVERIES).enumerate() {
            let bytes = bincode::serde::encode_to_vec(deliveries, bincode::config::standard())?;
            write_synced(&folder.join(chunk_name(generation, number)), &bytes)?;
            chunks.push(Sha256::digest(&bytes).into());
        }
        let manifest = Manifest {
            format: FORMAT,
            log: self.log,
            partition,
            generation,
            chunks,
            head: saved.head,
        };
        let mut bytes = bincode::serde::encode_to_vec(&manifest, bincode::config::standard())?;
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        bytes.extend_from_slice(&digest);
        let fresh = folder.join("manifest.new");
        write_synced(&fresh, &bytes)?;
        fs::rename(&fresh, folder.join(MANIFEST))?;
        fs::File::open(&folder)?.sync_all()?;
        forget_older(&folder, generation)
    }

    /// The saved fold of a partition whose log ends at `tail`; none if there is no snapshot.
    pub(super) fn read(
        &self,
        partition: Partition,
        tail: Offset,
    ) -> Result<Option<Fold>, SnapshotError> {
        let folder = self.folder_of(partition);
        let bytes = match fs::read(folder.join(MANIFEST)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let manifest = read_manifest(&bytes)?;
        if manifest.format != FORMAT {
            return Err(SnapshotError::Format(manifest.format));
        }
        if manifest.log != self.log || manifest.partition != partition {
            return Err(SnapshotError::OtherLog);
        }
        let mut fold = manifest.head;
        if fold.next > tail {
            let next = fold.next;
            return Err(SnapshotError::Beyond { next, tail });
        }
        for (number, digest) in manifest.chunks.iter().enumerate() {
            let name = chunk_name(manifest.generation, number);
            let bytes = fs::read(folder.join(&name))?;
            if Sha256::digest(&bytes)[..] != digest[..] {
                return Err(SnapshotError::Damaged(name));
            }
            let deliveries: Vec<(DeliveryId, Delivery)> =
                decode(&bytes).ok_or(SnapshotError::Damaged(name))?;
            fold.deliveries.extend(deliveries);
        }
        Ok(Some(fold))
    }

    fn folder_of(&self, partition: Partition) -> PathBuf {
        self.folder.join(format!("{:05}", partition.0))
    }
}

fn read_manifest(bytes: &[u8]) -> Result<Manifest, SnapshotError> {
    let damaged = || SnapshotError::Damaged(MANIFEST.to_owned());
    let (body, digest) = bytes.split_last_chunk::<32>().ok_or_else(damaged)?;
    if Sha256::digest(body)[..] != digest[..] {
        return Err(damaged());
    }
    decode(body).ok_or_else(damaged)
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let decoded = bincode::serde::decode_from_slice(bytes, bincode::config::standard());
    decoded.ok().map(|(value, _)| value)
}

fn chunk_name(generation: u64, number: usize) -> String {
    format!("{generation:020}-{number:05}.chunk")
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), SnapshotError> {
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}

fn forget_older(folder: &Path, generation: u64) -> Result<(), SnapshotError> {
    let ours = format!("{generation:020}-");
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".chunk") && !name.starts_with(&ours) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
