//! The role `api`: answers questions from tables, takes commands, and serves the console. A process without it serves
//! health and metrics all the same.

use super::Parts;
use super::project::Desks;
use crate::api::{self, ApiParts, CheckTarget};
use crate::app::tables;
use crate::app::tasks::Stage;
use crate::config::Role;
use crate::console;
use crate::deliver::egress::{Egress, EgressError};
use crate::health::{Health, Part};
use crate::http::{self, HttpLimits};
use crate::query::Queries;
use crate::route;
use crate::secret::Secret;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::timeout;

pub(super) fn queries(parts: &Parts<'_>) -> anyhow::Result<Queries> {
    let tables = tables::reading(parts.config)?;
    Ok(Queries::new(tables, parts.metrics.clone()))
}

/// Who watches the process does not wait for long.
const PATIENCE: Duration = Duration::from_millis(500);

/// The role is ready when the tables have answered once. Should they be away later, they are so for
/// every process: questions get 503 with the reason, commands need no tables, and a note tells it.
/// A process that also receives does not wait for them: webhooks need no tables.
pub(super) fn part(parts: &Parts<'_>, queries: &Queries) -> Part {
    let queries = queries.clone();
    let waits = !parts.roles.has(Role::Receive);
    let answered = Arc::new(AtomicBool::new(!waits));
    let away = Arc::new(Mutex::new(None));
    let told = Arc::clone(&away);
    let part = Part::new(Role::Api.as_str(), move || {
        let queries = queries.clone();
        let (answered, away) = (Arc::clone(&answered), Arc::clone(&away));
        async move {
            let reason = match timeout(PATIENCE, queries.as_of()).await {
                Ok(answered) => answered.err().map(|error| error.to_string()),
                Err(_) => Some("the tables do not answer in time".to_owned()),
            };
            if reason.is_none() {
                answered.store(true, Ordering::Relaxed);
            }
            *away.lock().unwrap_or_else(PoisonError::into_inner) = reason.clone();
            match reason {
                Some(reason) if !answered.load(Ordering::Relaxed) => Err(reason),
                _ => Ok(()),
            }
        }
    });
    part.noting(move || told.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

pub(super) fn start(
    parts: &Parts<'_>,
    listener: TcpListener,
    health: Arc<Health>,
    queries: Queries,
    desks: Option<Desks>,
    admin: Option<Secret>,
) -> Stage {
    let stage = Stage::new("api");
    let opened = parts.opened;
    let (desk, own) = desks.map(|desks| (desks.desk, desks.own)).unzip();
    let app = api::router(ApiParts {
        log: Arc::clone(&opened.log),
        control: Arc::clone(&opened.control),
        keyring: Arc::clone(&opened.keyring),
        clock: Arc::clone(&opened.clock),
        metrics: parts.metrics.clone(),
        health,
        queries,
        desk,
        own: own.unwrap_or_default(),
        check_target: check_target(&parts.egress),
        check_filter: Arc::new(|filter| route::validate(filter).map_err(|error| error.to_string())),
        trusted_proxies: parts.config.receive.trusted_proxies.clone(),
        bootstrap_admin: admin,
        stop: stage.token(),
        build: env!("CARGO_PKG_VERSION").into(),
    });
    let app = console::beside(app, parts.config.console);
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
