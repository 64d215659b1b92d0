//! Waits.

use super::{Log, WEBHOOKS, all, append, at, soon};
use hooklog_schemas::{Offset, Partition, Position, Topic};

pub(crate) async fn waiting_ends_at_once_for_what_is_there(log: Log) {
    let offset = log.append(WEBHOOKS, vec![append(0, "x")]).await.unwrap()[0];
    soon(log.wait(&[at(1, Offset(0)), at(0, offset)])).await;
}

pub(crate) async fn waiting_ends_with_the_append(log: Log) {
    let positions = [at(2, Offset(0))];
    let waiting = log.wait(&positions);
    tokio::pin!(waiting);
    assert!(futures_util::poll!(&mut waiting).is_pending());
    log.append(WEBHOOKS, vec![append(1, "another partition")])
        .await
        .unwrap();
    assert!(futures_util::poll!(&mut waiting).is_pending());
    log.append(WEBHOOKS, vec![append(2, "this one")])
        .await
        .unwrap();
    soon(waiting).await;
    assert_eq!(all(&log, 2).await.len(), 1);
}

pub(crate) async fn waiting_ends_with_any_of_several_topics(log: Log) {
    let control = Position::new(Topic::Control, Partition(0), Offset(0));
    let positions = [at(0, Offset(0)), control];
    let waiting = log.wait(&positions);
    tokio::pin!(waiting);
    assert!(futures_util::poll!(&mut waiting).is_pending());
    log.append(Topic::Control, vec![append(0, "x")])
        .await
        .unwrap();
    soon(waiting).await;
}
