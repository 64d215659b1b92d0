//! From records to events and back: the only place that knows which type is which struct.

use crate::upcast::{UPCASTERS, UpcastError, upcast};
use crate::{FORMAT, Header, Record};
use crate::{control, deliveries, format, webhook};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::fmt;

/// The name of a kind of event, in the past tense: `delivery.attempted`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventType(Cow<'static, str>);

impl EventType {
    /// A type known when this was compiled.
    #[must_use]
    pub const fn known(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// A type read from a log; it may be one that only a newer release knows.
    #[must_use]
    pub fn read(name: &str) -> Self {
        match KNOWN.iter().find(|(known, _)| *known == name) {
            Some((known, _)) => Self::known(known),
            None => Self(Cow::Owned(name.to_owned())),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a record is not an event that this release understands. A reader stops on it.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A newer release wrote it.
    #[error(
        "{position} is {event_type} version {version}, which this release does not know; \
         run the release that wrote it, or a newer one"
    )]
    Unknown {
        /// Where it stands.
        position: String,
        /// Its type.
        event_type: String,
        /// Its version.
        version: u16,
    },
    /// The log was raised to a format that only newer releases read.
    #[error(
        "{position} raises the log to format {format}, and this release reads formats up to \
         {FORMAT}; run the release that raised it, or a newer one"
    )]
    Outgrown {
        /// Where it stands.
        position: String,
        /// The format in force from there on.
        format: u32,
    },
    /// Its body is not what its type says.
    #[error(
        "{position} says {event_type} version {version}, but its body does not read as one: {reason}"
    )]
    Malformed {
        /// Where it stands.
        position: String,
        /// Its type.
        event_type: String,
        /// Its version.
        version: u16,
        /// What the parser says.
        reason: String,
    },
}

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident($body:ty) = $name:literal v $version:literal;)*) => {
        /// An event that this release understands.
        #[derive(Clone, Debug)]
        pub enum Event {
            $($(#[$doc])* $variant(Box<$body>),)*
            /// A tombstone: it erases the record with its key, and folds into nothing.
            Tombstone,
        }

        /// Every type that this release knows, with the current version of its schema.
        pub(crate) const KNOWN: &[(&str, u16)] = &[("webhook.received", webhook::VERSION), $(($name, $version),)*];

        impl Event {
            /// Reads `record`; one of an earlier version as one of the current.
            ///
            /// # Errors
            /// An unknown type or version, a body that is not what its type says, or a
            /// `format.raised` to a format that this release does not read.
            pub fn decode(record: &Record) -> Result<Self, DecodeError> {
                let Some(value) = &record.value else { return Ok(Self::Tombstone) };
                let event = match record.event_type.as_str() {
                    $($name => parse(record, $version, value).map(|body| Self::$variant(Box::new(body))),)*
                    _ => Err(unknown(record)),
                };
                event.and_then(|event| format::readable(record, event))
            }

            /// The type, the current version and the JSON body of this event.
            ///
            /// # Errors
            /// None in practice: every body is plain data. A tombstone has no body and gives `None`.
            pub fn encode(&self) -> Option<(EventType, u16, Bytes)> {
                match self {
                    $(Self::$variant(body) => Some((EventType::known($name), $version, json(body)?)),)*
                    Self::Tombstone => None,
                }
            }
        }

        /// The body that tests keep of the current version of this type: what one looks like.
        #[must_use]
        pub fn example(event_type: &str) -> Option<&'static str> {
            match event_type {
                "webhook.received" => Some(include_str!("../fixtures/webhook.received.v1.json")),
                $($name => Some(include_str!(concat!("../fixtures/", $name, ".v", $version, ".json"))),)*
                _ => None,
            }
        }

        $(impl From<$body> for Event {
            fn from(body: $body) -> Self {
                Self::$variant(Box::new(body))
            }
        })*

        /// The JSON Schema of every event, by type and version: of `webhook.received`, whose value
        /// is GitHub's, that of its metadata header.
        #[cfg(feature = "json-schema")]
        #[must_use]
        pub fn json_schemas() -> Vec<(&'static str, u16, schemars::Schema)> {
            vec![
                ("webhook.received", webhook::VERSION, schemars::schema_for!(webhook::Received)),
                $(($name, $version, schemars::schema_for!($body)),)*
            ]
        }
    };
}

