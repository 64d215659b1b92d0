//! A receiver with a spool behind it.

use super::support::{Request, Setup};
use crate::config::SpoolConfig;
use crate::receive::Inlet;
use crate::spool::tests::support::{Given, Way, config, given_with};
use std::sync::Arc;

/// A receiver, and the spool into which its webhooks go when `way` is closed.
fn before(spool: &Given) -> Setup {
    let inlet: Arc<dyn Inlet> = spool.spool.clone();
    Setup {
        inlet: Some(inlet),
        ..Setup::default()
    }
}

#[tokio::test]
async fn what_the_spool_takes_is_answered_200_and_is_in_the_log_when_it_was_drained() {
    let spool = given_with(config());
    let given = before(&spool).start().await;
    spool.way.set(Way::Hangs);
    for _ in 0..3 {
        assert_eq!(given.send(&Request::push()).await.status, 200);
    }
    assert!(given.receiver.ready().await.is_ok());
    assert_eq!(spool.spool.depth(), 3);
    spool.way.set(Way::Works);
    spool.drain().await;
    let records = crate::spool::tests::support::records(&spool.log).await;
    assert_eq!(records.len(), 3);
}

#[tokio::test]
async fn what_neither_the_log_nor_the_spool_takes_gets_503_with_retry_after() {
    let full = SpoolConfig {
        bytes_max: 1,
        ..config()
    };
    let old = given_with(config());
    *old.stale.lock().unwrap() = Some("it is of last week".into());
    for (spool, why) in [(given_with(full), "spool.bytes_max"), (old, "last week")] {
        let given = before(&spool).start().await;
        spool.way.set(Way::Refuses);
        let answer = given.send(&Request::push()).await;
        assert_eq!((answer.status, answer.text()), (503, "unavailable\n"));
        assert!(answer.header("retry-after").is_some());
        let ready = given.receiver.ready().await.unwrap_err();
        assert!(ready.contains(why), "{ready}");
        assert_eq!(spool.spool.depth(), 0);
        spool.way.set(Way::Works);
    }
}
