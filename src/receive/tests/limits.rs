//! The limits of `[receive]` reach the sockets.

use super::support::{Client, Request, Setup};
use std::time::{Duration, Instant};

#[tokio::test]
async fn idle_connections_and_slow_heads_end_by_their_own_deadlines() {
    let mut setup = Setup::default();
    setup.config.header_deadline_ms = 200;
    setup.config.idle_deadline_ms = 1_000;
    let given = setup.start().await;
    let mut idle = given.connect().await;
    let mut slow = given.connect().await;
    slow.send(b"POST /webhooks/acme HTTP/1.1\r\nHo").await;
    let ended = async |client: &mut Client| {
        client.closed().await;
        Instant::now()
    };
    let (slow, idle) = tokio::join!(ended(&mut slow), ended(&mut idle));
    assert!(slow < idle, "five times the deadline");
}

#[tokio::test]
async fn a_slow_body_does_not_count_as_an_idle_connection() {
    let mut setup = Setup::default();
    setup.config.header_deadline_ms = 50;
    setup.config.idle_deadline_ms = 50;
    let given = setup.start().await;
    let request = Request::push();
    let mut client = given.connect().await;
    client.send(&request.head()).await;
    for byte in &request.body {
        tokio::time::sleep(Duration::from_millis(20)).await;
        client.send(&[*byte]).await;
    }
    assert_eq!(client.answer().await.unwrap().status, 200);
}

#[tokio::test]
async fn a_connection_over_the_cap_is_told_so_and_counted() {
    let mut setup = Setup::default();
    setup.config.connections_max = 1;
    let given = setup.start().await;
    let mut first = given.connect().await;
    first.send(&Request::push().bytes()).await;
    assert_eq!(first.answer().await.unwrap().status, 200);
    let answer = given.connect().await.answer().await.unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").is_some());
    assert_eq!(given.metrics.connections.get(), 1);
    assert_eq!(given.metrics.connections_refused.get(), 1);
}
