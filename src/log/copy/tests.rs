use super::*;
use crate::log::conformance::{append, everything, tombstone};
use crate::log::memory::MemoryLog;
use futures_util::FutureExt as _;
use hooklog_schemas::{Event, Header, Record};
use std::sync::{Arc, Mutex};

const AT: Timestamp = Timestamp(1_800_000_000_000_000);

/// The record at a place, if there is one.
async fn at(log: &dyn EventLog, position: Position) -> Result<Option<Arc<Record>>, ReadError> {
    let records = log.read(position, ReadLimit::default()).await?;
    let first = records.into_iter().next();
    Ok(first.filter(|record| record.position == position))
}

async fn given() -> Arc<dyn EventLog> {
    let log = MemoryLog::new(2);
    for number in 0..5 {
        let mut one = append(number % 2, format!("body {number}"));
        one.headers.push(Header::new("x", number.to_string()));
        one.at = Timestamp(1_000 + i64::from(number));
        log.append(Topic::Webhooks, vec![one]).await.unwrap();
    }
    log.append(Topic::Control, vec![append(0, "{}")])
        .await
        .unwrap();
    Arc::new(log)
}

fn empty() -> Arc<dyn EventLog> {
    Arc::new(MemoryLog::new(2))
}

async fn copied(from: &Arc<dyn EventLog>, to: &Arc<dyn EventLog>) -> Result<Copied, CopyError> {
    copy(from.as_ref(), to.as_ref(), AT, |_| {}).await
}

#[tokio::test]
async fn a_copy_has_the_same_records_at_the_same_places() {
    let (from, to) = (given().await, empty());
    let done = copied(&from, &to).await.unwrap();
    assert_eq!((done.records, done.fillers, done.resumed), (6, 0, 0));
    for partition in 0..2 {
        let limit = ReadLimit::default();
        let theirs = everything(&from, Topic::Webhooks, partition, limit).await;
        let ours = everything(&to, Topic::Webhooks, partition, limit).await;
        assert_eq!(theirs.len(), ours.len());
        for (theirs, ours) in theirs.iter().zip(&ours) {
            assert_eq!(format!("{theirs:?}"), format!("{ours:?}"));
        }
    }
}

#[tokio::test]
async fn a_copy_goes_on_where_it_ended() {
    let (from, to) = (given().await, empty());
    copied(&from, &to).await.unwrap();
    from.append(Topic::Webhooks, vec![append(1, "later")])
        .await
        .unwrap();
    let done = copied(&from, &to).await.unwrap();
    assert_eq!((done.records, done.resumed), (7, 6));
}

#[tokio::test]
async fn what_was_erased_is_erased_in_the_copy_and_its_tombstone_stays() {
    let (from, to) = (given().await, empty());
    let first = Position::new(Topic::Webhooks, Partition(0), Offset(0));
    let record = at(from.as_ref(), first).await.unwrap().unwrap();
    from.append(Topic::Webhooks, vec![tombstone(0, record.key)])
        .await
        .unwrap();
    copied(&from, &to).await.unwrap();
    let erased = at(to.as_ref(), first).await.unwrap().unwrap();
    assert_eq!((erased.key, erased.value.clone()), (record.key, None));
    from.compact(Topic::Webhooks).await.unwrap();
    let again = empty();
    assert_eq!(copied(&from, &again).await.unwrap().records, 7);
}

#[tokio::test]
async fn another_log_is_not_written_into() {
    let (from, to) = (given().await, given().await);
    let error = copied(&from, &to).await.unwrap_err();
    assert!(matches!(error, CopyError::Different(_)), "{error}");
}

#[tokio::test]
async fn a_longer_copy_and_other_partitions_are_refused() {
    let (from, to) = (given().await, given().await);
    to.append(Topic::Webhooks, vec![append(0, "more")])
        .await
        .unwrap();
    let error = copied(&from, &to).await.unwrap_err();
    assert!(matches!(error, CopyError::Longer { .. }), "{error}");
    let other: Arc<dyn EventLog> = Arc::new(MemoryLog::new(3));
    let error = copied(&from, &other).await.unwrap_err();
    assert!(
        matches!(error, CopyError::Partitions { from: 2, to: 3 }),
        "{error}"
    );
}

/// A source that loses records for good, as a broker's cleaner removes them.
struct Cleaned {
    log: Arc<dyn EventLog>,
    gone: Mutex<Vec<Position>>,
}

impl Cleaned {
    async fn given() -> Self {
        Self {
            log: given().await,
            gone: Mutex::default(),
        }
    }

    fn clean(&self, gone: &[Position]) {
        self.gone.lock().unwrap().extend(gone);
    }

    /// Erases the first webhook of partition 0; tells where its tombstone stands.
    fn erase(&self) -> Position {
        let read = self.log.read(FIRST, ReadLimit::default());
        let record = Arc::clone(&read.now_or_never().unwrap().unwrap()[0]);
        let stone = self
            .log
            .append(Topic::Webhooks, vec![tombstone(0, record.key)]);
        let offset = stone.now_or_never().unwrap().unwrap()[0];
        Position { offset, ..FIRST }
    }
}

const FIRST: Position = Position::new(Topic::Webhooks, Partition(0), Offset(0));

#[async_trait::async_trait]
impl EventLog for Cleaned {
    fn partitions(&self, topic: Topic) -> u32 {
        self.log.partitions(topic)
    }

    async fn append(&self, topic: Topic, batch: Vec<Append>) -> Result<Vec<Offset>, AppendError> {
        self.log.append(topic, batch).await
    }

