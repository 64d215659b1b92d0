//! Records and group trailers as bytes. `docs/log-format.md` has the layout, byte by byte.

use crate::log::AppendError;
use bytes::Bytes;
use hooklog_schemas::{
    Append, EventId, EventType, Header, Key, Offset, Partition, Position, Record, Timestamp, Topic,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Bytes of a record's fixed header; its type follows.
pub(crate) const FIXED: usize = 136;
/// Bytes of a group's trailer.
pub(crate) const TRAILER: usize = 64;
/// Bytes of the salt that stands before headers and value.
pub(crate) const SALT: usize = 16;
/// Headers and value of one record at the most: a form-encoded body may have 40 MiB.
pub(crate) const MOST_BYTES: usize = 64 << 20;
/// Every frame has this at byte 14, which makes the search for frames behind damage quick.
pub(crate) const MARK: [u8; 2] = *b"HL";

const RECORD: u8 = 1;
const GROUP: u8 = 2;
const ERASED: u8 = 1;
const TOMBSTONE: u8 = 1;
const NO_EPOCH: u64 = u64::MAX;

/// A SHA-256 over everything before: the hash link.
pub(crate) type Link = [u8; 32];

/// A frame that waits for its place: all but offset, sequence and time is encoded and summed.
pub(crate) struct Draft {
    /// Fixed header, type, salt and headers; the value is written from where it is.
    head: Vec<u8>,
    /// What becomes the record.
    pub(crate) append: Append,
}

impl Draft {
    /// Encodes `append`, with `salt`, for a journal whose sums start from `seed`.
    ///
    /// # Errors
    /// [`AppendError::TooLarge`].
    pub(crate) fn new(append: Append, salt: [u8; SALT], seed: u32) -> Result<Self, AppendError> {
        let value = append.value.as_deref().unwrap_or_default();
        let event_type = append.event_type.as_str().as_bytes();
        let headers: usize = append.headers.iter().map(header_bytes).sum();
        let names = append.headers.iter().map(|header| header.name.len());
        within(headers + value.len(), MOST_BYTES)?;
        within(event_type.len(), usize::from(u16::MAX))?;
        within(append.headers.len(), usize::from(u16::MAX))?;
        within(names.max().unwrap_or(0), usize::from(u16::MAX))?;
        let mut head = Vec::with_capacity(FIXED + event_type.len() + SALT + headers);
        head.resize(FIXED, 0);
        head.extend_from_slice(event_type);
        let body = head.len();
        head.extend_from_slice(&salt);
        for header in &append.headers {
            head.extend_from_slice(&(header.name.len() as u16).to_le_bytes());
            head.extend_from_slice(&(header.value.len() as u32).to_le_bytes());
            head.extend_from_slice(header.name.as_bytes());
            head.extend_from_slice(&header.value);
        }
        let digest = Sha256::new()
            .chain_update(&head[body..])
            .chain_update(value);
        let digest: [u8; 32] = digest.finalize().into();
        let sum = crc32c::crc32c_append(crc32c::crc32c_append(seed, &head[body..]), value);
        let length = (head.len() + value.len()) as u32;
        let epoch = append.epoch.map_or(NO_EPOCH, |epoch| epoch.0);
        put(&mut head, 0, &length.to_le_bytes());
        put(&mut head, 8, &sum.to_le_bytes());
        put(&mut head, 12, &[RECORD, 0, MARK[0], MARK[1]]);
        put(&mut head, 16, &append.partition.0.to_le_bytes());
        put(&mut head, 20, &append.version.to_le_bytes());
        put(
            &mut head,
            23,
            &[u8::from(append.value.is_none()) * TOMBSTONE],
        );
        put(&mut head, 48, &epoch.to_le_bytes());
        put(&mut head, 56, append.key.0.as_bytes());
        put(&mut head, 72, append.event_id.0.as_bytes());
        put(&mut head, 92, &(event_type.len() as u16).to_le_bytes());
        put(&mut head, 94, &(append.headers.len() as u16).to_le_bytes());
        put(&mut head, 96, &(headers as u32).to_le_bytes());
        put(&mut head, 100, &(value.len() as u32).to_le_bytes());
        put(&mut head, 104, &digest);
        Ok(Self { head, append })
    }

    /// Gives the frame its place, and adds it to the hash `link`.
    pub(crate) fn place(&mut self, at: Place, seed: u32, link: &mut Sha256) {
        put(&mut self.head, 24, &at.offset.0.to_le_bytes());
        put(&mut self.head, 32, &at.sequence.to_le_bytes());
        put(&mut self.head, 40, &at.time.0.to_le_bytes());
        let end = FIXED + self.append.event_type.as_str().len();
        seal(&mut self.head[..end], seed);
        link.update(&self.head[16..end]);
    }

    /// The bytes to write, in two parts.
    pub(crate) fn parts(&self) -> [&[u8]; 2] {
        [&self.head, self.append.value.as_deref().unwrap_or_default()]
    }

    /// Bytes on disk.
    pub(crate) fn len(&self) -> usize {
        self.head.len() + self.append.value.as_ref().map_or(0, Bytes::len)
    }
}

/// Where a record comes to stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) offset: Offset,
    /// The count of records before it in the journal, over all partitions.
    pub(crate) sequence: u64,
    pub(crate) time: Timestamp,
}