events! {
    /// A receipt was matched against the configuration.
    Routed(deliveries::Routed) = "webhook.routed" v 1;
    /// One try of a delivery ended.
    Attempted(deliveries::Attempted) = "delivery.attempted" v 1;
    /// The excerpt of a subscriber's answer.
    Answered(deliveries::Answered) = "delivery.answered" v 1;
    /// A dead delivery is owed again.
    Requeued(deliveries::Requeued) = "delivery.requeued" v 1;
    /// A delivery is owed no more.
    Cancelled(deliveries::Cancelled) = "delivery.cancelled" v 1;
    /// A partition has a new owner.
    Acquired(deliveries::Acquired) = "partition.acquired" v 1;
    /// A command took effect in a partition.
    CommandApplied(deliveries::CommandApplied) = "command.applied" v 1;
    /// A partition begins its part of a replay.
    ReplayStarted(deliveries::ReplayStarted) = "replay.started" v 1;
    /// How far a partition's part of a replay has come.
    ReplayProgressed(deliveries::ReplayProgressed) = "replay.progressed" v 1;
    /// A partition has decided about all that a replay asks of it.
    ReplayFinished(deliveries::ReplayFinished) = "replay.finished" v 1;
    /// Somebody looked at a payload.
    BodyRead(deliveries::BodyRead) = "body.read" v 1;
    /// The log was made.
    LogCreated(control::LogCreated) = "log.created" v 1;
    /// Holds the place of a record that a copy of the log did not find.
    Filler(control::LogFiller) = "log.filler" v 1;
    /// A process started.
    ProcessStarted(control::ProcessStarted) = "process.started" v 1;
    /// From here on the log may hold events of a newer format.
    FormatRaised(control::FormatRaised) = "format.raised" v 1;
    /// A source was created.
    SourceCreated(control::SourceCreated) = "source.created" v 1;
    /// A source was changed.
    SourceChanged(control::SourceChanged) = "source.changed" v 1;
    /// A source was paused.
    SourcePaused(control::SourcePaused) = "source.paused" v 1;
    /// A source was resumed.
    SourceResumed(control::SourceResumed) = "source.resumed" v 1;
    /// A source was deleted.
    SourceDeleted(control::SourceDeleted) = "source.deleted" v 1;
    /// A subscription was created.
    SubscriptionCreated(control::SubscriptionCreated) = "subscription.created" v 1;
    /// A subscription was changed.
    SubscriptionChanged(control::SubscriptionChanged) = "subscription.changed" v 1;
    /// A subscription was paused.
    SubscriptionPaused(control::SubscriptionPaused) = "subscription.paused" v 1;
    /// A subscription was resumed.
    SubscriptionResumed(control::SubscriptionResumed) = "subscription.resumed" v 1;
    /// A subscription was deleted.
    SubscriptionDeleted(control::SubscriptionDeleted) = "subscription.deleted" v 1;
    /// A source or a subscription has a new secret.
    SecretRotated(control::SecretRotated) = "secret.rotated" v 1;
    /// An API token was created.
    TokenCreated(control::TokenCreated) = "token.created" v 1;
    /// An API token was revoked.
    TokenRevoked(control::TokenRevoked) = "token.revoked" v 1;
    /// Delivering was paused.
    DeliveriesPaused(control::DeliveriesPaused) = "deliveries.paused" v 1;
    /// Delivering was resumed.
    DeliveriesResumed(control::DeliveriesResumed) = "deliveries.resumed" v 1;
    /// An operator asked to cancel deliveries.
    CancelRequested(control::CancelRequested) = "cancel.requested" v 1;
    /// An operator asked to redrive dead letters.
    RedriveRequested(control::RedriveRequested) = "redrive.requested" v 1;
    /// An operator asked to deliver history again.
    ReplayRequested(control::ReplayRequested) = "replay.requested" v 1;
    /// A replay was paused.
    ReplayPaused(control::ReplayPaused) = "replay.paused" v 1;
    /// A replay goes on.
    ReplayResumed(control::ReplayResumed) = "replay.resumed" v 1;
    /// A replay was given up.
    ReplayCancelled(control::ReplayCancelled) = "replay.cancelled" v 1;
    /// An erasure was ordered.
    ErasureRequested(control::ErasureRequested) = "erasure.requested" v 1;
    /// A point was named.
    BookmarkCreated(control::BookmarkCreated) = "bookmark.created" v 1;
    /// The name of a point is free again.
    BookmarkDeleted(control::BookmarkDeleted) = "bookmark.deleted" v 1;
    /// Webhooks were rejected in the last minute.
    WebhooksRejected(control::WebhooksRejected) = "webhooks.rejected" v 1;
}

/// The types of events that stand in `deliveries`, causes before effects. Beside these and
/// `webhook.received` all stand in `control`.
pub const DELIVERIES: [&str; 11] = [
    "webhook.routed",
    "delivery.attempted",
    "delivery.answered",
    "delivery.requeued",
    "delivery.cancelled",
    "partition.acquired",
    "command.applied",
    "body.read",
    "replay.started",
    "replay.progressed",
    "replay.finished",
];

