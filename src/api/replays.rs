//! `/replays`: history that is delivered again, on the record.

mod body;
mod count;

use super::auth::{Caller, Operator, Reader};
use super::change::{Changed, Given};
use super::extract::{Json, Name, Query};
use super::paging::PageQuery;
use super::problem::Problem;
use super::view::AsOfQuery;
use super::{Api, Shared, check};
use crate::query::{ChangeRow, Page, Paged, ReplayRow};
use crate::replay;
use axum::extract::State;
use body::ReplayBody;
use count::Counted;
use hooklog_projections::configuration::{Configuration, Replay};
use hooklog_schemas::control::{
    By, ReplayCancelled, ReplayPaused, ReplayRequested, ReplayResumed, ReplaySpec,
};
use hooklog_schemas::{Event, EventId, Offset, ReplayId};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// Replays that have not finished at the most.
const UNFINISHED_MAX: usize = 16;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show))
        .routes(routes!(history))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(cancel))
}

/// A replay that was asked for, or what it would do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Asked {
    /// What it would deliver, as far as it was counted; none unless that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    counted: Option<Counted>,
    /// Its id; none after a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid")]
    replay: Option<ReplayId>,
    /// Its offset in `control`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    offset: Option<Offset>,
}

/// Lists replays, the latest first.
#[utoipa::path(get, path = "/replays", tag = "replay", params(PageQuery),
    responses((status = 200, body = Paged<ReplayRow>), (status = 503, body = Problem)))]
async fn list(
    _: Reader,
    State(api): State<Shared>,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Paged<ReplayRow>>, Problem> {
    let page = query.page()?;
    let view = api.fresh_view(query.as_of.as_deref()).await?;
    Ok(axum::Json(view.queries.replays(&page).await?))
}

/// Shows one replay and how far it has come.
#[utoipa::path(get, path = "/replays/{id}", tag = "replay", params(("id" = String, Path), AsOfQuery),
    responses((status = 200, body = ReplayRow), (status = 404, body = Problem), (status = 503, body = Problem)))]
async fn show(
    _: Reader,
    State(api): State<Shared>,
    name: Name,
    Query(query): Query<AsOfQuery>,
) -> Result<axum::Json<ReplayRow>, Problem> {
    let id: ReplayId = name.id("replay")?;
    let view = api.fresh_view(query.as_of.as_deref()).await?;
    let found = view.queries.replay(id).await?;
    found
        .map(axum::Json)
        .ok_or_else(|| missing(id, &view.then()))
}

/// Lists who asked for a replay, paused, resumed or cancelled it; the latest first.
#[utoipa::path(get, path = "/replays/{id}/history", tag = "replay",
    params(("id" = String, Path), PageQuery), responses((status = 200, body = Paged<ChangeRow>)))]
async fn history(
    _: Reader,
    State(api): State<Shared>,
    name: Name,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Paged<ChangeRow>>, Problem> {
    let page = query.page()?;
    let view = api.fresh_view(query.as_of.as_deref()).await?;
    let id = find_in(&*view.configuration().await?, &name, &view.then())?.id;
    Ok(axum::Json(view.queries.replay_history(id, &page).await?))
}

/// Asks for history to be delivered again; with `dry_run`, counts what that would be and lists some of
/// it. What was delivered stays as it is: these are deliveries of their own.
#[utoipa::path(post, path = "/replays", tag = "replay",
    responses((status = 200, body = Asked), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn create(
    Operator(caller): Operator,
    State(api): State<Shared>,
    Json(body): Json<ReplayBody>,
) -> Result<axum::Json<Asked>, Problem> {
    let reason = check::reason(body.reason.clone())?;
    if reason.is_none() && !body.dry_run {
        return Err(Problem::bad_value(
            "`reason` must be given: a replay is on the record, and so is why",
        ));
    }
    let by = caller.by(&api, reason);
    let id = ReplayId(Uuid::now_v7());
    let spec = body.spec(&api).await?;
    if body.dry_run {
        let replay = planned(&api, id, spec, by);
        let counted = count::count(&api, replay, body.listed()?).await?;
        return Ok(axum::Json(Asked {
            counted: Some(counted),
            replay: None,
            offset: None,
        }));
    }
    ensure_room(&api).await?;
    let submitted = api.submit(ReplayRequested { id, spec, by }).await?;
    Ok(axum::Json(Asked {
        counted: None,
        replay: Some(id),
        offset: Some(submitted.offset),
    }))
}

/// Holds a replay back: nothing of it is decided or tried until it is resumed.
#[utoipa::path(post, path = "/replays/{id}/pause", tag = "replay", params(("id" = String, Path)),
    responses((status = 200, body = Changed), (status = 409, body = Problem)))]
