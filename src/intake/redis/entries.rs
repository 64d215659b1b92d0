//! Messages as entries of a stream, and back.

use crate::intake::{Received, Token};
use bytes::Bytes;
use redis::streams::StreamId;
use redis::{Pipeline, Value};

/// The one field of an entry.
const FIELD: &str = "m";

/// Bytes that one receive should bring at the most.
const RECEIVE_BYTES: usize = 64 << 20;

/// Completes an `XADD` to `stream`.
pub(super) fn add(pipe: &mut Pipeline, stream: &str, message: &Bytes) {
    pipe.arg(stream)
        .arg("*")
        .arg(FIELD)
        .arg(&message[..])
        .ignore();
}

/// What stands in entries.
pub(super) fn received(entries: impl IntoIterator<Item = StreamId>) -> Vec<Received> {
    entries.into_iter().map(one).collect()
}

fn one(mut entry: StreamId) -> Received {
    let bytes = match entry.map.remove(FIELD) {
        Some(Value::BulkString(bytes)) => bytes.into(),
        _ => foreign(&entry),
    };
    Received {
        bytes,
        token: Token::new(entry.id),
    }
}

/// Another program's entry, as a text that is not a message: so it is set aside, and not lost.
fn foreign(entry: &StreamId) -> Bytes {
    let mut lines: Vec<_> = entry
        .map
        .iter()
        .map(|(name, value)| format!("{name}={value:?}\n"))
        .collect();
    lines.sort_unstable();
    lines.concat().into()
}

/// How many entries to ask for: a read is limited by their number, and memory by their bytes. It
/// begins with what is safe for the largest, and grows while they are small.
pub(super) struct Pace {
    least: usize,
    now: usize,
}

impl Pace {
    pub(super) fn new(message_bytes_max: usize) -> Self {
        let least = (RECEIVE_BYTES / message_bytes_max.max(1)).max(1);
        Self { least, now: least }
    }

    /// The number to ask for where `limit` would be taken.
    pub(super) fn limit(&self, limit: usize) -> usize {
        self.now.min(limit.max(1))
    }

    /// Learns from what came.
    pub(super) fn note(&mut self, received: &[Received]) {
        let largest = received.iter().map(|one| one.bytes.len()).max();
        let Some(largest) = largest else { return };
        let fit = RECEIVE_BYTES / largest.max(1);
        self.now = fit.min(self.now.saturating_mul(2)).max(self.least);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: usize) -> [Received; 1] {
        [Received {
            bytes: vec![0; bytes].into(),
            token: Token::new("1-0"),
        }]
    }

    #[test]
    fn a_read_begins_small_grows_with_small_messages_and_shrinks_with_a_large_one() {
        let mut pace = Pace::new(32 << 20);
        assert_eq!(pace.limit(100), 2);
        for expected in [4, 8, 16, 32, 64, 100] {
            pace.note(&of(1_000));
            assert_eq!(pace.limit(100), expected);
        }
        pace.note(&[]);
        assert_eq!(pace.limit(100), 100, "an empty read says nothing");
        pace.note(&of(16 << 20));
        assert_eq!(pace.limit(100), 4);
        pace.note(&of(32 << 20));
        assert_eq!(pace.limit(100), 2);
        assert_eq!(pace.limit(1), 1);
    }

    #[test]
    fn another_program_s_entry_comes_as_it_is() {
        let mut entry = StreamId {
            id: "5-1".to_owned(),
            ..StreamId::default()
        };
        entry
            .map
            .insert("task".to_owned(), Value::BulkString(b"mail".to_vec()));
        let received = received([entry]);
        assert_eq!(received[0].token.as_str(), "5-1");
        let text = String::from_utf8_lossy(&received[0].bytes).into_owned();
        assert!(text.contains("task") && text.contains("mail"), "{text}");
    }
}
