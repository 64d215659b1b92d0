//! `/healthz`, `/readyz` and `/metrics`: for machines, without a token.

use super::{Api, Shared};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

/// The process answers. Whether it can work is another question.
async fn healthy() -> impl IntoResponse {
    axum::Json(json!({ "healthy": true }))
}

/// 200 when every part is ready, else 503 with the reasons.
async fn ready(State(api): State<Shared>) -> impl IntoResponse {
    let reasons = not_ready(&api);
    let status = match reasons.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let answer = json!({ "ready": reasons.is_empty(), "reasons": reasons });
    (status, axum::Json(answer))
}

/// Why this process is not ready; nothing when it is.
pub(super) fn not_ready(api: &Api) -> Vec<String> {
    let waiting = api.parts.ready.iter().filter(|(_, ready)| !*ready.borrow());
    waiting
        .map(|(part, _)| format!("{part} is not ready yet"))
        .collect()
}

async fn metrics(State(api): State<Shared>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &api.parts.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
