//! `/sources`: where webhooks come from.

mod body;

use super::auth::{Admin, Reader};
use super::change::{Changed, Given, GivenQuery};
use super::extract::{Json, Name, Query};
use super::object::{self, find, find_any_in, find_in, prepare, switch};
use super::paging::PageQuery;
use super::problem::Problem;
use super::view::AsOfQuery;
use super::{Api, Shared, check, secrets};
use crate::query::{ChangeRow, Paged};
use axum::extract::State;
use axum::http::StatusCode;
pub(super) use body::SourceView;
use body::{NewSource, NewSourceSecret, SourceBody};
use hooklog_projections::configuration::Source;
use hooklog_schemas::SourceId;
use hooklog_schemas::control::{
    SecretOwner, SecretRotated, SourceChanged, SourceCreated, SourceDeleted, SourcePaused,
    SourceResumed, SourceSpec,
};
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

/// Seconds for which older secrets stay valid unless it is said.
pub(super) const OVERLAP_SECS: u64 = 86_400;

/// Lists the sources by name.
#[utoipa::path(get, path = "/sources", tag = "source", params(PageQuery),
    responses((status = 200, body = Paged<SourceView>)))]
async fn list(
    _: Reader,
    State(api): State<Shared>,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Paged<SourceView>>, Problem> {
    object::list::<Source>(&api, &query).await
}

/// Shows one source.
#[utoipa::path(get, path = "/sources/{name}", tag = "source",
    params(("name" = String, Path), AsOfQuery),
    responses((status = 200, body = SourceView), (status = 404, body = Problem)))]
async fn show(
    _: Reader,
    State(api): State<Shared>,
    name: Name,
    Query(query): Query<AsOfQuery>,
) -> Result<axum::Json<SourceView>, Problem> {
    let configuration = api
        .view(query.as_of.as_deref())
        .await?
        .configuration()
        .await?;
    let found = find_in::<Source>(&configuration, &name.0)?;
    Ok(axum::Json(SourceView::from(&*found)))
}

/// Creates a source.
#[utoipa::path(post, path = "/sources", tag = "source",
    responses((status = 201, body = SourceView), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn create(
    Admin(caller): Admin,
    State(api): State<Shared>,
    Json(body): Json<NewSource>,
) -> Result<(StatusCode, axum::Json<SourceView>), Problem> {
    check::name("name", &body.name)?;
    check::rate("rate_per_second", body.rate_per_second)?;
    let spec = SourceSpec {
        host: check::host(body.host.as_deref().unwrap_or("github.com"))?,
        allow: check::networks(&body.allow)?,
        rate_per_second: body.rate_per_second,
        name: body.name,
    };
    let reason = check::reason(body.reason)?;
    let warning = check::weak(&body.secret);
    let secret = secrets::seal(&api, &body.secret, body.organization_ids)?;
    let taken = || Problem::conflict(format!("there is a source {:?} already", spec.name));
    if api.parts.control.current().source(&spec.name).is_some() {
        return Err(taken());
    }
    let id = SourceId(Uuid::now_v7());
    let created = SourceCreated {
        id,
        spec: spec.clone(),
        secret,
        by: caller.by(&api, reason),
    };
    api.submit_new(created, taken).await?;
    Ok((StatusCode::CREATED, view(&api, id, warning)?))
}

/// Changes a source: the whole new description, but for its name and its secrets.
#[utoipa::path(put, path = "/sources/{name}", tag = "source", params(("name" = String, Path)),
    responses((status = 200, body = SourceView), (status = 409, body = Problem)))]
async fn replace(
    Admin(caller): Admin,
    State(api): State<Shared>,
    name: Name,
    Json(body): Json<SourceBody>,
) -> Result<axum::Json<SourceView>, Problem> {
    let source = find::<Source>(&api, &name.0)?;
    check::rate("rate_per_second", body.rate_per_second)?;
    let spec = SourceSpec {
        name: source.spec.name.clone(),
        host: check::host(&body.host)?,
        allow: check::networks(&body.allow)?,
        rate_per_second: body.rate_per_second,
    };
    let by = caller.by(&api, check::reason(body.reason)?);
    let changed = SourceChanged {
        id: source.id,
        expected: body.expected.unwrap_or(source.version),
        spec,
        by,
    };
    api.submit(changed).await?;
    view(&api, source.id, None)
}

