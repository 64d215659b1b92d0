//! Every status that the webhook listener gives for what a request is.

use super::support::{Answer, Given, Request, SECRET_ID, SOURCE_ID, Setup, by, given};
use hooklog_schemas::control::{SourceDeleted, SourcePaused};

async fn status(given: &Given, request: &Request) -> u16 {
    let answer = given.send(request).await;
    assert_eq!(
        answer.header("server"),
        None,
        "nothing tells what runs here"
    );
    answer.status
}

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
    let receipt = received.receipt;
    assert_eq!(answer.text(), format!("{{\"receipt\":\"{receipt}\"}}\n"));
    assert_eq!((received.source, received.secret), (SOURCE_ID, SECRET_ID));
    assert_eq!(received.facts.git_ref.as_deref(), Some("refs/heads/main"));
    assert_eq!(received.client, "127.0.0.1");
    assert_eq!(
        received.configuration,
        given.control.current().version.unwrap()
    );
}

#[tokio::test]
async fn the_record_is_a_cloud_event_with_githubs_own_headers() {
    let given = given().await;
    let body = r#"{"action":"opened","pull_request":{"number":7,"base":{"ref":"main"}},
        "repository":{"url":"https://api.github.com/repos/acme/app"}}"#;
    let request = Request::signed(body)
        .with("X-GitHub-Event", "pull_request")
        .and("X-Hub-Signature", "sha1=0")
        .and("Cookie", "private");
    given.send(&request).await;
    let (_, record) = given.receipts().await.remove(0);
    let header = |name| {
        record
            .header(name)
            .map(|value| String::from_utf8_lossy(value).into_owned())
    };
    for (name, value) in [
        ("ce_specversion", "1.0"),
        ("ce_id", "83d63510-79f7-11ed-859f-f1aec1003817"),
        ("ce_source", "https://api.github.com/repos/acme/app"),
        ("ce_type", "com.github.pull_request.opened"),
        ("ce_subject", "7"),
        ("ce_time", "2026-11-01T12:00:00.000000Z"),
        ("content-type", "application/json"),
        ("x-github-event", "pull_request"),
        ("x-github-hook-id", "292430182"),
        ("x-hub-signature", "sha1=0"),
        ("user-agent", "GitHub-Hookshot/044aadd"),
    ] {
        assert_eq!(header(name).as_deref(), Some(value), "{name}");
    }
    assert!(
        header("x-hub-signature-256")
            .unwrap()
            .starts_with("sha256=")
    );
    assert_eq!(header("cookie"), None);
    assert_eq!(header("host"), None);
}

#[tokio::test]
async fn what_names_no_source_gets_one_constant_404() {
    let given = given().await;
    let current = given.control.current();
    let shape = |answer: Answer| (answer.status, answer.text().to_owned());
    let mut answers = Vec::new();
    for path in [
        "/webhooks/nobody",
        "/webhooks/",
        "/webhooks/acme/",
        "/webhooks/../webhooks/acme",
        "/webhooks/%61cme",
        "/",
        "/healthz",
    ] {
        answers.push(shape(given.send(&Request::push().to(path)).await));
    }
    let deleted = SourceDeleted {
        id: SOURCE_ID,
        expected: current.source("acme").unwrap().version,
        by: by(),
    };
    given.control.submit(deleted).await.unwrap();
    answers.push(shape(given.send(&Request::push()).await));
    assert!(
        answers
            .iter()
            .all(|answer| *answer == (404, "not found\n".into())),
        "{answers:?}"
    );
}

#[tokio::test]
async fn another_method_gets_405() {
    let given = given().await;
    let get = b"GET /webhooks/acme HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(given.send_raw(get).await.status, 405);
}

#[tokio::test]
async fn a_paused_source_asks_to_try_again() {
    let given = given().await;
    let paused = SourcePaused {
        id: SOURCE_ID,
        expected: given.control.current().source("acme").unwrap().version,
        by: by(),
    };
    given.control.submit(paused).await.unwrap();
    let answer = given.send(&Request::push()).await;
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test]
async fn an_address_that_is_not_allowed_gets_403() {
    for (allow, status) in [
        ("192.30.252.0/22", 403),
        ("not a network", 403),
        ("127.0.0.0/8", 200),
        ("127.0.0.1", 200),
    ] {
        let mut setup = Setup::default();
        setup.spec.allow = vec![allow.into()];
        let given = setup.start().await;
        assert_eq!(given.send(&Request::push()).await.status, status, "{allow}");
    }
}

