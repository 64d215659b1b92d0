//! `/projections`: the sets of tables, and work on them while the server runs.

use super::auth::{Admin, Reader};
use super::extract::{Json, Name};
use super::problem::Problem;
use super::{Api, Shared};
use crate::project::own::OwnDeskError;
use crate::project::told::Tables;
use crate::project::{Desk, DeskError, Job, ProjectError, RebuildError, StoreError};
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(rebuild))
        .routes(routes!(switch))
        .routes(routes!(stop))
        .routes(routes!(drop_set))
}

/// What to rebuild.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RebuildBody {
    /// The projections, by name, and those that their folds read; all of hooklog's if not given. Or
    /// only such of the operator's own.
    #[serde(default)]
    names: Vec<String>,
    /// Begin anew, whatever an earlier run left.
    #[serde(default)]
    restart: bool,
    /// Do not compare the new tables with the old ones.
    #[serde(default)]
    no_compare: bool,
}

/// What to switch back to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SwitchBody {
    /// A set that is kept; the one that was replaced last if not given.
    set: Option<String>,
}

/// Lists the sets of tables: the live one, what is being built, and what was replaced and is kept;
/// and how far the work on them is.
#[utoipa::path(get, path = "/projections", tag = "server",
    responses((status = 200, body = Tables), (status = 409, body = Problem), (status = 503, body = Problem)))]
async fn show(_: Reader, State(api): State<Shared>) -> Result<axum::Json<Tables>, Problem> {
    let desk = desk(&api)?;
    let listing = desk.listing().await?;
    let mut tables = Tables::of(&listing).with(desk.state());
    tables.own = api.parts.own.statuses();
    let beside = listing.sets.iter().map(|set| &set.stored);
    for (told, stored) in tables
        .items
        .iter_mut()
        .zip(listing.live.iter().chain(beside))
    {
        told.lag = Some(desk.lag(&stored.checkpoint).await?);
    }
    Ok(axum::Json(tables))
}

/// Begins to fold the log into new tables beside those that answer, or goes on where an earlier run
/// was stopped; then switches to them. `GET /projections` tells how far it is.
#[utoipa::path(post, path = "/projections/rebuild", tag = "server",
    responses((status = 202), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn rebuild(
    _: Admin,
    State(api): State<Shared>,
    Json(body): Json<RebuildBody>,
) -> Result<StatusCode, Problem> {
    let desk = desk(&api)?;
    if let Some(own) = own_names(&api, &body.names)? {
        own.iter()
            .try_for_each(|name| api.parts.own.rebuild(name))?;
        return Ok(StatusCode::ACCEPTED);
    }
    desk.order(Job::Rebuild {
        names: body.names,
        restart: body.restart,
        unseen: body.no_compare,
    })?;
    Ok(StatusCode::ACCEPTED)
}

/// Begins to bring tables that were replaced to where the live ones are, then switches back to them.
#[utoipa::path(post, path = "/projections/switch", tag = "server",
    responses((status = 202), (status = 409, body = Problem)))]
async fn switch(
    _: Admin,
    State(api): State<Shared>,
    Json(body): Json<SwitchBody>,
) -> Result<StatusCode, Problem> {
    desk(&api)?.order(Job::SwitchBack { set: body.set })?;
    Ok(StatusCode::ACCEPTED)
}

/// Stops the rebuild that is under way. What is done stays: the next one goes on from there.
#[utoipa::path(post, path = "/projections/stop", tag = "server",
    responses((status = 202), (status = 409, body = Problem)))]
async fn stop(_: Admin, State(api): State<Shared>) -> Result<StatusCode, Problem> {
    match desk(&api)?.halt() {
        true => Ok(StatusCode::ACCEPTED),
        false => Err(Problem::conflict("no rebuild and no switch is under way")),
    }
}

/// Drops a set that is kept, or a build that was given up; or what is kept of a projection of the
/// operator's own, as `team_days.v1`.
#[utoipa::path(delete, path = "/projections/sets/{set}", tag = "server", params(("set" = String, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn drop_set(
    _: Admin,
    State(api): State<Shared>,
    Name(set): Name,
) -> Result<StatusCode, Problem> {
    match own_set(&set) {
        Some((name, version)) => api.parts.own.drop_kept(name, version).await?,
        None => desk(&api)?.drop_set(&set).await?,
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The names, if all are those of projections of the operator's own.
fn own_names<'a>(api: &Api, names: &'a [String]) -> Result<Option<&'a [String]>, Problem> {
    let own = names.iter().filter(|name| api.parts.own.has(name)).count();
    match own {
        0 => Ok(None),
        _ if own == names.len() => Ok(Some(names)),
        _ => Err(Problem::bad_value(
            "hooklog's projections and those of your own are rebuilt apart: name either",
        )),
    }
}

/// What is kept of a projection of the operator's own is named by its version: `team_days.v1`.
fn own_set(set: &str) -> Option<(&str, u32)> {
    let (name, version) = set.split_once(".v")?;
    Some((name, version.parse().ok()?))
}

fn desk(api: &Api) -> Result<&Desk, Problem> {
    api.parts.desk.as_ref().ok_or_else(|| {
        Problem::conflict(
            "this process has not the role `project`; ask one that has both, or give the command \
             --config FILE, so that it asks the store itself",
        )
    })
}

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Busy => Self::conflict(error.to_string()),
            DeskError::Stopped => Self::unavailable(error.to_string()),
            DeskError::Rebuild(RebuildError::Name { .. }) => Self::bad_value(error.to_string()),
            DeskError::Rebuild(RebuildError::Project(ProjectError::Store(error))) => error.into(),
            DeskError::Rebuild(error) => Self::conflict(error.to_string()),
        }
    }
}

impl From<OwnDeskError> for Problem {
    fn from(error: OwnDeskError) -> Self {
        match error {
            OwnDeskError::NoSuch(_) | OwnDeskError::NotKept { .. } => {
                Self::not_found(error.to_string())
            }
            OwnDeskError::Elsewhere(_) => Self::conflict(error.to_string()),
            OwnDeskError::Store(_) => Self::unavailable(error.to_string()),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSet(_) => Self::not_found(error.to_string()),
            error => Self::unavailable(error.to_string()),
        }
    }
}
