//! The log takes no control events for a while.

use super::subscriber::{Reply, Subscriber};
use super::world::{World, attempts, quick};
use crate::control::Control;
use crate::log::{AppendError, Bounds, EventLog, ReadError, ReadLimit};
use async_trait::async_trait;
use hooklog_schemas::{Append, Offset, Partition, Position, Record, Topic};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Notify;

/// A log whose `control` is full for some appends: a full disk cannot be had on demand.
struct Full {
    log: Arc<dyn EventLog>,
    refusals: AtomicU32,
    refused: Notify,
}

#[async_trait]
impl EventLog for Full {
    fn partitions(&self, topic: Topic) -> u32 {
        self.log.partitions(topic)
    }

    async fn append(&self, topic: Topic, batch: Vec<Append>) -> Result<Vec<Offset>, AppendError> {
        let take_one = |left: u32| left.checked_sub(1);
        let left = &self.refusals;
        let order = Ordering::SeqCst;
        if topic == Topic::Control && left.fetch_update(order, order, take_one).is_ok() {
            self.refused.notify_one();
            return Err(AppendError::NoSpace("the disk is full".into()));
        }
        self.log.append(topic, batch).await
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

#[tokio::test]
async fn a_pause_that_the_log_did_not_take_is_tried_until_it_is_durable() {
    let mut world = World::new().await;
    let full = Arc::new(Full {
        log: Arc::clone(&world.log),
        refusals: AtomicU32::new(0),
        refused: Notify::new(),
    });
    world.control = Control::open(full.clone(), world.clock.clone())
        .await
        .unwrap();
    let following = Arc::clone(&world.control);
    tokio::spawn(async move { following.follow().await });
    let subscriber = Subscriber::start(&[], Reply::Status(410)).await;
    let id = world.subscribe("one", &subscriber.url, quick()).await;
    let running = world.start().await;
    full.refusals.store(1, Ordering::SeqCst);
    world.receive("g1").await;
    full.refused.notified().await;
    world.until(|events| attempts(events).len() == 1).await;
    assert!(!world.control.current().subscriptions[&id].paused);
    let mut next = world.control.watch();
    let paused = |_: &Offset| world.control.current().subscriptions[&id].paused;
    next.wait_for(paused).await.unwrap();
    running.stop().await.unwrap();
}
