//! Keeps space for what must still fit when the disk is nearly full.

use super::journal::Journal;
use super::options::Options;
use crate::log::AppendError;
use hooklog_schemas::Topic;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The disk is asked at most this often, unless much was written since.
const EVERY: Duration = Duration::from_millis(100);

/// Tells whether a group may be written.
pub(crate) struct Reserve {
    journal: Arc<Journal>,
    /// Bytes that stay free of what comes in anew.
    reserve: u64,
    /// Bytes that stay free of everything.
    floor: u64,
    asked: Option<Instant>,
    /// Bytes that were free then, less what was written since.
    free: u64,
}

impl Reserve {
    pub(crate) fn new(journal: &Arc<Journal>, options: &Options) -> Self {
        // Deliveries and control end what webhooks began, so they may use the reserve.
        let reserve = match journal.topic {
            Topic::Webhooks => options.reserve_bytes.max(options.floor_bytes),
            Topic::Deliveries | Topic::Control => options.floor_bytes,
        };
        Self {
            journal: Arc::clone(journal),
            reserve,
            floor: options.floor_bytes,
            asked: None,
            free: 0,
        }
    }

    /// Refuses a group of `bytes` that would eat into what is kept; one that only `erases` may use
    /// the reserve.
    pub(crate) fn check(&mut self, bytes: u64, erases: bool) -> Result<(), AppendError> {
        let kept = if erases { self.floor } else { self.reserve };
        let needed = kept.saturating_add(bytes);
        let fresh = self.asked.is_some_and(|asked| asked.elapsed() < EVERY);
        if !fresh || needed > self.free {
            self.ask()?;
        }
        if needed > self.free {
            return Err(self.full(kept));
        }
        // Others write to the same disk: what was seen is believed in small portions.
        self.free -= bytes;
        Ok(())
    }

    fn full(&self, kept: u64) -> AppendError {
        let whom = if kept > self.floor {
            "deliveries, control and erasures"
        } else {
            "the system"
        };
        AppendError::NoSpace(format!("{kept} bytes stay free for {whom}"))
    }

    fn ask(&mut self) -> Result<(), AppendError> {
        let free = self.journal.files.free_bytes(&self.journal.dir);
        self.free = free.map_err(|error| AppendError::Unavailable(error.to_string()))?;
        self.asked = Some(Instant::now());
        Ok(())
    }
}
