//! What every log does, whatever it is made of. Each back end runs all of it:
//! `conformance::suite!(make)`, where `make()` gives a fresh, empty log with [`PARTITIONS`]
//! partitions, and something to keep alive beside it.

use super::{AppendError, EventLog, ReadError, ReadLimit};
use bytes::Bytes;
use hooklog_schemas::{
    Append, EventId, EventType, Header, Key, Offset, Partition, Position, Record, Timestamp, Topic,
};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Partitions that a log under test has.
pub(crate) const PARTITIONS: u32 = 3;

/// Makes a test of every behaviour.
macro_rules! suite {
    ($make:path) => {
        $crate::log::conformance::suite!($make:
            offsets_grow_in_the_order_of_appends,
            a_batch_learns_its_offsets_in_its_own_order,
            what_was_appended_reads_back_byte_for_byte,
            an_empty_batch_is_no_work,
            nothing_is_read_at_the_tail_or_beyond,
            a_read_keeps_to_its_limits,
            a_record_over_the_limit_is_still_read,
            reading_on_from_the_last_record_finds_all,
            append_times_never_go_back,
            bounds_tell_the_start_and_the_tail,
            control_has_one_partition,
            an_unknown_partition_is_refused_and_nothing_is_appended,
            concurrent_appends_get_distinct_offsets,
            concurrent_batches_keep_their_order,
            waiting_ends_at_once_for_what_is_there,
            waiting_ends_with_the_append,
            waiting_ends_with_any_of_several_topics,
            a_dropped_append_happens_wholly_or_not_at_all,
            an_erased_record_keeps_its_place_and_loses_its_bytes,
            compaction_leaves_everything_else_alone,
            compaction_twice_erases_once,
        );
    };
    ($make:path: $($name:ident,)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let (log, _kept) = $make();
            $crate::log::conformance::$name(log).await;
        })*
    };
}
pub(crate) use suite;

/// A log under test.
pub(crate) type Log = Arc<dyn EventLog>;

const WEBHOOKS: Topic = Topic::Webhooks;

/// An append to `partition` with `body`, like those of a worker.
pub(crate) fn append(partition: u32, body: impl Into<Bytes>) -> Append {
    Append {
        partition: Partition(partition),
        event_id: EventId(Uuid::now_v7()),
        key: Key(Uuid::new_v4()),
        event_type: EventType::known("delivery.attempted"),
        version: 1,
        epoch: Some(Offset(7)),
        at: Timestamp(1_700_000_000_000_000),
        headers: vec![Header::new("content-type", "application/json")],
        value: Some(body.into()),
    }
}

/// The tombstone that erases the record with `key`.
pub(crate) fn tombstone(partition: u32, key: Key) -> Append {
    Append {
        key,
        value: None,
        headers: Vec::new(),
        ..append(partition, "")
    }
}

/// Whether `record` is what became of `append`.
pub(crate) fn same(record: &Record, append: &Append) -> bool {
    record.position.partition == append.partition
        && record.event_id == append.event_id
        && record.key == append.key
        && record.event_type == append.event_type
        && record.version == append.version
        && record.epoch == append.epoch
        && record.headers == append.headers
        && record.value == append.value
}

/// Everything in a partition, read in steps of `limit`.
pub(crate) async fn everything(
    log: &Log,
    topic: Topic,
    partition: u32,
    limit: ReadLimit,
) -> Vec<Arc<Record>> {
    let mut all: Vec<Arc<Record>> = Vec::new();
    let mut at = Position::new(topic, Partition(partition), Offset(0));
    loop {
        let some = log.read(at, limit).await.unwrap();
        let Some(last) = some.last() else { return all };
        at.offset = last.position.offset.next();
        all.extend(some);
    }
}

async fn all(log: &Log, partition: u32) -> Vec<Arc<Record>> {
    everything(log, WEBHOOKS, partition, ReadLimit::default()).await
}

fn at(partition: u32, offset: Offset) -> Position {
    Position::new(WEBHOOKS, Partition(partition), offset)
}

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

pub(crate) async fn what_was_appended_reads_back_byte_for_byte(log: Log) {
    let every_byte: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let mut odd = append(0, every_byte);
    odd.headers = vec![
        Header::new("x-empty", ""),
        Header::new("x-bytes", vec![0xff, 0x00, 0x0a]),
        Header::new("x-twice", "1"),
        Header::new("x-twice", "2"),
    ];
    let plain = Append {
        epoch: None,
        headers: Vec::new(),
        version: 65_535,
        ..append(0, "")
    };
    let unknown = Append {
        event_type: EventType::read("delivery.teleported"),
        ..append(0, "?")
    };
    let batch = vec![odd, plain, unknown, tombstone(0, Key(Uuid::new_v4()))];
    log.append(WEBHOOKS, batch.clone()).await.unwrap();
    let read = all(&log, 0).await;
    assert_eq!(read.len(), batch.len());
    for (record, append) in read.iter().zip(&batch) {
        assert!(same(record, append), "{record:?} is not {append:?}");
    }
}

pub(crate) async fn an_empty_batch_is_no_work(log: Log) {
    assert_eq!(log.append(WEBHOOKS, Vec::new()).await.unwrap(), []);
    assert!(all(&log, 0).await.is_empty());
}

