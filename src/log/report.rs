//! What is found when a log is looked at while no server has it open.

use hooklog_schemas::{Timestamp, Topic};
use std::path::PathBuf;

/// How closely to look at a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Checksums, offsets and hash links.
    Sums,
    /// The digest of every body as well.
    Digests,
}

/// What one topic of a log holds.
#[derive(Clone, Debug)]
pub struct TopicReport {
    /// The topic.
    pub topic: Topic,
    /// How many segment files it has.
    pub segments: usize,
    /// By partition.
    pub partitions: Vec<PartitionReport>,
    /// What is not as it was written, in the order of the files.
    pub damage: Vec<Damage>,
    /// What is wrong with the topic beside the others of the log, as sentences.
    pub wrong: Vec<String>,
    /// A group at the end that was never finished, nor acknowledged; the next start cuts it.
    pub unfinished: Option<Damage>,
}

/// What one partition holds.
#[derive(Clone, Debug, Default)]
pub struct PartitionReport {
    /// The first offset, and the one after the last.
    pub start: u64,
    /// See `start`.
    pub tail: u64,
    /// Records that read.
    pub records: u64,
    /// Their bytes on disk.
    pub bytes: u64,
    /// When the first and the last were appended.
    pub first: Option<Timestamp>,
    /// See `first`.
    pub last: Option<Timestamp>,
    /// Tombstones among them.
    pub tombstones: u64,
    /// Records whose bytes were erased.
    pub erased: u64,
}

/// Where something is wrong, and how much follows it.
#[derive(Clone, Debug)]
pub struct Damage {
    /// The segment.
    pub file: PathBuf,
    /// The byte at which it starts.
    pub byte: u64,
    /// The record that is there, or what was expected.
    pub position: String,
    /// What is wrong.
    pub reason: String,
    /// Bytes of the file from there on, without trailing zeros.
    pub bytes_after: u64,
    /// Records from there on that still read.
    pub records_after: u64,
}

impl TopicReport {
    /// Whether all is there, as it was written.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.damage.is_empty() && self.wrong.is_empty()
    }
}
