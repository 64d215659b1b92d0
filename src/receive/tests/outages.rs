//! The log is away, the client is gone, the server stops, the code panics.

use super::support::{Request, Setup};
use crate::log::memory::MemoryLog;
use crate::log::{AppendError, Bounds, EventLog, ReadError, ReadLimit};
use async_trait::async_trait;
use hooklog_schemas::{Append, Offset, Partition, Position, Record, Topic};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// What a log does instead of appending webhooks.
enum Fault {
    Fails(AppendError),
    Hangs,
    Panics,
    /// It takes the append, and makes it durable when a permit comes.
    Waits {
        entered: Arc<Semaphore>,
        allowed: Arc<Semaphore>,
    },
}

struct Faulty {
    log: Arc<MemoryLog>,
    fault: Fault,
}

#[async_trait]
impl EventLog for Faulty {
    fn partitions(&self, topic: Topic) -> u32 {
        self.log.partitions(topic)
    }

    async fn append(&self, topic: Topic, batch: Vec<Append>) -> Result<Vec<Offset>, AppendError> {
        if topic == Topic::Control {
            return self.log.append(topic, batch).await;
        }
        match &self.fault {
            Fault::Fails(error) => Err(error.clone()),
            Fault::Hangs => std::future::pending().await,
            Fault::Panics => panic!("a defect"),
            Fault::Waits { entered, allowed } => {
                let (log, allowed) = (self.log.clone(), allowed.clone());
                // As the trait demands: dropping the caller's future does not undo it.
                let appending = tokio::spawn(async move {
                    allowed.acquire().await.unwrap().forget();
                    log.append(topic, batch).await
                });
                entered.add_permits(1);
                appending.await.unwrap()
            }
        }
    }

    async fn read(&self, from: Position, limit: ReadLimit) -> Result<Vec<Arc<Record>>, ReadError> {
        self.log.read(from, limit).await
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

fn with(fault: Fault) -> Setup {
    let mut setup = Setup {
        wrap: Box::new(|log| Arc::new(Faulty { log, fault })),
        ..Setup::default()
    };
    setup.config.append_deadline_ms = 200;
    setup
}

#[tokio::test]
async fn what_the_log_does_not_take_gets_503_in_time_and_never_200() {
    for fault in [
        Fault::Fails(AppendError::NoSpace("1 byte left".into())),
        Fault::Fails(AppendError::Poisoned("sync failed".into())),
        Fault::Fails(AppendError::Unavailable("no broker".into())),
        Fault::Hangs,
    ] {
        let given = with(fault).start().await;
        let began = Instant::now();
        let answer = given.send(&Request::push()).await;
        assert_eq!((answer.status, answer.text()), (503, "unavailable\n"));
        assert!(answer.header("retry-after").is_some());
        assert!(began.elapsed() < Duration::from_secs(5));
        assert!(given.receipts().await.is_empty());
        assert!(given.rejected().await.is_empty(), "it is no evidence");
    }
}

#[tokio::test]
async fn a_record_that_is_too_large_for_the_log_gets_413() {
    let fault = Fault::Fails(AppendError::TooLarge { bytes: 2, limit: 1 });
    let given = with(fault).start().await;
    assert_eq!(given.send(&Request::push()).await.status, 413);
}

#[tokio::test]
async fn head_body_and_append_share_one_budget() {
    let mut setup = with(Fault::Hangs);
    setup.config.append_deadline_ms = 60_000;
    setup.config.body_deadline_ms = 60_000;
    setup.config.answer_deadline_ms = 1_500;
    let given = setup.start().await;
    let bytes = Request::push().bytes();
    let (head, rest) = bytes.split_at(20);
    let mut client = given.connect().await;
    let began = Instant::now();
    client.send(head).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let (most, last) = rest.split_at(rest.len() - 1);
    client.send(most).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    client.send(last).await;
    assert_eq!(client.answer().await.unwrap().status, 503);
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(1_500), "{took:?}");
    assert!(
        took < Duration::from_millis(2_100),
        "from the first byte: {took:?}"
    );
    assert!(given.receiver.appends_in_time().is_err());
}

#[tokio::test]
async fn a_body_that_finds_no_memory_gets_503_soon() {
    let mut setup = with(Fault::Hangs);
    setup.config.append_deadline_ms = 60_000;
    setup.config.form_bytes_max = 1;
    setup.config.body_bytes_in_flight_max = 1;
    setup.shutdown = Duration::ZERO;
    let given = setup.start().await;
    let mut holder = given.connect().await;
    holder.send(&Request::push().bytes()).await;
    given.until(|receiver| receiver.budget.is_used_up()).await;
    let began = Instant::now();
    let answer = given.send(&Request::push()).await;
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").is_some());
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "half the deadline"
    );
}

