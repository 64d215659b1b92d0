//! A log that is opened for the first time, also by several processes at once.

use super::*;
use crate::clock::System;
use crate::config::{LogKind, Role};
use crate::log::ReadLimit;
use crate::log::memory::MemoryLog;
use hooklog_schemas::{Event, Partition, Position};

/// The configuration of a process with these roles, in a folder of its own.
fn loaded(roles: &[Role], data: &Path) -> Loaded {
    let mut config = Config {
        roles: roles.to_vec(),
        data: data.to_owned(),
        ..Config::default()
    };
    config.log.kind = LogKind::Kafka;
    Loaded {
        config,
        origins: Default::default(),
    }
}

async fn opened(log: &Arc<MemoryLog>, roles: &[Role], data: &Path) -> anyhow::Result<Opened> {
    open(log.clone(), Arc::new(System), &loaded(roles, data)).await
}

async fn control(log: &MemoryLog) -> Vec<Event> {
    let start = Position::new(Topic::Control, Partition(0), Default::default());
    let records = log.read(start, ReadLimit::default()).await.unwrap();
    records
        .iter()
        .map(|record| Event::decode(record).unwrap())
        .collect()
}

#[tokio::test]
async fn of_two_that_make_a_log_at_once_the_first_counts_for_both() {
    let log = Arc::new(MemoryLog::new(2));
    let control = async || Control::open(log.clone(), Arc::new(System)).await.unwrap();
    let both = [control().await, control().await];
    let created = |key: &str| LogCreated {
        log_id: clock::event_id(),
        partitions: 2,
        key: Some(key.to_owned()),
        at: System.now(),
    };
    both[0].record(created("first")).await.unwrap();
    both[1].record(created("second")).await.unwrap();
    let seen = both.map(|control| (control.current().log, control.current().key.clone()));
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].1.as_deref(), Some("first"));
}

#[tokio::test]
async fn a_start_tells_the_roles() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new(1));
    Keyring::create(&folder.path().join("key")).unwrap();
    for roles in [&[Role::Work, Role::Receive][..], &[Role::All]] {
        opened(&log, roles, folder.path()).await.unwrap();
    }
    let roles: Vec<_> = control(&log).await.into_iter().filter_map(role).collect();
    assert_eq!(roles, ["receive,work", "all"]);
}

fn role(event: Event) -> Option<String> {
    match event {
        Event::ProcessStarted(started) => Some(started.role),
        _ => None,
    }
}

#[tokio::test]
async fn a_key_that_is_not_the_log_s_is_refused_before_it_sealed_anything() {
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let log = Arc::new(MemoryLog::new(1));
    opened(&log, &[Role::All], first.path()).await.unwrap();
    Keyring::create(&second.path().join("key")).unwrap();
    let refused = opened(&log, &[Role::All], second.path()).await;
    let said = refused.err().unwrap().to_string();
    assert!(said.contains("the same key file"), "{said}");
    Keyring::rotate(&first.path().join("key")).unwrap();
    opened(&log, &[Role::All], first.path()).await.unwrap();
}
