use super::*;
use crate::log::conformance::{append, everything, tombstone};
use crate::log::memory::MemoryLog;
use hooklog_schemas::Header;

const AT: Timestamp = Timestamp(1_800_000_000_000_000);

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

/// A source that has lost records for good, as a broker's cleaner removes them.
struct Cleaned(Arc<dyn EventLog>, Vec<Position>);

#[async_trait::async_trait]
impl EventLog for Cleaned {
    fn partitions(&self, topic: Topic) -> u32 {
        self.0.partitions(topic)
    }

    async fn append(&self, topic: Topic, batch: Vec<Append>) -> Result<Vec<Offset>, AppendError> {
        self.0.append(topic, batch).await
    }

    async fn read(&self, from: Position, limit: ReadLimit) -> Result<Vec<Arc<Record>>, ReadError> {
        let mut records = self.0.read(from, limit).await?;
        records.retain(|record| !self.1.contains(&record.position));
        Ok(records)
    }

    async fn bounds(&self, topic: Topic, partition: Partition) -> Result<Bounds, ReadError> {
        self.0.bounds(topic, partition).await
    }

    async fn wait(&self, any_of: &[Position]) {
        self.0.wait(any_of).await;
    }

    async fn compact(&self, topic: Topic) -> Result<u64, AppendError> {
        self.0.compact(topic).await
    }
}

#[tokio::test]
async fn fillers_hold_the_places_of_what_is_gone() {
    let gone =
        |partition, offset| Position::new(Topic::Webhooks, Partition(partition), Offset(offset));
    let lost = vec![gone(0, 0), gone(1, 0), gone(1, 1)];
    let from: Arc<dyn EventLog> = Arc::new(Cleaned(given().await, lost));
    let to = empty();
    let done = copied(&from, &to).await.unwrap();
    assert_eq!((done.records, done.fillers), (3, 3));
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
