//! `/healthz`, `/readyz` and `/metrics`: for machines, without a token.

use super::{Api, Shared};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

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
    let parts = parts(&api).await;
    let reasons: Vec<_> = parts
        .iter()
        .filter_map(|part| Some(format!("{}: {}", part.name, part.reason.as_ref()?)))
        .collect();
    let status = match reasons.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let answer = json!({ "ready": reasons.is_empty(), "reasons": reasons, "parts": parts });
    (status, axum::Json(answer))
}

/// A part of the process that must be ready before the process is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PartStatus {
    /// `log`, `receiver` or `worker`.
    pub(super) name: &'static str,
    /// It does its work.
    pub(super) ready: bool,
    /// Why it does not.
    pub(super) reason: Option<String>,
}

/// How every part is: whether the log takes webhooks, whether appends are in time, whether somebody
/// routes and delivers.
pub(super) async fn parts(api: &Api) -> Vec<PartStatus> {
    let log = api.parts.log.takes_webhooks().await;
    let status = |name, found: Result<(), String>| PartStatus {
        name,
        ready: found.is_ok(),
        reason: found.err(),
    };
    vec![
        status("log", log.map_err(|error| error.to_string())),
        status("receiver", (api.parts.appends_in_time)()),
        status("worker", worker(api)),
    ]
}

/// Whether somebody routes and delivers; an error says why not.
pub(super) fn worker(api: &Api) -> Result<(), String> {
    match *api.parts.worker_ready.borrow() {
        true => Ok(()),
        false => Err("not ready yet".to_owned()),
    }
}

async fn metrics(State(api): State<Shared>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &api.parts.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
