//! Replays: history that is delivered again, on purpose, by a command with a reason.

use super::By;
use crate::{EventId, Offset, ReplayId, SubscriptionId, Timestamp};
use serde::{Deserialize, Serialize};

event!(
    /// `replay.requested`: history is to be delivered again. What was delivered stays as it is: a
    /// replay's deliveries are others, with its id as their cause.
    ReplayRequested {
        /// Its id.
        id: ReplayId,
        /// What is asked.
        spec: ReplaySpec,
        /// By whom; the reason must be given.
        by: By,
    }
);
event!(
    /// `replay.paused`: nothing of it is decided or tried.
    ReplayPaused {
        /// Its id.
        id: ReplayId,
        /// The last event of this replay that the writer had seen.
        expected: EventId,
        /// By whom.
        by: By,
    }
);
event!(
    /// `replay.resumed`.
    ReplayResumed {
        /// Its id.
        id: ReplayId,
        /// The last event of this replay that the writer had seen.
        expected: EventId,
        /// By whom.
        by: By,
    }
);
event!(
    /// `replay.cancelled`: nothing more of it is decided, and its open deliveries are cancelled.
    ReplayCancelled {
        /// Its id.
        id: ReplayId,
        /// The last event of this replay that the writer had seen.
        expected: EventId,
        /// By whom.
        by: By,
    }
);

/// What a replay delivers, to whom, and how fast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct ReplaySpec {
    /// Who gets it.
    pub mode: ReplayMode,
    /// Only what this subscription gets by the mode; all, if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionId>,
    /// Everything goes to this URL instead of its destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Which receipts of the range.
    #[serde(default)]
    pub filter: ReplayFilter,
    /// The range, one part for each partition of `webhooks`, in their order.
    pub range: Vec<ReplayRange>,
    /// Deliveries that become owed in a second, over all partitions.
    pub rate_per_second: u32,
    /// How many deliveries were counted when it was asked for, if they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<u64>,
}

/// Who gets what is replayed. Redeliveries of an event that the log already had are left out: a
/// replay goes by first receipts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReplayMode {
    /// The subscriptions that were owed it at the time, at the destinations that they had then.
    OriginalTargets,
    /// Those that want it by the configuration in force when the replay was asked for.
    CurrentRouting,
    /// Those that wanted it by the configuration of an earlier point.
    AsOfRouting {
        /// The first offset of `control` that lies outside the point.
        control: Offset,
        /// The point, as it was named.
        point: String,
    },
}

/// Which receipts a replay is about. All given clauses must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ReplayFilter {
    /// Received at or after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Received before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// The source's name at the time of receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The repository's full name; with `*` at the end, all that begin so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// `push`, or `pull_request.opened`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// GitHub's id of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guid: Option<String>,
}

/// A part of one partition of `webhooks`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct ReplayRange {
    /// The first offset inside.
    pub from: Offset,
    /// The first offset behind it.
    pub to: Offset,
}

impl ReplayRange {
    /// Webhooks in it at the most.
    #[must_use]
    pub const fn len(self) -> u64 {
        self.to.0.saturating_sub(self.from.0)
    }

    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}