/// Pauses a source, unless it is paused already: it answers 503 until it is resumed, and GitHub keeps what it sends meanwhile
/// for redelivery by hand.
#[utoipa::path(post, path = "/sources/{name}/pause", tag = "source", params(("name" = String, Path)),
    responses((status = 200, body = SourceView)))]
async fn pause(
    Admin(caller): Admin,
    State(api): State<Shared>,
    name: Name,
    Json(given): Json<Given>,
) -> Result<axum::Json<SourceView>, Problem> {
    let found = prepare::<Source>(&api, &caller, &name, given)?;
    let event = |id, expected, by| SourcePaused { id, expected, by }.into();
    switch(&api, found, true, event).await
}

/// Resumes a source, unless it is not paused.
#[utoipa::path(post, path = "/sources/{name}/resume", tag = "source", params(("name" = String, Path)),
    responses((status = 200, body = SourceView)))]
async fn resume(
    Admin(caller): Admin,
    State(api): State<Shared>,
    name: Name,
    Json(given): Json<Given>,
) -> Result<axum::Json<SourceView>, Problem> {
    let found = prepare::<Source>(&api, &caller, &name, given)?;
    let event = |id, expected, by| SourceResumed { id, expected, by }.into();
    switch(&api, found, false, event).await
}

/// Deletes a source: it answers 404. Its secrets stay in the log, so that old signatures can still
/// be verified.
#[utoipa::path(delete, path = "/sources/{name}", tag = "source", params(("name" = String, Path), GivenQuery),
    responses((status = 200, body = Changed)))]
async fn delete(
    Admin(caller): Admin,
    State(api): State<Shared>,
    name: Name,
    Query(given): Query<GivenQuery>,
) -> Result<axum::Json<Changed>, Problem> {
    let found = prepare::<Source>(&api, &caller, &name, given.into())?;
    let (id, expected, by) = (found.object.id, found.expected, found.by);
    let submitted = api.submit(SourceDeleted { id, expected, by }).await?;
    Ok(axum::Json(submitted.into()))
}

/// Gives a source a new secret; the older ones stay valid for an overlap.
#[utoipa::path(post, path = "/sources/{name}/secrets", tag = "source", params(("name" = String, Path)),
    responses((status = 200, body = SourceView)))]
async fn rotate(
    Admin(caller): Admin,
    State(api): State<Shared>,
    name: Name,
    Json(body): Json<NewSourceSecret>,
) -> Result<axum::Json<SourceView>, Problem> {
    let source = find::<Source>(&api, &name.0)?;
    let overlap = body.overlap_seconds.unwrap_or(OVERLAP_SECS);
    check::overlap(overlap)?;
    let by = caller.by(&api, check::reason(body.reason)?);
    secrets::check_count(&source.secrets, by.at)?;
    let newest = source.secrets.first();
    let bound = || newest.map_or_else(Vec::new, |secret| secret.organization_ids.clone());
    let organization_ids = body.organization_ids.unwrap_or_else(bound);
    let warning = check::weak(&body.secret);
    let rotated = SecretRotated {
        owner: SecretOwner::Source(source.id),
        expected: body.expected.unwrap_or(source.version),
        secret: secrets::seal(&api, &body.secret, organization_ids)?,
        old_valid_until: by.at.plus(Duration::from_secs(overlap)),
        by,
    };
    api.submit(rotated).await?;
    view(&api, source.id, warning)
}

/// Lists what was done to a source, the latest first. A deleted one is found by its id.
#[utoipa::path(get, path = "/sources/{name}/history", tag = "source",
    params(("name" = String, Path), PageQuery), responses((status = 200, body = Paged<ChangeRow>)))]
async fn history(
    _: Reader,
    State(api): State<Shared>,
    name: Name,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Paged<ChangeRow>>, Problem> {
    let view = api.fresh_view(query.as_of.as_deref()).await?;
    let id = find_any_in::<Source>(&*view.configuration().await?, &name.0)?.id;
    let rows = view.queries.source_history(id, &query.page()?).await?;
    Ok(axum::Json(rows))
}

fn view(
    api: &Api,
    id: SourceId,
    warning: Option<String>,
) -> Result<axum::Json<SourceView>, Problem> {
    let configuration = api.parts.control.current();
    let source = configuration.sources.get(&id);
    let source = source.ok_or_else(|| Problem::not_found("the source is gone"))?;
    let mut view = SourceView::from(&**source);
    view.warning = warning;
    Ok(axum::Json(view))
}
