//! When the parts of a request ended: marks that the resolver and the connector leave.
//!
//! The client does not tell, so both write into what the task that waits for the answer holds. A
//! connection that goes on in the background, for later requests, finds no marks and leaves none.

use super::micros;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Instant;
use tower::{Layer, Service};

/// When the parts of a request ended, in microseconds after its start; none for what was not needed,
/// or not reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// The name was resolved.
    pub resolve_us: Option<u64>,
    /// The connection stood, with TLS; none where an open one was used.
    pub connect_us: Option<u64>,
    /// The answer's status was read.
    pub headers_us: Option<u64>,
}

tokio::task_local! {
    static MARKS: Marks;
}

/// The marks of one request under way.
#[derive(Clone)]
pub(super) struct Marks(Arc<Inner>);

struct Inner {
    started: Instant,
    resolved: OnceLock<u64>,
    connected: OnceLock<u64>,
}

impl Marks {
    pub(super) fn new(started: Instant) -> Self {
        Self(Arc::new(Inner {
            started,
            resolved: OnceLock::new(),
            connected: OnceLock::new(),
        }))
    }

    /// Waits for `request`; what it resolves and connects is marked here.
    pub(super) async fn over<T>(&self, request: impl Future<Output = T>) -> T {
        MARKS.scope(self.clone(), request).await
    }

    /// What was marked, for a request whose answer's status was read then, or never.
    pub(super) fn read(&self, headers_us: Option<u64>) -> Phases {
        let connect_us = self.0.connected.get().copied();
        let resolve_us = self.0.resolved.get().copied();
        // An answer without a new connection came over an open one, whatever was begun beside it.
        let reused = headers_us.is_some() && connect_us.is_none();
        Phases {
            resolve_us: resolve_us.filter(|_| !reused),
            connect_us,
            headers_us,
        }
    }
}

/// Marks that the name is resolved.
pub(super) fn resolved() {
    mark(|marks| &marks.resolved);
}

fn mark(which: impl FnOnce(&Inner) -> &OnceLock<u64>) {
    // An error means that nobody waits for this connection.
    let _ = MARKS.try_with(|marks| {
        // The first counts: an address that did not answer may be followed by another.
        let _ = which(&marks.0).set(micros(marks.0.started.elapsed()));
    });
}

/// Marks that a connection stands.
#[derive(Clone, Copy)]
pub(super) struct MarkConnected;

/// A connector whose connections are marked.
#[derive(Clone)]
pub(super) struct Marked<S>(S);

impl<S> Layer<S> for MarkConnected {
    type Service = Marked<S>;
    fn layer(&self, inner: S) -> Marked<S> {
        Marked(inner)
    }
}

impl<S: Service<R>, R> Service<R> for Marked<S>
where
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let connecting = self.0.call(request);
        Box::pin(async move {
            let connection = connecting.await?;
            mark(|marks| &marks.connected);
            Ok(connection)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_over_an_open_connection_has_neither_resolved_nor_connected() {
        let marks = Marks::new(Instant::now());
        marks.over(async { resolved() }).await;
        assert_eq!(marks.read(Some(9)).resolve_us, None);
        let failed = marks.read(None);
        assert!(failed.resolve_us.is_some() && failed.connect_us.is_none());
    }

    #[tokio::test]
    async fn what_goes_on_in_the_background_marks_nothing() {
        let marks = Marks::new(Instant::now());
        let connector = MarkConnected.layer(tower::service_fn(|()| async { Ok::<_, ()>(()) }));
        let background = connector.clone().call(());
        background.await.unwrap();
        assert_eq!(marks.read(None), Phases::default());
        let mut connector = connector;
        marks.over(connector.call(())).await.unwrap();
        assert!(marks.read(None).connect_us.is_some());
    }
}
