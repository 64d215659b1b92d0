//! What every log does, whatever it is made of. Each back end runs all of it:
//! `conformance::suite!(make)`, where `make().await` gives a fresh, empty log with [`PARTITIONS`]
//! partitions, a way to have it compacted now, and something to keep alive beside it.

pub(crate) mod appending;
pub(crate) mod erasing;
pub(crate) mod reading;
pub(crate) mod waiting;

use super::{EventLog, ReadLimit};
use bytes::Bytes;
use futures_util::future::BoxFuture;
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
        $crate::log::conformance::suite!($make =>
            appending:
                offsets_grow_in_the_order_of_appends,
                a_batch_learns_its_offsets_in_its_own_order,
                an_empty_batch_is_no_work,
                append_times_never_go_back,
                an_unknown_partition_is_refused_and_nothing_is_appended,
                concurrent_appends_get_distinct_offsets,
                concurrent_batches_keep_their_order,
                a_dropped_append_happens_wholly_or_not_at_all;
            reading:
                what_was_appended_reads_back_byte_for_byte,
                nothing_is_read_at_the_tail_or_beyond,
                a_read_keeps_to_its_limits,
                a_record_over_the_limit_is_still_read,
                reading_on_from_the_last_record_finds_all,
                bounds_tell_the_start_and_the_tail,
                control_has_one_partition,
                a_time_is_found_in_its_partition;
            waiting:
                waiting_ends_at_once_for_what_is_there,
                waiting_ends_with_the_append,
                waiting_ends_with_any_of_several_topics;
            erasing:
                an_erased_record_loses_its_bytes_and_nothing_moves,
                compaction_leaves_everything_else_alone,
                compaction_twice_erases_once;
        );
    };
    ($make:path => $($part:ident: $($name:ident),*;)*) => {
        $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let given = $make().await;
            $crate::log::conformance::$part::$name(given.subject()).await;
        })*)*
    };
}
pub(crate) use suite;

/// A log under test.
pub(crate) type Log = Arc<dyn EventLog>;

/// Has a topic compacted, and resolves when it is.
pub(crate) type Compact = Arc<dyn Fn(Topic) -> BoxFuture<'static, ()> + Send + Sync>;

/// A log under test, and what belongs to it.
pub(crate) struct Given<K> {
    log: Log,
    compact: Compact,
    _kept: K,
}

impl<K> Given<K> {
    /// A log that compacts when it is told to.
    pub(crate) fn new(log: Log, kept: K) -> Self {
        let compacted = Arc::clone(&log);
        let compact = move |topic| -> BoxFuture<'static, ()> {
            let log = Arc::clone(&compacted);
            Box::pin(async move {
                log.compact(topic).await.unwrap();
            })
        };
        Self::with(log, Arc::new(compact), kept)
    }

    /// A log that is compacted by `compact`.
    pub(crate) fn with(log: Log, compact: Compact, kept: K) -> Self {
        Self {
            log,
            compact,
            _kept: kept,
        }
    }

    /// What a test is about: the log, with or without its compaction.
    pub(crate) fn subject<S: Subject>(&self) -> S {
        S::of(&self.log, &self.compact)
    }
}

/// What a test takes.
pub(crate) trait Subject {
    /// The part of a log under test that the test is about.
    fn of(log: &Log, compact: &Compact) -> Self;
}

impl Subject for Log {
    fn of(log: &Log, _: &Compact) -> Self {
        Arc::clone(log)
    }
}

impl Subject for (Log, Compact) {
    fn of(log: &Log, compact: &Compact) -> Self {
        (Arc::clone(log), Arc::clone(compact))
    }
}

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

/// Fails instead of hanging.
pub(crate) async fn soon(waiting: impl Future<Output = ()>) {
    let done = tokio::time::timeout(Duration::from_secs(10), waiting).await;
    done.expect("what was waited for is there");
}
