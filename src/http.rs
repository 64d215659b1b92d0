//! The accept loop of both listeners: HTTP/1.1 with limits that really fire.
//!
//! Every connection has a seat (`admission`), a watch that ends it when a deadline passes
//! (`watch`), and a check of its framing (`framing`), since a proxy and a server that disagree
//! about where a request ends can be made to smuggle one.

mod admission;
mod connection;
mod framing;
mod limits;
mod proxy;
mod stream;
mod watch;

pub use limits::HttpLimits;

use admission::Admission;
use connection::Connection;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The address of the client as the socket, or the PROXY protocol, tells it. It is among the
/// extensions of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// When the first byte of the request came. It is among the extensions of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Began(pub Instant);

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Connections that were dropped because they were not finished in time.
    pub abandoned: usize,
}

/// Serves `app` until `shutdown` is cancelled, and then until what is under way is finished, or
/// the limit for that has passed.
pub async fn serve(
    listener: TcpListener,
    app: axum::Router,
    limits: HttpLimits,
    shutdown: CancellationToken,
) -> Stopped {
    let grace = limits.shutdown;
    let server = Server {
        admission: Admission::new(&limits),
        limits: Arc::new(limits),
        app,
        tracker: TaskTracker::new(),
        stop: shutdown.clone(),
        abort: CancellationToken::new(),
    };
    shutdown.run_until_cancelled(server.accept(&listener)).await;
    drop(listener);
    server.tracker.close();
    let finished = tokio::time::timeout(grace, server.tracker.wait()).await;
    let abandoned = server.tracker.len();
    if finished.is_err() {
        tracing::warn!(abandoned, "dropped connections that did not finish in time");
        server.abort.cancel();
        server.tracker.wait().await;
    }
    Stopped { abandoned }
}

struct Server {
    admission: Arc<Admission>,
    limits: Arc<HttpLimits>,
    app: axum::Router,
    tracker: TaskTracker,
    stop: CancellationToken,
    abort: CancellationToken,
}

impl Server {
    async fn accept(&self, listener: &TcpListener) {
        loop {
            match listener.accept().await {
                Ok((socket, peer)) => self.admit(socket, peer),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    // Out of descriptors or memory: trying again at once would only burn the CPU.
                    tracing::error!(%error, "cannot accept connections");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Never waits: whatever takes time happens in the connection's own task.
    fn admit(&self, socket: TcpStream, peer: SocketAddr) {
        let address = peer.ip().to_canonical();
        let trusted = self.limits.trusts(address);
        let Some(seat) = self.admission.admit((!trusted).then_some(address)) else {
            self.limits.refused.inc();
            refuse(socket);
            return;
        };
        // Without it the answer may wait for an acknowledgement of the client.
        let _ = socket.set_nodelay(true);
        let connection = Connection {
            seat,
            limits: Arc::clone(&self.limits),
            app: self.app.clone(),
            address,
            expects_proxy: trusted && self.limits.proxy_protocol,
        };
        let (stop, abort) = (self.stop.clone(), self.abort.clone());
        self.tracker.spawn(async move {
            abort
                .run_until_cancelled(connection.serve(socket, &stop))
                .await;
        });
    }
}

fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// Says 503 if the socket takes it at once, and closes.
fn refuse(socket: TcpStream) {
    const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\n\
        retry-after: 10\r\nconnection: close\r\ncontent-length: 21\r\n\r\ntoo many connections\n";
    if let Ok(mut socket) = socket.into_std() {
        let _ = socket.write(ANSWER);
    }
}

#[cfg(test)]
mod tests;
