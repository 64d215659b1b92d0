//! Whether appends were in time lately.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How long an append that came too late counts, if none came after it: a receiver that is taken
/// out of service because of it gets no other webhook to show that all is well again.
const LATELY: Duration = Duration::from_secs(30);

/// Remembers the latest append that missed its deadline, until one is in time.
#[derive(Debug, Default)]
pub(super) struct Punctual {
    /// Whether `missed` holds anything: the usual append looks at no more than this.
    late: AtomicBool,
    missed: Mutex<Option<Instant>>,
}

impl Punctual {
    /// Notes whether an append came back before its deadline, with or without an error.
    pub(super) fn note(&self, in_time: bool, now: Instant) {
        if in_time && !self.late.load(Ordering::Relaxed) {
            return;
        }
        let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        *missed = (!in_time).then_some(now);
        self.late.store(!in_time, Ordering::Relaxed);
    }

    /// Whether the latest append was in time, or is long ago. An error says since when not.
    pub(super) fn check(&self, now: Instant) -> Result<(), String> {
        let missed = *self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        match missed.map(|missed| now.saturating_duration_since(missed)) {
            Some(ago) if ago < LATELY => Err(format!(
                "the log did not take a webhook in time {} s ago",
                ago.as_secs()
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_append_counts_until_one_is_in_time_or_half_a_minute_has_passed() {
        let punctual = Punctual::default();
        let now = Instant::now();
        assert_eq!(punctual.check(now), Ok(()));
        punctual.note(false, now);
        let later = now + Duration::from_secs(4);
        assert!(punctual.check(later).unwrap_err().contains("4 s ago"));
        punctual.note(true, later);
        assert_eq!(punctual.check(later), Ok(()));
        punctual.note(false, later);
        assert_eq!(punctual.check(later + LATELY), Ok(()));
    }
}
