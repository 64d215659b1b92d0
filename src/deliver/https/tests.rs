//! Hostile peers, by hand on a socket.

use super::*;
use crate::config::DeliverConfig;
use reqwest::header::HeaderMap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

/// Answers one connection with these bytes, then closes it.
async fn peer(answer: &'static [u8]) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 4_096];
        let _ = socket.read(&mut request).await;
        let _ = socket.write_all(answer).await;
        let _ = socket.shutdown().await;
    });
    url.parse().unwrap()
}

async fn attempt(url: Url, allow: &[&str]) -> Answer {
    let config = DeliverConfig {
        allow: allow.iter().map(|net| net.parse().unwrap()).collect(),
        excerpts_of_allowed: true,
        ..DeliverConfig::default()
    };
    attempt_inside(Egress::new(&config), url).await
}

async fn attempt_inside(egress: Egress, url: Url) -> Answer {
    let https = Https::new(Arc::new(egress), 16).unwrap();
    let request = Outgoing {
        url,
        headers: HeaderMap::new(),
        body: bytes::Bytes::from_static(b"{}"),
        deadline: Duration::from_secs(20),
    };
    https.attempt(request).await
}

const LOCAL: &[&str] = &["127.0.0.0/8"];

fn class(answer: &Answer) -> Option<ErrorClass> {
    match &answer.outcome {
        Outcome::Error { class, .. } => Some(*class),
        Outcome::Status(_) => None,
    }
}

#[tokio::test]
async fn an_excerpt_is_cut_and_a_success_leaves_none() {
    let long =
        b"HTTP/1.1 500 No\r\ncontent-length: 40\r\n\r\n0123456789012345678901234567890123456789";
    let answer = attempt(peer(long).await, LOCAL).await;
    assert_eq!(answer.outcome, Outcome::Status(500));
    let excerpt = Excerpt {
        text: "0123456789012345".into(),
        truncated: true,
    };
    assert_eq!(answer.excerpt, Some(excerpt));
    let fine = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    assert_eq!(attempt(peer(fine).await, LOCAL).await.excerpt, None);
}

#[tokio::test]
async fn what_is_not_http_is_a_protocol_error() {
    let answers: [&[u8]; 4] = [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nbad\0header: 1\r\n\r\n",
    ];
    for bytes in answers {
        let answer = attempt(peer(bytes).await, LOCAL).await;
        assert_eq!(class(&answer), Some(ErrorClass::Protocol), "{answer:?}");
    }
}

#[tokio::test]
async fn a_closed_port_is_a_connect_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let answer = attempt(url.parse().unwrap(), LOCAL).await;
    assert_eq!(class(&answer), Some(ErrorClass::Connect), "{answer:?}");
}

#[tokio::test]
async fn plain_http_where_tls_is_expected_is_a_tls_error() {
    let mut url = peer(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    url.set_scheme("https").unwrap();
    let answer = attempt(url, LOCAL).await;
    assert_eq!(class(&answer), Some(ErrorClass::Tls), "{answer:?}");
}

#[tokio::test]
async fn a_refused_target_sees_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let answer = attempt(url.parse().unwrap(), &[]).await;
    assert_eq!(class(&answer), Some(ErrorClass::Refused), "{answer:?}");
    let name = attempt("https://localhost:8443/".parse().unwrap(), &[]).await;
    assert_eq!(class(&name), Some(ErrorClass::Refused), "{name:?}");
    let waited = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(waited.is_err(), "somebody connected");
}

/// A resolver that was bought.
struct Rebound;

#[async_trait]
impl crate::deliver::egress::Lookup for Rebound {
    async fn addresses(&self, host: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
        match host {
            "private.example" => Ok(vec![[127, 0, 0, 1].into()]),
            _ => Err(std::io::Error::other("no such name")),
        }
    }
}

#[tokio::test]
async fn a_name_is_checked_after_resolution_at_every_attempt() {
    let config = DeliverConfig::default();
    let egress = Arc::new(Egress::with_lookup(&config, Arc::new(Rebound)));
    let https = Https::new(egress, 16).unwrap();
    let table = [
        ("https://private.example/", ErrorClass::Refused),
        ("https://nowhere.example/", ErrorClass::Resolve),
    ];
    for (url, expected) in table {
        let request = Outgoing {
            url: url.parse().unwrap(),
            headers: HeaderMap::new(),
            body: bytes::Bytes::new(),
            deadline: Duration::from_secs(20),
        };
        let answer = https.attempt(request).await;
        assert_eq!(class(&answer), Some(expected), "{answer:?}");
    }
}

/// A name in public that means this machine.
struct Here;

#[async_trait]
impl crate::deliver::egress::Lookup for Here {
    async fn addresses(&self, _: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
        Ok(vec![std::net::Ipv4Addr::LOCALHOST.into()])
    }
}

#[tokio::test]
async fn no_request_reaches_our_own_listener_by_any_name() {
    let config = DeliverConfig {
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        ..DeliverConfig::default()
    };
    for name in ["127.0.0.1", "localhost", "here.example"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap();
        let rules = Egress::with_lookup(&config, Arc::new(Here)).listening(vec![own]);
        let url = format!("http://{name}:{}/webhooks/main", own.port());
        let answer = attempt_inside(rules, url.parse().unwrap()).await;
        assert_eq!(
            class(&answer),
            Some(ErrorClass::Refused),
            "{name} {answer:?}"
        );
        let accepted = tokio::time::timeout(Duration::from_millis(20), listener.accept()).await;
        assert!(accepted.is_err(), "{name}");
    }
}

#[tokio::test]
async fn an_answer_of_a_target_that_only_an_operator_lets_through_leaves_no_excerpt() {
    let config = DeliverConfig {
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        ..DeliverConfig::default()
    };
    let url = peer(b"HTTP/1.1 500 No\r\ncontent-length: 6\r\n\r\nsecret").await;
    let answer = attempt_inside(Egress::new(&config), url).await;
    assert_eq!(answer.outcome, Outcome::Status(500));
    assert_eq!(answer.excerpt, None);
}
