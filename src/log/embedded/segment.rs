//! The header of a segment file, and the chain that runs through the segments of a journal.

use super::frame::{Link, put, u16_at, u32_at, u64_at};
use hooklog_schemas::{Timestamp, Topic};

/// The version of the format that this release writes.
pub(crate) const VERSION: u16 = 1;
const MAGIC: [u8; 8] = *b"HOOKLOG\0";
const FIXED: usize = 84;
const PER_PARTITION: usize = 16;
/// More partitions than anybody has; bounds what a damaged header can ask for.
const MOST_PARTITIONS: u32 = 4096;

/// Drawn when a log is made, and the same in all segments of all its journals. Checksums start from
/// it, so that no body can pass for frames.
pub(crate) type JournalId = [u8; 16];

/// Where a journal stands: what the next record will get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Records in the journal so far.
    pub(crate) sequence: u64,
    /// The hash link so far.
    pub(crate) link: Link,
    /// By partition.
    pub(crate) partitions: Vec<Next>,
}

/// Where a partition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    /// The next offset.
    pub(crate) offset: u64,
    /// The append time of the last record.
    pub(crate) time: Timestamp,
}

impl Chain {
    /// The start of a journal.
    pub(crate) fn start(partitions: u32) -> Self {
        let first = Next {
            offset: 0,
            time: Timestamp(i64::MIN),
        };
        Self {
            sequence: 0,
            link: [0; 32],
            partitions: vec![first; partitions as usize],
        }
    }
}

/// The header of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) topic: Topic,
    pub(crate) journal: JournalId,
    /// When the segment was made.
    pub(crate) created: Timestamp,
    /// Where the journal stood.
    pub(crate) chain: Chain,
}

impl SegmentHeader {
    /// Bytes of the header of a segment with so many partitions.
    pub(crate) fn bytes(partitions: usize) -> usize {
        FIXED + partitions * PER_PARTITION + 4
    }

    /// What checksums of frames start from.
    pub(crate) fn seed(&self) -> u32 {
        crc32c::crc32c(&self.journal)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let length = Self::bytes(self.chain.partitions.len());
        let mut bytes = vec![0; length];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 8, &VERSION.to_le_bytes());
        put(&mut bytes, 10, &[topic_code(self.topic)]);
        put(&mut bytes, 12, &(length as u32).to_le_bytes());
        put(&mut bytes, 16, &self.chain.sequence.to_le_bytes());
        put(&mut bytes, 24, &self.created.0.to_le_bytes());
        put(&mut bytes, 32, &self.journal);
        put(&mut bytes, 48, &self.chain.link);
        put(
            &mut bytes,
            80,
            &(self.chain.partitions.len() as u32).to_le_bytes(),
        );
        for (index, next) in self.chain.partitions.iter().enumerate() {
            let at = FIXED + index * PER_PARTITION;
            put(&mut bytes, at, &next.offset.to_le_bytes());
            put(&mut bytes, at + 8, &next.time.0.to_le_bytes());
        }
        let sum = crc32c::crc32c(&bytes[..length - 4]);
        put(&mut bytes, length - 4, &sum.to_le_bytes());
        bytes
    }

    /// Reads a header from the first bytes of a file: as many as there are, up to
    /// [`SegmentHeader::longest`].
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.get(..8) != Some(&MAGIC) {
            return Err("it does not start like a segment".to_owned());
        }
        match u16_at(bytes, 8) {
            Some(VERSION) => {}
            Some(newer) if newer > VERSION => {
                return Err(format!(
                    "its format is version {newer}; this release knows {VERSION}"
                ));
            }
            _ => return Err("its header is damaged".to_owned()),
        }
        parse(bytes).ok_or_else(|| "its header is damaged".to_owned())
    }

    /// The longest header.
    pub(crate) fn longest() -> usize {
        Self::bytes(MOST_PARTITIONS as usize)
    }
}

/// The name of the segment that starts at `sequence`.
pub(crate) fn file_name(sequence: u64) -> String {
    format!("{sequence:020}.segment")
}

/// The name of that segment's index.
pub(crate) fn index_name(sequence: u64) -> String {
    format!("{sequence:020}.index")
}

/// The first sequence of the segment called `name`, if it is one.
pub(crate) fn sequence_of(name: &str) -> Option<u64> {
    name.strip_suffix(".segment")?.parse().ok()
}

fn parse(bytes: &[u8]) -> Option<SegmentHeader> {
    let partitions = u32_at(bytes, 80).filter(|count| *count <= MOST_PARTITIONS)?;
    let length = SegmentHeader::bytes(partitions as usize);
    let bytes = bytes.get(..length)?;
    if u32_at(bytes, length - 4)? != crc32c::crc32c(&bytes[..length - 4]) {
        return None;
    }
    let next = |index: usize| {
        let at = FIXED + index * PER_PARTITION;
        let time = Timestamp(u64_at(bytes, at + 8)?.cast_signed());
        Some(Next {
            offset: u64_at(bytes, at)?,
            time,
        })
    };
    Some(SegmentHeader {
        topic: *Topic::ALL.get(usize::from(bytes[10]))?,
        journal: bytes.get(32..48)?.try_into().ok()?,
        created: Timestamp(u64_at(bytes, 24)?.cast_signed()),
        chain: Chain {
            sequence: u64_at(bytes, 16)?,
            link: bytes.get(48..80)?.try_into().ok()?,
            partitions: (0..partitions as usize).map(next).collect::<Option<_>>()?,
        },
    })
}

fn topic_code(topic: Topic) -> u8 {
    match topic {
        Topic::Webhooks => 0,
        Topic::Deliveries => 1,
        Topic::Control => 2,
    }
}
