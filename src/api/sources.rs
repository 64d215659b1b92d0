//! `/sources`: where webhooks come from.

use super::auth::{Admin, Caller, Reader};
use super::change::{Changed, Given, GivenQuery};
use super::extract::{Json, Name, Query};
use super::paging::PageQuery;
use super::problem::Problem;
use super::secrets::{self, SecretText, SecretView};
use super::{Api, Shared, check};
use crate::query::Paged;
use axum::extract::State;
use axum::http::StatusCode;
use hooklog_projections::configuration::Source;
use hooklog_schemas::control::{
    SecretOwner, SecretRotated, SourceChanged, SourceCreated, SourceDeleted, SourcePaused,
    SourceResumed, SourceSpec,
};
use hooklog_schemas::{EventId, SourceId, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;
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

/// A source as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SourceView {
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    id: SourceId,
    /// Stands in the URL: `/webhooks/{name}`.
    name: String,
    /// The host.
    host: String,
    /// Networks that may send; empty means any.
    allow: Vec<String>,
    /// Webhooks a second; none means no limit.
    rate_per_second: Option<u32>,
    /// It answers 503.
    paused: bool,
    /// The last event that changed it.
    #[schema(value_type = String, format = "uuid")]
    version: EventId,
    /// When it was created.
    #[schema(value_type = i64)]
    created_at: Timestamp,
    /// Its secrets, newest first, without their values.
    secrets: Vec<SecretView>,
}

impl From<&Source> for SourceView {
    fn from(source: &Source) -> Self {
        Self {
            id: source.id,
            name: source.spec.name.clone(),
            host: source.spec.host.clone(),
            allow: source.spec.allow.clone(),
            rate_per_second: source.spec.rate_per_second,
            paused: source.paused,
            version: source.version,
            created_at: source.created_at,
            secrets: secrets::views(&source.secrets),
        }
    }
}

/// A new source.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSource {
    /// `[a-z0-9][a-z0-9-]{0,62}`.
    name: String,
    /// `github.com` if not given.
    host: Option<String>,
    /// What GitHub signs with.
    secret: SecretText,
    /// Networks that may send; none means any.
    #[serde(default)]
    allow: Vec<String>,
    /// Webhooks a second.
    rate_per_second: Option<u32>,
    /// The organisations that the secret may speak for; none means any.
    #[serde(default)]
    organization_ids: Vec<i64>,
    /// Why.
    reason: Option<String>,
}

/// The whole new description of a source.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceBody {
    /// The host.
    host: String,
    /// Networks that may send; empty means any.
    allow: Vec<String>,
    /// Webhooks a second; none means no limit.
    rate_per_second: Option<u32>,
    /// The version that the change is based on; the present one if not given.
    #[schema(value_type = Option<String>, format = "uuid")]
    expected: Option<EventId>,
    /// Why.
    reason: Option<String>,
}

/// A new secret of a source.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSourceSecret {
    /// What GitHub will sign with.
    secret: SecretText,
    /// The organisations that it may speak for; those of the newest secret if not given.
    organization_ids: Option<Vec<i64>>,
    /// How long the older secrets stay valid; a day if not given.
    overlap_seconds: Option<u64>,
    /// The version that the change is based on; the present one if not given.
    #[schema(value_type = Option<String>, format = "uuid")]
    expected: Option<EventId>,
    /// Why.
    reason: Option<String>,
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
