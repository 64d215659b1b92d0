//! The wall clock, in the unit of the log.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970; 0 if the clock stands before.
pub(crate) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |span| {
        i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
    })
}
