//! Which secrets verify, when, and for whom.

use super::support::{Given, NOW, Request, SECRET, SECRET_ID, SOURCE_ID, Setup, by, given, sealed};
use hooklog_schemas::SecretId;
use hooklog_schemas::control::{SecretOwner, SecretRotated};
use std::time::Duration;
use uuid::Uuid;

const NEW: &[u8] = b"a new secret";
const NEW_ID: SecretId = SecretId(Uuid::from_u128(12));
const OVERLAP: Duration = Duration::from_secs(60);

async fn rotate(given: &Given, id: SecretId, secret: &[u8]) {
    let rotated = SecretRotated {
        owner: SecretOwner::Source(SOURCE_ID),
        expected: given.control.current().source("acme").unwrap().version,
        secret: sealed(&given.keyring, id, secret),
        old_valid_until: NOW.plus(OVERLAP),
        by: by(),
    };
    given.control.submit(rotated).await.unwrap();
}

async fn status(given: &Given, secret: &[u8]) -> u16 {
    given.send(&Request::signed_with(secret, "{}")).await.status
}

#[tokio::test]
async fn both_secrets_verify_in_the_overlap_and_each_receipt_says_which_did() {
    let given = given().await;
    rotate(&given, NEW_ID, NEW).await;
    assert_eq!(status(&given, SECRET).await, 200);
    assert_eq!(status(&given, NEW).await, 200);
    let secrets: Vec<_> = given
        .receipts()
        .await
        .iter()
        .map(|(r, _)| r.secret)
        .collect();
    assert!(secrets.contains(&SECRET_ID) && secrets.contains(&NEW_ID));
}

#[tokio::test]
async fn the_old_secret_verifies_until_the_instant_at_which_it_retires() {
    let given = given().await;
    rotate(&given, NEW_ID, NEW).await;
    given.clock.advance(OVERLAP - Duration::from_micros(1));
    assert_eq!(status(&given, SECRET).await, 200);
    given.clock.advance(Duration::from_micros(1));
    assert_eq!(status(&given, SECRET).await, 401);
    assert_eq!(status(&given, NEW).await, 200);
}

#[tokio::test]
async fn an_empty_secret_accepts_nobody() {
    let given = given().await;
    rotate(&given, NEW_ID, b"").await;
    given.clock.advance(OVERLAP);
    for secret in [&b""[..], SECRET] {
        assert_eq!(status(&given, secret).await, 401);
    }
    assert!(given.receipts().await.is_empty());
}

#[tokio::test]
async fn a_secret_that_does_not_open_is_our_fault_and_not_the_senders() {
    let given = given().await;
    // Sealed for another id: as good as changed bytes.
    let mut broken = sealed(&given.keyring, SecretId(Uuid::from_u128(99)), NEW);
    broken.id = NEW_ID;
    let rotated = SecretRotated {
        owner: SecretOwner::Source(SOURCE_ID),
        expected: given.control.current().source("acme").unwrap().version,
        secret: broken,
        old_valid_until: NOW.plus(OVERLAP),
        by: by(),
    };
    given.control.submit(rotated).await.unwrap();
    assert_eq!(status(&given, SECRET).await, 200);
    assert_eq!(status(&given, NEW).await, 503);
}

#[tokio::test]
async fn a_bound_secret_speaks_for_its_organisations_only() {
    let setup = Setup {
        organization_ids: vec![42, 43],
        ..Setup::default()
    };
    let given = setup.start().await;
    for (body, status) in [
        (r#"{"organization":{"id":42}}"#, 200),
        (
            r#"{"repository":{"id":1,"owner":{"id":43,"type":"Organization"}}}"#,
            200,
        ),
        (r#"{"organization":{"id":7}}"#, 403),
        (
            r#"{"repository":{"id":1,"owner":{"id":7,"type":"Organization"}}}"#,
            403,
        ),
        (
            r#"{"organization":{"id":42},"repository":{"owner":{"id":7,"type":"Organization"}}}"#,
            403,
        ),
        (
            r#"{"repository":{"id":1,"owner":{"id":42,"type":"User"}}}"#,
            403,
        ),
        (r#"{"zen":"Keep it logically awesome."}"#, 403),
        (r#"{"organization":{"id":42},"organization":{"id":7}}"#, 403),
        ("no JSON", 403),
    ] {
        let answer = given.send(&Request::signed(body)).await;
        assert_eq!(answer.status, status, "{body}");
    }
    assert_eq!(given.receipts().await.len(), 2);
    let rejected = given.rejected().await;
    assert_eq!(rejected[0].reason, "organization");
    assert_eq!(rejected[0].count, 7);
}
