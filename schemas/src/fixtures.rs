//! A golden body of every event in every version that was ever written: what was written once must
//! be read for ever. They are in `fixtures/`, and none is ever changed.

use crate::event::KNOWN;
use crate::webhook::{METADATA_HEADER, Received};
use crate::{
    Event, EventId, EventType, Header, Key, Offset, Partition, Position, Record, Timestamp, Topic,
};
use bytes::Bytes;
use serde_json::Value;
use std::path::{Path, PathBuf};
use uuid::Uuid;

fn file(event_type: &str, version: u16) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    folder.join(format!("{event_type}.v{version}.json"))
}

fn body(event_type: &str, version: u16) -> Vec<u8> {
    let path = file(event_type, version);
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; every version of an event that was ever written has a body there",
            path.display()
        )
    })
}

fn record(event_type: &str, version: u16) -> Record {
    let body = Bytes::from(body(event_type, version));
    let (headers, value) = match event_type {
        "webhook.received" => (vec![Header::new(METADATA_HEADER, body)], Bytes::new()),
        _ => (Vec::new(), body),
    };
    Record {
        position: Position::new(Topic::Deliveries, Partition(0), Offset(0)),
        event_id: EventId(Uuid::nil()),
        key: Key(Uuid::nil()),
        event_type: EventType::read(event_type),
        version,
        epoch: None,
        appended_at: Timestamp(0),
        headers,
        value: Some(value),
    }
}

#[test]
fn every_version_of_every_event_is_read_and_the_current_one_is_written_as_it_was() {
    for (event_type, current) in KNOWN {
        for version in 1..=*current {
            let record = record(event_type, version);
            let written = match *event_type {
                "webhook.received" => {
                    let read = Received::decode(&record).unwrap();
                    serde_json::to_value(read).unwrap()
                }
                _ => {
                    let read = Event::decode(&record).unwrap();
                    let (read_type, now, body) = read.encode().unwrap();
                    assert_eq!((read_type.as_str(), now), (*event_type, *current));
                    serde_json::from_slice(&body).unwrap()
                }
            };
            if version == *current {
                let golden: Value = serde_json::from_slice(&body(event_type, version)).unwrap();
                assert_eq!(written, golden, "{event_type} v{version}");
            }
        }
    }
}

#[test]
fn every_fixture_is_of_an_event_that_is_known() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let known = KNOWN.iter().any(|(event_type, current)| {
            (1..=*current).any(|version| file(event_type, version) == path)
        });
        assert!(known, "{}", path.display());
    }
}
