//! A small HTTP/1.1 server: what the subscriber and the bare pipe stand on.

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

/// Waits until somebody asks the process to end: SIGINT or SIGTERM.
pub(crate) async fn asked_to_end() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// A request whose body is here in full.
pub(crate) struct Incomer {
    /// The path.
    pub(crate) path: String,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Bytes,
}

impl Incomer {
    /// The value of a header; empty if it is not there.
    pub(crate) fn header(&self, name: &'static str) -> &[u8] {
        let value = self.headers.get(HeaderName::from_static(name));
        value.map_or(&b""[..], |value| value.as_bytes())
    }

    /// The value of a header as text; empty if it is not there or no text.
    pub(crate) fn text(&self, name: &'static str) -> &str {
        std::str::from_utf8(self.header(name)).unwrap_or_default()
    }
}

/// What is answered.
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// The body.
    pub(crate) body: Bytes,
}

impl From<StatusCode> for Answer {
    fn from(status: StatusCode) -> Self {
        let body = Bytes::new();
        Self { status, body }
    }
}

/// Answers every request with what `answer` gives, until it is dropped.
pub(crate) async fn serve<A, F>(listener: TcpListener, answer: A) -> Result<()>
where
    A: Fn(Incomer) -> F + Send + Sync + 'static,
    F: Future<Output: Into<Answer>> + Send + 'static,
{
    let answer = Arc::new(answer);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(stream, answer.clone()));
    }
}

async fn connection<A, F>(stream: TcpStream, answer: Arc<A>)
where
    A: Fn(Incomer) -> F + Send + Sync + 'static,
    F: Future<Output: Into<Answer>> + Send + 'static,
{
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer.clone();
        async move {
            let (parts, body) = request.into_parts();
            let answer = match body.collect().await {
                Ok(body) => {
                    let incomer = Incomer {
                        path: parts.uri.path().to_owned(),
                        headers: parts.headers,
                        body: body.to_bytes(),
                    };
                    answer(incomer).await.into()
                }
                Err(_) => Answer::from(StatusCode::BAD_REQUEST),
            };
            let mut response = Response::new(Full::new(answer.body));
            *response.status_mut() = answer.status;
            Ok::<_, Infallible>(response)
        }
    });
    // A client that goes away is no error of the server's.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
