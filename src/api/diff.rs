//! `/diff`: what changed between two points.

use super::auth::Reader;
use super::extract::Query;
use super::problem::Problem;
use super::{Shared, schema};
use crate::history::{Difference, differences};
use crate::query::Totals;
use axum::extract::State;
use hooklog_schemas::Point;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(diff))
}

/// Between which points.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiffQuery {
    /// The earlier point: a time (RFC 3339), a record (`webhooks/3@1042`), or a bookmark (`@NAME`).
    from: String,
    /// The later point; the end of the log if not given.
    to: Option<String>,
}

/// What changed between two points.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Diff {
    /// The earlier point, and how much there was.
    from: Side,
    /// The later point, and how much there was.
    to: Side,
    /// What was created, changed and deleted.
    configuration: Vec<Difference>,
}

/// One of the two points.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Side {
    /// The point.
    #[schema(value_type = schema::Point)]
    point: Point,
    /// How much there was.
    totals: Totals,
}

/// Tells what changed in the configuration, and how much there was, at two points.
#[utoipa::path(get, path = "/diff", tag = "history", params(DiffQuery),
    responses((status = 200, body = Diff), (status = 422, body = Problem), (status = 503, body = Problem)))]
async fn diff(
    _: Reader,
    State(api): State<Shared>,
    Query(query): Query<DiffQuery>,
) -> Result<axum::Json<Diff>, Problem> {
    let from = api.resolve(&api.spec("from", &query.from)?).await?;
    let to = match &query.to {
        Some(text) => api.resolve(&api.spec("to", text)?).await?,
        None => api.end().await?,
    };
    if from.control > to.control {
        return Err(Problem::bad_value(
            "`from` is after `to`; name the earlier point first",
        ));
    }
    let before = api.configuration_at(from.control).await?;
    let after = api.configuration_at(to.control).await?;
    let configuration = differences(&before, &after);
    let (before, after) = (
        api.view_at(from.clone()).await?,
        api.view_at(to.clone()).await?,
    );
    Ok(axum::Json(Diff {
        from: Side {
            point: from,
            totals: before.totals().await?,
        },
        to: Side {
            point: to,
            totals: after.totals().await?,
        },
        configuration,
    }))
}
