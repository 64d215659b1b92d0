//! `/subscriptions`: who wants what, and where it goes.

mod body;

use super::auth::{Operator, Reader};
use super::change::{Changed, Given, GivenQuery};
use super::extract::{Json, Name, Query};
use super::object::{self, find_any_in, find_in, prepare, switch};
use super::paging::PageQuery;
use super::problem::Problem;
use super::sources::OVERLAP_SECS;
use super::view::AsOfQuery;
use super::{Api, Shared, check, secrets};
use crate::query::{ChangeRow, Changeable, Paged};
use axum::extract::State;
use axum::http::StatusCode;
pub(super) use body::SubscriptionView;
use body::{DeleteQuery, Deleted, NewSubscription, NewSubscriptionSecret, SubscriptionBody};
use hooklog_projections::configuration::Subscription;
use hooklog_schemas::SubscriptionId;
use hooklog_schemas::control::{
    Scope, SecretOwner, SecretRotated, SubscriptionChanged, SubscriptionCreated,
    SubscriptionDeleted, SubscriptionPaused, SubscriptionResumed, SubscriptionSpec,
};
use std::sync::Arc;
use std::time::Duration;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, replace, delete))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(rotate))
        .routes(routes!(history))
}

/// Lists the subscriptions by name.
#[utoipa::path(get, path = "/subscriptions", tag = "subscription", params(PageQuery),
    responses((status = 200, body = Paged<SubscriptionView>)))]
async fn list(
    _: Reader,
    State(api): State<Shared>,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Paged<SubscriptionView>>, Problem> {
    object::list::<Subscription>(&api, &query).await
}

/// Shows one subscription, by its name or its id.
#[utoipa::path(get, path = "/subscriptions/{name}", tag = "subscription",
    params(("name" = String, Path), AsOfQuery),
    responses((status = 200, body = SubscriptionView), (status = 404, body = Problem)))]
async fn show(
    _: Reader,
    State(api): State<Shared>,
    name: Name,
    Query(query): Query<AsOfQuery>,
) -> Result<axum::Json<SubscriptionView>, Problem> {
    let configuration = api
        .view(query.as_of.as_deref())
        .await?
        .configuration()
        .await?;
    let found = find_in::<Subscription>(&configuration, &name.0)?;
    Ok(axum::Json(SubscriptionView::from(&*found)))
}

/// Creates a subscription. A secret is made unless one is given, and shown this once.
#[utoipa::path(post, path = "/subscriptions", tag = "subscription",
    responses((status = 201, body = SubscriptionView), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn create(
    Operator(caller): Operator,
    State(api): State<Shared>,
    Json(body): Json<NewSubscription>,
) -> Result<(StatusCode, axum::Json<SubscriptionView>), Problem> {
    check::name("name", &body.name)?;
    let spec = SubscriptionSpec {
        name: body.name,
        team: body.team.unwrap_or_else(|| "default".to_owned()),
        filter: body.filter,
        to: body.to,
        sign: body.sign,
        policy: body.policy,
    };
    check_spec(&api, &spec).await?;
    let reason = check::reason(body.reason)?;
    let (secret, made) = secrets::for_subscription(body.secret, spec.sign)?;
    let seal = |secret: &secrets::SecretText| secrets::seal(&api, secret, Vec::new());
    let secret = secret.as_ref().map(seal).transpose()?;
    let taken = || Problem::conflict(format!("there is a subscription {:?} already", spec.name));
    let named = api.parts.control.current();
    if named
        .subscriptions
        .values()
        .any(|one| !one.deleted && one.spec.name == spec.name)
    {
        return Err(taken());
    }
    let id = SubscriptionId(Uuid::now_v7());
    let created = SubscriptionCreated {
        id,
        spec: spec.clone(),
        secret,
        by: caller.by(&api, reason),
    };
    api.submit_new(created, taken).await?;
    Ok((StatusCode::CREATED, view(&api, id, made)?))
}

/// Changes a subscription: the whole new description, but for its name and its secrets.
#[utoipa::path(put, path = "/subscriptions/{name}", tag = "subscription", params(("name" = String, Path)),
    responses((status = 200, body = SubscriptionView), (status = 409, body = Problem)))]
async fn replace(
    Operator(caller): Operator,
    State(api): State<Shared>,
    name: Name,
    Json(body): Json<SubscriptionBody>,
) -> Result<axum::Json<SubscriptionView>, Problem> {
    let subscription = find(&api, &name.0)?;
    let spec = SubscriptionSpec {
        name: subscription.spec.name.clone(),
        team: body.team,
        filter: body.filter,
        to: body.to,
        sign: body.sign,
        policy: body.policy,
    };
    check_spec(&api, &spec).await?;
    secrets::check_fits(&api, &subscription.secrets, spec.sign)?;
    let changed = SubscriptionChanged {
        id: subscription.id,
        expected: body.expected.unwrap_or(subscription.version),
        spec,
        by: caller.by(&api, check::reason(body.reason)?),
    };
    api.submit(changed).await?;
    view(&api, subscription.id, None)
}

/// Pauses a subscription, unless it is paused already: its deliveries wait until it is resumed.
#[utoipa::path(post, path = "/subscriptions/{name}/pause", tag = "subscription", params(("name" = String, Path)),
    responses((status = 200, body = SubscriptionView)))]
async fn pause(
    Operator(caller): Operator,
    State(api): State<Shared>,
    name: Name,
    Json(given): Json<Given>,
) -> Result<axum::Json<SubscriptionView>, Problem> {
    let found = prepare::<Subscription>(&api, &caller, &name, given)?;
    let event = |id, expected, by| SubscriptionPaused { id, expected, by }.into();
    switch(&api, found, true, event).await
}

