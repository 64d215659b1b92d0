//! Depths.

use super::{PATIENCE, Place, Queue, messages, tokens};
use std::time::{Duration, Instant};

pub(crate) async fn the_depth_grows_and_shrinks(place: Place) {
    let queue = place.open().await;
    if queue.depth().await.unwrap().waiting.is_none() {
        return;
    }
    queue.put(&messages(12)).await;
    reaches(&queue, 12).await;
    let taken = queue.take(12).await;
    reaches(&queue, 12).await;
    queue.acknowledge(tokens(&taken[..5])).await.unwrap();
    reaches(&queue, 7).await;
    queue.acknowledge(tokens(&taken[5..])).await.unwrap();
    reaches(&queue, 0).await;
}

/// Queues count roughly and late.
async fn reaches(queue: &Queue, expected: u64) {
    let began = Instant::now();
    loop {
        let waiting = queue.depth().await.unwrap().waiting;
        if waiting == Some(expected) {
            return;
        }
        let in_time = began.elapsed() < PATIENCE;
        assert!(in_time, "{waiting:?} instead of {expected}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