#[tokio::test]
async fn a_source_over_its_rate_gets_429_and_is_told_when_to_come_again() {
    let mut setup = Setup::default();
    setup.spec.rate_per_second = Some(2);
    let given = setup.start().await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let answer = given.send(&Request::push()).await;
        assert_eq!(
            answer.header("retry-after").is_some(),
            answer.status == 429,
            "{answer:?}"
        );
        statuses.push(answer.status);
    }
    assert_eq!(statuses[..2], [200, 200]);
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[tokio::test]
async fn what_is_not_verified_does_not_use_up_the_source_s_rate() {
    let mut setup = Setup::default();
    setup.spec.rate_per_second = Some(1);
    let given = setup.start().await;
    for _ in 0..20 {
        let forged = Request::signed_with(b"guessed", "{}");
        assert_eq!(status(&given, &forged).await, 401);
        let unsigned = Request::push().without("X-Hub-Signature-256");
        assert_eq!(status(&given, &unsigned).await, 401);
    }
    assert_eq!(status(&given, &Request::push()).await, 200);
}

#[tokio::test]
async fn a_github_header_that_is_missing_repeated_or_odd_gets_400() {
    let given = given().await;
    for name in ["X-GitHub-Event", "X-GitHub-Delivery"] {
        assert_eq!(status(&given, &Request::push().without(name)).await, 400);
        assert_eq!(status(&given, &Request::push().and(name, "b")).await, 400);
        let long = "a".repeat(129);
        for odd in ["", "two words", "caf\u{e9}", &long] {
            let request = Request::push().with(name, odd);
            assert_eq!(status(&given, &request).await, 400, "{name}: {odd}");
        }
    }
    for name in ["X-Hub-Signature-256", "X-GitHub-Hook-ID", "Content-Type"] {
        assert_eq!(status(&given, &Request::push().and(name, "b")).await, 400);
    }
    assert!(given.receipts().await.is_empty());
}

#[tokio::test]
async fn no_signature_and_a_wrong_one_get_the_same_401() {
    let given = given().await;
    let unsigned = Request::push().without("X-Hub-Signature-256");
    let mut spoiled = Request::push();
    spoiled.body[3] ^= 1;
    let sha1_only = unsigned.clone().and("X-Hub-Signature", "sha1=2fd4e1");
    let right = Request::push().headers.pop().unwrap().1;
    let upper = format!("sha256={}", right[7..].to_uppercase());
    for request in [
        unsigned,
        spoiled,
        sha1_only,
        Request::signed_with(b"another", "{}"),
        Request::signed_with(b"", "{}"),
        Request::push().with("X-Hub-Signature-256", &upper),
        Request::push().with("X-Hub-Signature-256", ""),
        Request::push().with("X-Hub-Signature-256", "sha256="),
    ] {
        let answer = given.send(&request).await;
        assert_eq!((answer.status, answer.text()), (401, "unauthorized\n"));
    }
    assert!(given.receipts().await.is_empty());
}

#[tokio::test]
async fn no_prefix_of_a_right_signature_gets_in() {
    let given = given().await;
    let right = Request::push().headers.pop().unwrap().1;
    for length in 0..right.len() {
        let request = Request::push().with("X-Hub-Signature-256", &right[..length]);
        assert_eq!(status(&given, &request).await, 401, "{length} bytes");
    }
    assert!(given.receipts().await.is_empty());
}

#[tokio::test]
async fn a_compressed_body_is_not_decoded_but_refused() {
    let given = given().await;
    for encoding in ["gzip", "br", "zstd", "deflate", "identity, gzip"] {
        let request = Request::push().with("Content-Encoding", encoding);
        assert_eq!(status(&given, &request).await, 415, "{encoding}");
    }
    let request = Request::push().with("Content-Encoding", "identity");
    assert_eq!(status(&given, &request).await, 200);
}

#[tokio::test]
async fn only_json_and_forms_are_media_types_of_webhooks() {
    let given = given().await;
    for (content_type, expected) in [
        ("application/json; charset=utf-8", 200),
        ("Application/JSON", 200),
        ("text/plain", 415),
        ("application/jsonp", 415),
        ("multipart/form-data", 415),
    ] {
        let request = Request::push().with("Content-Type", content_type);
        assert_eq!(status(&given, &request).await, expected, "{content_type}");
    }
    let request = Request::push().without("Content-Type");
    assert_eq!(status(&given, &request).await, 415);
}

#[tokio::test]
async fn a_body_without_any_length_gets_411() {
    let given = given().await;
    let mut request = Request::push().without("Content-Length");
    request.body.clear();
    assert_eq!(status(&given, &request).await, 411);
}
