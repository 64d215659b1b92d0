//! Given raw bytes on a socket, then this answer, or this end.

mod connections;
mod deadlines;
mod framing;

use super::{ClientAddress, HttpLimits, Stopped, serve};
use crate::metrics::Metrics;
use axum::Extension;
use axum::body::Body;
use axum::routing::{get, post};
use bytes::Bytes;
use prometheus_client::registry::Registry;
use std::net::SocketAddr;
use std::time::Duration;
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
