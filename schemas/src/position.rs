//! Places in the log.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// One of the three topics of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// One record per receipt: the body, byte for byte as GitHub sent it.
    Webhooks,
    /// Decisions and attempts; as many partitions as `webhooks`, partitioned alike.
    Deliveries,
    /// Every change of configuration, every command, every process start. One partition.
    Control,
}

impl Topic {
    /// All topics, in the order in which an event meets them.
    pub const ALL: [Self; 3] = [Self::Webhooks, Self::Deliveries, Self::Control];

    /// The topic's name, as in positions, folders and Kafka.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhooks => "webhooks",
            Self::Deliveries => "deliveries",
            Self::Control => "control",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Topic {
    type Err = PositionError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|topic| topic.as_str() == text)
            .ok_or_else(|| PositionError::Topic(text.to_owned()))
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A numbered sub-log of a topic, counted from 0.
    Partition,
    u32
);
number!(
    /// The index of a record in its partition, counted from 0. Offsets only grow.
    Offset,
    u64
);

impl Offset {
    /// The offset after this one: what a reader that has seen this record reads next.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The place of one record: `webhooks/3@1042`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The topic.
    pub topic: Topic,
    /// The partition of that topic.
    pub partition: Partition,
    /// The offset in that partition.
    pub offset: Offset,
}

impl Position {
    /// Puts a position together.
    #[must_use]
    pub const fn new(topic: Topic, partition: Partition, offset: Offset) -> Self {
        Self {
            topic,
            partition,
            offset,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.topic, self.partition, self.offset)
    }
}

/// Why a text is not a position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PositionError {
    /// The form is wrong.
    #[error("{0:?} is not a position; one looks like webhooks/3@1042")]
    Form(String),
    /// There is no such topic.
    #[error("{0:?} is not a topic; there are webhooks, deliveries and control")]
    Topic(String),
}

impl FromStr for Position {
    type Err = PositionError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || PositionError::Form(text.to_owned());
        let (topic, rest) = text.split_once('/').ok_or_else(form)?;
        let (partition, offset) = rest.split_once('@').ok_or_else(form)?;
        Ok(Self {
            topic: topic.parse()?,
            partition: Partition(partition.parse().map_err(|_| form())?),
            offset: Offset(offset.parse().map_err(|_| form())?),
        })
    }
}

/// The partition of `subject` among `count`: a decimal id, or a GUID's text.
///
/// The first eight bytes, big endian, of SHA-256 over the text, modulo the count. The rule is fixed
/// for the life of a log, since a repository that moved would lose its order.
#[must_use]
pub fn partition_of(subject: &str, count: u32) -> Partition {
    let digest: [u8; 32] = Sha256::digest(subject.as_bytes()).into();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    let slot = u64::from_be_bytes(first) % u64::from(count.max(1));
    Partition(u32::try_from(slot).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_as_it_prints() {
        let position = Position::new(Topic::Webhooks, Partition(3), Offset(1042));
        assert_eq!(position.to_string(), "webhooks/3@1042");
        assert_eq!("webhooks/3@1042".parse(), Ok(position));
    }

    #[test]
    fn a_wrong_position_says_what_one_looks_like() {
        assert!(matches!(
            "webhooks/3".parse::<Position>(),
            Err(PositionError::Form(_))
        ));
        assert!(matches!(
            "hooks/3@1".parse::<Position>(),
            Err(PositionError::Topic(_))
        ));
        assert!(matches!(
            "webhooks/-1@1".parse::<Position>(),
            Err(PositionError::Form(_))
        ));
    }

    #[test]
    fn the_partition_rule_is_fixed() {
        // sha256("186853002")[..8] big endian modulo 12, computed with another program.
        assert_eq!(partition_of("186853002", 12), Partition(10));
        assert_eq!(partition_of("anything", 1), Partition(0));
    }
}
