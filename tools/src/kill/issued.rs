//! The commands of a run with their answers: one line of JSON for each.

use crate::load::history::Outcome;
use anyhow::{Context as _, Result};
use hooklog_schemas::ReceiptId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// One command, and what is known of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Issued {
    /// The reason that it gave: no two commands give the same.
    pub(crate) why: String,
    /// What was ordered.
    pub(crate) what: String,
    /// What it was about, for whoever reads.
    pub(crate) about: String,
    /// The receipt to erase.
    pub(crate) receipt: Option<ReceiptId>,
    /// What is known of it; one about nothing is not in the log, whatever the status.
    pub(crate) outcome: Outcome,
    /// The answer's status; none if there was no answer.
    pub(crate) status: Option<u16>,
}

/// How many commands of a sort were taken, refused, or left without an answer.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    ok: u32,
    fail: u32,
    info: u32,
}

/// Commands that are being recorded.
pub(crate) struct Recorder {
    out: BufWriter<File>,
    counts: BTreeMap<String, Counts>,
}

impl Recorder {
    /// Starts a new file.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file =
            File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self {
            out: BufWriter::new(file),
            counts: BTreeMap::new(),
        })
    }

    /// Writes a line, which is in the file at once.
    pub(crate) fn write(&mut self, issued: &Issued) -> Result<()> {
        let counts = self.counts.entry(issued.what.clone()).or_default();
        match issued.outcome {
            Outcome::Ok => counts.ok += 1,
            Outcome::Fail => counts.fail += 1,
            Outcome::Info => counts.info += 1,
        }
        serde_json::to_writer(&mut self.out, issued)?;
        self.out.write_all(b"\n")?;
        Ok(self.out.flush()?)
    }
}

impl fmt::Display for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "commands taken/refused or idle/unknown:")?;
        for (what, counts) in &self.counts {
            write!(f, " {what} {}/{}/{}", counts.ok, counts.fail, counts.info)?;
        }
        Ok(())
    }
}
