//! Every event in every version that was ever written folds.

use super::super::*;
use hooklog_schemas::{
    DELIVERIES, EventId, EventType, Key, Offset, Partition, Position, Record, Timestamp, Topic,
};
use std::collections::BTreeMap;
use std::path::Path;
use uuid::Uuid;

/// The golden bodies, but that of a receipt, which no table folds, in the order of this list or of
/// their names; by type and version.
fn fixtures() -> BTreeMap<(usize, String), Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/fixtures");
    let mut fixtures = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let place = DELIVERIES.iter().position(|t| name.starts_with(t));
        if !name.starts_with("webhook.received") {
            let body = std::fs::read(&path).unwrap();
            fixtures.insert((place.map_or(0, |place| place + 1), name), body);
        }
    }
    fixtures
}

#[test]
fn every_version_of_every_event_folds() {
    let log = EventId(Uuid::nil());
    let start = Checkpoint::start(log);
    let mut folding = Folding::resume(start, Configuration::default(), &[], 10).unwrap();
    let mut offsets = BTreeMap::<Topic, u64>::new();
    for ((place, name), body) in fixtures() {
        let (event_type, version) = name.rsplit_once(".v").unwrap();
        let topic = match place {
            0 => Topic::Control,
            _ => Topic::Deliveries,
        };
        let offset = offsets.entry(topic).or_default();
        let record = Record {
            position: Position::new(topic, Partition(0), Offset(*offset)),
            event_id: EventId(Uuid::from_u128(u128::from(*offset))),
            key: Key(Uuid::from_u128(u128::from(*offset))),
            event_type: EventType::read(event_type),
            version: version.parse().unwrap(),
            epoch: None,
            appended_at: Timestamp(0),
            headers: Vec::new(),
            value: Some(body.into()),
        };
        *offset += 1;
        folding.fold(&Decoded::of(&record).unwrap_or_else(|error| panic!("{name}: {error}")));
    }
    let changes = folding.take();
    let tables: Vec<_> = changes.tables.iter().map(|c| c.table.name).collect();
    for table in [
        "webhooks",
        "deliveries",
        "transitions",
        "attempts",
        "answers",
        "erasures",
    ] {
        assert!(tables.contains(&table), "{table}: {tables:?}");
    }
}
