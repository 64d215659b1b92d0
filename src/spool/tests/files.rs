//! What a spool leaves on its disk.

use super::support::{LOG, Way, config, given, webhook};
use crate::log::embedded::{EmbeddedBuffer, Held, OpenError};
use crate::receive::Inlet as _;
use hooklog_schemas::{Append, EventId};
use std::os::unix::fs::PermissionsExt as _;
use uuid::Uuid;

#[tokio::test]
async fn drained_bodies_are_in_no_file() {
    let given = given();
    let canary = b"canary-4711";
    let found = |files: Vec<Vec<u8>>| {
        let has = |file: &Vec<u8>| file.windows(canary.len()).any(|bytes| bytes == canary);
        files.iter().any(has)
    };
    given.way.set(Way::Refuses);
    let webhook = Append {
        value: Some(canary.to_vec().into()),
        ..webhook(0)
    };
    given.spool.put(webhook).await.unwrap();
    assert!(found(given.files()));
    given.way.set(Way::Works);
    given.drain().await;
    assert!(!found(given.files()));
    assert_eq!(given.files().len(), 1, "one empty segment");
}

#[tokio::test]
async fn the_folder_is_its_owner_s_alone_and_one_process_s() {
    let given = given();
    let mode = |path: &str| {
        let metadata = std::fs::metadata(given.path().join(path)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode("spool"), 0o700);
    assert_eq!(mode("spool/drained"), 0o600);
    let second = EmbeddedBuffer::open(given.path(), LOG, &config());
    assert!(matches!(second, Err(OpenError::InUse { .. })));
}

#[tokio::test]
async fn a_spool_of_another_log_is_refused_and_kept() {
    let given = given();
    given.way.set(Way::Refuses);
    given.put(0..3).await;
    let super::support::Given { folder, spool, .. } = given;
    drop(spool);
    let other = EventId(Uuid::from_u128(5));
    let error = EmbeddedBuffer::open(folder.path(), other, &config());
    let error = error.err().unwrap().to_string();
    assert!(error.contains("hooklog spool drain"), "{error}");
    let held = Held::look(folder.path()).unwrap().unwrap();
    assert_eq!((held.depth, held.log), (3, LOG));
}

#[test]
fn a_folder_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("mount");
    let opened = EmbeddedBuffer::open(&missing, LOG, &config());
    assert!(matches!(opened, Err(OpenError::Io { .. })));
    assert!(!missing.exists());
}

#[tokio::test]
async fn what_waits_can_be_seen_from_outside_also_beside_the_server_that_has_it() {
    let given = given();
    assert_eq!(Held::look(&given.path().join("x")).unwrap().map(drop), None);
    given.way.set(Way::Refuses);
    given.put(5..30).await;
    let held = Held::look(given.path()).unwrap().unwrap();
    assert_eq!(held.depth, 25);
    assert!(held.bytes > 25 * 100, "{}", held.bytes);
    assert_eq!(super::support::number_of_spooled(&held.oldest.unwrap()), 5);
    assert_eq!(held.in_use_by, Some(std::process::id().to_string()));
    given.way.set(Way::Works);
    given.spool.step().await.unwrap();
    let held = Held::look(given.path()).unwrap().unwrap();
    assert_eq!(held.depth, 24);
    assert_eq!(super::support::number_of_spooled(&held.oldest.unwrap()), 6);
    given.drain().await;
    let held = Held::look(given.path()).unwrap().unwrap();
    assert_eq!(held.depth, 0);
    assert!(held.oldest.is_none());
}

#[tokio::test]
async fn a_position_that_is_missing_or_does_not_fit_is_refused() {
    for text in [None, Some("not JSON"), Some("1")] {
        let given = given();
        given.way.set(Way::Refuses);
        given.put(0..3).await;
        let super::support::Given { folder, spool, .. } = given;
        drop(spool);
        let path = folder.path().join("spool/drained");
        match text {
            None => std::fs::remove_file(&path).unwrap(),
            Some(text) => std::fs::write(&path, text).unwrap(),
        }
        let opened = EmbeddedBuffer::open(folder.path(), LOG, &config());
        assert!(
            matches!(opened, Err(OpenError::SpoolPosition { .. })),
            "{text:?}"
        );
    }
}
