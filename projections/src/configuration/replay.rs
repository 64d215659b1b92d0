//! Replays as folded from `control`: what was asked, and whether it may go on.

use super::{Action, Configuration, Folded, Versioned, change, insert};
use hooklog_schemas::control::{By, ReplayRequested, ReplaySpec};
use hooklog_schemas::{Event, EventId, Offset, ReplayId};

/// History that is delivered again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Its id.
    pub id: ReplayId,
    /// The last event that changed it: what a change must name.
    pub version: EventId,
    /// The offset in `control` at which it was asked for.
    pub offset: Offset,
    /// What was asked.
    pub spec: ReplaySpec,
    /// Who asked, when, from where and why.
    pub by: By,
    /// Nothing of it is decided or tried.
    pub paused: bool,
    /// It was given up.
    pub cancelled: bool,
}

impl Replay {
    fn requested(event: &ReplayRequested, offset: Offset, id: EventId) -> Self {
        Self {
            id: event.id,
            version: id,
            offset,
            spec: event.spec.clone(),
            by: event.by.clone(),
            paused: false,
            cancelled: false,
        }
    }

    /// Whether it may decide and try.
    #[must_use]
    pub const fn runs(&self) -> bool {
        !self.paused && !self.cancelled
    }

    /// Webhooks in its range at the most, over all partitions.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.spec.range.iter().map(|range| range.len()).sum()
    }
}

impl Versioned for Replay {
    fn version(&mut self) -> &mut EventId {
        &mut self.version
    }
    /// A cancelled one never goes on.
    fn deleted(&self) -> bool {
        self.cancelled
    }
}

impl Configuration {
    pub(super) fn apply_replay(&mut self, offset: Offset, id: EventId, event: &Event) -> Folded {
        let all = &mut self.replays;
        match event {
            Event::ReplayRequested(e) => insert(all, e.id, || Replay::requested(e, offset, id)),
            Event::ReplayPaused(e) => change(all, e.id, e.expected, id, |r| r.paused = true),
            Event::ReplayResumed(e) => change(all, e.id, e.expected, id, |r| r.paused = false),
            Event::ReplayCancelled(e) => {
                let folded = change(all, e.id, e.expected, id, |r| r.cancelled = true);
                if folded == Folded::Applied {
                    let cancel = Action::CancelReplay(e.id);
                    return self.command(offset, id, e.by.at, cancel);
                }
                folded
            }
            _ => Folded::Ignored,
        }
    }
}
