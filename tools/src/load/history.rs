//! The clients' history: one line of JSON for each request, written by a thread of its own.

use anyhow::{Context as _, Result, anyhow};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;

/// One request, from its sending to its answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Operation {
    /// The number of the request.
    pub(crate) op: u64,
    /// The step of the traffic that it is made of: that of an earlier request, if it repeats one.
    #[serde(default)]
    pub(crate) step: u64,
    /// `X-GitHub-Delivery`.
    pub(crate) guid: String,
    /// SHA-256 of the body, in hex.
    pub(crate) sha256: String,
    /// When it was sent, in microseconds since 1970.
    pub(crate) invoke: i64,
    /// When the answer was there, or given up.
    pub(crate) complete: i64,
    /// What is known of it.
    pub(crate) outcome: Outcome,
    /// The answer's status; none if there was no answer.
    pub(crate) status: Option<u16>,
    /// Which of several histories it is from: each was sent to a receiver of its own.
    #[serde(skip)]
    pub(crate) history: usize,
}

/// What the client knows after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It was taken.
    Ok,
    /// It was certainly not taken.
    Fail,
    /// It may have been taken.
    Info,
}

impl Outcome {
    /// What an answer tells. 500 and above, or no answer, leave it open.
    pub(crate) const fn of(status: Option<u16>) -> Self {
        match status {
            Some(200..=299) => Self::Ok,
            Some(300..=499) => Self::Fail,
            _ => Self::Info,
        }
    }
}

/// A history that is being written.
pub(crate) struct History {
    lines: Lines,
    writer: JoinHandle<std::io::Result<()>>,
}

/// Takes lines; clones may be given to many tasks.
#[derive(Clone)]
pub(crate) struct Lines(mpsc::Sender<Operation>);

impl Lines {
    /// Adds a line. A writer that failed says so at the end.
    pub(crate) fn write(&self, operation: Operation) {
        let _ = self.0.send(operation);
    }
}

impl History {
    /// Starts a new file.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file =
            File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        let (sender, receiver) = mpsc::channel();
        let writer = std::thread::spawn(move || write_lines(file, &receiver));
        Ok(Self {
            lines: Lines(sender),
            writer,
        })
    }

    /// Where lines go.
    pub(crate) fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// Waits until everything is written. All clones of its lines must be gone.
    pub(crate) fn finish(self) -> Result<()> {
        drop(self.lines);
        let written = self.writer.join();
        written
            .map_err(|_| anyhow!("the history's writer died"))?
            .context("cannot write the history")
    }
}

fn write_lines(file: File, operations: &mpsc::Receiver<Operation>) -> std::io::Result<()> {
    let mut out = BufWriter::new(file);
    for operation in operations {
        serde_json::to_writer(&mut out, &operation)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_says_for_certain() {
        assert_eq!(Outcome::of(Some(200)), Outcome::Ok);
        assert_eq!(Outcome::of(Some(401)), Outcome::Fail);
        assert_eq!(Outcome::of(Some(503)), Outcome::Info);
        assert_eq!(Outcome::of(None), Outcome::Info);
    }
}
