//! The role `api`: answers questions from tables, and takes commands. A process without it serves
//! health and metrics all the same.

use super::Parts;
use crate::api::{self, ApiParts, CheckTarget};
use crate::app::offline;
use crate::app::tasks::Stage;
use crate::config::Role;
use crate::deliver::egress::{Egress, EgressError};
use crate::health::{Health, Part};
use crate::http::{self, HttpLimits};
use crate::project::stores::sqlite::SqliteTables;
use crate::query::Queries;
use crate::route;
use crate::secret::Secret;
use std::sync::Arc;
use tokio::net::TcpListener;

pub(super) fn queries(parts: &Parts<'_>) -> Queries {
    let tables = SqliteTables::new(&offline::tables(&parts.config.data));
    Queries::new(Arc::new(tables), parts.metrics.clone())
}

/// The role is ready when the tables answer.
pub(super) fn part(queries: &Queries) -> Part {
    let queries = queries.clone();
    Part::new(Role::Api.as_str(), move || {
        let queries = queries.clone();
        async move {
            let answered = queries.as_of().await;
            answered.map(|_| ()).map_err(|error| error.to_string())
        }
    })
}

pub(super) fn start(
    parts: &Parts<'_>,
    listener: TcpListener,
    health: Arc<Health>,
    queries: Queries,
    admin: Option<Secret>,
) -> Stage {
    let stage = Stage::new("api");
    let opened = parts.opened;
    let app = api::router(ApiParts {
        log: Arc::clone(&opened.log),
        control: Arc::clone(&opened.control),
        keyring: Arc::clone(&opened.keyring),
        clock: Arc::clone(&opened.clock),
        metrics: parts.metrics.clone(),
        health,
        queries,
        check_target: check_target(&parts.egress),
        check_filter: Arc::new(|filter| route::validate(filter).map_err(|error| error.to_string())),
        trusted_proxies: parts.config.receive.trusted_proxies.clone(),
        bootstrap_admin: admin,
        stop: stage.token(),
        build: env!("CARGO_PKG_VERSION").into(),
    });
    serve(parts, stage, listener, app)
}

/// Health and metrics of a process without the role.
pub(super) fn elsewhere(parts: &Parts<'_>, listener: TcpListener, health: Arc<Health>) -> Stage {
    let app = api::elsewhere(health, &parts.roles.to_string());
    serve(parts, Stage::new("health"), listener, app)
}

fn serve(parts: &Parts<'_>, mut stage: Stage, listener: TcpListener, app: axum::Router) -> Stage {
    let limits = HttpLimits::api(parts.grace, &parts.metrics);
    let stop = stage.token();
    stage.spawn(async move {
        http::serve(listener, app, limits, stop).await;
        anyhow::Ok(())
    });
    stage
}

/// The check of a destination at registration. A name that does not resolve yet may be registered:
/// every attempt resolves and checks again.
fn check_target(egress: &Arc<Egress>) -> CheckTarget {
    let egress = Arc::clone(egress);
    Arc::new(move |to: &str| {
        let (egress, to) = (Arc::clone(&egress), to.to_owned());
        Box::pin(async move {
            match egress.check_target(&to).await {
                Ok(()) | Err(EgressError::Unresolved { .. }) => Ok(()),
                Err(error) => Err(error.to_string()),
            }
        })
    })
}
