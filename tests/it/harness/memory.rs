//! Logs in the memory of a test. A server that starts again in a folder finds the same one.

use hooklog::app::log::Log;
use hooklog::log::memory::MemoryLog;
use hooklog::worker::SnapshotFiles;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use tokio::sync::watch;

/// A log, and what says that it never stops.
type Kept = (Arc<MemoryLog>, watch::Sender<Option<String>>);

static LOGS: LazyLock<Mutex<HashMap<PathBuf, Kept>>> = LazyLock::new(Mutex::default);

/// Makes the log of a folder; the configuration says nothing about it.
pub(super) fn make(folder: &Path) -> String {
    let kept = (Arc::new(MemoryLog::new(12)), watch::Sender::new(None));
    LOGS.lock().unwrap().insert(folder.to_owned(), kept);
    String::new()
}

/// The log of a folder, if it is in memory.
pub(super) fn log(folder: &Path) -> Option<Log> {
    let logs = LOGS.lock().unwrap();
    let (log, poison) = logs.get(folder)?;
    let snapshots = SnapshotFiles::new(folder.join("data").join("snapshots"));
    Some(Log {
        log: Arc::<MemoryLog>::clone(log),
        poisoned: poison.subscribe(),
        snapshots: Arc::new(snapshots),
    })
}
