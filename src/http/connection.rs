//! One connection, from its first byte to its last.

use super::admission::Seat;
use super::proxy;
use super::stream::Stream;
use super::watch::{Underway, Watch};
use super::{Began, ClientAddress, HttpLimits};
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use futures_util::FutureExt as _;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: usize = 32 << 10;
/// Bytes that hyper reads ahead at the most: a usual webhook in one piece.
const BUFFER_BYTES_MAX: usize = 64 << 10;

/// A connection that was admitted.
pub(super) struct Connection {
    pub(super) seat: Seat,
    pub(super) limits: Arc<HttpLimits>,
    pub(super) app: axum::Router,
    pub(super) address: IpAddr,
    /// It starts with a PROXY header.
    pub(super) expects_proxy: bool,
}

impl Connection {
    /// Answers its requests until it ends, a deadline passes, or `stop` is cancelled and the
    /// request under way is answered.
    pub(super) async fn serve(mut self, mut socket: TcpStream, stop: &CancellationToken) {
        let Some(ahead) = self.preamble(&mut socket).await else {
            self.limits.refused.inc();
            return;
        };
        let watch = Watch::new(&self.limits);
        let stream = Stream::new(socket, ahead, Arc::clone(&watch));
        let service = service_fn(|request| self.answer(&watch, request));
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            // The watch tells idle connections from slow heads, which hyper's own timer does not.
            .header_read_timeout(None)
            .max_headers(HEADERS_MAX)
            .max_header_size(HEADER_BYTES_MAX)
            .max_buf_size(BUFFER_BYTES_MAX);
        let mut served = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut passed = pin!(watch.passed());
        let mut stopped = pin!(stop.cancelled().fuse());
        let mut stopping = false;
        loop {
            tokio::select! {
                biased;
                ended = served.as_mut() => return note_end(ended),
                deadline = passed.as_mut() => {
                    tracing::debug!(client = %self.address, deadline, "closed a slow connection");
                    return;
                }
                () = stopped.as_mut(), if !stopping => {
                    stopping = true;
                    served.as_mut().graceful_shutdown();
                }
            }
        }
    }

    /// Reads the PROXY header, if there must be one; tells what was read beyond it.
    async fn preamble(&mut self, socket: &mut TcpStream) -> Option<Bytes> {
        if !self.expects_proxy {
            return Some(Bytes::new());
        }
        let read = tokio::time::timeout(self.limits.header_deadline, proxy::read(socket)).await;
        let preamble = read.ok()?;
        let preamble = preamble
            .inspect_err(|error| tracing::debug!(proxy = %self.address, %error))
            .ok()?;
        if let Some(client) = preamble.client {
            self.address = client.to_canonical();
            if !self.seat.count_for(self.address) {
                return None;
            }
        }
        Some(preamble.ahead)
    }

    async fn answer(
        &self,
        watch: &Arc<Watch>,
        request: Request<Incoming>,
    ) -> Result<Response<Answer>, Infallible> {
        let (underway, began) = watch.begin();
        let chunked = request.headers().contains_key(TRANSFER_ENCODING);
        let mut response = if watch.ambiguous.load(Ordering::Relaxed) {
            self.limits.refused.inc();
            plain(StatusCode::BAD_REQUEST, "bad request\n")
        } else {
            self.call(request, Began(began)).await
        };
        if chunked || response.status() == StatusCode::BAD_REQUEST {
            // The next head could not be told from the rest of this body.
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        underway.answering();
        Ok(response.map(|body| Answer {
            body,
            _underway: underway,
        }))
    }

    async fn call(&self, request: Request<Incoming>, began: Began) -> Response<Body> {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(began);
        request.extensions_mut().insert(ClientAddress(self.address));
        // A clone shares the routes. What a panic leaves behind is dropped with the request.
        let called = AssertUnwindSafe(self.app.clone().call(request));
        match called.catch_unwind().await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => {
                self.limits.panics.inc();
                tracing::error!(client = %self.address, "a request panicked and was answered 500");
                plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n")
            }
        }
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

fn note_end(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended with an error");
    }
}

/// The body of an answer, which keeps the request under way until it is sent.
struct Answer {
    body: Body,
    _underway: Underway,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
