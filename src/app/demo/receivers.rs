//! Four receivers: one healthy, one that fails at first, one that always fails, one that is down when
//! the plot wants it.

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;

/// Where the receivers listen.
pub(super) struct Receivers {
    pub(super) healthy: String,
    pub(super) flaky: String,
    pub(super) broken: String,
    pub(super) sometimes: String,
    down: Arc<AtomicBool>,
}

impl Receivers {
    /// From now on the one that is down sometimes answers 503, or well again.
    pub(super) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::Relaxed);
    }
}

/// Starts all four on one free port of 127.0.0.1.
pub(super) async fn start() -> anyhow::Result<Receivers> {
    let seen = Seen::default();
    let down = Arc::new(AtomicBool::new(false));
    let is_down = Arc::clone(&down);
    let app = Router::new()
        .route("/healthy", post(async || StatusCode::OK))
        .route(
            "/flaky",
            post(async move |headers: HeaderMap| flaky(&seen, &headers)),
        )
        .route(
            "/sometimes",
            post(async move || match is_down.load(Ordering::Relaxed) {
                true => (StatusCode::SERVICE_UNAVAILABLE, "down for maintenance"),
                false => (StatusCode::OK, "ok"),
            }),
        )
        .route(
            "/broken",
            post(async || (StatusCode::INTERNAL_SERVER_ERROR, "database is down")),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    // The receivers live as long as the process: a demo has nothing to drain.
    tokio::spawn(async move { axum::serve(listener, app).await });
    let url = |path: &str| format!("{base}/{path}");
    Ok(Receivers {
        healthy: url("healthy"),
        flaky: url("flaky"),
        broken: url("broken"),
        sometimes: url("sometimes"),
        down,
    })
}

/// How often each delivery was seen.
type Seen = Arc<Mutex<HashMap<String, u32>>>;

/// Fails the first attempt of every delivery.
fn flaky(seen: &Seen, headers: &HeaderMap) -> (StatusCode, &'static str) {
    let id = headers
        .get("webhook-id")
        .map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let count = seen.entry(id.unwrap_or_default()).or_default();
    *count += 1;
    if *count == 1 {
        (StatusCode::SERVICE_UNAVAILABLE, "warming up")
    } else {
        (StatusCode::OK, "ok")
    }
}
