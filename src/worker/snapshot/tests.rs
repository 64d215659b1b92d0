use super::*;
use hooklog_projections::delivery::State;
use hooklog_schemas::deliveries::Acquired;
use hooklog_schemas::{Event, Timestamp};
use uuid::Uuid;

const LOG: EventId = EventId(Uuid::from_u128(1));
const P3: Partition = Partition(3);

fn fold() -> Fold {
    let mut fold = Fold::default();
    let process = EventId(Uuid::nil());
    let acquired = Event::from(Acquired {
        process,
        at: Timestamp(0),
    });
    fold.apply_event(Offset(7), None, &acquired, &mut Vec::new());
    fold
}

/// The snapshot of a fold with so many deliveries, as it is found again.
fn found(deliveries: u128) -> Found {
    let mut saved = fold().save();
    let delivery = Delivery::sample(State::Open { due: Timestamp(5) });
    saved.deliveries = (0..deliveries)
        .map(|n| (DeliveryId(Uuid::from_u128(n)), delivery))
        .collect();
    let sealed = saved.seal(LOG, P3).unwrap();
    let chunks = sealed.chunks.into_iter().enumerate();
    Found {
        manifest: sealed.manifest,
        chunks: chunks.map(|(n, c)| ((sealed.generation, n), c)).collect(),
    }
}

#[test]
fn a_snapshot_opens_as_it_was_sealed() {
    assert_eq!(found(0).open(LOG, P3, Offset(8)).unwrap(), fold());
    let large = found(70_000);
    assert_eq!(large.chunks.len(), 2);
    let opened = large.open(LOG, P3, Offset(8)).unwrap();
    assert_eq!(opened.deliveries.len(), 70_000);
}

#[test]
fn a_snapshot_of_an_earlier_release_is_told_from_damage() {
    // What a release sealed whose folds knew nothing of replays.
    let mut lines = include_str!("v1.hex").lines();
    let manifest = hex::decode(lines.next().unwrap()).unwrap();
    let earlier = Found {
        manifest,
        ..Found::default()
    };
    let refused = earlier.open(LOG, P3, Offset(8));
    assert!(
        matches!(refused, Err(SnapshotError::Format(1))),
        "{refused:?}"
    );
}

#[test]
fn a_snapshot_that_this_format_was_given_to_keep_opens_for_ever() {
    // Sealed once, and never again: a release that cannot open it needs another format, and a way to
    // read this one.
    let lines: Vec<_> = include_str!("v2.hex").lines().collect();
    let bytes = |line: usize| hex::decode(lines[line]).unwrap();
    let kept = Found {
        manifest: bytes(0),
        chunks: BTreeMap::from([((8, 0), bytes(1))]),
    };
    let opened = kept.open(LOG, P3, Offset(8)).unwrap();
    assert_eq!(opened, found(3).open(LOG, P3, Offset(8)).unwrap());
}

#[test]
fn another_format_is_told_from_damage_however_it_is_laid_out() {
    let mut manifest = vec![7];
    manifest.extend(b"what a later release keeps");
    let digest = Sha256::digest(&manifest);
    manifest.extend(digest);
    let later = Found {
        manifest,
        ..Found::default()
    };
    let refused = later.open(LOG, P3, Offset(8));
    assert!(
        matches!(refused, Err(SnapshotError::Format(7))),
        "{refused:?}"
    );
}

#[test]
fn one_of_another_log_or_partition_or_beyond_the_end_is_refused() {
    let beyond = found(0).open(LOG, P3, Offset(7));
    assert!(matches!(beyond, Err(SnapshotError::Beyond { .. })));
    let other = EventId(Uuid::from_u128(2));
    for (log, partition) in [(other, P3), (LOG, Partition(4))] {
        let refused = found(0).open(log, partition, Offset(8));
        assert!(matches!(refused, Err(SnapshotError::OtherLog)));
    }
}

#[test]
fn every_changed_byte_of_the_manifest_is_noticed() {
    let whole = found(0);
    for at in 0..whole.manifest.len() {
        let mut changed = whole.clone();
        changed.manifest[at] ^= 1;
        let refused = changed.open(LOG, P3, Offset(8));
        assert!(matches!(refused, Err(SnapshotError::Damaged(_))), "{at}");
        changed.manifest = whole.manifest[..at].to_vec();
        assert!(changed.open(LOG, P3, Offset(8)).is_err(), "{at}");
    }
}

#[test]
fn a_missing_or_changed_chunk_is_noticed() {
    let mut changed = found(3);
    changed.chunks.insert((8, 0), b"something else".to_vec());
    let refused = changed.open(LOG, P3, Offset(8));
    assert!(matches!(refused, Err(SnapshotError::Damaged(_))));
    changed.chunks.clear();
    let refused = changed.open(LOG, P3, Offset(8));
    assert!(matches!(refused, Err(SnapshotError::Missing(_))));
}
