//! Snapshots as files: a folder a partition.

use super::{Found, Sealed, SnapshotStore};
use async_trait::async_trait;
use hooklog_schemas::Partition;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

const MANIFEST: &str = "manifest";
const CHUNK: &str = ".chunk";

/// Snapshots in a folder of this machine.
pub struct SnapshotFiles {
    folder: PathBuf,
}

impl SnapshotFiles {
    /// Those of one log in `folder`, which is made when the first is written.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn folder_of(&self, partition: Partition) -> PathBuf {
        self.folder.join(format!("{:05}", partition.0))
    }
}

#[async_trait]
impl SnapshotStore for SnapshotFiles {
    async fn put(&self, partition: Partition, snapshot: Sealed) -> io::Result<()> {
        let folder = self.folder_of(partition);
        blocking(move || write(&folder, &snapshot)).await
    }

    async fn get(&self, partition: Partition) -> io::Result<Option<Found>> {
        let folder = self.folder_of(partition);
        blocking(move || read(&folder)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// The snapshot before stays valid until the manifest is renamed.
fn write(folder: &Path, snapshot: &Sealed) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (number, chunk) in snapshot.chunks.iter().enumerate() {
        let name = format!("{:020}-{number:05}{CHUNK}", snapshot.generation);
        write_synced(&folder.join(name), chunk)?;
    }
    let fresh = folder.join("manifest.new");
    write_synced(&fresh, &snapshot.manifest)?;
    fs::rename(&fresh, folder.join(MANIFEST))?;
    fs::File::open(folder)?.sync_all()?;
    forget_older(folder, snapshot.generation)
}

fn read(folder: &Path) -> io::Result<Option<Found>> {
    let manifest = match fs::read(folder.join(MANIFEST)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut found = Found {
        manifest,
        ..Found::default()
    };
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let Some(place) = place(&entry.file_name().to_string_lossy()) {
            found.chunks.insert(place, fs::read(entry.path())?);
        }
    }
    Ok(Some(found))
}

/// Generation and number of a chunk, by the name of its file.
fn place(name: &str) -> Option<(u64, usize)> {
    let (generation, number) = name.strip_suffix(CHUNK)?.split_once('-')?;
    Some((generation.parse().ok()?, number.parse().ok()?))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn forget_older(folder: &Path, generation: u64) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let place = place(&entry.file_name().to_string_lossy());
        if place.is_some_and(|(of, _)| of != generation) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::conformance;
    use super::*;

    #[tokio::test]
    async fn files_keep_the_rules() {
        let folder = tempfile::tempdir().unwrap();
        conformance::run(&SnapshotFiles::new(folder.path().to_owned())).await;
    }

    #[tokio::test]
    async fn who_is_cut_off_before_the_manifest_leaves_the_snapshot_before() {
        let folder = tempfile::tempdir().unwrap();
        let files = SnapshotFiles::new(folder.path().to_owned());
        let first = conformance::sealed(7, &[b"one"]);
        files.put(Partition(0), first.clone()).await.unwrap();
        let partial = folder.path().join("00000");
        fs::write(partial.join("00000000000000000009-00000.chunk"), "tw").unwrap();
        fs::write(partial.join("manifest.new"), "ma").unwrap();
        let found = files.get(Partition(0)).await.unwrap().unwrap();
        assert_eq!(found.manifest, first.manifest);
        assert_eq!(found.chunks[&(7, 0)], first.chunks[0]);
    }
}
