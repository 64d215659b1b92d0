//! The conformance suite and Kafka's own ways to fail, on a real broker.

pub(crate) mod broker;
mod group;
mod opening;
mod outage;

use super::tail::Found;
use super::*;
use crate::log::conformance::{self, append, everything, tombstone};
use crate::worker::snapshot;
use broker::Topics;
use bytes::Bytes;
use hooklog_schemas::{Header, Timestamp};

async fn make() -> conformance::Given<Topics> {
    let topics = Topics::make().await;
    let log: conformance::Log = Arc::new(topics.open().await);
    let compact = topics.compaction(&log);
    conformance::Given::with(log, compact, topics)
}

conformance::suite!(make);

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_in_a_topic_keep_the_rules_and_are_found_by_another_process() {
    let topics = Topics::make().await;
    let here = topics.open().await.snapshots().unwrap();
    snapshot::conformance::run(here.as_ref()).await;
    let there = topics.open().await.snapshots().unwrap();
    let found = there.get(Partition(0)).await.unwrap().unwrap();
    assert_eq!(found.manifest, b"manifest of 1000000");
    assert_eq!(found.chunks.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_gets_what_another_process_appends_and_reads_it_from_memory() {
    let topics = Topics::make().await;
    let (one, other) = (topics.open().await, topics.open().await);
    let start = Position::new(Topic::Deliveries, Partition(1), Offset(0));
    for number in 0..20_u64 {
        let at = Position {
            offset: Offset(number),
            ..start
        };
        let positions = [at];
        let waiting = one.wait(&positions);
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        let sent = append(1, number.to_string());
        other
            .append(Topic::Deliveries, vec![sent.clone()])
            .await
            .unwrap();
        conformance::soon(waiting).await;
        let read = one.read(at, ReadLimit::default()).await.unwrap();
        assert!(conformance::same(&read[0], &sent));
    }
    let found = one.source.tail.find(
        Position {
            offset: Offset(10),
            ..start
        },
        ReadLimit::default(),
    );
    assert!(matches!(found, Found::Records(records) if records.len() == 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_the_largest_size_comes_back_and_a_larger_one_is_refused() {
    let topics = Topics::make().await;
    let log = topics.open().await;
    // Random, so that compression does not make it small.
    let mut body = vec![0; 41 << 20];
    getrandom::fill(&mut body).unwrap();
    let body = Bytes::from(body);
    let offsets = log
        .append(Topic::Webhooks, vec![append(0, body.clone())])
        .await
        .unwrap();
    let at = Position::new(Topic::Webhooks, Partition(0), offsets[0]);
    let read = log.read(at, ReadLimit::default()).await.unwrap();
    assert_eq!(read[0].value.as_ref(), Some(&body));
    let larger = append(0, vec![0; client::RECORD_BYTES_MAX]);
    let refused = log
        .append(Topic::Webhooks, vec![append(0, "fine"), larger])
        .await;
    assert!(
        matches!(refused, Err(AppendError::TooLarge { .. })),
        "{refused:?}"
    );
    let bounds = log.bounds(Topic::Webhooks, Partition(0)).await.unwrap();
    assert_eq!(bounds.tail, offsets[0].next(), "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_larger_than_the_queue_gets_through_in_its_order() {
    let mut topics = Topics::make().await;
    topics.config.kafka.queue_bytes_max = 200_000;
    let log: conformance::Log = Arc::new(topics.open().await);
    let batch: Vec<_> = (0..200_u8).map(|n| append(0, vec![n; 10_000])).collect();
    let offsets = log.append(Topic::Webhooks, batch.clone()).await.unwrap();
    assert!(offsets.is_sorted() && offsets.len() == batch.len());
    let read = everything(&log, Topic::Webhooks, 0, ReadLimit::default()).await;
    assert_eq!(read.len(), batch.len());
    for (record, sent) in read.iter().zip(&batch) {
        assert!(conformance::same(record, sent));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_memory_keeps_is_read_from_the_brokers_in_any_steps() {
    let topics = Topics::make().await;
    let log: conformance::Log = Arc::new(topics.open().await);
    let tail = Position::new(Topic::Webhooks, Partition(0), Offset(0));
    let positions = [tail];
    let waiting = log.wait(&positions);
    tokio::pin!(waiting);
    assert!(futures_util::poll!(&mut waiting).is_pending());
    let mut bodies = Vec::new();
    for number in 0..30_u8 {
        let batch: Vec<_> = (0..100).map(|_| append(0, vec![number; 1_000])).collect();
        bodies.extend(batch.iter().map(|append| append.value.clone()));
        log.append(Topic::Webhooks, batch).await.unwrap();
    }
    conformance::soon(waiting).await;
    for records in [7, 1_000, 3_000] {
        let limit = ReadLimit {
            records,
            bytes: 1 << 20,
        };
        let read = everything(&log, Topic::Webhooks, 0, limit).await;
        let read: Vec<_> = read.iter().map(|record| record.value.clone()).collect();
        assert_eq!(read, bodies, "in steps of {records}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_before_the_end_of_what_was_erased_goes_on_until_the_next_append() {
    let topics = Topics::make().await;
    let log: conformance::Log = Arc::new(topics.open().await);
    let secret = append(0, "personal");
    let offset = log.append(Topic::Webhooks, vec![secret.clone()]).await;
    let offset = offset.unwrap()[0];
    let stone = tombstone(0, secret.key);
    log.append(Topic::Webhooks, vec![stone]).await.unwrap();
    topics.compaction(&log)(Topic::Webhooks).await;
    let fresh = topics.open().await;
    let gap = Position::new(Topic::Webhooks, Partition(0), offset);
    conformance::soon(fresh.wait(&[gap])).await;
    let read = fresh.read(gap, ReadLimit::default()).await.unwrap();
    assert!(read[0].position.offset > offset, "the gap is passed");
}

#[tokio::test(flavor = "multi_thread")]
async fn erased_bytes_are_in_no_file_of_the_broker() {
    let topics = Topics::make().await;
    let log: conformance::Log = Arc::new(topics.open().await);
    // Random, so that compression leaves it as it is.
    let mut canary = vec![0; 600];
    getrandom::fill(&mut canary).unwrap();
    let mut secret = append(0, canary.clone());
    secret.headers.push(Header::new("x-name", canary.clone()));
    let batch = vec![append(0, "before"), secret.clone()];
    log.append(Topic::Webhooks, batch).await.unwrap();
    assert!(
        topics.files_hold(&canary[..200]),
        "else the test sees nothing"
    );
    let stone = tombstone(0, secret.key);
    log.append(Topic::Webhooks, vec![stone]).await.unwrap();
    topics.compaction(&log)(Topic::Webhooks).await;
    topics
        .eventually("the canary is gone", || !topics.files_hold(&canary[..200]))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_writers_of_many_processes_may_disagree_about_the_time() {
    let topics = Topics::make().await;
    let log: conformance::Log = Arc::new(topics.open().await);
    for seconds in [50, 40, 60, 30] {
        let one = Append {
            at: Timestamp::from_secs(1_700_000_000 + seconds),
            ..append(0, "x")
        };
        log.append(Topic::Control, vec![one]).await.unwrap();
    }
    for records in [1, 3, 100] {
        let limit = ReadLimit {
            records,
            bytes: 1 << 20,
        };
        let read = everything(&log, Topic::Control, 0, limit).await;
        let times = read
            .iter()
            .map(|record| record.appended_at.as_secs() - 1_700_000_000);
        assert_eq!(times.collect::<Vec<_>>(), [50, 50, 60, 60]);
    }
}
