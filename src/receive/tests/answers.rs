//! Every status that the webhook listener gives.

use super::support::{Request, SECRET_ID, SOURCE_ID, given};

#[tokio::test]
async fn a_signed_webhook_is_in_the_log_byte_for_byte_before_it_is_answered() {
    let given = given().await;
    let body = r#"{"ref":"refs/heads/main","repository":{"id":186853002,"full_name":"acme/app"}}"#;
    let answer = given.send(&Request::signed(body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let receipts = given.receipts().await;
    let [(received, record)] = &receipts[..] else {
        panic!("one receipt, not {}", receipts.len());
    };
    assert_eq!(record.value.as_deref(), Some(body.as_bytes()));
    assert_eq!(
        answer.text(),
        format!("{{\"receipt\":\"{}\"}}", received.receipt)
    );
    assert_eq!((received.source, received.secret), (SOURCE_ID, SECRET_ID));
    assert_eq!(received.facts.git_ref.as_deref(), Some("refs/heads/main"));
    assert_eq!(received.client, "127.0.0.1");
}
