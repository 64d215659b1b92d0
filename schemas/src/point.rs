//! Points: cuts through the whole log.

use crate::{EventId, Offset, Partition, Position, Topic};
use serde::{Deserialize, Serialize};

/// A cut through a log: of every partition the first offset that lies outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Point {
    /// The log that it cuts. A point of another log is refused.
    pub log: EventId,
    /// The ends of the partitions of `webhooks`, in their order.
    pub webhooks: Vec<Offset>,
    /// The ends of the partitions of `deliveries`, in their order.
    pub deliveries: Vec<Offset>,
    /// The end of `control`.
    pub control: Offset,
}

impl Point {
    /// The first offset of a partition that lies outside; 0 of a partition that the log has not.
    #[must_use]
    pub fn end(&self, topic: Topic, partition: Partition) -> Offset {
        let ends = match topic {
            Topic::Webhooks => &self.webhooks[..],
            Topic::Deliveries => &self.deliveries[..],
            Topic::Control => std::slice::from_ref(&self.control),
        };
        let place = usize::try_from(partition.0).unwrap_or(usize::MAX);
        ends.get(place).copied().unwrap_or_default()
    }

    /// Whether the record at `position` lies inside.
    #[must_use]
    pub fn holds(&self, position: Position) -> bool {
        position.offset < self.end(position.topic, position.partition)
    }

    /// The first position of every partition that lies outside.
    pub fn ends(&self) -> impl Iterator<Item = Position> {
        let of = |topic, ends: Vec<Offset>| {
            let place = move |(number, offset)| Position::new(topic, Partition(number), offset);
            (0..).zip(ends).map(place)
        };
        of(Topic::Webhooks, self.webhooks.clone())
            .chain(of(Topic::Deliveries, self.deliveries.clone()))
            .chain(of(Topic::Control, vec![self.control]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_point_holds_what_stands_before_its_ends() {
        let point = Point {
            log: EventId(Uuid::nil()),
            webhooks: vec![Offset(3), Offset(0)],
            deliveries: vec![Offset(5), Offset(1)],
            control: Offset(2),
        };
        let holds = |text: &str| point.holds(text.parse().unwrap());
        assert!(holds("webhooks/0@2") && !holds("webhooks/0@3"));
        assert!(!holds("webhooks/1@0") && !holds("webhooks/2@0"));
        assert!(holds("deliveries/1@0") && !holds("deliveries/1@1"));
        assert!(holds("control/0@1") && !holds("control/0@2"));
        let ends: Vec<_> = point.ends().map(|end| end.to_string()).collect();
        let all = [
            "webhooks/0@3",
            "webhooks/1@0",
            "deliveries/0@5",
            "deliveries/1@1",
            "control/0@2",
        ];
        assert_eq!(ends, all);
    }
}