/// Resumes a subscription, unless it is not paused.
#[utoipa::path(post, path = "/subscriptions/{name}/resume", tag = "subscription", params(("name" = String, Path)),
    responses((status = 200, body = SubscriptionView)))]
async fn resume(
    Operator(caller): Operator,
    State(api): State<Shared>,
    name: Name,
    Json(given): Json<Given>,
) -> Result<axum::Json<SubscriptionView>, Problem> {
    let found = prepare::<Subscription>(&api, &caller, &name, given)?;
    let event = |id, expected, by| SubscriptionResumed { id, expected, by }.into();
    switch(&api, found, false, event).await
}

/// Deletes a subscription and cancels its open deliveries; with `dry_run`, counts them only.
#[utoipa::path(delete, path = "/subscriptions/{name}", tag = "subscription",
    params(("name" = String, Path), DeleteQuery), responses((status = 200, body = Deleted)))]
async fn delete(
    Operator(caller): Operator,
    State(api): State<Shared>,
    name: Name,
    Query(query): Query<DeleteQuery>,
) -> Result<axum::Json<Deleted>, Problem> {
    let given = GivenQuery {
        expected: query.expected,
        reason: query.reason,
    };
    let found = prepare::<Subscription>(&api, &caller, &name, given.into())?;
    let (id, expected, by) = (found.object.id, found.expected, found.by);
    let scope = Scope {
        subscription: Some(id),
        ..Scope::default()
    };
    let dry_run = query.dry_run.unwrap_or(false);
    let counted = api
        .parts
        .queries
        .count_in_scope(&scope, Changeable::Open, &[])
        .await;
    // A deletion needs no tables; a dry run is nothing but the count.
    let count = if dry_run {
        Some(counted?)
    } else {
        counted.ok()
    };
    if dry_run {
        let changed = None;
        return Ok(axum::Json(Deleted { count, changed }));
    }
    let submitted = api.submit(SubscriptionDeleted { id, expected, by }).await?;
    let changed = Some(Changed::from(submitted));
    Ok(axum::Json(Deleted { count, changed }))
}

/// Gives a subscription a new secret, made unless given, and shown this once. The older ones also
/// sign (`standard`), or stay known (`github`), for an overlap.
#[utoipa::path(post, path = "/subscriptions/{name}/secrets", tag = "subscription", params(("name" = String, Path)),
    responses((status = 200, body = SubscriptionView)))]
async fn rotate(
    Operator(caller): Operator,
    State(api): State<Shared>,
    name: Name,
    Json(body): Json<NewSubscriptionSecret>,
) -> Result<axum::Json<SubscriptionView>, Problem> {
    let subscription = find(&api, &name.0)?;
    let overlap = body.overlap_seconds.unwrap_or(OVERLAP_SECS);
    check::overlap(overlap)?;
    let by = caller.by(&api, check::reason(body.reason)?);
    secrets::check_count(&subscription.secrets, by.at)?;
    let sign = subscription.spec.sign;
    let (secret, made) = secrets::for_subscription(body.secret, sign)?;
    let none = || Problem::bad_value("it does not sign (`sign` is `none`), so it has no secret");
    let secret = secrets::seal(&api, &secret.ok_or_else(none)?, Vec::new())?;
    let rotated = SecretRotated {
        owner: SecretOwner::Subscription(subscription.id),
        expected: body.expected.unwrap_or(subscription.version),
        secret,
        old_valid_until: by.at.plus(Duration::from_secs(overlap)),
        by,
    };
    api.submit(rotated).await?;
    view(&api, subscription.id, made)
}

/// Lists what was done to a subscription, the latest first. A deleted one is found by its id.
#[utoipa::path(get, path = "/subscriptions/{name}/history", tag = "subscription",
    params(("name" = String, Path), PageQuery), responses((status = 200, body = Paged<ChangeRow>)))]
async fn history(
    _: Reader,
    State(api): State<Shared>,
    name: Name,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Paged<ChangeRow>>, Problem> {
    let view = api.fresh_view(query.as_of.as_deref()).await?;
    let id = find_any_in::<Subscription>(&*view.configuration().await?, &name.0)?.id;
    let page = query.page()?;
    let rows = view.queries.subscription_history(id, &page).await?;
    Ok(axum::Json(rows))
}

pub(super) async fn check_spec(api: &Api, spec: &SubscriptionSpec) -> Result<(), Problem> {
    check::name("team", &spec.team)?;
    check::policy(&spec.policy, spec.sign)?;
    let filter = (api.parts.check_filter)(&spec.filter);
    filter.map_err(|reason| Problem::bad_value(format!("`filter` is wrong: {reason}")))?;
    check::no_password(&spec.to)?;
    let target = (api.parts.check_target)(&spec.to).await;
    target.map_err(|reason| check::wrong("to", &spec.to, &reason))
}

/// The subscription with this name or id.
fn find(api: &Api, name: &str) -> Result<Arc<Subscription>, Problem> {
    object::find(api, name)
}

/// Likewise; a deleted one too, by its id, or by its name where no other has it now.
pub(super) fn find_any(api: &Api, name: &str) -> Result<Arc<Subscription>, Problem> {
    object::find_any(api, name)
}

fn view(
    api: &Api,
    id: SubscriptionId,
    made: Option<String>,
) -> Result<axum::Json<SubscriptionView>, Problem> {
    let configuration = api.parts.control.current();
    let subscription = configuration.subscriptions.get(&id);
    let subscription =
        subscription.ok_or_else(|| Problem::not_found("the subscription is gone"))?;
    let mut view = SubscriptionView::from(&**subscription);
    view.secret = made;
    Ok(axum::Json(view))
}
