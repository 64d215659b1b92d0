//! Erasure. Once a topic is compacted, an erased record is gone, or has neither headers nor value;
//! everything else is as it was, at its place.

use super::{Compact, Log, PARTITIONS, WEBHOOKS, all, append, at, everything, same, tombstone};
use crate::log::ReadLimit;
use hooklog_schemas::{Append, Offset, Record, Topic};
use std::sync::Arc;

fn is_erased(read: &[Arc<Record>], offset: Offset) -> bool {
    let found = read.iter().find(|record| record.position.offset == offset);
    found.is_none_or(|record| record.value.is_none() && record.headers.is_empty())
}

fn is_there(read: &[Arc<Record>], offset: Offset, append: &Append) -> bool {
    let found = read.iter().find(|record| record.position.offset == offset);
    found.is_some_and(|record| same(record, append))
}

pub(crate) async fn an_erased_record_loses_its_bytes_and_nothing_moves(
    (log, compact): (Log, Compact),
) {
    let secret = append(1, "personal");
    let batch = vec![append(1, "before"), secret.clone(), append(1, "after")];
    let offsets = log.append(WEBHOOKS, batch.clone()).await.unwrap();
    let stone = tombstone(1, secret.key);
    log.append(WEBHOOKS, vec![stone]).await.unwrap();
    compact(WEBHOOKS).await;
    let read = all(&log, 1).await;
    assert!(is_erased(&read, offsets[1]), "{read:?}");
    for number in [0, 2] {
        assert!(is_there(&read, offsets[number], &batch[number]), "{read:?}");
    }
    let erased = log.read(at(1, offsets[1]), ReadLimit::default()).await;
    assert!(
        erased.unwrap()[0].position.offset >= offsets[1],
        "a read at a gap goes on after it"
    );
}

pub(crate) async fn compaction_leaves_everything_else_alone((log, compact): (Log, Compact)) {
    let batch: Vec<_> = (0..9)
        .map(|n| append(n % PARTITIONS, format!("body {n}")))
        .collect();
    let offsets = log.append(WEBHOOKS, batch.clone()).await.unwrap();
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
    compact(WEBHOOKS).await;
    for (append, offset) in batch.iter().zip(&offsets).skip(1) {
        let read = all(&log, append.partition.0).await;
        assert!(is_there(&read, *offset, append), "{offset} of {read:?}");
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

pub(crate) async fn compaction_twice_erases_once((log, compact): (Log, Compact)) {
    let secret = append(0, "personal");
    let kept = append(0, "kept");
    let batch = vec![secret.clone(), kept.clone()];
    let offsets = log.append(WEBHOOKS, batch).await.unwrap();
    compact(WEBHOOKS).await;
    assert!(is_there(&all(&log, 0).await, offsets[0], &secret));
    log.append(WEBHOOKS, vec![tombstone(0, secret.key)])
        .await
        .unwrap();
    for _ in 0..2 {
        compact(WEBHOOKS).await;
        let read = all(&log, 0).await;
        assert!(is_erased(&read, offsets[0]), "{read:?}");
        assert!(is_there(&read, offsets[1], &kept), "{read:?}");
    }
}
