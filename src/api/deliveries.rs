//! `/deliveries` and `/dead-letters`: what is owed, and what was given up.

use super::auth::Reader;
use super::extract::{Name, Query};
use super::filters::{ListQuery, Of};
use super::problem::Problem;
use super::view::AsOfQuery;
use super::{Api, Shared};
use crate::query::{AttemptRow, DeadLetterRow, DeliveryDetail, DeliveryRow, Paged};
use axum::extract::State;
use hooklog_schemas::DeliveryId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(dead_letters))
        .routes(routes!(dead_letter))
}

/// Lists deliveries, the latest received first.
#[utoipa::path(get, path = "/deliveries", tag = "delivery", params(ListQuery),
    responses((status = 200, body = Paged<DeliveryRow>), (status = 503, body = Problem)))]
async fn list(
    _: Reader,
    State(api): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<axum::Json<Paged<DeliveryRow>>, Problem> {
    let (view, filter, page) = query.read(&api, Of::Deliveries).await?;
    let mut rows = view.queries.deliveries(&filter, &page).await?;
    view.fill_held(&mut rows.items).await?;
    Ok(axum::Json(rows))
}

/// Shows one delivery with its attempts and its states.
#[utoipa::path(get, path = "/deliveries/{id}", tag = "delivery",
    params(("id" = String, Path), AsOfQuery),
    responses((status = 200, body = DeliveryDetail), (status = 404, body = Problem)))]
async fn show(
    _: Reader,
    State(api): State<Shared>,
    name: Name,
    Query(query): Query<AsOfQuery>,
) -> Result<axum::Json<DeliveryDetail>, Problem> {
    detail(&api, &name, &query).await.map(axum::Json)
}

/// Shows one dead letter with its attempts and its states.
#[utoipa::path(get, path = "/dead-letters/{id}", tag = "delivery",
    params(("id" = String, Path), AsOfQuery), responses((status = 200, body = DeliveryDetail)))]
async fn dead_letter(
    _: Reader,
    State(api): State<Shared>,
    name: Name,
    Query(query): Query<AsOfQuery>,
) -> Result<axum::Json<DeliveryDetail>, Problem> {
    let detail = detail(&api, &name, &query).await?;
    if detail.delivery.state == "dead" {
        return Ok(axum::Json(detail));
    }
    let (id, state) = (detail.delivery.id, &detail.delivery.state);
    let said = format!("the delivery {id} is no dead letter, but {state}");
    Err(Problem::not_found(said))
}

async fn detail(api: &Api, name: &Name, query: &AsOfQuery) -> Result<DeliveryDetail, Problem> {
    let id: DeliveryId = name.id("delivery")?;
    let view = api.view(query.as_of.as_deref()).await?;
    let missing = || Problem::not_found(format!("there is no delivery {id}{}", view.then()));
    let mut detail = view.queries.delivery(id).await?.ok_or_else(missing)?;
    fill_excerpts(api, &mut detail.attempts).await?;
    view.fill_held([&mut detail.delivery]).await?;
    Ok(detail)
}

/// Lists dead letters, the latest received first.
#[utoipa::path(get, path = "/dead-letters", tag = "delivery", params(ListQuery),
    responses((status = 200, body = Paged<DeadLetterRow>), (status = 503, body = Problem)))]
async fn dead_letters(
    _: Reader,
    State(api): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<axum::Json<Paged<DeadLetterRow>>, Problem> {
    let (view, filter, page) = query.read(&api, Of::DeadLetters).await?;
    Ok(axum::Json(view.queries.dead_letters(&filter, &page).await?))
}

/// Reads the answers' excerpts from the log, where they can be erased.
pub(super) async fn fill_excerpts(api: &Api, attempts: &mut [AttemptRow]) -> Result<(), Problem> {
    for attempt in attempts {
        if let Some(position) = &attempt.answer_position {
            attempt.excerpt = api.excerpt(position).await?;
        }
    }
    Ok(())
}