/// The trailer of a group: with it, and only with it, the group's records are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trailer {
    /// Records in the group.
    pub(crate) count: u32,
    /// The sequence of the first one.
    pub(crate) first: u64,
    /// The hash link up to and with this group.
    pub(crate) link: Link,
}

impl Trailer {
    pub(crate) fn encode(&self, seed: u32) -> [u8; TRAILER] {
        let mut bytes = [0; TRAILER];
        put(&mut bytes, 0, &(TRAILER as u32).to_le_bytes());
        put(&mut bytes, 12, &[GROUP, 0, MARK[0], MARK[1]]);
        put(&mut bytes, 16, &self.count.to_le_bytes());
        put(&mut bytes, 24, &self.first.to_le_bytes());
        put(&mut bytes, 32, &self.link);
        seal(&mut bytes, seed);
        bytes
    }
}

/// The fixed header and the type of a record.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// Bytes of the whole frame.
    pub(crate) length: usize,
    /// Whether headers and value were erased.
    pub(crate) erased: bool,
    /// Whether this is a tombstone.
    pub(crate) tombstone: bool,
    pub(crate) partition: Partition,
    pub(crate) place: Place,
    pub(crate) epoch: Option<Offset>,
    pub(crate) key: Key,
    pub(crate) event_id: EventId,
    pub(crate) event_type: EventType,
    pub(crate) version: u16,
    /// Bytes of headers, also of erased ones.
    pub(crate) headers: usize,
    /// Bytes of the value, also of an erased one.
    pub(crate) value: usize,
    codec: u8,
    key_id: u32,
    header_count: u16,
    sum: u32,
    digest: [u8; 32],
}

/// What stands at a place in a segment.
pub(crate) enum Frame {
    Record(Box<Head>),
    Group(Trailer),
}

/// How many bytes the frame that starts with `prefix` needs for [`parse`]: `None` if it is none.
pub(crate) fn head_bytes(prefix: &[u8]) -> Option<usize> {
    let length = u32_at(prefix, 0)? as usize;
    if prefix.get(14..16)? != MARK {
        return None;
    }
    match *prefix.get(12)? {
        GROUP if length == TRAILER => Some(TRAILER),
        RECORD => {
            let named = FIXED + usize::from(u16_at(prefix, 92)?);
            (named <= length && length <= named + SALT + MOST_BYTES).then_some(named)
        }
        _ => None,
    }
}

/// Reads a frame's header from exactly [`head_bytes`] bytes.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(bytes: &[u8], seed: u32) -> Result<Frame, &'static str> {
    if u32_at(bytes, 4) != Some(sum_of(bytes, seed)) {
        return Err("the checksum of a frame's header is wrong");
    }
    let frame = match bytes[12] {
        GROUP => trailer(bytes).map(Frame::Group),
        _ => head(bytes).map(|head| Frame::Record(Box::new(head))),
    };
    frame.ok_or("a frame's header contradicts itself")
}

