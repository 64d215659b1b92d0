//! Given raw bytes on a socket, then this answer, or this end.

use super::{ClientAddress, HttpLimits, Stopped, serve};
use crate::metrics::Metrics;
use axum::Extension;
use axum::body::Body;
use axum::routing::{get, post};
use bytes::Bytes;
use prometheus_client::registry::Registry;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/// Far longer than any deadline of these tests, far shorter than anybody's patience.
const LONG: Duration = Duration::from_secs(10);

fn limits() -> HttpLimits {
    let metrics = Metrics::register(&mut Registry::default());
    HttpLimits {
        header_deadline: LONG,
        idle_deadline: LONG,
        request_deadline: LONG,
        write_deadline: LONG,
        connections_max: 100,
        connections_per_address_max: 100,
        ..HttpLimits::api(Duration::from_secs(5), &metrics)
    }
}

struct Given {
    address: SocketAddr,
    limits: HttpLimits,
    token: CancellationToken,
    served: JoinHandle<Stopped>,
}

/// A server that tells its clients their addresses.
async fn given(limits: HttpLimits) -> Given {
    let told = async |Extension(ClientAddress(client))| client.to_string();
    let app = axum::Router::new()
        .route("/", get(told))
        .route("/", post(async |body: Bytes| body.len().to_string()))
        .route("/never", get(std::future::pending::<()>))
        .route("/panic", get(async || panics()))
        .route("/large", get(async || vec![b'x'; 64 << 20]))
        .route("/stream", get(async || Body::from_stream(ticks())));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let token = CancellationToken::new();
    let served = tokio::spawn(serve(listener, app, limits.clone(), token.clone()));
    Given {
        address,
        limits,
        token,
        served,
    }
}

fn panics() {
    panic!("a defect");
}

fn ticks() -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
    futures_util::stream::unfold(0, async |n| {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Ok(Bytes::from_static(b"tick\n")), n + 1))
    })
}

impl Given {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// What comes back until the server closes.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut client = self.connect().await;
        let _ = client.write_all(bytes).await;
        to_end(&mut client).await
    }
}

async fn to_end(client: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(2 * LONG, client.read_to_end(&mut bytes));
    // A reset is an end too.
    let _ = read.await.expect("the server closes");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One answer, whose body has as many bytes as its last line.
async fn answer(client: &mut TcpStream, ends_with: &str) -> String {
    let mut text = String::new();
    let reading = async {
        while !text.ends_with(ends_with) {
            let mut bytes = [0; 1024];
            let count = client.read(&mut bytes).await.unwrap();
            assert_ne!(count, 0, "closed after {text:?}");
            text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
    };
    tokio::time::timeout(LONG, reading)
        .await
        .expect("an answer");
    text
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let given = given(limits()).await;
    let mut client = given.connect().await;
    for _ in 0..3 {
        client.write_all(GET).await.unwrap();
        assert!(
            answer(&mut client, "127.0.0.1")
                .await
                .starts_with("HTTP/1.1 200")
        );
    }
    client.write_all(&[GET, GET].concat()).await.unwrap();
    let both = answer(&mut client, "127.0.0.1").await;
    if both.matches("HTTP/1.1 200").count() == 1 {
        answer(&mut client, "127.0.0.1").await;
    }
}

#[tokio::test]
async fn ambiguous_framing_gets_400_and_the_connection_ends() {
    let given = given(limits()).await;
    for request in [
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\0b\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
    ] {
        // A smuggled request would get an answer of its own.
        let smuggled = [request.as_bytes(), GET].concat();
        let text = given.exchange(&smuggled).await;
        assert!(text.starts_with("HTTP/1.1 400"), "{request:?}: {text}");
        assert_eq!(text.matches("HTTP/1.1").count(), 1, "{request:?}: {text}");
    }
}

#[tokio::test]
async fn the_second_request_of_a_connection_is_looked_at_as_closely() {
    let given = given(limits()).await;
    let text = given
        .exchange(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\nHost: a\n\n")
        .await;
    assert!(text.ends_with("bad request\n"), "{text}");
}

#[tokio::test]
async fn a_flood_of_headers_is_refused() {
    let given = given(limits()).await;
    let many = "X: y\r\n".repeat(65);
    let large = format!("X: {}\r\n", "y".repeat(33 << 10));
    for headers in [many, large, format!("X: {}", "y".repeat(400_000))] {
        let text = given
            .exchange(format!("GET / HTTP/1.1\r\n{headers}\r\n").as_bytes())
            .await;
        assert!(text.starts_with("HTTP/1.1 431"), "{text}");
    }
    let most = "X: y\r\n".repeat(63);
    let text = given
        .exchange(format!("GET / HTTP/1.1\r\nConnection: close\r\n{most}\r\n").as_bytes())
        .await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}

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
