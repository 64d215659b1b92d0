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
    /// Bytes that stay free.
    kept: u64,
    asked: Option<Instant>,
    /// Bytes above `kept` that may be written until the disk is asked again.
    left: u64,
}

impl Reserve {
    pub(crate) fn new(journal: &Arc<Journal>, options: &Options) -> Self {
        // Deliveries, control and erasures end what webhooks began, so they may use the reserve.
        let kept = match journal.topic {
            Topic::Webhooks => options.reserve_bytes.max(options.floor_bytes),
            Topic::Deliveries | Topic::Control => options.floor_bytes,
        };
        Self {
            journal: Arc::clone(journal),
            kept,
            asked: None,
            left: 0,
        }
    }

    /// Refuses a group of `bytes` that would eat into what is kept.
    pub(crate) fn check(&mut self, bytes: u64) -> Result<(), AppendError> {
        let fresh = self.asked.is_some_and(|asked| asked.elapsed() < EVERY);
        if !fresh || bytes > self.left {
            self.ask()?;
        }
        match self.left.checked_sub(bytes) {
            Some(left) => {
                // Others write to the same disk: what was seen is believed in small portions.
                self.left = left;
                Ok(())
            }
            None => Err(AppendError::NoSpace(format!(
                "{} bytes stay free for {}",
                self.kept,
                if self.journal.topic == Topic::Webhooks {
                    "deliveries and control"
                } else {
                    "the system"
                }
            ))),
        }
    }

    fn ask(&mut self) -> Result<(), AppendError> {
        let free = self.journal.files.free_bytes(&self.journal.dir);
        let free = free.map_err(|error| AppendError::Unavailable(error.to_string()))?;
        self.asked = Some(Instant::now());
        self.left = free.saturating_sub(self.kept);
        Ok(())
    }
}
