//! The format of a log: which events, in which versions, may stand in it.

use crate::event::DecodeError;
use crate::{Event, Record};

/// The format that every log begins with.
pub const FORMAT_FIRST: u32 = 1;

/// The highest format that this release reads and writes. It is one higher than that of the release
/// before whenever there is an event, or a version of one, which that release would stop at; writers
/// use it only once a `format.raised` says so.
pub const FORMAT: u32 = 1;

/// Hands `event` on, unless it says that this release will not understand what follows.
pub(crate) fn readable(record: &Record, event: Event) -> Result<Event, DecodeError> {
    match &event {
        Event::FormatRaised(raised) if raised.format > FORMAT => Err(DecodeError::Outgrown {
            position: record.position.to_string(),
            format: raised.format,
        }),
        _ => Ok(event),
    }
}