pub(crate) async fn nothing_is_read_at_the_tail_or_beyond(log: Log) {
    assert!(
        log.read(at(0, Offset(0)), ReadLimit::default())
            .await
            .unwrap()
            .is_empty()
    );
    let offset = log.append(WEBHOOKS, vec![append(0, "one")]).await.unwrap()[0];
    for beyond in [offset.next(), Offset(u64::MAX)] {
        assert!(
            log.read(at(0, beyond), ReadLimit::default())
                .await
                .unwrap()
                .is_empty()
        );
    }
}

pub(crate) async fn a_read_keeps_to_its_limits(log: Log) {
    let batch = (0..10).map(|_| append(0, vec![b'x'; 1000])).collect();
    log.append(WEBHOOKS, batch).await.unwrap();
    let few = ReadLimit {
        records: 3,
        bytes: usize::MAX,
    };
    assert_eq!(log.read(at(0, Offset(0)), few).await.unwrap().len(), 3);
    let small = ReadLimit {
        records: 100,
        bytes: 2500,
    };
    assert_eq!(log.read(at(0, Offset(0)), small).await.unwrap().len(), 2);
}

pub(crate) async fn a_record_over_the_limit_is_still_read(log: Log) {
    log.append(
        WEBHOOKS,
        vec![append(0, vec![b'x'; 5000]), append(0, "next")],
    )
    .await
    .unwrap();
    let tiny = ReadLimit {
        records: 100,
        bytes: 10,
    };
    let read = log.read(at(0, Offset(0)), tiny).await.unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].value.as_ref().unwrap().len(), 5000);
}

pub(crate) async fn reading_on_from_the_last_record_finds_all(log: Log) {
    for number in 0..50 {
        let batch = (0..PARTITIONS)
            .map(|p| append(p, number.to_string()))
            .collect();
        log.append(WEBHOOKS, batch).await.unwrap();
    }
    for partition in 0..PARTITIONS {
        let read = everything(
            &log,
            WEBHOOKS,
            partition,
            ReadLimit {
                records: 7,
                bytes: 300,
            },
        )
        .await;
        let bodies: Vec<_> = read.iter().map(|r| r.value.clone().unwrap()).collect();
        let wanted: Vec<_> = (0..50)
            .map(|number| Bytes::from(number.to_string()))
            .collect();
        assert_eq!(bodies, wanted);
    }
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

pub(crate) async fn bounds_tell_the_start_and_the_tail(log: Log) {
    let empty = log.bounds(WEBHOOKS, Partition(2)).await.unwrap();
    assert_eq!(empty.start, empty.tail);
    let offsets = log
        .append(WEBHOOKS, vec![append(2, "a"), append(2, "b")])
        .await
        .unwrap();
    let bounds = log.bounds(WEBHOOKS, Partition(2)).await.unwrap();
    assert_eq!((bounds.start, bounds.tail), (offsets[0], offsets[1].next()));
    let other = log.bounds(WEBHOOKS, Partition(1)).await.unwrap();
    assert_eq!(other.start, other.tail);
}

pub(crate) async fn control_has_one_partition(log: Log) {
    let counts = Topic::ALL.map(|topic| log.partitions(topic));
    assert_eq!(counts, [PARTITIONS, PARTITIONS, 1]);
    log.append(Topic::Control, vec![append(0, "c")])
        .await
        .unwrap();
    assert_eq!(
        everything(&log, Topic::Control, 0, ReadLimit::default())
            .await
            .len(),
        1
    );
    assert!(
        all(&log, 0).await.is_empty(),
        "topics have their own records"
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

pub(crate) async fn waiting_ends_at_once_for_what_is_there(log: Log) {
    let offset = log.append(WEBHOOKS, vec![append(0, "x")]).await.unwrap()[0];
    soon(log.wait(&[at(1, Offset(0)), at(0, offset)])).await;
}

pub(crate) async fn waiting_ends_with_the_append(log: Log) {
    let positions = [at(2, Offset(0))];
    let waiting = log.wait(&positions);
    tokio::pin!(waiting);
    assert!(futures_util::poll!(&mut waiting).is_pending());
    log.append(WEBHOOKS, vec![append(1, "another partition")])
        .await
        .unwrap();
    assert!(futures_util::poll!(&mut waiting).is_pending());
    log.append(WEBHOOKS, vec![append(2, "this one")])
        .await
        .unwrap();
    soon(waiting).await;
    assert_eq!(all(&log, 2).await.len(), 1);
}

pub(crate) async fn waiting_ends_with_any_of_several_topics(log: Log) {
    let control = Position::new(Topic::Control, Partition(0), Offset(0));
    let positions = [at(0, Offset(0)), control];
    let waiting = log.wait(&positions);
    tokio::pin!(waiting);
    assert!(futures_util::poll!(&mut waiting).is_pending());
    log.append(Topic::Control, vec![append(0, "x")])
        .await
        .unwrap();
    soon(waiting).await;
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
    // The writer takes appends in their order, so those before this one are decided after it.
    log.append(WEBHOOKS, vec![append(1, "last")]).await.unwrap();
    let read = all(&log, 0).await;
    assert!(read.len().is_multiple_of(2));
    for pair in read.chunks(2) {
        let [a, b] = [&pair[0], &pair[1]].map(|r| r.value.clone().unwrap());
        assert_eq!(a[..a.len() - 1], b[..b.len() - 1]);
    }
}

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

/// Fails instead of hanging.
async fn soon(waiting: impl Future<Output = ()>) {
    let done = tokio::time::timeout(Duration::from_secs(10), waiting).await;
    done.expect("what was waited for is there");
}
