//! Where each record of a segment stands: derived, and made again when it is missing or wrong.

use super::files::{LogFile, LogFiles};
use super::frame::{put, u16_at, u32_at, u64_at};
use super::scan::Seen;
use super::segment::{Chain, Next};
use hooklog_schemas::{Key, Timestamp};
use std::io::{self, IoSlice};
use std::path::Path;
use uuid::Uuid;

const MAGIC: [u8; 8] = *b"HOOKIDX\0";
const VERSION: u16 = 1;
const FIXED: usize = 80;
const PER_PARTITION: usize = 32;

/// Positions by partition, as they are collected.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// The first offset of each partition in the segment, and where its records stand.
    pub(crate) partitions: Vec<(u64, Vec<u32>)>,
    /// Keys that tombstones of the segment erase.
    pub(crate) tombstones: Vec<Key>,
    /// Records of the segment whose bytes are gone.
    pub(crate) erased: u64,
}

impl Places {
    /// Nothing yet, in a segment that starts at `chain`.
    pub(crate) fn after(chain: &Chain) -> Self {
        let first = chain
            .partitions
            .iter()
            .map(|next| (next.offset, Vec::new()));
        Self {
            partitions: first.collect(),
            tombstones: Vec::new(),
            erased: 0,
        }
    }

    /// Adds a record that stands at byte `at`.
    pub(crate) fn add(&mut self, seen: &Seen) {
        let partition = seen.head.partition.0 as usize;
        self.push(
            partition,
            seen.at,
            seen.head.tombstone.then_some(seen.head.key),
        );
        self.erased += u64::from(seen.head.erased);
    }

    /// Adds a record that stands at byte `at`, and erases a key if it is a tombstone.
    pub(crate) fn push(&mut self, partition: usize, at: u64, tombstone: Option<Key>) {
        if let Some((_, places)) = self.partitions.get_mut(partition) {
            // Segments are far below 4 GiB: see `Options::segment_bytes`.
            places.push(u32::try_from(at).unwrap_or(u32::MAX));
        }
        self.tombstones.extend(tombstone);
    }

    /// Whether there is no record.
    pub(crate) fn is_empty(&self) -> bool {
        self.partitions.iter().all(|(_, places)| places.is_empty())
    }
}

/// What is kept in memory of a sealed segment; the places stay in the index file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// The first sequence, which is also its name.
    pub(crate) first: u64,
    /// The length of the segment file.
    pub(crate) end: u64,
    /// Where the journal stands after it.
    pub(crate) chain: Chain,
    /// By partition.
    pub(crate) spans: Vec<Span>,
    pub(crate) tombstones: Vec<Key>,
    pub(crate) erased: u64,
}

/// The records of one partition in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The first offset.
    pub(crate) first: u64,
    pub(crate) count: u32,
    /// Where in the index file their places start.
    pub(crate) at: u64,
}

/// The index file of a segment, and what memory keeps of it.
pub(crate) fn encode(first: u64, end: u64, chain: &Chain, places: &Places) -> (Sealed, Vec<u8>) {
    let partitions = chain.partitions.len();
    let keys_at = FIXED + partitions * PER_PARTITION;
    let mut bytes = vec![0; keys_at];
    put(&mut bytes, 0, &MAGIC);
    put(&mut bytes, 8, &VERSION.to_le_bytes());
    put(&mut bytes, 10, &(partitions as u16).to_le_bytes());
    put(
        &mut bytes,
        12,
        &(places.tombstones.len() as u32).to_le_bytes(),
    );
    put(&mut bytes, 16, &first.to_le_bytes());
    put(&mut bytes, 24, &end.to_le_bytes());
    put(&mut bytes, 32, &chain.sequence.to_le_bytes());
    put(&mut bytes, 40, &chain.link);
    put(&mut bytes, 72, &places.erased.to_le_bytes());
    for key in &places.tombstones {
        bytes.extend_from_slice(key.0.as_bytes());
    }
    let mut spans = Vec::with_capacity(partitions);
    for (index, next) in chain.partitions.iter().enumerate() {
        let (first, places) = &places.partitions[index];
        let span = Span {
            first: *first,
            count: places.len() as u32,
            at: bytes.len() as u64,
        };
        let at = FIXED + index * PER_PARTITION;
        put(&mut bytes, at, &span.first.to_le_bytes());
        put(&mut bytes, at + 8, &span.at.to_le_bytes());
        put(&mut bytes, at + 16, &next.time.0.to_le_bytes());
        put(&mut bytes, at + 24, &span.count.to_le_bytes());
        for place in places {
            bytes.extend_from_slice(&place.to_le_bytes());
        }
        spans.push(span);
    }
    let sum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    let tombstones = places.tombstones.clone();
    let erased = places.erased;
    (
        Sealed {
            first,
            end,
            chain: chain.clone(),
            spans,
            tombstones,
            erased,
        },
        bytes,
    )
}

