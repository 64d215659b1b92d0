//! The fold of `control`: configuration, its history, erasures and replays.

use super::{Decoded, Folding};
use crate::changes::{Change, Object};
use crate::{erasures, replays, sources, subscriptions};
use hooklog_schemas::{Event, ReplayId, SourceId, SubscriptionId};

impl Folding {
    pub(super) fn fold_control(&mut self, decoded: &Decoded) {
        let offset = decoded.position.offset;
        let event = &decoded.event;
        let outcome = self.configuration.fold(offset, decoded.event_id, event);
        if let Event::ErasureRequested(order) = event {
            self.output.erasures.extend(erasures::rows(offset, order));
        }
        let Some(change) = Change::of(event) else {
            return;
        };
        let row = change.row(offset, decoded.event_id, outcome);
        let configuration = &self.configuration;
        match change.object {
            Object::Source(id) => {
                self.output.source_changes.push(row);
                let key = SourceId(uuid::Uuid::from_bytes(id));
                if let Some(source) = configuration.sources.get(&key) {
                    self.output.sources.insert(id, sources::row(source));
                }
            }
            Object::Subscription(id) => {
                self.output.subscription_changes.push(row);
                let key = SubscriptionId(uuid::Uuid::from_bytes(id));
                if let Some(subscription) = configuration.subscriptions.get(&key) {
                    let row = subscriptions::row(subscription);
                    self.output.subscriptions.insert(id, row);
                }
            }
            Object::Replay(id) => {
                self.output.replay_changes.push(row);
                let key = ReplayId(uuid::Uuid::from_bytes(id));
                if let Some(replay) = configuration.replays.get(&key) {
                    self.output.replays.insert(id, replays::row(replay));
                }
            }
        }
    }
}
