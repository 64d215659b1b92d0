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

fn written() -> (tempfile::TempDir, Snapshots) {
    let folder = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(folder.path().to_owned(), LOG);
    snapshots.write(P3, fold().save()).unwrap();
    (folder, snapshots)
}

#[test]
fn a_snapshot_reads_as_it_was_written_and_replaces_the_one_before() {
    let (folder, snapshots) = written();
    assert_eq!(snapshots.read(P3, Offset(8)).unwrap(), Some(fold()));
    assert_eq!(snapshots.read(Partition(4), Offset(8)).unwrap(), None);
    let mut later = fold();
    later.next = Offset(20);
    snapshots.write(P3, later.save()).unwrap();
    assert_eq!(snapshots.read(P3, Offset(20)).unwrap(), Some(later));
    drop(folder);
}

#[test]
fn one_of_another_log_or_beyond_the_end_is_refused() {
    let (folder, snapshots) = written();
    let beyond = snapshots.read(P3, Offset(7));
    assert!(matches!(beyond, Err(SnapshotError::Beyond { .. })));
    let other = Snapshots::new(folder.path().to_owned(), EventId(Uuid::from_u128(2)));
    assert!(matches!(
        other.read(P3, Offset(8)),
        Err(SnapshotError::OtherLog)
    ));
}

#[test]
fn every_changed_byte_of_the_manifest_is_noticed() {
    let (folder, snapshots) = written();
    let path = folder.path().join("00003").join(MANIFEST);
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(&path, &changed).unwrap();
        assert!(
            matches!(
                snapshots.read(P3, Offset(8)),
                Err(SnapshotError::Damaged(_))
            ),
            "{at}"
        );
        fs::write(&path, &whole[..at]).unwrap();
        assert!(snapshots.read(P3, Offset(8)).is_err(), "{at}");
    }
}

#[test]
fn a_missing_or_changed_chunk_is_noticed() {
    let (folder, snapshots) = written();
    let mut saved = fold().save();
    let delivery = Delivery::sample(State::Open { due: Timestamp(5) });
    saved.deliveries = (0..3)
        .map(|n| (DeliveryId(Uuid::from_u128(n)), delivery))
        .collect();
    snapshots.write(P3, saved).unwrap();
    let read = snapshots.read(P3, Offset(8)).unwrap().unwrap();
    assert_eq!(read.deliveries.len(), 3);
    let chunk = folder.path().join("00003").join(chunk_name(8, 0));
    fs::write(&chunk, b"something else").unwrap();
    assert!(matches!(
        snapshots.read(P3, Offset(8)),
        Err(SnapshotError::Damaged(_))
    ));
    fs::remove_file(&chunk).unwrap();
    assert!(matches!(
        snapshots.read(P3, Offset(8)),
        Err(SnapshotError::Io(_))
    ));
}
