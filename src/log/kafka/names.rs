//! Topics and partitions by number.

use hooklog_schemas::{Partition, Position, Topic};

/// The names of the log's three topics and of the one for snapshots, and how many partitions they
/// have.
#[derive(Debug)]
pub(super) struct Names {
    names: [String; 3],
    snapshots: String,
    partitions: u32,
}

impl Names {
    pub(super) fn new(prefix: &str, partitions: u32) -> Self {
        let names = Topic::ALL.map(|topic| format!("{prefix}{topic}"));
        Self {
            names,
            snapshots: format!("{prefix}snapshots"),
            partitions,
        }
    }

    /// Kafka's name of `topic`.
    pub(super) fn of(&self, topic: Topic) -> &str {
        &self.names[index(topic)]
    }

    /// Kafka's name of the topic for snapshots, which is no part of the log.
    pub(super) fn snapshots(&self) -> &str {
        &self.snapshots
    }

    /// How many partitions that one has.
    pub(super) fn snapshot_partitions(&self) -> u32 {
        self.partitions
    }

    /// The topic that Kafka calls `name`.
    pub(super) fn topic(&self, name: &str) -> Option<Topic> {
        Topic::ALL.into_iter().find(|topic| self.of(*topic) == name)
    }

    pub(super) fn partitions(&self, topic: Topic) -> u32 {
        if topic == Topic::Control {
            1
        } else {
            self.partitions
        }
    }

    /// All partitions of all topics.
    pub(super) fn all(&self) -> impl Iterator<Item = (Topic, Partition)> + '_ {
        let of = |topic| (0..self.partitions(topic)).map(move |n| (topic, Partition(n)));
        Topic::ALL.into_iter().flat_map(of)
    }

    /// The place of a partition in [`Self::all`]; none for one that does not exist.
    pub(super) fn slot(&self, topic: Topic, partition: Partition) -> Option<usize> {
        if partition.0 >= self.partitions(topic) {
            return None;
        }
        let before = &Topic::ALL[..index(topic)];
        let before: u32 = before.iter().map(|topic| self.partitions(*topic)).sum();
        usize::try_from(before + partition.0).ok()
    }

    /// The same for a position.
    pub(super) fn slot_of(&self, at: &Position) -> Option<usize> {
        self.slot(at.topic, at.partition)
    }
}

fn index(topic: Topic) -> usize {
    match topic {
        Topic::Webhooks => 0,
        Topic::Deliveries => 1,
        Topic::Control => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_has_a_place_of_its_own() {
        let names = Names::new("it.", 3);
        let slots: Vec<_> = names.all().map(|(t, p)| names.slot(t, p)).collect();
        assert_eq!(slots, (0..7).map(Some).collect::<Vec<_>>());
        assert_eq!(names.slot(Topic::Control, Partition(1)), None);
        assert_eq!(names.of(Topic::Control), "it.control");
        assert_eq!(names.topic("it.deliveries"), Some(Topic::Deliveries));
        assert_eq!(names.topic("deliveries"), None);
    }
}
