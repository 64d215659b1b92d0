//! `/deliveries/{id}/attempts/diff`: what differs between two attempts of a delivery.

use super::auth::Reader;
use super::deliveries::fill_excerpts;
use super::extract::{Name, Query};
use super::problem::Problem;
use super::{Api, Shared, check};
use crate::hindsight::attempts::compared;
use crate::hindsight::blame::{Evidence, FieldChange};
use crate::query::{AttemptRow, DeliveryDetail, DeliveryRow};
use axum::extract::State;
use hooklog_schemas::DeliveryId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(diff))
}

/// Which two; the last two if not given.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiffQuery {
    /// The place of one among all attempts of the delivery, from 1; a redrive goes on counting.
    first: Option<u64>,
    /// The place of the other.
    second: Option<u64>,
    /// What it was then: a time (RFC 3339), a record (`webhooks/3@1042`), or a bookmark (`@NAME`).
    as_of: Option<String>,
}

/// Two attempts, and what differs between them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttemptDiff {
    /// The delivery.
    delivery: DeliveryRow,
    /// How many attempts it has.
    attempts: u64,
    /// The earlier one's place among them, from 1.
    first_place: u64,
    /// The earlier one.
    first: AttemptRow,
    /// The later one's place.
    second_place: u64,
    /// The later one.
    second: AttemptRow,
    /// What differs, in the order in which an attempt comes to it; `was` is the earlier one's.
    differences: Vec<FieldChange>,
    /// The facts that are the same.
    same: Vec<&'static str>,
    /// What was done to the subscription between the configurations that the two used.
    between: Vec<Evidence>,
}

/// Compares two attempts of a delivery: target, address, headers, phases, answer, verdict.
#[utoipa::path(get, path = "/deliveries/{id}/attempts/diff", tag = "delivery",
    params(("id" = String, Path), DiffQuery),
    responses((status = 200, body = AttemptDiff), (status = 404, body = Problem)))]
async fn diff(
    _: Reader,
    State(api): State<Shared>,
    name: Name,
    Query(query): Query<DiffQuery>,
) -> Result<axum::Json<AttemptDiff>, Problem> {
    let id: DeliveryId = name.id("delivery")?;
    let view = api.view(query.as_of.as_deref()).await?;
    let missing = || Problem::not_found(format!("there is no delivery {id}{}", view.then()));
    let mut detail = view.queries.delivery(id).await?.ok_or_else(missing)?;
    view.fill_held([&mut detail.delivery]).await?;
    let (first_place, second_place) = places(&query, &detail)?;
    let chosen = [first_place, second_place].map(|place| at(&detail.attempts, place));
    let [Some(first), Some(second)] = chosen else {
        return Err(Problem::not_found(format!(
            "there is no such attempt of {id}"
        )));
    };
    let mut both = [first.clone(), second.clone()];
    fill_excerpts(&api, &mut both).await?;
    let (differences, same) = compared(&both[0], &both[1]);
    let [first, second] = both;
    Ok(axum::Json(AttemptDiff {
        attempts: detail.attempts.len() as u64,
        between: between(&api, &detail.delivery, &first, &second).await?,
        delivery: detail.delivery,
        first_place,
        first,
        second_place,
        second,
        differences,
        same,
    }))
}

fn at(attempts: &[AttemptRow], place: u64) -> Option<&AttemptRow> {
    attempts.get(usize::try_from(place.checked_sub(1)?).ok()?)
}

/// Which two, the earlier one first.
fn places(query: &DiffQuery, detail: &DeliveryDetail) -> Result<(u64, u64), Problem> {
    let count = detail.attempts.len() as u64;
    if count < 2 {
        let said = format!(
            "the delivery {} has {count} of the two attempts that a comparison needs",
            detail.delivery.id
        );
        return Err(Problem::not_found(said));
    }
    let second = query.second.unwrap_or(count);
    let first = query
        .first
        .unwrap_or_else(|| second.saturating_sub(1).max(1));
    check::within("first", first, 1..=count)?;
    check::within("second", second, 1..=count)?;
    if first == second {
        let said = format!("`first` and `second` are both {first}; name two different attempts");
        return Err(Problem::bad_value(said));
    }
    Ok((first.min(second), first.max(second)))
}

async fn between(
    api: &Api,
    delivery: &DeliveryRow,
    first: &AttemptRow,
    second: &AttemptRow,
) -> Result<Vec<Evidence>, Problem> {
    let (from, to) = (first.configuration_offset, second.configuration_offset);
    if from == to {
        return Ok(Vec::new());
    }
    let life = api.life(delivery.subscription_id, None).await?;
    let changes = life.blame().changes().iter();
    let between = changes.filter(|one| from < one.offset && one.offset <= to);
    Ok(between.cloned().collect())
}
