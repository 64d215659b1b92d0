//! Appends.

use super::{Log, PARTITIONS, WEBHOOKS, all, append, at, same};
use crate::log::{AppendError, ReadError, ReadLimit};
use hooklog_schemas::{Append, Offset, Partition, Timestamp};
use std::sync::Arc;

pub(crate) async fn offsets_grow_in_the_order_of_appends(log: Log) {
    let mut before = None;
    for number in 0..20 {
        let batch = vec![append(1, number.to_string())];
        let offsets = log.append(WEBHOOKS, batch).await.unwrap();
        assert_eq!(offsets.len(), 1);
        assert!(
            before < Some(offsets[0]),
            "{before:?} comes before {offsets:?}"
        );
        before = Some(offsets[0]);
    }
}

pub(crate) async fn a_batch_learns_its_offsets_in_its_own_order(log: Log) {
    let batch: Vec<_> = [2, 0, 2, 1, 0].map(|p| append(p, format!("to {p}"))).into();
    let offsets = log.append(WEBHOOKS, batch.clone()).await.unwrap();
    assert_eq!(offsets.len(), batch.len());
    for (append, offset) in batch.iter().zip(offsets) {
        let read = log
            .read(at(append.partition.0, offset), ReadLimit::default())
            .await
            .unwrap();
        assert!(same(&read[0], append), "{:?}", read[0]);
        assert_eq!(read[0].position.offset, offset);
    }
}

pub(crate) async fn an_empty_batch_is_no_work(log: Log) {
    assert_eq!(log.append(WEBHOOKS, Vec::new()).await.unwrap(), []);
    assert!(all(&log, 0).await.is_empty());
}

pub(crate) async fn append_times_never_go_back(log: Log) {
    for micros in [50, 40, 60, i64::MIN, 60] {
        let append = Append {
            at: Timestamp(micros),
            ..append(1, "x")
        };
        log.append(WEBHOOKS, vec![append]).await.unwrap();
    }
    let other = Append {
        at: Timestamp(10),
        ..append(0, "x")
    };
    log.append(WEBHOOKS, vec![other]).await.unwrap();
    let times: Vec<_> = all(&log, 1).await.iter().map(|r| r.appended_at.0).collect();
    assert_eq!(times, [50, 50, 60, 60, 60]);
    assert_eq!(
        all(&log, 0).await[0].appended_at.0,
        10,
        "partitions have their own times"
    );
}

pub(crate) async fn an_unknown_partition_is_refused_and_nothing_is_appended(log: Log) {
    let beyond = Partition(PARTITIONS);
    let batch = vec![append(0, "fine"), append(beyond.0, "lost")];
    let refused = log.append(WEBHOOKS, batch).await;
    assert!(
        matches!(refused, Err(AppendError::Unavailable(_))),
        "{refused:?}"
    );
    assert!(all(&log, 0).await.is_empty());
    let read = log
        .read(at(beyond.0, Offset(0)), ReadLimit::default())
        .await;
    assert!(matches!(read, Err(ReadError::NoPartition(_))), "{read:?}");
    let bounds = log.bounds(WEBHOOKS, beyond).await;
    assert!(
        matches!(bounds, Err(ReadError::NoPartition(_))),
        "{bounds:?}"
    );
}

pub(crate) async fn concurrent_appends_get_distinct_offsets(log: Log) {
    let tasks = (0..64).map(|number: u32| {
        let log = Arc::clone(&log);
        tokio::spawn(async move {
            let sent = append(number % PARTITIONS, number.to_string());
            let offset = log.append(WEBHOOKS, vec![sent.clone()]).await.unwrap()[0];
            (sent, offset)
        })
    });
    let tasks: Vec<_> = tasks.collect();
    for task in tasks {
        let (sent, offset) = task.await.unwrap();
        let read = log
            .read(at(sent.partition.0, offset), ReadLimit::default())
            .await
            .unwrap();
        assert!(same(&read[0], &sent));
    }
    let mut count = 0;
    for partition in 0..PARTITIONS {
        count += all(&log, partition).await.len();
    }
    assert_eq!(count, 64);
}

pub(crate) async fn concurrent_batches_keep_their_order(log: Log) {
    let tasks = (0..8).map(|writer: u32| {
        let log = Arc::clone(&log);
        tokio::spawn(async move {
            let batch = (0..20)
                .map(|number| append(0, format!("{writer} {number:02}")))
                .collect();
            log.append(WEBHOOKS, batch).await.unwrap();
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let read = all(&log, 0).await;
    for writer in 0..8 {
        let own = read.iter().filter_map(|record| {
            let text = String::from_utf8(record.value.clone().unwrap().to_vec()).unwrap();
            text.strip_prefix(&format!("{writer} ")).map(str::to_owned)
        });
        let wanted: Vec<_> = (0..20).map(|number| format!("{number:02}")).collect();
        assert_eq!(own.collect::<Vec<_>>(), wanted);
    }
}

pub(crate) async fn a_dropped_append_happens_wholly_or_not_at_all(log: Log) {
    for number in 0..50 {
        let batch = vec![
            append(0, format!("{number} a")),
            append(0, format!("{number} b")),
        ];
        let appending = log.append(WEBHOOKS, batch);
        tokio::pin!(appending);
        let _ = futures_util::poll!(&mut appending);
    }
    // A partition takes appends in their order, so those before this one are decided after it.
    log.append(WEBHOOKS, vec![append(0, "last")]).await.unwrap();
    let mut read = all(&log, 0).await;
    assert_eq!(read.pop().unwrap().value.as_deref(), Some(&b"last"[..]));
    assert!(read.len().is_multiple_of(2));
    for pair in read.chunks(2) {
        let [a, b] = [&pair[0], &pair[1]].map(|r| r.value.clone().unwrap());
        assert_eq!(a[..a.len() - 1], b[..b.len() - 1]);
    }
}
