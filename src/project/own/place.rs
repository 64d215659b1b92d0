//! Where a set of tables is in the log.

use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::partitions::Fences;
use hooklog_schemas::{EventId, Partition, Position, Topic};
use std::collections::BTreeMap;

/// Where a set of tables is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Up to where it has read, and which log.
    pub checkpoint: Checkpoint,
    /// Who may decide in each partition of `deliveries`, and what is decided there: what others decided,
    /// or once more, counts for nothing.
    pub fences: BTreeMap<Partition, Fences>,
}

impl Place {
    /// The beginning of a log.
    #[must_use]
    pub const fn start(log: EventId) -> Self {
        Self {
            checkpoint: Checkpoint::start(log),
            fences: BTreeMap::new(),
        }
    }

    /// What a store notes beside the next offset of `position`'s partition, if anything.
    #[must_use]
    pub fn note(&self, position: Position) -> Option<String> {
        let fences = self.fences.get(&position.partition)?;
        let epoch = fences
            .epoch
            .map_or_else(String::new, |epoch| epoch.to_string());
        let gaps = fences.gaps_text();
        let of_deliveries = position.topic == Topic::Deliveries;
        of_deliveries.then(|| format!("{epoch};{};{gaps}", fences.routed_next))
    }

    /// Takes in what a store noted; false if it is nothing that was ever noted.
    #[must_use]
    pub fn take(&mut self, partition: Partition, note: &str) -> bool {
        let read = fences(note);
        let known = read.is_some();
        self.fences.extend(read.map(|fences| (partition, fences)));
        known
    }
}

fn fences(note: &str) -> Option<Fences> {
    let mut parts = note.split(';');
    let (epoch, next, gaps) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Fences {
        epoch: match epoch {
            "" => None,
            epoch => Some(epoch.parse().ok()?),
        },
        routed_next: next.parse().ok()?,
        routed_gaps: Fences::read_gaps(gaps)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hooklog_schemas::Offset;
    use uuid::Uuid;

    #[test]
    fn a_note_reads_as_it_was_made() {
        let mut place = Place::start(EventId(Uuid::nil()));
        for (number, gaps) in [(0, vec![]), (1, vec![(3, 5), (9, 9)])] {
            let fences = Fences {
                epoch: (number > 0).then_some(7),
                routed_next: 12,
                routed_gaps: gaps,
            };
            place.fences.insert(Partition(number), fences);
        }
        let mut read = Place::start(EventId(Uuid::nil()));
        for partition in [Partition(0), Partition(1)] {
            let of = |topic| place.note(Position::new(topic, partition, Offset(0)));
            assert!(read.take(partition, &of(Topic::Deliveries).unwrap()));
            assert_eq!(of(Topic::Webhooks), None);
        }
        assert_eq!(read, place);
        for wrong in ["", "1;2", "a;1;", "1;2;3"] {
            assert!(!read.take(Partition(0), wrong), "{wrong:?}");
        }
    }
}
