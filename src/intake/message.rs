//! What stands in a queue: one append of `webhook.received`, before it has its place in the log.
//!
//! | bytes | hold |
//! |---|---|
//! | 4 | `hkin` |
//! | 1 | the version of this format: 1 |
//! | 4 | the length of the head, little endian |
//! | … | the head: JSON, see `Head` |
//! | … | the body, byte for byte; nothing when it is a claim |
//! | 4 | CRC32C of everything before, little endian |
//!
//! The first five bytes stay as they are in every version. Releases may differ while a queue holds
//! messages: each reads its predecessors' versions, and sets a newer one aside.

mod head;

use bytes::{BufMut as _, Bytes, BytesMut};
use head::Head;
use hooklog_schemas::{Append, EventId, EventType, Header, Key, Partition, Timestamp};

const MAGIC: &[u8; 4] = b"hkin";
const VERSION: u8 = 1;
/// Magic, version, and the length of the head.
const FIXED: usize = 9;
const SUM: usize = 4;

/// One append of `webhook.received` on its way to the log.
///
/// It has no key: that is drawn anew for every append, also of a message that comes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The event's id, which names the receipt: by it a record that comes twice is known.
    pub event_id: EventId,
    /// What kind of event it is.
    pub event_type: EventType,
    /// The version of that kind's schema.
    pub event_version: u16,
    /// The partition to append to.
    pub partition: Partition,
    /// When the receiver enqueued it.
    pub enqueued_at: Timestamp,
    /// Named values beside the body.
    pub headers: Vec<Header>,
    /// The body, or where it is.
    pub body: Body,
}

/// The body of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The bytes that GitHub sent.
    Inline(Bytes),
    /// They are too many for the queue, and lie in an object store.
    Claim(Claim),
}

/// Where a body lies that is too large for the queue, and how to know that it is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The object's name in the store.
    pub object: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

/// Why bytes are not a message that this release understands. The mover sets them aside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Another program put it into the queue.
    #[error("it is not a message of hooklog: another program writes to the same queue")]
    Foreign,
    /// A newer release wrote it.
    #[error(
        "it has version {0} of the message format, which this release does not know; run `append` \
         with the release that the receivers have, or a newer one"
    )]
    Newer(u8),
    /// It is not what was enqueued.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

impl Message {
    /// The message that asks for `append`; a webhook always has a body.
    #[must_use]
    pub fn of(append: Append) -> Self {
        Self {
            event_id: append.event_id,
            event_type: append.event_type,
            event_version: append.version,
            partition: append.partition,
            enqueued_at: append.at,
            headers: append.headers,
            body: Body::Inline(append.value.unwrap_or_default()),
        }
    }

    /// The append that it asks for, with its `body`, under a fresh `key`.
    #[must_use]
    pub fn into_append(self, body: Bytes, key: Key, at: Timestamp) -> Append {
        Append {
            partition: self.partition,
            event_id: self.event_id,
            key,
            event_type: self.event_type,
            version: self.event_version,
            epoch: None,
            at,
            headers: self.headers,
            value: Some(body),
        }
    }

    /// The bytes that go into a queue.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let head = Head::of(self).to_json();
        let body: &[u8] = match &self.body {
            Body::Inline(body) => body,
            Body::Claim(_) => &[],
        };
        let mut bytes = BytesMut::with_capacity(FIXED + head.len() + body.len() + SUM);
        bytes.put_slice(MAGIC);
        bytes.put_u8(VERSION);
        // A head is bounded by the headers of a request, far below 4 GiB.
        bytes.put_u32_le(u32::try_from(head.len()).unwrap_or(u32::MAX));
        bytes.put_slice(&head);
        bytes.put_slice(body);
        let sum = crc32c::crc32c(&bytes);
        bytes.put_u32_le(sum);
        bytes.freeze()
    }

    /// Reads what [`Message::encode`] wrote, in this release or an earlier one. The body is a part of
    /// `bytes`, and not copied.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        match bytes.get(..5) {
            Some([magic @ .., VERSION]) if magic == MAGIC => decode_v1(bytes),
            Some([magic @ .., version]) if magic == MAGIC => Err(DecodeError::Newer(*version)),
            _ => Err(DecodeError::Foreign),
        }
    }
}

fn decode_v1(bytes: &Bytes) -> Result<Message, DecodeError> {
    let short = || DecodeError::Damaged("it is cut off".to_owned());
    let end = bytes.len().checked_sub(SUM).ok_or_else(short)?;
    if u32_at(bytes, end) != Some(crc32c::crc32c(&bytes[..end])) {
        let reason = "its checksum does not fit its bytes".to_owned();
        return Err(DecodeError::Damaged(reason));
    }
    let length = u32_at(bytes, FIXED - 4).ok_or_else(short)?;
    let length = usize::try_from(length).map_err(|_| short())?;
    let body = FIXED.checked_add(length).ok_or_else(short)?;
    if body > end {
        return Err(short());
    }
    let head = Head::from_json(&bytes[FIXED..body]);
    let head = head.map_err(|error| DecodeError::Damaged(error.to_string()))?;
    Ok(head.into_message(bytes.slice(body..end)))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

#[cfg(test)]
mod tests;
