//! Given these events, then this configuration.

use super::*;
use hooklog_schemas::control::{
    By, DeliveriesPaused, FormatRaised, ProcessStarted, SecretRotated, SourceChanged,
    SourceCreated, SourceDeleted, SourceSpec,
};
use hooklog_schemas::{Sealed, SecretId};
use uuid::Uuid;

fn by(at: i64) -> By {
    By {
        actor: "ann".into(),
        from: "local".into(),
        at: Timestamp(at),
        why: None,
    }
}

fn secret(id: u128) -> SealedSecret {
    SealedSecret {
        id: SecretId(Uuid::from_u128(id)),
        sealed: Sealed {
            key_id: "k".into(),
            box_base64: String::new(),
        },
        organization_ids: Vec::new(),
    }
}

fn spec(name: &str) -> SourceSpec {
    SourceSpec {
        name: name.into(),
        host: "github.com".into(),
        allow: vec![],
        rate_per_second: None,
    }
}

const ID: SourceId = SourceId(Uuid::from_u128(7));

fn created(name: &str) -> Event {
    SourceCreated {
        id: ID,
        spec: spec(name),
        secret: secret(1),
        by: by(1),
    }
    .into()
}

fn changed(expected: u128, name: &str) -> Event {
    SourceChanged {
        id: ID,
        expected: event_id(expected),
        spec: spec(name),
        by: by(2),
    }
    .into()
}

const fn event_id(id: u128) -> EventId {
    EventId(Uuid::from_u128(id))
}

/// Folds events with ids 1, 2, 3, … and tells what each did.
fn given(events: &[Event]) -> (Configuration, Vec<Folded>) {
    let mut configuration = Configuration::default();
    let folded = (1_u64..)
        .zip(events)
        .map(|(n, event)| configuration.fold(Offset(n), event_id(u128::from(n)), event));
    let folded = folded.collect();
    (configuration, folded)
}

#[test]
fn the_loser_of_a_race_has_no_effect() {
    let (configuration, folded) = given(&[created("a"), changed(1, "b"), changed(1, "c")]);
    assert_eq!(folded, [Folded::Applied, Folded::Applied, Folded::Conflict]);
    assert!(configuration.source("b").is_some());
    assert_eq!(
        configuration.version.map(|version| version.offset),
        Some(Offset(2))
    );
}

#[test]
fn a_name_is_taken_until_its_source_is_deleted() {
    let again = || {
        let id = SourceId(Uuid::from_u128(8));
        Event::from(SourceCreated {
            id,
            spec: spec("a"),
            secret: secret(2),
            by: by(3),
        })
    };
    let deleted = SourceDeleted {
        id: ID,
        expected: event_id(1),
        by: by(2),
    }
    .into();
    let (configuration, folded) = given(&[created("a"), again(), deleted, again()]);
    assert_eq!(folded[1], Folded::Conflict);
    assert_eq!(folded[3], Folded::Applied);
    assert_eq!(
        configuration.sources.len(),
        2,
        "a deleted source keeps its secrets"
    );
}

#[test]
fn a_rotated_secret_stays_valid_for_the_overlap() {
    let rotated = SecretRotated {
        owner: SecretOwner::Source(ID),
        expected: event_id(1),
        secret: secret(2),
        old_valid_until: Timestamp(100),
        by: by(50),
    };
    let (configuration, _) = given(&[created("a"), rotated.into()]);
    let secrets = &configuration.source("a").unwrap().secrets;
    assert_eq!(secrets[0].valid_until, None);
    assert!(secrets[1].valid_at(Timestamp(99)) && !secrets[1].valid_at(Timestamp(100)));
}

#[test]
fn pausing_deliveries_is_no_new_configuration_version() {
    let (configuration, _) = given(&[created("a"), DeliveriesPaused { by: by(2) }.into()]);
    assert!(configuration.deliveries_paused);
    assert_eq!(
        configuration.version.map(|version| version.offset),
        Some(Offset(1))
    );
}

fn raised(format: u32) -> Event {
    FormatRaised { format, by: by(3) }.into()
}

#[test]
fn a_format_is_raised_and_never_goes_back() {
    assert_eq!(given(&[]).0.formats.in_force, 1);
    let (configuration, folded) = given(&[created("a"), raised(3), raised(3), raised(2)]);
    let again = [Folded::Evidence; 2];
    assert_eq!(folded[1], Folded::Applied);
    assert_eq!(folded[2..], again);
    assert_eq!(configuration.formats.in_force, 3);
    let version = configuration.version.unwrap();
    assert_eq!(version.event, event_id(1), "nothing is configured by it");
}

fn started(at: i64) -> Event {
    ProcessStarted {
        role: "work".into(),
        build: "1.2.3".into(),
        format: 1,
        host: Some("node-7".into()),
        configuration: Default::default(),
        at: Timestamp(at),
    }
    .into()
}

#[test]
fn the_latest_starts_are_known_and_older_ones_forgotten() {
    let events: Vec<_> = (1..=300).map(started).collect();
    let starts = given(&events).0.formats.starts;
    assert_eq!(starts.len(), 256);
    assert_eq!(starts.front().unwrap().at, Timestamp(45));
    let last = Start {
        process: event_id(300),
        role: "work".into(),
        build: "1.2.3".into(),
        format: 1,
        host: Some("node-7".into()),
        at: Timestamp(300),
    };
    assert_eq!(**starts.back().unwrap(), last);
}
