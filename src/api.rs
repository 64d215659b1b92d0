//! REST over queries (reads) and the log (commands).
//!
//! Every change is an event that names who asked, from where, when and why. Secrets are sealed
//! before they enter an event, and shown at most once.

mod attempts;
mod auth;
mod bodies;
mod bookmarks;
mod change;
mod check;
mod client;
mod commands;
mod counts;
mod deliveries;
mod diff;
mod erasures;
mod evidence;
mod explain;
mod extract;
mod failures;
mod filters;
mod format;
mod held;
mod lives;
mod many;
mod object;
mod openapi;
mod paging;
mod past;
mod problem;
mod projections;
mod recipients;
mod record;
mod replays;
mod revert;
mod schema;
mod secrets;
mod sources;
mod status;
mod subscriptions;
mod tail;
mod timeline;
mod tokens;
mod totals;
mod verification;
mod view;
mod webhooks;
mod what_if;

use crate::clock::Clock;
use crate::control::Control;
use crate::health::{self, Health};
use crate::keyring::Keyring;
use crate::log::EventLog;
use crate::metrics::Metrics;
use crate::project::Desk;
use crate::project::own::OwnDesk;
use crate::query::Queries;
use crate::secret::Secret;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use failures::Failures;
use futures_util::future::BoxFuture;
use hooklog_schemas::control::Filter;
use ipnet::IpNet;
use std::sync::Arc;
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

/// The longest body of a request, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Tells whether a destination may be one: its form, and the egress rules. An error says why not.
pub type CheckTarget = Arc<dyn Fn(&str) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Tells whether a filter can be matched. An error says which clause cannot, and why.
pub type CheckFilter = Arc<dyn Fn(&Filter) -> Result<(), String> + Send + Sync>;

/// What the API is made of.
pub struct ApiParts {
    /// The log, for bodies, excerpts, evidence and the live tail.
    pub log: Arc<dyn EventLog>,
    /// The configuration in force. Somebody must run [`Control::follow`].
    pub control: Arc<Control>,
    /// Seals secrets.
    pub keyring: Arc<Keyring>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Every metric.
    pub metrics: Metrics,
    /// How the roles of this process are.
    pub health: Arc<Health>,
    /// Answers from the tables.
    pub queries: Queries,
    /// Takes orders about the tables; none in a process without the role `project`.
    pub desk: Option<Desk>,
    /// Projections of the operator's own, in a process that keeps them.
    pub own: OwnDesk,
    /// The egress rules, for new destinations.
    pub check_target: CheckTarget,
    /// The rules of filters.
    pub check_filter: CheckFilter,
    /// Networks of proxies whose word about the client's address counts.
    pub trusted_proxies: Vec<IpNet>,
    /// An admin token until the first named admin token exists.
    pub bootstrap_admin: Option<Secret>,
    /// Cancelled when the process stops: streams end then, so that they do not hold it up.
    pub stop: CancellationToken,
    /// The release.
    pub build: String,
}

/// The routes of the API listener: `/api/v1/…`, `/healthz`, `/readyz`, `/metrics`.
///
/// The client's address is that of the listener's [`crate::http::ClientAddress`], or what a trusted
/// proxy says of it.
pub fn router(parts: ApiParts) -> axum::Router {
    let (versioned, document) = described();
    let machines = health::routes(Arc::clone(&parts.health));
    let api = Arc::new(Api {
        parts,
        failures: Failures::default(),
        past: past::Past::default(),
        revoking: Mutex::default(),
        tails: Arc::new(Semaphore::new(tail::STREAMS_MAX)),
        configurations: view::Configurations::default(),
        document: openapi::render(document),
    });
    let versioned = versioned
        .route("/api/v1/openapi.json", axum::routing::get(openapi::show))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    let routes = machines.merge(versioned.with_state(api));
    routes.layer(from_fn(problem::finish))
}

/// What a process without the role `api` answers: its health, and to all else that it has only
/// `roles`.
pub fn elsewhere(health: Arc<Health>, roles: &str) -> axum::Router {
    let detail = format!(
        "this process has not the role `api`, only `{roles}`; ask one that has it \
         (here are only /healthz, /readyz and /metrics)"
    );
    let elsewhere = move || std::future::ready(problem::Problem::not_found(detail.clone()));
    let routes = health::routes(health).fallback(elsewhere);
    routes.layer(from_fn(problem::finish))
}

/// The description of this release's API in OpenAPI 3.1, as JSON: what `/api/v1/openapi.json` answers.
#[must_use]
pub fn description() -> String {
    openapi::render(described().1)
}

fn described() -> (axum::Router<Shared>, OpenApi) {
    let (versioned, mut document) = OpenApiRouter::with_openapi(openapi::base())
        .nest("/api/v1", v1())
        .split_for_parts();
    openapi::complete(&mut document);
    (versioned, document)
}

fn v1() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .merge(sources::routes())
        .merge(subscriptions::routes())
        .merge(tokens::routes())
        .merge(webhooks::routes())
        .merge(bodies::routes())
        .merge(verification::routes())
        .merge(recipients::routes())
        .merge(attempts::routes())
        .merge(lives::routes())
        .merge(revert::routes())
        .merge(deliveries::routes())
        .merge(timeline::routes())
        .merge(explain::routes())
        .merge(what_if::routes())
        .merge(commands::routes())
        .merge(replays::routes())
        .merge(erasures::routes())
        .merge(counts::routes())
        .merge(totals::routes())
        .merge(bookmarks::routes())
        .merge(diff::routes())
        .merge(tail::routes())
        .merge(status::routes())
        .merge(projections::routes())
        .merge(format::routes())
}

/// What every request sees.
struct Api {
    parts: ApiParts,
    failures: Failures,
    past: past::Past,
    revoking: Mutex<()>,
    tails: Arc<Semaphore>,
    configurations: view::Configurations,
    document: String,
}

type Shared = Arc<Api>;

#[cfg(test)]
mod tests;
