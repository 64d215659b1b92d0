//! When a connection ends that takes its time.

use super::{GET, LONG, answer, given, limits, to_end};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;

#[tokio::test]
async fn an_idle_connection_ends() {
    let mut limits = limits();
    limits.idle_deadline = Duration::from_millis(100);
    let given = given(limits).await;
    assert_eq!(given.exchange(b"").await, "");
    let text = given.exchange(GET).await;
    assert!(text.ends_with("127.0.0.1"), "idle after a request: {text}");
}

#[tokio::test]
async fn a_head_that_drips_ends_although_each_byte_comes_soon() {
    let mut limits = limits();
    limits.header_deadline = Duration::from_millis(300);
    let given = given(limits).await;
    for before in [&b""[..], GET] {
        let mut client = given.connect().await;
        client.write_all(before).await.unwrap();
        let began = Instant::now();
        let drip = async {
            while client.write_all(b"G").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(LONG, drip).await.expect("an end");
        assert!(began.elapsed() >= Duration::from_millis(200));
    }
}

#[tokio::test]
async fn a_request_without_an_answer_ends() {
    let mut limits = limits();
    limits.request_deadline = Duration::from_millis(100);
    limits.idle_deadline = Duration::from_millis(200);
    let given = given(limits).await;
    let text = given
        .exchange(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    assert_eq!(text, "");
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_cut_off() {
    let mut limits = limits();
    limits.write_deadline = Duration::from_millis(200);
    let given = given(limits).await;
    let mut client = given.connect().await;
    let request = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
    client.write_all(request).await.unwrap();
    while given.limits.open.get() == 0 {
        tokio::task::yield_now().await;
    }
    let ended = async {
        while given.limits.open.get() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, ended).await.expect("an end");
    assert!(to_end(&mut client).await.len() < 64 << 20);
}

#[tokio::test]
async fn a_stream_outlives_every_deadline_while_it_is_read() {
    let mut limits = limits();
    limits.request_deadline = Duration::from_millis(100);
    limits.idle_deadline = Duration::from_millis(100);
    limits.header_deadline = Duration::from_millis(100);
    limits.write_deadline = Duration::from_millis(100);
    let given = given(limits).await;
    let mut client = given.connect().await;
    let request = b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n";
    client.write_all(request).await.unwrap();
    let (began, mut text) = (Instant::now(), String::new());
    while began.elapsed() < Duration::from_millis(800) {
        text = answer(&mut client, "tick\n\r\n").await;
    }
    assert!(text.contains("tick"));
}
