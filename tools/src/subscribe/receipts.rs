//! What a subscriber saw: one line of JSON for each request.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// One request that a subscriber saw.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Receipt {
    /// The path that was asked for: it tells subscriptions apart.
    pub(crate) path: String,
    /// `webhook-id`; empty if there was none.
    pub(crate) id: String,
    /// `X-GitHub-Delivery`; empty if there was none.
    pub(crate) guid: String,
    /// SHA-256 of the body, in hex.
    pub(crate) sha256: String,
    /// When it was answered, in microseconds since 1970.
    pub(crate) at: i64,
    /// The answer.
    pub(crate) status: u16,
    /// The signature was right.
    pub(crate) verified: bool,
}

/// A file of receipts that is being written.
pub(crate) struct Receipts(Lines);

/// Takes receipts; clones share the file.
#[derive(Clone)]
pub(crate) struct Lines(Arc<Mutex<BufWriter<File>>>);

impl Receipts {
    /// Starts a new file.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file =
            File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(Lines(Arc::new(Mutex::new(BufWriter::new(file))))))
    }

    /// Where receipts go.
    pub(crate) fn lines(&self) -> Lines {
        self.0.clone()
    }

    /// Writes out what is still in memory; fails if anything could not be written.
    pub(crate) fn flush(&self) -> Result<()> {
        let mut out = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        out.flush().context("cannot write the receipts")
    }
}

impl Lines {
    /// Adds a receipt. What cannot be written shows as a missing receipt in the check.
    pub(crate) fn write(&self, receipt: &Receipt) {
        let Ok(mut line) = serde_json::to_vec(receipt) else {
            return;
        };
        line.push(b'\n');
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = out.write_all(&line);
    }
}
