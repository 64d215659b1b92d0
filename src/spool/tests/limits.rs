//! When the spool does not take webhooks either.

use super::support::{Way, config, given, given_with, webhook};
use crate::config::SpoolConfig;
use crate::log::AppendError;
use crate::receive::Inlet as _;
use bytes::Bytes;
use hooklog_schemas::Append;

fn large(number: u64) -> Append {
    Append {
        value: Some(Bytes::from(vec![b'x'; 100_000])),
        ..webhook(number)
    }
}

#[tokio::test]
async fn a_full_spool_refuses_is_not_ready_and_takes_webhooks_again_when_it_was_drained() {
    let config = SpoolConfig {
        bytes_max: 1_000_000,
        ..config()
    };
    let given = given_with(config);
    given.way.set(Way::Refuses);
    assert!(given.spool.takes_webhooks().await.is_ok(), "it has room");
    let mut taken = 0;
    // Each takes its body and some.
    let error = loop {
        match given.spool.put(large(taken)).await {
            Ok(()) => taken += 1,
            Err(error) => break error.to_string(),
        }
    };
    assert_eq!(taken, 9);
    assert!(error.contains("spool.bytes_max = 1000000"), "{error}");
    assert_eq!(given.spool.depth(), 9);
    let mut small = 100;
    while given.spool.put(webhook(small)).await.is_ok() {
        small += 1;
    }
    assert!(given.spool.takes_webhooks().await.is_err(), "not ready");
    given.way.set(Way::Works);
    given.drain().await;
    assert!(given.spool.takes_webhooks().await.is_ok());
    assert_eq!(given.spool.depth(), 0);
    given.way.set(Way::Refuses);
    given.spool.put(large(200)).await.unwrap();
}

#[tokio::test]
async fn a_disk_at_its_reserve_takes_no_more() {
    let config = SpoolConfig {
        reserve_bytes: 1 << 50,
        ..config()
    };
    let given = given_with(config);
    given.way.set(Way::Refuses);
    let error = given.spool.put(webhook(0)).await.unwrap_err().to_string();
    assert!(error.contains("spool.reserve_bytes"), "{error}");
    let ready = given.spool.takes_webhooks().await.unwrap_err().to_string();
    assert!(ready.contains("spool.reserve_bytes"), "{ready}");
    given.way.set(Way::Works);
    given.drain().await;
    assert!(
        given.spool.put(webhook(1)).await.is_ok(),
        "the log takes it"
    );
}

#[tokio::test]
async fn what_was_verified_by_a_configuration_that_is_too_old_is_not_spooled() {
    let given = given();
    *given.stale.lock().unwrap() = Some("it is of last week".into());
    assert!(
        given.spool.put(webhook(0)).await.is_ok(),
        "the log is there"
    );
    given.way.set(Way::Refuses);
    let error = given.spool.put(webhook(1)).await.unwrap_err();
    assert!(
        matches!(&error, AppendError::Unavailable(why) if why == "it is of last week"),
        "{error}"
    );
    let ready = given.spool.takes_webhooks().await.unwrap_err().to_string();
    assert!(ready.contains("last week"), "{ready}");
    assert_eq!(given.spool.depth(), 0);
}
