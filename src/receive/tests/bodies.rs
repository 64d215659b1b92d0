//! Bodies of every size and shape.

use super::support::{Request, SECRET, Setup, given, signature};
use std::collections::HashSet;

fn chunked(request: &Request, size: usize) -> Vec<u8> {
    let request = request
        .clone()
        .without("Content-Length")
        .with("Transfer-Encoding", "chunked");
    let mut bytes = request.head();
    for chunk in request.body.chunks(size) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

fn json_of(bytes: usize) -> Vec<u8> {
    let mut body = br#"{"repository":{"id":1},"text":""#.to_vec();
    body.resize(bytes - 2, b'x');
    body.extend(br#""}"#);
    body
}

#[tokio::test]
async fn a_body_of_24_9_mb_is_received_as_it_is() {
    let given = given().await;
    let body = json_of(24_900_000);
    assert_eq!(given.send(&Request::signed(body.clone())).await.status, 200);
    let (received, record) = given.receipts().await.remove(0);
    assert_eq!(received.facts.repository_id, Some(1));
    assert!(record.value.as_deref() == Some(&body[..]), "byte for byte");
}

#[tokio::test]
async fn a_chunked_body_is_received_and_its_connection_closed() {
    let given = given().await;
    let request = Request::signed(json_of(100_000));
    let answer = given.send_raw(&chunked(&request, 7_000)).await;
    assert_eq!(
        (answer.status, answer.header("connection")),
        (200, Some("close"))
    );
    assert_eq!(
        given.receipts().await[0].1.value.as_deref(),
        Some(&request.body[..])
    );
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_refused_before_it_is_read() {
    let given = given().await;
    let request = Request::push().with("Content-Length", "26214401");
    assert_eq!(given.send_raw(&request.head()).await.status, 413);
    let request = request.with("Content-Length", "99999999999999999999999");
    let status = given.send_raw(&request.head()).await.status;
    assert!(status == 413 || status == 400, "{status}");
}

#[tokio::test]
async fn a_client_that_sends_a_large_body_all_the_same_is_not_reset_before_it_reads_its_answer() {
    let mut setup = Setup::default();
    setup.config.body_bytes_max = 1_000;
    let given = setup.start().await;
    for _ in 0..5 {
        let mut client = given.connect().await;
        let bytes = Request::signed(json_of(8_000_000)).bytes();
        assert!(client.send(&bytes).await, "all of it was taken");
        assert_eq!(client.answer().await.unwrap().status, 413);
    }
}

#[tokio::test]
async fn a_chunked_body_is_refused_where_it_grows_too_large() {
    let mut setup = Setup::default();
    setup.config.body_bytes_max = 50_000;
    let given = setup.start().await;
    let fits = Request::signed(json_of(50_000));
    assert_eq!(given.send_raw(&chunked(&fits, 9_999)).await.status, 200);
    let over = chunked(&Request::signed(json_of(50_001)), 9_999);
    let endless = over.strip_suffix(b"0\r\n\r\n").unwrap();
    assert_eq!(given.send_raw(endless).await.status, 413);
}

#[tokio::test]
async fn a_form_has_its_own_limit_and_its_payload_that_of_json() {
    let mut setup = Setup::default();
    setup.config.body_bytes_max = 1_000;
    setup.config.form_bytes_max = 2_000;
    let given = setup.start().await;
    let form = |payload: usize, rest: usize| {
        let body = format!("payload={}&rest={}", "a".repeat(payload), "b".repeat(rest));
        Request::signed(body).with("Content-Type", "application/x-www-form-urlencoded")
    };
    assert_eq!(given.send(&form(1_000, 900)).await.status, 200);
    assert_eq!(given.send(&form(1_001, 0)).await.status, 413);
    assert_eq!(given.send(&form(900, 1_100)).await.status, 413);
}

#[tokio::test]
async fn the_signature_of_a_form_is_over_the_form_and_its_facts_are_the_payloads() {
    let given = given().await;
    let body = "payload=%7B%22action%22%3A%22opened%22%2C%22repository%22%3A%7B%22id%22%3A5%7D%7D";
    let request = Request::signed(body).with("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(given.send(&request).await.status, 200);
    let (received, record) = given.receipts().await.remove(0);
    assert_eq!(record.value.as_deref(), Some(body.as_bytes()));
    assert_eq!(received.facts.repository_id, Some(5));
    assert!(received.facts.form && !received.facts.unparsed);
}

#[tokio::test]
async fn a_body_that_stays_away_gets_408_in_time() {
    let mut setup = Setup::default();
    setup.config.body_deadline_ms = 100;
    let given = setup.start().await;
    for (declared, sent) in [("1000", "{}"), ("2", "")] {
        let request = Request::push().with("Content-Length", declared);
        let bytes = [request.head(), sent.as_bytes().to_vec()].concat();
        assert_eq!(given.send_raw(&bytes).await.status, 408);
    }
    assert!(given.receipts().await.is_empty());
}

#[tokio::test]
async fn a_body_waits_for_the_memory_that_another_one_has() {
    let mut setup = Setup::default();
    setup.config.body_bytes_max = 100_000;
    setup.config.form_bytes_max = 100_000;
    setup.config.body_bytes_in_flight_max = 100_000;
    let given = setup.start().await;
    let bytes = Request::signed(json_of(100_000)).bytes();
    let (most, last) = bytes.split_at(bytes.len() - 10);
    let mut holder = given.connect().await;
    holder.send(most).await;
    given.until(|receiver| receiver.budget.is_used_up()).await;
    let mut waiter = given.connect().await;
    waiter.send(&bytes).await;
    holder.send(last).await;
    assert_eq!(holder.answer().await.unwrap().status, 200);
    assert_eq!(waiter.answer().await.unwrap().status, 200);
}

#[tokio::test]
async fn a_signed_body_that_is_no_github_json_is_kept_as_unparsed() {
    let given = given().await;
    let bodies: [Vec<u8>; 9] = [
        b"".into(),
        b"Hello, World!".into(),
        "[".repeat(100_000).into(),
        [r#"{"a":"#.repeat(100_000), "}".repeat(100_000)]
            .concat()
            .into(),
        br#"{"repository":{"id":1},"repository":{"id":2}}"#.into(),
        br#"{"repository":{"id":1e999}}"#.into(),
        br#"{"sender":{"login":"\ud800"}}"#.into(),
        b"{\"action\":\"\0\"}".into(),
        b"\xff\xfe{}".into(),
    ];
    for body in &bodies {
        let answer = given.send(&Request::signed(body.clone())).await;
        assert_eq!(answer.status, 200, "{:?}", body.get(..40));
    }
    let receipts = given.receipts().await;
    assert_eq!(receipts.len(), bodies.len());
    for (received, record) in receipts {
        assert!(received.facts.unparsed, "{:?}", record.value);
        assert!(
            bodies
                .iter()
                .any(|body| record.value.as_deref() == Some(body))
        );
    }
}

#[tokio::test]
async fn what_does_not_matter_may_have_any_shape() {
    let given = given().await;
    let many: Vec<String> = (0..100_000).map(|n| format!("\"k{n}\":{n}")).collect();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for body in [
        format!("{{{},\"repository\":{{\"id\":9}}}}", many.join(",")),
        format!("{{\"future\":{deep},\"repository\":{{\"id\":9}}}}"),
        r#"{"ref":{"a":[1]},"action":7,"repository":{"id":9}}"#.into(),
        r#"{"organization":null,"sender":null,"repository":{"id":9,"owner":null}}"#.into(),
    ] {
        assert_eq!(given.send(&Request::signed(body)).await.status, 200);
    }
    for (received, _) in given.receipts().await {
        assert_eq!(
            (received.facts.repository_id, received.facts.unparsed),
            (Some(9), false)
        );
    }
}

#[tokio::test]
async fn unknown_events_and_actions_are_received_like_any_other() {
    let given = given().await;
    for event in ["ping", "event_of_2031", "repository.renamed"] {
        let request = Request::signed(r#"{"action":"transmogrified","zen":"x"}"#);
        let answer = given.send(&request.with("X-GitHub-Event", event)).await;
        assert_eq!(answer.status, 200, "{event}");
    }
    assert_eq!(given.receipts().await.len(), 3);
}

#[tokio::test]
async fn a_redelivery_is_a_receipt_of_its_own() {
    let given = given().await;
    for body in [r#"{"a":1}"#, r#"{"a":1}"#, r#"{"a":2}"#] {
        assert_eq!(given.send(&Request::signed(body)).await.status, 200);
    }
    let receipts = given.receipts().await;
    let guids = receipts.iter().map(|(received, _)| &received.facts.guid);
    let ids: HashSet<_> = receipts
        .iter()
        .map(|(received, _)| received.receipt)
        .collect();
    let keys: HashSet<_> = receipts.iter().map(|(_, record)| record.key).collect();
    assert_eq!(guids.collect::<HashSet<_>>().len(), 1);
    assert_eq!((ids.len(), keys.len()), (3, 3));
}

#[tokio::test]
async fn header_bytes_that_are_no_text_do_no_harm() {
    let given = given().await;
    let body = b"{}";
    let head = format!(
        "POST /webhooks/acme HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\
         X-GitHub-Event: push\r\nX-GitHub-Delivery: g\r\nX-Hub-Signature-256: {}\r\n",
        signature(SECRET, body)
    );
    let odd = b"X-GitHub-Odd: \xff\xfe\r\nUser-Agent: \xe9\r\nX-Forwarded-For: \x80\r\n\r\n";
    let bytes = [head.as_bytes(), odd, body].concat();
    assert_eq!(given.send_raw(&bytes).await.status, 200);
    let (_, record) = given.receipts().await.remove(0);
    assert_eq!(record.header("x-github-odd").unwrap()[..], [0xff, 0xfe]);
}
