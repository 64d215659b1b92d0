//! How many there may be, who they are, and how they end.

use super::{GET, LONG, answer, given, limits, to_end};
use crate::http::Stopped;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

#[tokio::test]
async fn connections_over_the_caps_are_refused_and_room_is_given_back() {
    for (all, per_address) in [(3, 100), (100, 3)] {
        let mut limits = limits();
        limits.connections_max = all;
        limits.connections_per_address_max = per_address;
        let given = given(limits).await;
        let mut clients = Vec::new();
        for _ in 0..3 {
            let mut client = given.connect().await;
            client.write_all(GET).await.unwrap();
            answer(&mut client, "127.0.0.1").await;
            clients.push(client);
        }
        let text = given.exchange(b"").await;
        assert!(text.starts_with("HTTP/1.1 503"), "{text}");
        assert!(text.ends_with("too many connections\n"), "{text}");
        assert_eq!(
            (given.limits.refused.get(), given.limits.open.get()),
            (1, 3)
        );
        drop(clients);
        while given.limits.open.get() > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let mut client = given.connect().await;
        client.write_all(GET).await.unwrap();
        answer(&mut client, "127.0.0.1").await;
    }
}

#[tokio::test]
async fn healthy_requests_are_served_while_many_connections_do_nothing() {
    let mut limits = limits();
    limits.connections_max = 2_000;
    limits.connections_per_address_max = 2_000;
    let given = given(limits).await;
    let mut attack = Vec::new();
    for n in 0..400 {
        let mut client = given.connect().await;
        if n % 2 == 0 {
            client.write_all(b"POST / HTTP/1.1\r\nX: ").await.unwrap();
        }
        attack.push(client);
    }
    let mut client = given.connect().await;
    let began = Instant::now();
    for _ in 0..50 {
        client.write_all(GET).await.unwrap();
        answer(&mut client, "127.0.0.1").await;
    }
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_panic_is_one_requests_affair() {
    let given = given(limits()).await;
    let mut client = given.connect().await;
    let request = b"GET /panic HTTP/1.1\r\nHost: a\r\n\r\n";
    client.write_all(request).await.unwrap();
    let text = answer(&mut client, "internal error\n").await;
    assert!(text.starts_with("HTTP/1.1 500"), "{text}");
    client.write_all(GET).await.unwrap();
    answer(&mut client, "127.0.0.1").await;
    assert_eq!(given.limits.panics.get(), 1);
}

#[tokio::test]
async fn the_proxy_protocol_counts_from_trusted_proxies_only() {
    let v1 = b"PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n".to_vec();
    let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    v2.extend([192, 0, 2, 7, 10, 0, 0, 1, 0, 80, 1, 187]);
    let last = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
    for header in [v1, v2] {
        let bytes = [header.as_slice(), last].concat();
        for (trusted, enabled, end) in [
            ("127.0.0.0/8", true, "192.0.2.7"),
            ("10.0.0.0/8", true, ""),
            ("127.0.0.0/8", false, ""),
        ] {
            let mut limits = limits();
            limits.trusted_proxies = vec![trusted.parse().unwrap()];
            limits.proxy_protocol = enabled;
            let given = given(limits).await;
            let text = given.exchange(&bytes).await;
            let status = if end.is_empty() { "400" } else { "200" };
            assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{text}");
            assert!(text.ends_with(end), "{text}");
        }
    }
}

#[tokio::test]
async fn a_trusted_proxy_must_send_its_header_and_in_time() {
    let mut limits = limits();
    limits.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    limits.proxy_protocol = true;
    limits.header_deadline = Duration::from_millis(100);
    limits.connections_per_address_max = 1;
    let given = given(limits).await;
    for bytes in [&b""[..], b"PROXY TCP4 192", GET] {
        assert_eq!(given.exchange(bytes).await, "");
    }
    assert_eq!(given.limits.refused.get(), 3);
    let header = b"PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n";
    let mut client = given.connect().await;
    client.write_all(&[header, GET].concat()).await.unwrap();
    answer(&mut client, "192.0.2.7").await;
    let second = given.exchange(&[&header[..], GET].concat()).await;
    assert_eq!(second, "", "the cap counts clients, not the proxy");
}

#[tokio::test]
async fn stopping_closes_idle_connections_and_abandons_what_does_not_end() {
    let mut limits = limits();
    limits.shutdown = Duration::from_millis(200);
    let given = given(limits).await;
    let mut idle = given.connect().await;
    let mut served = given.connect().await;
    served.write_all(GET).await.unwrap();
    answer(&mut served, "127.0.0.1").await;
    let mut stuck = given.connect().await;
    let request = b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n";
    stuck.write_all(request).await.unwrap();
    answer(&mut stuck, "tick\n\r\n").await;
    given.token.cancel();
    assert_eq!(to_end(&mut idle).await, "");
    assert_eq!(to_end(&mut served).await, "");
    drop((idle, served));
    let stopped = tokio::time::timeout(LONG, given.served).await.unwrap();
    assert_eq!(stopped.unwrap(), Stopped { abandoned: 1 });
    assert!(TcpStream::connect(given.address).await.is_err());
}
