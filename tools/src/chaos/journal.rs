//! What was done to the processes, and when: one line of JSON each. The checker reads it.

use crate::clock::now_us;
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Something that happened to a process, until it was over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Incident {
    /// What.
    pub(crate) kind: Kind,
    /// To which process.
    pub(crate) who: String,
    /// When it began, in microseconds since 1970.
    pub(crate) begin: i64,
    /// When the process was ready again; for an end, the same as the beginning.
    pub(crate) end: i64,
    /// How a process ended that nobody had ended.
    #[serde(default)]
    pub(crate) note: Option<String>,
}

/// What can happen to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// It was started for the first time.
    Started,
    /// A worker was killed (-9) and started again.
    WorkerKilled,
    /// A worker was stopped (SIGSTOP) for longer than its session lasts, then continued.
    WorkerPaused,
    /// A receiver was asked to end (SIGTERM), and started again.
    ReceiverStopped,
    /// A receiver was killed (-9) and started again.
    ReceiverKilled,
    /// The broker was asked to end, and started again.
    BrokerRestarted,
    /// The broker was killed (-9) and started again.
    BrokerKilled,
    /// A process ended although nobody had ended it.
    Ended,
    /// All were asked to end, one after the other, when everything was over.
    Stopped,
}

impl Kind {
    /// Whether it breaks anything.
    pub(crate) const fn is_fault(self) -> bool {
        !matches!(self, Self::Started | Self::Stopped)
    }

    /// Whether it may change who owns which partition.
    pub(crate) const fn touches_ownership(self) -> bool {
        !matches!(self, Self::ReceiverStopped | Self::ReceiverKilled)
    }

    /// Whether the log was away.
    pub(crate) const fn takes_the_log(self) -> bool {
        matches!(self, Self::BrokerRestarted | Self::BrokerKilled)
    }

    /// In words.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Started => "processes started",
            Self::WorkerKilled => "workers killed",
            Self::WorkerPaused => "workers paused",
            Self::ReceiverStopped => "receivers restarted",
            Self::ReceiverKilled => "receivers killed",
            Self::BrokerRestarted => "broker restarted",
            Self::BrokerKilled => "broker killed",
            Self::Ended => "processes ended by themselves",
            Self::Stopped => "clusters stopped",
        }
    }
}

/// A journal that is being written.
pub(crate) struct Journal(Mutex<File>);

impl Journal {
    /// Starts a new file.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path);
        let file = file.with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(Mutex::new(file)))
    }

    /// Records what began at `begin` and is over now.
    pub(crate) fn over(&self, kind: Kind, who: &str, begin: i64) -> Result<()> {
        let end = now_us();
        self.write(&Incident {
            kind,
            who: who.to_owned(),
            begin,
            end,
            note: None,
        })
    }

    /// Records that a process ended although nobody had ended it.
    pub(crate) fn ended(&self, who: &str, note: String) -> Result<()> {
        let now = now_us();
        self.write(&Incident {
            kind: Kind::Ended,
            who: who.to_owned(),
            begin: now,
            end: now,
            note: Some(note),
        })
    }

    /// A line is in the file at once.
    fn write(&self, incident: &Incident) -> Result<()> {
        let mut line = serde_json::to_vec(incident)?;
        line.push(b'\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line).context("cannot write the journal")
    }
}
