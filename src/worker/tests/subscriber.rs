//! A subscriber on 127.0.0.1 that answers by a script and remembers what it saw.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;

#[derive(Clone)]
pub(super) enum Reply {
    Status(u16),
    With(u16, &'static str, String),
    /// The status at once, one byte, then nothing.
    Stall(u16),
    /// 200, once the test says so.
    Held(Arc<Notify>),
    /// Nothing at all.
    Silence,
}

#[derive(Default)]
struct Seen {
    requests: Vec<(HeaderMap, Bytes)>,
    script: VecDeque<Reply>,
}

#[derive(Clone)]
pub(super) struct Subscriber {
    pub(super) url: String,
    seen: Arc<Mutex<Seen>>,
    otherwise: Reply,
}

impl Subscriber {
    /// Answers by `script`, then always with `otherwise`.
    pub(super) async fn start(script: &[Reply], otherwise: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let seen = Seen {
            requests: Vec::new(),
            script: script.iter().cloned().collect(),
        };
        let subscriber = Self {
            url: format!("http://{}/hook", listener.local_addr().unwrap()),
            seen: Arc::new(Mutex::new(seen)),
            otherwise,
        };
        let app = axum::Router::new()
            .fallback(answer)
            .with_state(subscriber.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        subscriber
    }

    pub(super) fn requests(&self) -> Vec<(HeaderMap, Bytes)> {
        self.seen.lock().unwrap().requests.clone()
    }
}

async fn answer(
    State(subscriber): State<Subscriber>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let reply = {
        let mut seen = subscriber.seen.lock().unwrap();
        seen.requests.push((headers, body));
        seen.script.pop_front().unwrap_or(subscriber.otherwise)
    };
    let builder = Response::builder();
    match reply {
        Reply::Status(status) => builder.status(status).body(Body::from("so it is")).unwrap(),
        Reply::With(status, name, value) => builder
            .status(status)
            .header(name, value)
            .body(Body::empty())
            .unwrap(),
        Reply::Stall(status) => {
            let first = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from("x"))]);
            let stalled = futures_util::StreamExt::chain(first, futures_util::stream::pending());
            builder
                .status(status)
                .body(Body::from_stream(stalled))
                .unwrap()
        }
        Reply::Held(go) => {
            go.notified().await;
            builder.status(200).body(Body::empty()).unwrap()
        }
        Reply::Silence => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            unreachable!()
        }
    }
}
