//! The head of a message: JSON, so that any tool that looks into a queue can read it.

use super::{Body, Claim, Message};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hooklog_schemas::{EventId, EventType, Header, Partition, Timestamp};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Version 1. Another field is another version: an older release must not drop it silently.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    id: EventId,
    #[serde(rename = "type")]
    event_type: String,
    version: u16,
    partition: u32,
    enqueued_at: Timestamp,
    headers: Vec<(String, Value)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<Lying>,
}

/// A header's value: text where it is UTF-8.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Binary { base64: Octets },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lying {
    object: String,
    bytes: u64,
    #[serde(with = "hex::serde")]
    sha256: [u8; 32],
}

/// Bytes as base64.
struct Octets(Vec<u8>);

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map(Self).map_err(D::Error::custom)
    }
}

impl Head {
    pub(super) fn of(message: &Message) -> Self {
        let header = |header: &Header| (header.name.clone(), Value::of(&header.value));
        let claim = match &message.body {
            Body::Inline(_) => None,
            Body::Claim(claim) => Some(Lying {
                object: claim.object.clone(),
                bytes: claim.bytes,
                sha256: claim.sha256,
            }),
        };
        Self {
            id: message.event_id,
            event_type: message.event_type.as_str().to_owned(),
            version: message.event_version,
            partition: message.partition.0,
            enqueued_at: message.enqueued_at,
            headers: message.headers.iter().map(header).collect(),
            claim,
        }
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        // Plain data with text for keys always serialises.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// The message with this head, whose body is `inline` unless it is a claim.
    pub(super) fn into_message(self, inline: Bytes) -> Message {
        let header = |(name, value): (String, Value)| Header::new(name, value.into_bytes());
        let body = match self.claim {
            None => Body::Inline(inline),
            Some(lying) => Body::Claim(Claim {
                object: lying.object,
                bytes: lying.bytes,
                sha256: lying.sha256,
            }),
        };
        Message {
            event_id: self.id,
            event_type: EventType::read(&self.event_type),
            event_version: self.version,
            partition: Partition(self.partition),
            enqueued_at: self.enqueued_at,
            headers: self.headers.into_iter().map(header).collect(),
            body,
        }
    }
}

impl Value {
    fn of(value: &Bytes) -> Self {
        match std::str::from_utf8(value) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Binary {
                base64: Octets(value.to_vec()),
            },
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into(),
            Self::Binary { base64 } => base64.0.into(),
        }
    }
}
