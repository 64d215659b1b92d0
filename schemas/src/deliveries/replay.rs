//! How far a replay has come in one partition.

use crate::{Offset, ReplayId, Timestamp};
use serde::{Deserialize, Serialize};

/// `replay.started`: the partition begins with its part of a replay.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct ReplayStarted {
    /// The replay.
    pub replay: ReplayId,
    /// The first webhook of its part.
    pub from: Offset,
    /// The first one behind it.
    pub to: Offset,
    /// When.
    pub at: Timestamp,
}

/// `replay.progressed`: every webhook before `next` is decided, or was passed over.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct ReplayProgressed {
    /// The replay.
    pub replay: ReplayId,
    /// The next webhook to look at.
    pub next: Offset,
    /// What was passed over before `next` without a decision.
    pub passed: Passed,
    /// When.
    pub at: Timestamp,
}

/// `replay.finished`: the partition has decided about all that the replay asks of it. What is owed
/// by then may still be open.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct ReplayFinished {
    /// The replay.
    pub replay: ReplayId,
    /// What was passed over without a decision.
    pub passed: Passed,
    /// When.
    pub at: Timestamp,
}

/// Webhooks that a replay passed over, by the reason: no record tells of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Passed {
    /// Outside of its filter.
    pub filtered: u64,
    /// Nobody gets them by its mode.
    pub unmatched: u64,
    /// They repeat an earlier receipt of the same event.
    pub repeats: u64,
}
