//! Group commit in its simplest form: one thread, one file.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc;
use tokio::sync::oneshot;

/// Appends bodies; whoever waits at the same time shares one write and one fdatasync.
pub(crate) struct Writer(mpsc::Sender<Waiting>);

struct Waiting {
    body: Bytes,
    durable: oneshot::Sender<()>,
}

impl Writer {
    /// Starts the thread over a new file.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file =
            File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || write_groups(file, &receiver));
        Ok(Self(sender))
    }

    /// Whether the body is durable now. After one error nothing is any more.
    pub(crate) async fn append(&self, body: Bytes) -> bool {
        let (durable, wait) = oneshot::channel();
        let sent = self.0.send(Waiting { body, durable });
        sent.is_ok() && wait.await.is_ok()
    }
}

fn write_groups(mut file: File, waiting: &mpsc::Receiver<Waiting>) {
    let mut bytes = Vec::new();
    while let Ok(first) = waiting.recv() {
        let mut group = vec![first];
        group.extend(waiting.try_iter());
        bytes.clear();
        for one in &group {
            bytes.extend_from_slice(&(one.body.len() as u64).to_be_bytes());
            bytes.extend_from_slice(&one.body);
        }
        if file
            .write_all(&bytes)
            .and_then(|()| file.sync_data())
            .is_err()
        {
            return;
        }
        for one in group {
            // A client that went away does not wait any more.
            let _ = one.durable.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_durable_is_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bodies");
        let writer = Writer::create(&path).unwrap();
        assert!(writer.append(Bytes::from_static(b"{}")).await);
        assert_eq!(std::fs::read(&path).unwrap(), b"\0\0\0\0\0\0\0\x02{}");
    }
}
