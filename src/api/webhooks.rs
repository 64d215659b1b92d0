//! `/webhooks`: what came in, and what was decided about it.

use super::auth::Reader;
use super::extract::{Name, Query};
use super::filters::{ListQuery, Of};
use super::problem::Problem;
use super::record::{is_erased, position};
use super::view::{AsOfQuery, View};
use super::{Api, Shared};
use crate::query::{DeliveryRow, Paged, WebhookRow};
use axum::extract::State;
use hooklog_schemas::deliveries::Routed;
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{ReceiptId, Record, SecretId, Topic};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

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
    /// The client's address; none if the webhook was erased.
    client: Option<String>,
    /// The secret that verified it; none if the webhook was erased.
    #[schema(value_type = Option<String>, format = "uuid")]
    secret: Option<SecretId>,
    /// GitHub's headers, by lower-case name; empty if the webhook was erased. What is not text is
    /// replaced.
    headers: BTreeMap<String, String>,
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
    let (view, filter, page) = query.read(&api, Of::Webhooks).await?;
    Ok(axum::Json(view.queries.webhooks(&filter, &page).await?))
}

/// Shows one webhook.
#[utoipa::path(get, path = "/webhooks/{receipt}", tag = "webhook",
    params(("receipt" = String, Path), AsOfQuery),
    responses((status = 200, body = WebhookDetail), (status = 404, body = Problem)))]
async fn show(
    _: Reader,
    State(api): State<Shared>,
    name: Name,
    Query(query): Query<AsOfQuery>,
) -> Result<axum::Json<WebhookDetail>, Problem> {
    let view = api.view(query.as_of.as_deref()).await?;
    let webhook = find_in(&view, &name).await?;
    let at = position(
        Topic::Deliveries,
        webhook.partition,
        webhook.decision_offset,
    );
    let mut decision = api.decision(at).await?;
    if let Some(routed) = decision.as_mut().filter(|_| webhook.erased) {
        routed.summary.repository = webhook.repository.clone();
        routed.summary.git_ref = None;
        routed.summary.sender_id = webhook.sender_id;
    }
    let mut deliveries = view.queries.deliveries_of(webhook.receipt).await?;
    view.fill_held(&mut deliveries).await?;
    let record = api.webhook_record(&webhook).await?;
    let received = record.as_deref().map(Received::decode).transpose();
    let received = received.map_err(Problem::internal)?;
    Ok(axum::Json(WebhookDetail {
        client: received.as_ref().map(|received| received.client.clone()),
        secret: received.map(|received| received.secret),
        headers: record.as_deref().map(headers).unwrap_or_default(),
        webhook,
        deliveries,
        decision,
    }))
}

/// GitHub's own headers, without those that hooklog adds to a record.
fn headers(record: &Record) -> BTreeMap<String, String> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let own = record.headers.iter().filter(|header| {
        let name = header.name.as_str();
        name.starts_with("x-") || matches!(name, "content-type" | "user-agent")
    });
    own.map(|header| (header.name.clone(), text(&header.value)))
        .collect()
}

impl Api {
    /// The record of a webhook with its headers and its body; none if it was erased, or is to be.
    pub(super) async fn webhook_record(
        &self,
        webhook: &WebhookRow,
    ) -> Result<Option<Arc<Record>>, Problem> {
        if webhook.erased || is_erased(&self.parts.control.current(), webhook.receipt) {
            return Ok(None);
        }
        let at = position(Topic::Webhooks, webhook.partition, webhook.offset);
        let record = self.record(at).await?;
        Ok(record.filter(|record| record.value.is_some()))
    }
}

/// The webhook that a path names by its receipt.
pub(super) async fn find(api: &Api, name: &Name) -> Result<WebhookRow, Problem> {
    find_in(&api.view(None).await?, name).await
}

async fn find_in(view: &View<'_>, name: &Name) -> Result<WebhookRow, Problem> {
    let receipt: ReceiptId = name.id("webhook's receipt")?;
    let found = view.queries.webhook(receipt).await?;
    let missing = || {
        Problem::not_found(format!(
            "there is no webhook with the receipt {receipt}{}; if it is a GUID, its timeline has \
             the receipts",
            view.then()
        ))
    };
    found.ok_or_else(missing)
}
