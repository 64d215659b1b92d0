//! Erasure.

use super::{Log, PARTITIONS, WEBHOOKS, all, append, at, everything, same, tombstone};
use crate::log::ReadLimit;
use hooklog_schemas::{Append, Topic};

pub(crate) async fn an_erased_record_keeps_its_place_and_loses_its_bytes(log: Log) {
    let secret = append(1, "personal");
    let offset = log
        .append(WEBHOOKS, vec![secret.clone(), append(1, "x")])
        .await
        .unwrap()[0];
    log.append(WEBHOOKS, vec![tombstone(1, secret.key)])
        .await
        .unwrap();
    assert_eq!(log.compact(WEBHOOKS).await.unwrap(), 1);
    let read = all(&log, 1).await;
    assert_eq!(read.len(), 3);
    assert_eq!(read[0].position.offset, offset);
    assert_eq!(
        (read[0].event_id, read[0].key),
        (secret.event_id, secret.key)
    );
    assert_eq!(read[0].event_type, secret.event_type);
    assert!(read[0].value.is_none() && read[0].headers.is_empty());
    assert!(read[2].value.is_none());
}

pub(crate) async fn compaction_leaves_everything_else_alone(log: Log) {
    let batch: Vec<_> = (0..9)
        .map(|n| append(n % PARTITIONS, format!("body {n}")))
        .collect();
    log.append(WEBHOOKS, batch.clone()).await.unwrap();
    let same_key = Append {
        key: batch[0].key,
        ..append(0, "another topic")
    };
    log.append(Topic::Deliveries, vec![same_key.clone()])
        .await
        .unwrap();
    log.append(WEBHOOKS, vec![tombstone(0, batch[0].key)])
        .await
        .unwrap();
    log.compact(WEBHOOKS).await.unwrap();
    for partition in 0..PARTITIONS {
        let read = all(&log, partition).await;
        for (index, record) in read.iter().enumerate().skip(usize::from(partition == 0)) {
            let sent = batch
                .iter()
                .filter(|a| a.partition.0 == partition)
                .nth(index);
            assert!(sent.is_none_or(|sent| same(record, sent)), "{record:?}");
        }
    }
    let other = everything(&log, Topic::Deliveries, 0, ReadLimit::default()).await;
    assert!(
        same(&other[0], &same_key),
        "a tombstone erases in its own topic only"
    );
    let offsets = log
        .append(WEBHOOKS, vec![append(0, "later")])
        .await
        .unwrap();
    let read = log
        .read(at(0, offsets[0]), ReadLimit::default())
        .await
        .unwrap();
    assert_eq!(read[0].value.as_deref(), Some(&b"later"[..]));
}

pub(crate) async fn compaction_twice_erases_once(log: Log) {
    let secret = append(0, "personal");
    log.append(WEBHOOKS, vec![secret.clone()]).await.unwrap();
    assert_eq!(log.compact(WEBHOOKS).await.unwrap(), 0);
    log.append(WEBHOOKS, vec![tombstone(0, secret.key)])
        .await
        .unwrap();
    assert_eq!(log.compact(WEBHOOKS).await.unwrap(), 1);
    assert_eq!(log.compact(WEBHOOKS).await.unwrap(), 0);
}
