//! `/healthz`, `/readyz` and `/metrics`: for machines, without a token. Every process serves them,
//! whatever its roles.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::future::{BoxFuture, join_all};
use prometheus_client::registry::Registry;
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::watch;
use utoipa::ToSchema;

/// The roles of a process, and what is counted in it.
pub struct Health {
    roles: Vec<Part>,
    registry: Registry,
}

/// A role that runs, and the question whether it does its work.
pub struct Part {
    name: &'static str,
    check: Check,
    note: Note,
}

type Check = Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;
type Note = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// How a role is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PartStatus {
    /// The role: `receive`, `append`, `work`, `project` or `api`.
    pub name: &'static str,
    /// It does its work.
    pub ready: bool,
    /// Why it does not.
    pub reason: Option<String>,
    /// What an operator should know although it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Part {
    /// The role `name`, which is ready when `check` finds nothing against it. It is asked every few
    /// seconds by whatever watches the process.
    pub fn new<F>(name: &'static str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let check: Check = Box::new(move || Box::pin(check()));
        let note = Box::new(|| None);
        Self { name, check, note }
    }

    /// The same role, about which `note` may have something to say that is no reason against it.
    #[must_use]
    pub fn noting(mut self, note: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        self.note = Box::new(note);
        self
    }

    /// The role `name`, which is ready while `ready` is true.
    #[must_use]
    pub fn watching(name: &'static str, ready: watch::Receiver<bool>) -> Self {
        Self::new(name, move || {
            let is = *ready.borrow();
            async move { is.then_some(()).ok_or_else(|| "not ready yet".to_owned()) }
        })
    }

    async fn look(&self) -> PartStatus {
        let found = (self.check)().await;
        PartStatus {
            name: self.name,
            ready: found.is_ok(),
            reason: found.err(),
            note: (self.note)(),
        }
    }
}

impl Health {
    /// The health of a process with these `roles`, whose metrics are in `registry`.
    #[must_use]
    pub fn new(roles: Vec<Part>, registry: Registry) -> Arc<Self> {
        Arc::new(Self { roles, registry })
    }

    /// How every role of this process is, in the order of the way.
    pub async fn look(&self) -> Vec<PartStatus> {
        join_all(self.roles.iter().map(Part::look)).await
    }

    /// How the role `name` is; none if this process does not have it.
    pub async fn of(&self, name: &str) -> Option<PartStatus> {
        let part = self.roles.iter().find(|part| part.name == name)?;
        Some(part.look().await)
    }
}

/// The three routes.
pub fn routes(health: Arc<Health>) -> Router {
    Router::new()
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

/// The process answers. Whether it can work is another question.
async fn healthy() -> impl IntoResponse {
    axum::Json(json!({ "healthy": true }))
}

/// 200 when every role of this process is ready, else 503 with the reasons.
async fn ready(State(health): State<Arc<Health>>) -> impl IntoResponse {
    let parts = health.look().await;
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

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

async fn metrics(State(health): State<Arc<Health>>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &health.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
