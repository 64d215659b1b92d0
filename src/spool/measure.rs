//! What is told of a spool: how much waits, and for how long.

use super::Spool;
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{DecodeError, Record, Timestamp};
use std::sync::{Arc, PoisonError};

impl Spool {
    /// Remembers when the first webhook that waits was received.
    pub(super) fn note_oldest(&self, first: Option<&Arc<Record>>) -> Result<(), DecodeError> {
        let received = first.map(|first| Received::decode(first)).transpose()?;
        let mut oldest = self.oldest.lock().unwrap_or_else(PoisonError::into_inner);
        *oldest = received.map(|received| received.received_at);
        Ok(())
    }

    /// Writes the gauges.
    pub(super) fn measure(&self) {
        let oldest: Option<Timestamp> = *self.oldest.lock().unwrap_or_else(PoisonError::into_inner);
        let metrics = &self.parts.metrics;
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        metrics.spooling.set(i64::from(self.gate.since().is_some()));
        metrics.spool_depth.set(whole(self.depth()));
        metrics.spool_bytes.set(whole(self.parts.buffer.bytes()));
        let now = self.parts.clock.now();
        let age = oldest.map_or(0, |oldest| now.as_secs() - oldest.as_secs());
        metrics.spool_age.set(age.max(0));
    }
}
