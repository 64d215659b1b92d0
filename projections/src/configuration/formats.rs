//! The format in force, and which processes started lately: an upgrade goes by both.

use super::Folded;
use hooklog_schemas::control::ProcessStarted;
use hooklog_schemas::{EventId, FORMAT_FIRST, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;

/// Starts that are remembered, the latest ones.
const STARTS_MAX: usize = 256;

/// The format in force, and the latest starts of processes.
#[derive(Clone, Debug)]
pub struct Formats {
    /// The format in force: writers use no event of a higher one.
    pub in_force: u32,
    /// The latest starts, the oldest first, at most 256. Which of them still run, the log does not say.
    pub starts: VecDeque<Arc<Start>>,
}

/// One start of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Its `process.started`.
    pub process: EventId,
    /// `all`, or the roles it plays.
    pub role: String,
    /// The release.
    pub build: String,
    /// The highest format that it reads: it stops when a higher one comes into force.
    pub format: u32,
    /// The name of its machine, if it was told.
    pub host: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl Default for Formats {
    fn default() -> Self {
        Self {
            in_force: FORMAT_FIRST,
            starts: VecDeque::new(),
        }
    }
}

impl Formats {
    /// A format never goes back, so of two that raise it at once the higher one counts.
    pub(super) fn raise(&mut self, format: u32) -> Folded {
        if format <= self.in_force {
            return Folded::Evidence;
        }
        self.in_force = format;
        Folded::Applied
    }

    pub(super) fn started(&mut self, process: EventId, started: &ProcessStarted) -> Folded {
        if self.starts.len() == STARTS_MAX {
            self.starts.pop_front();
        }
        self.starts.push_back(Arc::new(Start {
            process,
            role: started.role.clone(),
            build: started.build.clone(),
            format: started.format,
            host: started.host.clone(),
            at: started.at,
        }));
        Folded::Evidence
    }
}
