//! Confirmations.

use super::{Place, messages, sorted};
use crate::intake::IntakeError;
use bytes::Bytes;

pub(crate) async fn what_was_enqueued_comes_out_byte_for_byte(place: Place) {
    let queue = place.open().await;
    let every_byte: Bytes = (0..=255).collect();
    let invalid_text = Bytes::from_static(&[0xff, 0xfe, 0, 0xc0, b'\n', b'\r']);
    let sent = [every_byte, invalid_text, Bytes::from_static(b"x")];
    queue.put(&sent).await;
    let came = queue.drain(&sent).await;
    assert_eq!(sorted(came), sorted(sent.to_vec()));
}

pub(crate) async fn an_empty_batch_is_no_work(place: Place) {
    let queue = place.open().await;
    queue.put(&[]).await;
    queue.acknowledge(Vec::new()).await.unwrap();
    assert!(queue.receive(10).await.unwrap().is_empty());
}

pub(crate) async fn a_batch_larger_than_a_queue_s_own_comes_out_whole(place: Place) {
    let queue = place.open().await;
    let sent = messages(333);
    queue.put(&sent).await;
    assert_eq!(sorted(queue.drain(&sent).await), sent);
}

pub(crate) async fn a_message_at_the_limit_passes(place: Place) {
    let queue = place.open().await;
    // Random, so that no compression makes it small.
    let mut largest = vec![0; queue.message_bytes_max()];
    getrandom::fill(&mut largest).unwrap();
    let sent = [Bytes::from(largest)];
    queue.put(&sent).await;
    assert!(
        queue.drain(&sent).await == sent,
        "it came out as it went in"
    );
}

pub(crate) async fn a_batch_with_a_message_over_the_limit_is_refused_whole(place: Place) {
    let queue = place.open().await;
    let limit = queue.message_bytes_max();
    let larger = Bytes::from(vec![b'x'; limit + 1]);
    let refused = queue
        .enqueue(vec![Bytes::from_static(b"fine"), larger])
        .await;
    let told = matches!(refused, Err(IntakeError::TooLarge { bytes, .. }) if bytes == limit + 1);
    assert!(told, "{refused:?}");
    assert!(queue.receive(10).await.unwrap().is_empty());
}

pub(crate) async fn concurrent_producers_lose_nothing(place: Place) {
    let sent = messages(200);
    let mut producing = Vec::new();
    for some in sent.chunks(50) {
        let (queue, some) = (place.open().await, some.to_vec());
        producing.push(tokio::spawn(async move {
            for one in &some {
                queue.put(std::slice::from_ref(one)).await;
            }
        }));
    }
    for producer in producing {
        producer.await.unwrap();
    }
    let came = place.open().await.drain(&sent).await;
    assert_eq!(sorted(came), sent);
}

pub(crate) async fn what_was_confirmed_outlives_its_producer(place: Place) {
    let sent = messages(20);
    place.open().await.put(&sent).await;
    assert_eq!(sorted(place.open().await.drain(&sent).await), sent);
}

pub(crate) async fn a_dropped_enqueue_leaves_whole_messages_or_none(place: Place) {
    let queue = place.open().await;
    let sent = messages(50);
    for (number, one) in sent.iter().enumerate() {
        let enqueuing = queue.enqueue(vec![one.clone()]);
        // Dropped at different points of its way.
        let looks = u32::try_from(number % 5).unwrap();
        let _ =
            tokio::time::timeout(looks * std::time::Duration::from_micros(200), enqueuing).await;
    }
    let last = Bytes::from_static(b"last");
    let mut expected = sent;
    expected.push(last.clone());
    queue.put(std::slice::from_ref(&last)).await;
    loop {
        let received = queue.take(1).await;
        queue.acknowledge(super::tokens(&received)).await.unwrap();
        assert!(expected.contains(&received[0].bytes), "{received:?}");
        if received[0].bytes == last {
            return;
        }
    }
}