impl Head {
    /// Whether `body`, which is what follows the type, is what was written; `deep` looks at the
    /// digest as well as at the checksum.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check(&self, body: &[u8], seed: u32, deep: bool) -> Result<(), &'static str> {
        if self.erased {
            return Ok(());
        }
        if crc32c::crc32c_append(seed, body) != self.sum {
            return Err("the checksum of a record's body is wrong");
        }
        let digest: [u8; 32] = if deep {
            Sha256::digest(body).into()
        } else {
            self.digest
        };
        if digest == self.digest {
            Ok(())
        } else {
            Err("the digest of a record's body is wrong")
        }
    }

    /// Bytes of fixed header and type.
    pub(crate) fn named(&self) -> usize {
        FIXED + self.event_type.as_str().len()
    }

    /// The record, from `body`, which is what follows the type.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn record(self, topic: Topic, body: &Bytes) -> Result<Record, &'static str> {
        if self.codec != 0 || self.key_id != 0 {
            return Err("its codec or key is not known to this release");
        }
        let (headers, value) = if self.erased {
            (Vec::new(), None)
        } else {
            let value_at = SALT + self.headers;
            let headers = headers(&body.slice(SALT..value_at), self.header_count);
            let headers = headers.ok_or("its headers do not read")?;
            (headers, (!self.tombstone).then(|| body.slice(value_at..)))
        };
        Ok(Record {
            position: Position::new(topic, self.partition, self.place.offset),
            event_id: self.event_id,
            key: self.key,
            event_type: self.event_type,
            version: self.version,
            epoch: self.epoch,
            appended_at: self.place.time,
            headers,
            value,
        })
    }
}

/// The frame without salt, headers and value: `named` is its fixed header and type.
pub(crate) fn erase(named: &[u8], seed: u32) -> Vec<u8> {
    let mut bytes = named.to_vec();
    let length = bytes.len() as u32;
    put(&mut bytes, 0, &length.to_le_bytes());
    put(&mut bytes, 8, &[0; 4]);
    put(&mut bytes, 13, &[ERASED]);
    seal(&mut bytes, seed);
    bytes
}

fn head(bytes: &[u8]) -> Option<Head> {
    let head = Head {
        length: u32_at(bytes, 0)? as usize,
        sum: u32_at(bytes, 8)?,
        erased: bytes[13] == ERASED,
        partition: Partition(u32_at(bytes, 16)?),
        version: u16_at(bytes, 20)?,
        codec: bytes[22],
        tombstone: bytes[23] == TOMBSTONE,
        place: Place {
            offset: Offset(u64_at(bytes, 24)?),
            sequence: u64_at(bytes, 32)?,
            time: Timestamp(u64_at(bytes, 40)?.cast_signed()),
        },
        epoch: u64_at(bytes, 48)
            .filter(|epoch| *epoch != NO_EPOCH)
            .map(Offset),
        key: Key(Uuid::from_slice(bytes.get(56..72)?).ok()?),
        event_id: EventId(Uuid::from_slice(bytes.get(72..88)?).ok()?),
        key_id: u32_at(bytes, 88)?,
        header_count: u16_at(bytes, 94)?,
        headers: u32_at(bytes, 96)? as usize,
        value: u32_at(bytes, 100)? as usize,
        digest: bytes.get(104..FIXED)?.try_into().ok()?,
        event_type: EventType::read(std::str::from_utf8(bytes.get(FIXED..)?).ok()?),
    };
    let body = if head.erased {
        0
    } else {
        SALT + head.headers + head.value
    };
    let whole = head.length == bytes.len() + body && !(head.tombstone && head.value > 0);
    whole.then_some(head)
}

fn trailer(bytes: &[u8]) -> Option<Trailer> {
    Some(Trailer {
        count: u32_at(bytes, 16)?,
        first: u64_at(bytes, 24)?,
        link: bytes.get(32..TRAILER)?.try_into().ok()?,
    })
}

fn headers(bytes: &Bytes, count: u16) -> Option<Vec<Header>> {
    let mut at = 0;
    let mut headers = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let name_len = usize::from(u16_at(bytes, at)?);
        let value_at = at + 6 + name_len;
        let end = value_at + u32_at(bytes, at + 2)? as usize;
        let name = std::str::from_utf8(bytes.get(at + 6..value_at)?).ok()?;
        if end > bytes.len() {
            return None;
        }
        headers.push(Header::new(name, bytes.slice(value_at..end)));
        at = end;
    }
    (at == bytes.len()).then_some(headers)
}

fn header_bytes(header: &Header) -> usize {
    6 + header.name.len() + header.value.len()
}

fn within(bytes: usize, limit: usize) -> Result<(), AppendError> {
    if bytes > limit {
        return Err(AppendError::TooLarge { bytes, limit });
    }
    Ok(())
}

/// Writes the checksum of a header whose other bytes are in place.
fn seal(bytes: &mut [u8], seed: u32) {
    let sum = sum_of(bytes, seed);
    put(bytes, 4, &sum.to_le_bytes());
}

/// The checksum over all of a header but the checksum itself.
fn sum_of(bytes: &[u8], seed: u32) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(seed, &bytes[..4]), &bytes[8..])
}

/// Writes `value` at `at`.
pub(crate) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
