//! `/totals`: how much there is in all.

use super::Shared;
use super::auth::Reader;
use super::extract::Query;
use super::problem::Problem;
use super::view::AsOfQuery;
use crate::query::Totals;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Shows how many webhooks there are, and how many deliveries are in which state. It walks over all of
/// them, so it is not to be asked every second.
#[utoipa::path(get, path = "/totals", tag = "webhook", params(AsOfQuery),
    responses((status = 200, body = Totals), (status = 503, body = Problem)))]
async fn show(
    _: Reader,
    State(api): State<Shared>,
    Query(query): Query<AsOfQuery>,
) -> Result<axum::Json<Totals>, Problem> {
    let view = api.view(query.as_of.as_deref()).await?;
    Ok(axum::Json(view.queries.totals().await?))
}
