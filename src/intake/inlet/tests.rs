use super::*;
use crate::intake::memory::MemoryQueue;
use crate::log::conformance::append;
use prometheus_client::registry::Registry;

fn inlet(queue: &Arc<MemoryQueue>, waiting: usize) -> IntoQueue {
    let metrics = Metrics::register(&mut Registry::default());
    IntoQueue::new(Arc::new(queue.open(10_000)), None, waiting, metrics)
}

#[tokio::test]
async fn a_webhook_that_was_taken_is_in_the_queue() {
    let queue = Arc::new(MemoryQueue::default());
    let inlet = inlet(&queue, 1 << 20);
    let sent = append(1, "{}");
    inlet.put(sent.clone()).await.unwrap();
    inlet.takes_webhooks().await.unwrap();
    let received = queue.open(10_000).receive(10).await.unwrap();
    let message = Message::decode(&received[0].bytes).unwrap();
    assert_eq!(message, Message::of(sent));
}

#[tokio::test]
async fn a_queue_that_is_away_takes_nothing_and_says_so() {
    let queue = Arc::new(MemoryQueue::default());
    let inlet = inlet(&queue, 1 << 20);
    queue.set_away(true);
    let told = inlet.put(append(0, "{}")).await.unwrap_err().to_string();
    assert!(told.contains("the intake queue"), "{told}");
    assert!(inlet.takes_webhooks().await.is_err());
    queue.set_away(false);
    inlet.put(append(0, "{}")).await.unwrap();
}

#[tokio::test]
async fn a_body_over_the_queue_s_limit_without_an_object_store_is_too_large() {
    let inlet = inlet(&Arc::default(), 1 << 20);
    let told = inlet.put(append(0, vec![b'x'; 10_000])).await;
    assert!(
        matches!(told, Err(AppendError::TooLarge { .. })),
        "{told:?}"
    );
}

#[tokio::test]
async fn what_waits_is_bounded() {
    let inlet = inlet(&Arc::default(), 6_000);
    let told = inlet
        .put(append(0, vec![b'x'; 5_000]))
        .await
        .unwrap_err()
        .to_string();
    assert!(told.contains("intake.waiting_bytes_max"), "{told}");
    inlet.put(append(0, "small")).await.unwrap();
}

#[tokio::test]
async fn webhooks_that_come_together_all_get_in() {
    let queue = Arc::new(MemoryQueue::default());
    let inlet = Arc::new(inlet(&queue, 1 << 20));
    let putting = (0..100).map(|_| {
        let inlet = Arc::clone(&inlet);
        tokio::spawn(async move { inlet.put(append(0, "{}")).await })
    });
    for put in putting.collect::<Vec<_>>() {
        put.await.unwrap().unwrap();
    }
    let depth = queue.open(1).depth().await.unwrap();
    assert_eq!(depth.waiting, Some(100));
}
