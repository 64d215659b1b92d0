//! What cannot be carried into the log.

use super::{Place, messages, sorted, tokens};
use bytes::Bytes;

pub(crate) async fn what_is_set_aside_does_not_come_again(place: Place) {
    let sent = messages(6);
    let queue = place.open().await;
    queue.put(&sent).await;
    let mut taken = queue.take(6).await;
    let others = taken.split_off(2);
    for one in taken {
        queue.set_aside(one).await.unwrap();
    }
    queue.acknowledge(tokens(&others)).await.unwrap();
    queue.stays_empty(&place).await;
    drop(queue);
    let queue = place.open().await;
    queue.stays_empty(&place).await;
    let aside = queue.depth().await.unwrap().aside;
    assert!(matches!(aside, None | Some(2)), "{aside:?}");
}

pub(crate) async fn what_was_set_aside_comes_back_when_it_is_asked_for(place: Place) {
    let sent = messages(23);
    let queue = place.open().await;
    queue.put(&sent).await;
    for one in queue.take(23).await {
        queue.set_aside(one).await.unwrap();
    }
    drop(queue);
    let queue = place.open().await;
    assert_eq!(queue.bring_back().await.unwrap(), 23);
    let came: Vec<Bytes> = queue.drain(&sent).await;
    assert_eq!(sorted(came), sent, "byte for byte");
    assert_eq!(queue.bring_back().await.unwrap(), 0);
}

pub(crate) async fn to_bring_nothing_back_is_no_work(place: Place) {
    let queue = place.open().await;
    assert_eq!(queue.bring_back().await.unwrap(), 0);
    assert!(queue.receive(1).await.unwrap().is_empty());
}
