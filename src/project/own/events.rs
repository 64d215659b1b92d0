//! Which types of events there are, and on which topic each stands.

use crate::config::distance;
use hooklog_schemas::{DELIVERIES, Topic, known_types};
use std::collections::BTreeSet;

/// The type of a receipt's record, the only one of `webhooks`.
pub(super) const RECEIVED: &str = "webhook.received";

/// Whether there is such a type.
pub(super) fn exists(event: &str) -> bool {
    known_types().any(|(known, _)| known == event)
}

/// On which topic events of this type stand.
pub(super) fn topic(event: &str) -> Topic {
    match event {
        RECEIVED => Topic::Webhooks,
        event if DELIVERIES.contains(&event) => Topic::Deliveries,
        _ => Topic::Control,
    }
}

/// The topics that hold these types.
pub(super) fn topics(events: &BTreeSet<String>) -> BTreeSet<Topic> {
    events.iter().map(|event| topic(event)).collect()
}

/// What might have been meant by a type that does not exist.
pub(super) fn advice(event: &str) -> String {
    let by_distance = |known: &&str| distance(known, event);
    let nearest = known_types()
        .map(|(known, _)| known)
        .min_by_key(by_distance);
    match nearest.filter(|known| distance(known, event) * 3 < event.len()) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => {
            let all: BTreeSet<_> = known_types().map(|(known, _)| known).collect();
            let all: Vec<_> = all.into_iter().collect();
            format!("there are {}", all.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::tests::history::History;

    #[test]
    fn every_event_stands_where_it_is_looked_for() {
        let mut history = History::begin(9, 2);
        history.write(3_000);
        let mut seen = BTreeSet::new();
        for (stands, append) in &history.appends {
            if append.value.is_some() {
                assert_eq!(
                    topic(append.event_type.as_str()),
                    *stands,
                    "{}",
                    append.event_type
                );
                seen.insert(append.event_type.as_str().to_owned());
            }
        }
        let of_deliveries = DELIVERIES.iter().filter(|event| seen.contains(**event));
        assert!(of_deliveries.count() >= 8, "{seen:?}");
    }

    #[test]
    fn what_is_said_to_stand_on_deliveries_exists() {
        assert!(DELIVERIES.iter().all(|event| exists(event)));
        assert_eq!(topic("replay.requested"), Topic::Control);
        assert_eq!(topic(RECEIVED), Topic::Webhooks);
    }
}