    async fn read(&self, from: Position, limit: ReadLimit) -> Result<Vec<Arc<Record>>, ReadError> {
        let mut records = self.log.read(from, limit).await?;
        let gone = self.gone.lock().unwrap();
        records.retain(|record| !gone.contains(&record.position));
        Ok(records)
    }

    async fn bounds(&self, topic: Topic, partition: Partition) -> Result<Bounds, ReadError> {
        self.log.bounds(topic, partition).await
    }

    async fn wait(&self, any_of: &[Position]) {
        self.log.wait(any_of).await;
    }

    async fn compact(&self, topic: Topic) -> Result<u64, AppendError> {
        self.log.compact(topic).await
    }
}

#[tokio::test]
async fn fillers_hold_the_places_of_what_is_gone() {
    let gone =
        |partition, offset| Position::new(Topic::Webhooks, Partition(partition), Offset(offset));
    let cleaned = Cleaned::given().await;
    cleaned.clean(&[gone(0, 0), gone(1, 0), gone(1, 1)]);
    let from: Arc<dyn EventLog> = Arc::new(cleaned);
    let to = empty();
    let done = copied(&from, &to).await.unwrap();
    assert_eq!((done.records, done.fillers, done.erased), (3, 3, 0));
    let first = at(to.as_ref(), gone(0, 0)).await.unwrap().unwrap();
    assert!(is_filler(&first));
    let event = Event::decode(&first).unwrap();
    assert!(matches!(event, Event::Filler(filler) if filler.at == AT));
    let kept = at(to.as_ref(), gone(0, 2)).await.unwrap().unwrap();
    assert_eq!(kept.value.as_deref(), Some(&b"body 4"[..]));
    // Copied back, a filler is a record like any other.
    let back = empty();
    assert_eq!(copied(&to, &back).await.unwrap().records, 6);
    // An interrupted copy that ended in a filler goes on.
    assert_eq!(copied(&from, &to).await.unwrap().resumed, 6);
}

/// Copies that keep the places of what is erased, and copies that do not.
fn copies() -> [Arc<dyn EventLog>; 2] {
    let keeping = MemoryLog::new(2);
    let leaving = MemoryLog::new(2).leaving_gaps();
    [Arc::new(keeping), Arc::new(leaving)]
}

async fn is_erased(log: &dyn EventLog) -> bool {
    let first = at(log, FIRST).await.unwrap();
    first.is_none_or(|first| first.value.is_none() && first.headers.is_empty())
}

#[tokio::test]
async fn what_was_copied_with_its_tombstone_may_go_in_the_source() {
    for to in copies() {
        let from = Arc::new(Cleaned::given().await);
        let stone = from.erase();
        let source: Arc<dyn EventLog> = from.clone();
        copied(&source, &to).await.unwrap();
        from.clean(&[FIRST]);
        copied(&source, &to).await.unwrap();
        from.clean(&[stone]);
        let done = copied(&source, &to).await.unwrap();
        assert_eq!(done.fillers, 0);
        assert!(is_erased(to.as_ref()).await);
    }
}

#[tokio::test]
async fn what_was_erased_after_it_was_copied_is_erased_in_the_copy() {
    for stone_goes in [false, true] {
        for to in copies() {
            let from = Arc::new(Cleaned::given().await);
            let source: Arc<dyn EventLog> = from.clone();
            copied(&source, &to).await.unwrap();
            let stone = from.erase();
            let batch = vec![append(0, "later")];
            from.append(Topic::Webhooks, batch).await.unwrap();
            let gone = [FIRST, stone];
            from.clean(if stone_goes { &gone } else { &gone[..1] });
            copied(&source, &to).await.unwrap();
            assert!(is_erased(to.as_ref()).await);
            let there = at(to.as_ref(), stone).await.unwrap().unwrap();
            assert!(there.value.is_none());
            copied(&source, &to).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_is_erased_while_it_is_copied_is_erased_in_the_copy() {
    for to in copies() {
        let from = Cleaned::given().await;
        let mut copied = false;
        let meanwhile = |told: Progress| {
            let last = !told.comparing && told.done == told.total;
            if last && !std::mem::replace(&mut copied, true) {
                from.erase();
                from.clean(&[FIRST]);
            }
        };
        copy(&from, to.as_ref(), AT, meanwhile).await.unwrap();
        assert!(is_erased(to.as_ref()).await);
    }
}

#[tokio::test]
async fn the_copy_s_engine_may_drop_what_was_erased_before_the_source_does() {
    let from = Arc::new(Cleaned::given().await);
    let stone = from.erase();
    let source: Arc<dyn EventLog> = from.clone();
    let to = Cleaned {
        log: empty(),
        gone: Mutex::default(),
    };
    copy(source.as_ref(), &to, AT, |_| {}).await.unwrap();
    to.clean(&[FIRST]);
    copy(source.as_ref(), &to, AT, |_| {}).await.unwrap();
    to.clean(&[stone]);
    copy(source.as_ref(), &to, AT, |_| {}).await.unwrap();
}

#[tokio::test]
async fn what_is_gone_without_a_tombstone_is_not_explained() {
    let from = Arc::new(Cleaned::given().await);
    let source: Arc<dyn EventLog> = from.clone();
    let to = empty();
    copied(&source, &to).await.unwrap();
    from.clean(&[FIRST]);
    let error = copied(&source, &to).await.unwrap_err();
    assert!(matches!(error, CopyError::Different(_)), "{error}");
    // Nor is what the copy lacks.
    let error = copied(&to, &source).await.unwrap_err();
    assert!(matches!(error, CopyError::Different(_)), "{error}");
}
