//! A subscription as it was under any configuration: a fold of its history.

use super::blame::Blame;
use crate::query::ChangeRow;
use hooklog_projections::configuration::Subscription;
use hooklog_schemas::{SubscriptionId, Timestamp};

/// The life of one subscription, from its creation on.
#[derive(Clone, Debug)]
pub struct Life {
    id: SubscriptionId,
    /// What it was from each offset of `control` on, in order. Without its secrets.
    versions: Vec<(i64, Subscription)>,
    blame: Blame,
}

impl Life {
    /// The life of the subscription `id` before anything of it is known.
    #[must_use]
    pub fn of(id: SubscriptionId) -> Self {
        let (versions, blame) = (Vec::new(), Blame::default());
        Self {
            id,
            versions,
            blame,
        }
    }

    /// Folds the next change. One that had no effect changes nothing.
    pub fn fold(&mut self, change: &ChangeRow) {
        self.blame.fold(change);
        if change.outcome != "applied" {
            return;
        }
        let spec = change
            .spec
            .as_ref()
            .and_then(|spec| serde_json::from_value(spec.clone()).ok());
        let before = self.versions.last().map(|(_, before)| before.clone());
        let mut version = match (before, spec) {
            (Some(before), Some(spec)) => Subscription { spec, ..before },
            (Some(before), None) => before,
            (None, Some(spec)) => Subscription {
                id: self.id,
                version: change.event,
                spec,
                secrets: Vec::new(),
                paused: false,
                deleted: false,
                created_at: Timestamp(change.at),
            },
            (None, None) => return,
        };
        version.version = change.event;
        match change.event_type.as_str() {
            "subscription.paused" => version.paused = true,
            "subscription.resumed" => version.paused = false,
            "subscription.deleted" => version.deleted = true,
            _ => {}
        }
        self.versions.push((change.offset, version));
    }

    /// What it was under the configuration at this offset of `control`; none before its creation.
    #[must_use]
    pub fn at(&self, offset: i64) -> Option<&Subscription> {
        let after = self.versions.partition_point(|(at, _)| *at <= offset);
        let place = after.checked_sub(1)?;
        self.versions.get(place).map(|(_, version)| version)
    }

    /// What it is by the last change that was folded.
    #[must_use]
    pub fn last(&self) -> Option<&Subscription> {
        self.versions.last().map(|(_, version)| version)
    }

    /// Its name by the last change that was folded.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        Some(self.last()?.spec.name.as_str())
    }

    /// Who set which of its fields.
    #[must_use]
    pub const fn blame(&self) -> &Blame {
        &self.blame
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hooklog_schemas::EventId;
    use serde_json::{Value, json};
    use uuid::Uuid;

    fn change(offset: i64, event_type: &str, spec: Option<Value>) -> ChangeRow {
        ChangeRow {
            at: offset,
            actor: "ann".to_owned(),
            from: "local".to_owned(),
            why: None,
            event_type: event_type.to_owned(),
            event: EventId(Uuid::from_u128(offset.unsigned_abs().into())),
            offset,
            outcome: "applied".to_owned(),
            spec,
        }
    }

    #[test]
    fn it_is_known_what_it_was_under_every_configuration() {
        let mut life = Life::of(SubscriptionId(Uuid::nil()));
        let spec = |to: &str| Some(json!({"name": "ci", "team": "t", "to": to}));
        life.fold(&change(3, "subscription.created", spec("https://a/")));
        life.fold(&change(5, "subscription.changed", spec("https://b/")));
        life.fold(&change(7, "subscription.paused", None));
        life.fold(&change(9, "subscription.deleted", None));
        let at = |offset| {
            let version = life.at(offset)?;
            Some((version.spec.to.as_str(), version.paused, version.deleted))
        };
        assert_eq!(at(2), None);
        assert_eq!(at(3), Some(("https://a/", false, false)));
        assert_eq!(at(4), Some(("https://a/", false, false)));
        assert_eq!(at(6), Some(("https://b/", false, false)));
        assert_eq!(at(7), Some(("https://b/", true, false)));
        assert_eq!(at(99), Some(("https://b/", true, true)));
    }
}