/// Reads an index file; `None` if it is not whole, or not of this format.
pub(crate) fn decode(bytes: &[u8]) -> Option<Sealed> {
    let (content, sum) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    let known = bytes.get(..8)? == MAGIC && u16_at(bytes, 8)? == VERSION;
    if !known || u32_at(sum, 0)? != crc32c::crc32c(content) {
        return None;
    }
    let partitions = usize::from(u16_at(bytes, 10)?);
    let mut nexts = Vec::with_capacity(partitions);
    let mut spans = Vec::with_capacity(partitions);
    for index in 0..partitions {
        let at = FIXED + index * PER_PARTITION;
        let count = u32_at(bytes, at + 24)?;
        let first = u64_at(bytes, at)?;
        spans.push(Span {
            first,
            count,
            at: u64_at(bytes, at + 8)?,
        });
        let time = Timestamp(u64_at(bytes, at + 16)?.cast_signed());
        nexts.push(Next {
            offset: first + u64::from(count),
            time,
        });
    }
    let keys_at = FIXED + partitions * PER_PARTITION;
    let keys = content
        .get(keys_at..)?
        .chunks_exact(16)
        .take(u32_at(bytes, 12)? as usize);
    let keys = keys.map(|key| Uuid::from_slice(key).ok().map(Key));
    Some(Sealed {
        first: u64_at(bytes, 16)?,
        end: u64_at(bytes, 24)?,
        chain: Chain {
            sequence: u64_at(bytes, 32)?,
            link: bytes.get(40..72)?.try_into().ok()?,
            partitions: nexts,
        },
        spans,
        tombstones: keys.collect::<Option<_>>()?,
        erased: u64_at(bytes, 72)?,
    })
}

/// Writes an index file. A crash may lose or tear it, which its checksum shows; so no sync.
pub(crate) fn store(files: &dyn LogFiles, path: &Path, bytes: &[u8]) -> io::Result<()> {
    files.create(path)?.write_at(&mut [IoSlice::new(bytes)], 0)
}

/// Reads the index file at `path`; `None` if it is missing or not whole.
pub(crate) fn load(files: &dyn LogFiles, path: &Path) -> io::Result<Option<Sealed>> {
    let file = match files.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(0)];
    let got = file.read_at(&mut bytes, 0)?;
    bytes.truncate(got);
    Ok(decode(&bytes))
}

/// The places of `count` records of `span` from the offset `from` on.
pub(crate) fn places(
    file: &dyn LogFile,
    span: Span,
    from: u64,
    count: usize,
) -> io::Result<Vec<u32>> {
    let skip = from - span.first;
    let left = usize::try_from(u64::from(span.count) - skip).unwrap_or(usize::MAX);
    let mut bytes = vec![0; left.min(count) * 4];
    if file.read_at(&mut bytes, span.at + skip * 4)? < bytes.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let places = bytes
        .chunks_exact(4)
        .map(|four| u32_at(four, 0).unwrap_or_default());
    Ok(places.collect())
}
