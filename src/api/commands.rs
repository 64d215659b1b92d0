//! Commands over many deliveries: redrive, cancel, pause, resume. Each has a scope that is said.

use super::auth::{Caller, Operator};
use super::change::Changed;
use super::extract::Json;
use super::filters::range;
use super::problem::Problem;
use super::subscriptions::find_any;
use super::timeline::CATCH_UP;
use super::{Api, Shared, check};
use crate::query::Changeable;
use axum::extract::State;
use hooklog_projections::configuration::Configuration;
use hooklog_schemas::control::{
    CancelRequested, DeliveriesPaused, DeliveriesResumed, RedriveRequested, Scope,
};
use hooklog_schemas::{DeliveryId, Event, EventId, Offset, SubscriptionId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(redrive))
        .routes(routes!(cancel))
        .routes(routes!(pause))
        .routes(routes!(resume))
}

/// A command over the deliveries in a scope.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommandBody {
    /// Which deliveries.
    scope: ScopeBody,
    /// Only count.
    #[serde(default)]
    dry_run: bool,
    /// Why.
    reason: Option<String>,
}

/// Which deliveries a command is about. All given clauses must hold.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ScopeBody {
    /// These, at most 1,000.
    #[schema(value_type = Vec<String>)]
    deliveries: Vec<DeliveryId>,
    /// Those of this subscription, by name or id.
    subscription: Option<String>,
    /// Those received at or after (RFC 3339).
    from: Option<String>,
    /// Those received before (RFC 3339).
    to: Option<String>,
    /// Everything; must be said when nothing else is.
    all: bool,
}

/// What a command does, or would do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Commanded {
    /// How many it is about at this time, as far as the tables know; none if they are away.
    pub(super) count: Option<u64>,
    /// The command's event; absent after a dry run, and where there was nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid")]
    pub(super) command: Option<EventId>,
    /// Its offset in `control`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub(super) offset: Option<Offset>,
}

/// All deliveries.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllBody {
    /// Must be said, and be true.
    all: bool,
    /// Why.
    reason: Option<String>,
}

/// Asks for dead letters to be tried again, from attempt 1. Where there are none, nothing is appended.
#[utoipa::path(post, path = "/dead-letters/redrive", tag = "delivery",
    responses((status = 200, body = Commanded), (status = 422, body = Problem)))]
async fn redrive(
    Operator(caller): Operator,
    State(api): State<Shared>,
    Json(body): Json<CommandBody>,
) -> Result<axum::Json<Commanded>, Problem> {
    let event = |scope, by| RedriveRequested { scope, by }.into();
    command(&api, &caller, body, Changeable::Dead, event).await
}

/// Asks for open deliveries to be cancelled. Where there are none, nothing is appended.
#[utoipa::path(post, path = "/deliveries/cancel", tag = "delivery",
    responses((status = 200, body = Commanded), (status = 422, body = Problem)))]
async fn cancel(
    Operator(caller): Operator,
    State(api): State<Shared>,
    Json(body): Json<CommandBody>,
) -> Result<axum::Json<Commanded>, Problem> {
    let event = |scope, by| CancelRequested { scope, by }.into();
    command(&api, &caller, body, Changeable::Open, event).await
}

/// Holds all deliveries back: no attempt starts until they are resumed.
#[utoipa::path(post, path = "/deliveries/pause", tag = "delivery",
    responses((status = 200, body = Changed), (status = 422, body = Problem)))]
async fn pause(
    Operator(caller): Operator,
    State(api): State<Shared>,
    Json(body): Json<AllBody>,
) -> Result<axum::Json<Changed>, Problem> {
    let by = caller.by(&api, all(body)?);
    switch(&api, true, DeliveriesPaused { by }).await
}

/// Lets deliveries go on.
#[utoipa::path(post, path = "/deliveries/resume", tag = "delivery",
    responses((status = 200, body = Changed), (status = 422, body = Problem)))]
async fn resume(
    Operator(caller): Operator,
    State(api): State<Shared>,
    Json(body): Json<AllBody>,
) -> Result<axum::Json<Changed>, Problem> {
    let by = caller.by(&api, all(body)?);
    switch(&api, false, DeliveriesResumed { by }).await
}

/// What is so already stays as it is, and nothing is appended.
async fn switch(
    api: &Api,
    paused: bool,
    event: impl Into<Event>,
) -> Result<axum::Json<Changed>, Problem> {
    if api.parts.control.current().deliveries_paused == paused {
        return Ok(axum::Json(Changed::default()));
    }
    Ok(axum::Json(api.submit(event).await?.into()))
}

async fn command(
    api: &Api,
    caller: &Caller,
    body: CommandBody,
    what: Changeable,
    event: impl FnOnce(Scope, hooklog_schemas::control::By) -> Event,
) -> Result<axum::Json<Commanded>, Problem> {
    let scope = read(api, body.scope)?;
    let reason = check::reason(body.reason)?;
    // What has just died, or was just commanded, is to be counted too.
    let current = api.catch_up(CATCH_UP).await.unwrap_or(false);
    let gone = gone(&api.parts.control.current());
    let counted = api.parts.queries.count_in_scope(&scope, what, &gone).await;
    if body.dry_run || (current && matches!(counted, Ok(0))) {
        return Ok(axum::Json(Commanded {
            count: Some(counted?),
            command: None,
            offset: None,
        }));
    }
    // The log decides what a command is about, so it needs no tables.
    let submitted = api.submit(event(scope, caller.by(api, reason))).await?;
    Ok(axum::Json(Commanded {
        count: counted.ok(),
        command: Some(submitted.event),
        offset: Some(submitted.offset),
    }))
}

/// Nothing is tried again for subscriptions that were deleted.
fn gone(configuration: &Configuration) -> Vec<SubscriptionId> {
    let all = configuration.subscriptions.values();
    let gone = all.filter(|subscription| subscription.deleted);
    gone.map(|subscription| subscription.id).collect()
}

fn all(body: AllBody) -> Result<Option<String>, Problem> {
    if body.all {
        return check::reason(body.reason);
    }
    let detail = "`all` must be true; to pause one subscription, use /subscriptions/{name}/pause";
    Err(Problem::bad_value(detail))
}

fn read(api: &Api, body: ScopeBody) -> Result<Scope, Problem> {
    check::bounded("scope.deliveries", body.deliveries.len())?;
    let (from, to) = range(body.from.as_deref(), body.to.as_deref())?;
    let subscription = body.subscription.as_deref();
    let subscription = subscription.map(|name| find_any(api, name)).transpose()?;
    let scope = Scope {
        deliveries: body.deliveries,
        subscription: subscription.map(|subscription| subscription.id),
        from,
        to,
        all: body.all,
    };
    let nothing = Scope {
        all: scope.all,
        ..Scope::default()
    };
    match (scope.all, scope == nothing) {
        (false, true) => Err(Problem::bad_value(
            "`scope` is empty; name deliveries, a subscription or a range, or say `all`",
        )),
        (true, false) => Err(Problem::bad_value(
            "`scope` says `all` beside other clauses; say one or the others",
        )),
        _ => Ok(scope),
    }
}