/// The name of every type that this release knows, with the current version of its schema.
pub fn known_types() -> impl Iterator<Item = (&'static str, u16)> {
    KNOWN.iter().copied()
}

/// Reads a body, whose current version is `current`.
fn parse<T: DeserializeOwned>(
    record: &Record,
    current: u16,
    value: &[u8],
) -> Result<T, DecodeError> {
    if record.version == current {
        return serde_json::from_slice(value).map_err(|e| malformed(record, e.to_string()));
    }
    let versions = (record.version, current);
    match upcast(UPCASTERS, record.event_type.as_str(), versions, value) {
        Ok(body) => serde_json::from_value(body).map_err(|e| malformed(record, e.to_string())),
        Err(UpcastError::Unknown) => Err(unknown(record)),
        Err(UpcastError::Malformed(reason)) => Err(malformed(record, reason)),
    }
}

fn malformed(record: &Record, reason: String) -> DecodeError {
    DecodeError::Malformed {
        position: record.position.to_string(),
        event_type: record.event_type.to_string(),
        version: record.version,
        reason,
    }
}

fn unknown(record: &Record) -> DecodeError {
    DecodeError::Unknown {
        position: record.position.to_string(),
        event_type: record.event_type.to_string(),
        version: record.version,
    }
}

fn json<T: Serialize>(body: &T) -> Option<Bytes> {
    serde_json::to_vec(body).ok().map(Bytes::from)
}

impl webhook::Received {
    /// Reads the metadata of a `webhook.received` record; the body is the record's value.
    ///
    /// # Errors
    /// An unknown type or version, or metadata that does not parse.
    pub fn decode(record: &Record) -> Result<Self, DecodeError> {
        if record.event_type.as_str() != "webhook.received" {
            return Err(unknown(record));
        }
        let meta = record
            .header(webhook::METADATA_HEADER)
            .map_or(&b""[..], |value| value.as_ref());
        parse(record, webhook::VERSION, meta)
    }

    /// The header that carries this metadata.
    #[must_use]
    pub fn header(&self) -> Header {
        let value = json(self).unwrap_or_default();
        Header::new(webhook::METADATA_HEADER, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventId, Key, Offset, Partition, Position, Timestamp, Topic};
    use uuid::Uuid;

    fn record(event_type: &str, version: u16, value: Option<&str>) -> Record {
        Record {
            position: Position::new(Topic::Deliveries, Partition(3), Offset(7)),
            event_id: EventId(Uuid::nil()),
            key: Key(Uuid::nil()),
            event_type: EventType::read(event_type),
            version,
            epoch: None,
            appended_at: Timestamp(0),
            headers: Vec::new(),
            value: value.map(|text| Bytes::from(text.to_owned())),
        }
    }

    #[test]
    fn an_event_reads_as_it_was_written() {
        let event = Event::from(deliveries::Acquired {
            process: EventId(Uuid::nil()),
            at: Timestamp(5),
        });
        let (event_type, version, body) = event.encode().unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let read = Event::decode(&record(event_type.as_str(), version, Some(&text))).unwrap();
        assert!(matches!(read, Event::Acquired(acquired) if acquired.at == Timestamp(5)));
    }

    #[test]
    fn an_unknown_type_or_version_stops_its_reader_and_says_where() {
        for (event_type, version) in [("delivery.teleported", 1), ("delivery.attempted", 99)] {
            let error = Event::decode(&record(event_type, version, Some("{}"))).unwrap_err();
            assert!(matches!(error, DecodeError::Unknown { .. }));
            assert!(error.to_string().contains("deliveries/3@7"), "{error}");
        }
    }

    #[test]
    fn a_format_that_this_release_does_not_read_stops_its_reader_and_says_what_to_do() {
        let raised = |format: u32| {
            let by = r#"{"actor":"ann","from":"local","at":1}"#;
            let body = format!(r#"{{"format":{format},"by":{by}}}"#);
            Event::decode(&record("format.raised", 1, Some(&body)))
        };
        assert!(matches!(raised(FORMAT), Ok(Event::FormatRaised(_))));
        let error = raised(FORMAT + 1).unwrap_err();
        assert!(matches!(error, DecodeError::Outgrown { format, .. } if format == FORMAT + 1));
        let told = error.to_string();
        let reads = format!("up to {FORMAT};");
        for part in ["deliveries/3@7", reads.as_str(), "or a newer one"] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn a_malformed_body_is_told_apart_from_an_unknown_type() {
        let error = Event::decode(&record("delivery.attempted", 1, Some("[]"))).unwrap_err();
        assert!(matches!(error, DecodeError::Malformed { .. }));
    }

    #[test]
    fn a_tombstone_is_no_event() {
        let event = Event::decode(&record("webhook.received", 1, None)).unwrap();
        assert!(matches!(event, Event::Tombstone));
    }
}
