//! What comes again, and what does not.

use super::{Place, messages, sorted, tokens};
use bytes::Bytes;

pub(crate) async fn what_is_not_acknowledged_comes_again_when_its_consumer_is_gone(place: Place) {
    let sent = messages(25);
    place.open().await.put(&sent).await;
    let consumer = place.open().await;
    assert_eq!(consumer.take(25).await.len(), 25);
    drop(consumer);
    let came = place.open().await.drain(&sent).await;
    assert_eq!(sorted(came), sent);
}

pub(crate) async fn what_is_acknowledged_never_comes_again(place: Place) {
    let sent = messages(15);
    let queue = place.open().await;
    queue.put(&sent).await;
    queue.drain(&sent).await;
    queue.stays_empty(&place).await;
    drop(queue);
    place.open().await.stays_empty(&place).await;
}

pub(crate) async fn a_part_of_a_batch_may_be_acknowledged_in_any_order(place: Place) {
    let sent = messages(20);
    let queue = place.open().await;
    queue.put(&sent).await;
    let taken = queue.take(20).await;
    let (done, left): (Vec<_>, Vec<_>) = taken
        .into_iter()
        .rev()
        .enumerate()
        .partition(|(number, _)| number % 3 == 0);
    let done: Vec<_> = done.into_iter().map(|(_, one)| one.token).collect();
    queue.acknowledge(done).await.unwrap();
    drop(queue);
    let left: Vec<Bytes> = left.into_iter().map(|(_, one)| one.bytes).collect();
    let next = place.open().await;
    assert_eq!(sorted(next.drain(&left).await), sorted(left));
    next.stays_empty(&place).await;
}

pub(crate) async fn a_token_that_is_forgotten_is_no_error(place: Place) {
    let sent = messages(3);
    let queue = place.open().await;
    queue.put(&sent).await;
    let taken = queue.take(3).await;
    queue.acknowledge(tokens(&taken)).await.unwrap();
    queue.acknowledge(tokens(&taken)).await.unwrap();
    queue.stays_empty(&place).await;
}

pub(crate) async fn what_nobody_acknowledges_does_not_hold_up_the_others(place: Place) {
    let queue = place.open().await;
    let stuck = messages(5);
    queue.put(&stuck).await;
    let held = queue.take(5).await;
    let others: Vec<_> = (0..50)
        .map(|n| Bytes::from(format!("other {n:02}")))
        .collect();
    queue.put(&others).await;
    let mut came = Vec::new();
    while came.len() < others.len() {
        let received = queue.receive(10).await.unwrap();
        let (again, new): (Vec<_>, Vec<_>) = received
            .into_iter()
            .partition(|one| stuck.contains(&one.bytes));
        drop(again);
        queue.acknowledge(tokens(&new)).await.unwrap();
        came.extend(new.into_iter().map(|one| one.bytes));
    }
    assert_eq!(sorted(came), others);
    assert_eq!(held.len(), 5);
}
