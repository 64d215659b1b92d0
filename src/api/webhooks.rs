//! `/webhooks`: what came in, and what was decided about it.

use super::auth::Reader;
use super::extract::{Name, Query};
use super::filters::ListQuery;
use super::problem::Problem;
use super::record::position;
use super::{Api, Shared};
use crate::query::{DeliveryRow, Paged, WebhookRow};
use axum::extract::State;
use hooklog_schemas::deliveries::Routed;
use hooklog_schemas::{ReceiptId, Topic};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The states by which webhooks are listed.
const STATES: [&str; 3] = ["matched", "unmatched", "error"];

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
}

/// A webhook, its deliveries, and the recorded decision.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookDetail {
    #[serde(flatten)]
    webhook: WebhookRow,
    /// Its deliveries.
    deliveries: Vec<DeliveryRow>,
    /// The decision as the log has it; of what was erased, names and senders are blank.
    #[schema(value_type = Option<Object>)]
    decision: Option<Routed>,
}

/// Lists webhooks, the latest received first.
#[utoipa::path(get, path = "/webhooks", tag = "webhook", params(ListQuery),
    responses((status = 200, body = Paged<WebhookRow>), (status = 503, body = Problem)))]
async fn list(
    _: Reader,
    State(api): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<axum::Json<Paged<WebhookRow>>, Problem> {
    let (filter, page) = query.read(&api, &STATES)?;
    Ok(axum::Json(
        api.parts.queries.webhooks(&filter, &page).await?,
    ))
}

/// Shows one webhook.
#[utoipa::path(get, path = "/webhooks/{receipt}", tag = "webhook", params(("receipt" = String, Path)),
    responses((status = 200, body = WebhookDetail), (status = 404, body = Problem)))]
async fn show(
    _: Reader,
    State(api): State<Shared>,
    name: Name,
) -> Result<axum::Json<WebhookDetail>, Problem> {
    let webhook = find(&api, &name).await?;
    let at = position(
        Topic::Deliveries,
        webhook.partition,
        webhook.decision_offset,
    );
    let mut decision = api.decision(at).await?;
    if let Some(routed) = decision.as_mut().filter(|_| webhook.erased) {
        routed.summary.repository = webhook.repository.clone();
        routed.summary.sender_id = webhook.sender_id;
    }
    let deliveries = api.parts.queries.deliveries_of(webhook.receipt).await?;
    Ok(axum::Json(WebhookDetail {
        webhook,
        deliveries,
        decision,
    }))
}

/// The webhook that a path names by its receipt.
pub(super) async fn find(api: &Api, name: &Name) -> Result<WebhookRow, Problem> {
    let receipt: ReceiptId = name.id("webhook's receipt")?;
    let found = api.parts.queries.webhook(receipt).await?;
    let missing = || {
        Problem::not_found(format!(
            "there is no webhook with the receipt {receipt}; if it is a GUID, its timeline has the receipts"
        ))
    };
    found.ok_or_else(missing)
}
