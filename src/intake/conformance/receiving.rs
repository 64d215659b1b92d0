//! What consumers get.

use super::{Place, messages, sorted, tokens};
use std::time::{Duration, Instant};

pub(crate) async fn a_lone_consumer_receives_in_the_order_of_a_queue_that_has_one(place: Place) {
    let queue = place.open().await;
    let sent = messages(100);
    for some in sent.chunks(10) {
        queue.put(some).await;
    }
    let came = queue.drain(&sent).await;
    if place.keeps_order {
        assert_eq!(came, sent);
    }
}

pub(crate) async fn no_more_is_received_than_was_asked_for(place: Place) {
    let queue = place.open().await;
    let sent = messages(30);
    queue.put(&sent).await;
    let mut came = Vec::new();
    while came.len() < sent.len() {
        let received = queue.receive(7).await.unwrap();
        assert!(received.len() <= 7, "{} came", received.len());
        queue.acknowledge(tokens(&received)).await.unwrap();
        came.extend(received.into_iter().map(|one| one.bytes));
    }
    assert_eq!(sorted(came), sent);
}

pub(crate) async fn an_empty_queue_answers_soon_with_nothing(place: Place) {
    let queue = place.open().await;
    let began = Instant::now();
    assert!(queue.receive(10).await.unwrap().is_empty());
    assert!(began.elapsed() < Duration::from_secs(10));
}

pub(crate) async fn who_waits_gets_what_comes(place: Place) {
    let (consumer, producer) = (place.open().await, place.open().await);
    let sent = messages(1);
    let waiting = tokio::spawn(async move { consumer.take(1).await });
    producer.put(&sent).await;
    assert_eq!(waiting.await.unwrap()[0].bytes, sent[0]);
}

pub(crate) async fn several_consumers_share_the_work(place: Place) {
    let sent = messages(300);
    place.open().await.put(&sent).await;
    let mut consuming = Vec::new();
    for _ in 0..3 {
        let (queue, place) = (place.open().await, place.clone());
        consuming.push(tokio::spawn(async move {
            let mut came = Vec::new();
            let mut since = Instant::now();
            while since.elapsed() < place.comes_again_within {
                let received = queue.receive(10).await.unwrap();
                queue.acknowledge(tokens(&received)).await.unwrap();
                if !received.is_empty() {
                    since = Instant::now();
                }
                came.extend(received.into_iter().map(|one| one.bytes));
            }
            came
        }));
    }
    let mut came = Vec::new();
    for consumer in consuming {
        came.extend(consumer.await.unwrap());
    }
    let mut came = sorted(came);
    if place.repeats {
        came.dedup();
    }
    assert_eq!(came, sent, "each came once");
}

pub(crate) async fn what_a_dropped_receive_had_taken_comes_again(place: Place) {
    let sent = messages(40);
    let queue = place.open().await;
    queue.put(&sent).await;
    for step in 0..20_u32 {
        let within = step * Duration::from_micros(250);
        let _ = tokio::time::timeout(within, queue.receive(2)).await;
    }
    drop(queue);
    // What a receive that was in time gave is not acknowledged either: all of it comes again.
    let came = place.open().await.drain(&sent).await;
    let mut came = sorted(came);
    came.dedup();
    assert_eq!(came, sent);
}
