//! What is counted and recorded of what was rejected, and who the client was.

use super::support::{NOW, Request, Setup, given};
use crate::metrics::{RejectedLabel, SourceLabel};
use std::time::Duration;

#[tokio::test]
async fn rejections_are_one_event_per_source_and_reason_with_some_of_the_claimed_guids() {
    let given = given().await;
    for n in 0..30 {
        let request = Request::signed_with(b"guessed", "{}");
        let guid = format!("guid-{n}");
        given.send(&request.with("X-GitHub-Delivery", &guid)).await;
        given.clock.advance(Duration::from_secs(1));
    }
    for name in ["a", "b", "c"] {
        let path = format!("/webhooks/{name}");
        given.send(&Request::push().to(&path)).await;
    }
    let rejected = given.rejected().await;
    let sums: Vec<_> = rejected
        .iter()
        .map(|event| (event.source.as_str(), event.reason.as_str(), event.count))
        .collect();
    assert_eq!(
        sums,
        [("acme", "signature", 30), ("unknown", "unknown_source", 3)]
    );
    assert_eq!(rejected[0].claimed_guids.len(), 20);
    assert_eq!(rejected[0].claimed_guids[0], "guid-0");
    assert_eq!(rejected[0].from, NOW);
    assert_eq!(rejected[0].to, NOW.plus(Duration::from_secs(29)));
    assert_eq!(given.rejected().await.len(), 2, "each is written once");
}

#[tokio::test]
async fn a_claimed_guid_is_cut_and_cleaned() {
    let given = given().await;
    let long = format!("a b\u{1b}{}", "c".repeat(100)).replace('\u{1b}', "");
    given
        .send(&Request::push().with("X-GitHub-Delivery", &long))
        .await;
    let guid = &given.rejected().await[0].claimed_guids[0];
    assert_eq!(guid.len(), 64);
    assert!(guid.starts_with("abc"), "{guid}");
}

#[tokio::test]
async fn a_webhook_of_a_wrong_size_type_or_pace_is_evidence() {
    let mut setup = Setup::default();
    setup.config.body_deadline_ms = 50;
    let given = setup.start().await;
    let slow = Request::push().with("Content-Length", "900");
    let encoded = Request::push().with("Content-Encoding", "gzip");
    for (request, status) in [
        (slow, 408),
        (Request::push().without("Content-Length"), 411),
        (Request::push().with("Content-Length", "26214401"), 413),
        (Request::push().with("Content-Type", "text/xml"), 415),
        (encoded, 415),
    ] {
        assert_eq!(given.send_raw(&request.bytes()).await.status, status);
    }
    let rejected = given.rejected().await;
    let reasons: Vec<_> = rejected.iter().map(|event| event.reason.as_str()).collect();
    let expected = ["content_type", "encoding", "length", "slow", "too_large"];
    assert_eq!(reasons, expected);
    assert!(rejected.iter().all(|event| event.count == 1));
}

#[tokio::test]
async fn answers_are_counted_by_source_and_reason() {
    let given = given().await;
    given.send(&Request::push()).await;
    given.send(&Request::push()).await;
    given.send(&Request::push().without("X-GitHub-Event")).await;
    let source = SourceLabel {
        source: "acme".into(),
    };
    assert_eq!(given.metrics.received.get_or_create(&source).get(), 2);
    let label = RejectedLabel {
        source: "acme".into(),
        reason: "malformed",
    };
    assert_eq!(given.metrics.rejected.get_or_create(&label).get(), 1);
}

#[tokio::test]
async fn only_a_trusted_proxy_names_the_client() {
    for (trusted, client) in [("127.0.0.0/8", "192.0.2.7"), ("10.0.0.0/8", "127.0.0.1")] {
        let mut setup = Setup::default();
        setup.config.trusted_proxies = vec![trusted.parse().unwrap()];
        let given = setup.start().await;
        let request = Request::push().with("X-Forwarded-For", "1.1.1.1, 192.0.2.7");
        assert_eq!(given.send(&request).await.status, 200);
        assert_eq!(given.receipts().await[0].0.client, client);
    }
}

#[tokio::test]
async fn the_allowed_addresses_are_those_of_clients_behind_the_proxy() {
    let mut setup = Setup::default();
    setup.config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    setup.config.proxy_protocol = true;
    setup.spec.allow = vec!["192.0.2.0/24".into()];
    let given = setup.start().await;
    for (client, status) in [("192.0.2.7", 200), ("198.51.100.7", 403)] {
        let header = format!("PROXY TCP4 {client} 127.0.0.1 1000 443\r\n");
        let bytes = [header.into_bytes(), Request::push().bytes()].concat();
        assert_eq!(given.send_raw(&bytes).await.status, status, "{client}");
    }
    assert_eq!(given.receipts().await[0].0.client, "192.0.2.7");
}

#[tokio::test]
async fn the_time_of_the_append_is_its_own_and_the_time_of_receipt_stays_in_the_headers() {
    let given = given().await;
    given.clock.step(Duration::from_secs(1));
    assert_eq!(given.send(&Request::push()).await.status, 200);
    let (received, record) = given.receipts().await.remove(0);
    assert!(
        received.received_at < record.appended_at,
        "{} and {}",
        received.received_at,
        record.appended_at
    );
}