#[tokio::test]
async fn a_panic_is_answered_500_and_the_next_request_is_served() {
    let given = with(Fault::Panics).start().await;
    let mut client = given.connect().await;
    for _ in 0..2 {
        client.send(&Request::push().bytes()).await;
        let answer = client.answer().await.unwrap();
        assert_eq!((answer.status, answer.text()), (500, "internal error\n"));
    }
    assert_eq!(given.metrics.panics.get(), 2);
}

#[tokio::test]
async fn a_client_that_goes_within_its_body_leaves_nothing() {
    let given = Setup::default().start().await;
    let bytes = Request::push().bytes();
    for length in (0..bytes.len()).step_by(7) {
        let mut client = given.connect().await;
        client.send(&bytes[..length]).await;
    }
    // Connections are served in their own tasks: this one proves nothing but that all is well.
    assert_eq!(given.send(&Request::push()).await.status, 200);
    assert_eq!(given.receipts().await.len(), 1);
}

#[tokio::test]
async fn an_append_outlives_the_client_that_asked_for_it() {
    let (entered, allowed) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let fault = Fault::Waits {
        entered: entered.clone(),
        allowed: allowed.clone(),
    };
    let mut setup = with(fault);
    setup.config.append_deadline_ms = 10_000;
    let given = setup.start().await;
    let mut client = given.connect().await;
    client.send(&Request::push().bytes()).await;
    entered.acquire().await.unwrap().forget();
    drop(client);
    allowed.add_permits(1);
    let first = Position::new(Topic::Webhooks, partition_of_push(), Offset(0));
    given.log.wait(&[first]).await;
    assert_eq!(given.receipts().await.len(), 1);
}

fn partition_of_push() -> Partition {
    hooklog_schemas::partition_of("83d63510-79f7-11ed-859f-f1aec1003817", 4)
}

#[tokio::test]
async fn a_stopping_server_answers_what_it_began_and_closes_the_rest() {
    let (entered, allowed) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let fault = Fault::Waits {
        entered: entered.clone(),
        allowed: allowed.clone(),
    };
    let mut setup = with(fault);
    setup.config.append_deadline_ms = 10_000;
    let given = setup.start().await;
    let mut idle = given.connect().await;
    let mut client = given.connect().await;
    client.send(&Request::push().bytes()).await;
    entered.acquire().await.unwrap().forget();
    given.token.cancel();
    idle.closed().await;
    allowed.add_permits(1);
    let answer = client.answer().await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(tokio::net::TcpStream::connect(given.address).await.is_err());
    drop(client);
    assert_eq!(given.stop().await.abandoned, 0);
}

#[tokio::test]
async fn a_stopping_server_does_not_wait_for_ever_and_writes_its_evidence() {
    let mut setup = with(Fault::Hangs);
    setup.config.append_deadline_ms = 60_000;
    setup.config.form_bytes_max = 1;
    setup.config.body_bytes_in_flight_max = 1;
    setup.shutdown = Duration::from_millis(100);
    let given = setup.start().await;
    given.send(&Request::push().to("/webhooks/nobody")).await;
    let mut client = given.connect().await;
    client.send(&Request::push().bytes()).await;
    let log = given.log.clone();
    let last = log.bounds(Topic::Control, Partition(0)).await.unwrap().tail;
    given.until(|receiver| receiver.budget.is_used_up()).await;
    assert_eq!(given.stop().await.abandoned, 1);
    client.closed().await;
    let tail = log.bounds(Topic::Control, Partition(0)).await.unwrap().tail;
    assert_eq!(tail, last.next(), "the rejection of the last minute");
}
