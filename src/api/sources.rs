//! `/sources`: where webhooks come from.

mod body;

use super::auth::{Admin, Caller, Reader};
use super::change::{Changed, Given, GivenQuery};
use super::extract::{Json, Name, Query};
use super::paging::PageQuery;
use super::problem::Problem;
use super::{Api, Shared, check, secrets};
use crate::query::Paged;
use axum::extract::State;
use axum::http::StatusCode;
use body::{NewSource, NewSourceSecret, SourceBody, SourceView};
use hooklog_projections::configuration::Source;
use hooklog_schemas::control::{
    SecretOwner, SecretRotated, SourceChanged, SourceCreated, SourceDeleted, SourcePaused,
    SourceResumed, SourceSpec,
};
use hooklog_schemas::{EventId, SourceId};
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
}

/// Seconds for which older secrets stay valid unless it is said.
pub(super) const OVERLAP_SECS: u64 = 86_400;

/// Lists the sources by name.
#[utoipa::path(get, path = "/sources", tag = "source", responses((status = 200, body = Paged<SourceView>)))]
async fn list(
    _: Reader,
    State(api): State<Shared>,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Paged<SourceView>>, Problem> {
    let configuration = api.parts.control.current();
    let live = configuration
        .sources
        .values()
        .filter(|source| !source.deleted);
    let mut live: Vec<&Arc<Source>> = live.collect();
    live.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
    let rows = live.into_iter().map(|source| SourceView::from(&**source));
    query.cut(rows, |row| row.name.clone()).map(axum::Json)
}

/// Shows one source.
#[utoipa::path(get, path = "/sources/{name}", tag = "source", params(("name" = String, Path)),
    responses((status = 200, body = SourceView), (status = 404, body = Problem)))]
async fn show(
    _: Reader,
    State(api): State<Shared>,
    name: Name,
) -> Result<axum::Json<SourceView>, Problem> {
    Ok(axum::Json(SourceView::from(&*find(&api, &name.0)?)))
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
    Ok((StatusCode::CREATED, view(&api, id)?))
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
    let source = find(&api, &name.0)?;
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
    view(&api, source.id)
}

/// Pauses a source: it answers 503 until it is resumed, and GitHub keeps what it sends meanwhile
/// for redelivery by hand.
#[utoipa::path(post, path = "/sources/{name}/pause", tag = "source", params(("name" = String, Path)),
    responses((status = 200, body = SourceView)))]
async fn pause(
    Admin(caller): Admin,
    State(api): State<Shared>,
    name: Name,
    Json(given): Json<Given>,
) -> Result<axum::Json<SourceView>, Problem> {
    let (source, expected, by) = prepare(&api, &caller, &name, given)?;
    let id = source.id;
    api.submit(SourcePaused { id, expected, by }).await?;
    view(&api, id)
}

/// Resumes a source.
#[utoipa::path(post, path = "/sources/{name}/resume", tag = "source", params(("name" = String, Path)),
    responses((status = 200, body = SourceView)))]
async fn resume(
    Admin(caller): Admin,
    State(api): State<Shared>,
    name: Name,
    Json(given): Json<Given>,
) -> Result<axum::Json<SourceView>, Problem> {
    let (source, expected, by) = prepare(&api, &caller, &name, given)?;
    let id = source.id;
    api.submit(SourceResumed { id, expected, by }).await?;
    view(&api, id)
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
    let (source, expected, by) = prepare(&api, &caller, &name, given.into())?;
    let id = source.id;
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
    let source = find(&api, &name.0)?;
    let overlap = body.overlap_seconds.unwrap_or(OVERLAP_SECS);
    check::overlap(overlap)?;
    let by = caller.by(&api, check::reason(body.reason)?);
    secrets::check_count(&source.secrets, by.at)?;
    let newest = source.secrets.first();
    let bound = || newest.map_or_else(Vec::new, |secret| secret.organization_ids.clone());
    let organization_ids = body.organization_ids.unwrap_or_else(bound);
    let rotated = SecretRotated {
        owner: SecretOwner::Source(source.id),
        expected: body.expected.unwrap_or(source.version),
        secret: secrets::seal(&api, &body.secret, organization_ids)?,
        old_valid_until: by.at.plus(Duration::from_secs(overlap)),
        by,
    };
    api.submit(rotated).await?;
    view(&api, source.id)
}

fn prepare(
    api: &Api,
    caller: &Caller,
    name: &Name,
    given: Given,
) -> Result<(Arc<Source>, EventId, hooklog_schemas::control::By), Problem> {
    let source = find(api, &name.0)?;
    let by = caller.by(api, check::reason(given.reason)?);
    let expected = given.expected.unwrap_or(source.version);
    Ok((source, expected, by))
}

fn find(api: &Api, name: &str) -> Result<Arc<Source>, Problem> {
    let configuration = api.parts.control.current();
    let found = configuration.source(name).cloned();
    found.ok_or_else(|| Problem::not_found(format!("there is no source {name:?}")))
}

fn view(api: &Api, id: SourceId) -> Result<axum::Json<SourceView>, Problem> {
    let configuration = api.parts.control.current();
    let source = configuration.sources.get(&id);
    let source = source.ok_or_else(|| Problem::not_found("the source is gone"))?;
    Ok(axum::Json(SourceView::from(&**source)))
}