async fn pause(
    Operator(caller): Operator,
    State(api): State<Shared>,
    name: Name,
    Json(given): Json<Given>,
) -> Result<axum::Json<Changed>, Problem> {
    let event = |id, expected, by| ReplayPaused { id, expected, by }.into();
    switch(&api, &caller, &name, given, |replay| replay.paused, event).await
}

/// Lets a replay go on.
#[utoipa::path(post, path = "/replays/{id}/resume", tag = "replay", params(("id" = String, Path)),
    responses((status = 200, body = Changed), (status = 409, body = Problem)))]
async fn resume(
    Operator(caller): Operator,
    State(api): State<Shared>,
    name: Name,
    Json(given): Json<Given>,
) -> Result<axum::Json<Changed>, Problem> {
    let event = |id, expected, by| ReplayResumed { id, expected, by }.into();
    switch(&api, &caller, &name, given, |replay| !replay.paused, event).await
}

/// Gives a replay up: nothing more of it is decided, and its open deliveries are cancelled.
#[utoipa::path(post, path = "/replays/{id}/cancel", tag = "replay", params(("id" = String, Path)),
    responses((status = 200, body = Changed), (status = 409, body = Problem)))]
async fn cancel(
    Operator(caller): Operator,
    State(api): State<Shared>,
    name: Name,
    Json(given): Json<Given>,
) -> Result<axum::Json<Changed>, Problem> {
    let event = |id, expected, by| ReplayCancelled { id, expected, by }.into();
    switch(&api, &caller, &name, given, |_| false, event).await
}

/// What is so already stays as it is, and nothing is appended; one that has come to its end stays what
/// it is.
async fn switch(
    api: &Api,
    caller: &Caller,
    name: &Name,
    given: Given,
    is_so: impl Fn(&Replay) -> bool,
    event: impl FnOnce(ReplayId, EventId, By) -> Event,
) -> Result<axum::Json<Changed>, Problem> {
    let replay = find_in(&api.parts.control.current(), name, "")?;
    let reason = check::reason(given.reason)?;
    let id = replay.id;
    if replay.cancelled {
        return Err(Problem::conflict(format!("the replay {id} is cancelled")));
    }
    if is_so(&replay) {
        return Ok(axum::Json(Changed::default()));
    }
    // Without tables nobody knows: then the event is recorded, and changes nothing.
    if let Ok(Some(row)) = api.parts.queries.replay(id).await
        && row.finished_at.is_some()
        && row.open == 0
    {
        let detail = format!("the replay {id} has finished, and none of its deliveries is open");
        return Err(Problem::conflict(detail));
    }
    let expected = given.expected.unwrap_or(replay.version);
    let event = event(id, expected, caller.by(api, reason));
    Ok(axum::Json(api.submit(event).await?.into()))
}

/// `then` says of which time the configuration is.
fn find_in(configuration: &Configuration, name: &Name, then: &str) -> Result<Arc<Replay>, Problem> {
    let id: ReplayId = name.id("replay")?;
    let found = configuration.replays.get(&id).cloned();
    found.ok_or_else(|| missing(id, then))
}

fn missing(id: ReplayId, then: &str) -> Problem {
    Problem::not_found(format!("there is no replay {id}{then}"))
}

/// The replay as it would be if it were asked for now.
fn planned(api: &Api, id: ReplayId, spec: ReplaySpec, by: By) -> Replay {
    Replay {
        id,
        version: EventId(Uuid::nil()),
        offset: api.parts.control.current().next,
        spec,
        by,
        paused: false,
        cancelled: false,
    }
}

/// Every replay takes its share of each turn of the workers, so there cannot be any number of them.
/// While the tables are away nobody counts.
async fn ensure_room(api: &Api) -> Result<(), Problem> {
    let latest = Page {
        limit: Page::LIMIT_MAX,
        cursor: None,
    };
    let Ok(page) = api.parts.queries.replays(&latest).await else {
        return Ok(());
    };
    let goes_on = |row: &&ReplayRow| row.finished_at.is_none() && row.state != "cancelled";
    if page.items.iter().filter(goes_on).count() < UNFINISHED_MAX {
        return Ok(());
    }
    Err(Problem::conflict(format!(
        "there are {UNFINISHED_MAX} replays that have not finished; wait for one, or cancel one"
    )))
}

impl From<replay::ReplayError> for Problem {
    fn from(error: replay::ReplayError) -> Self {
        match error {
            replay::ReplayError::Read(error) => error.into(),
            replay::ReplayError::Decode(error) => Self::unavailable(error.to_string()),
        }
    }
}
