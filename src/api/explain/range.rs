//! `/explain`: of everything that was received in a range, what a subscription got, what it did not,
//! and why.

use crate::api::auth::Reader;
use crate::api::extract::Query;
use crate::api::filters::range;
use crate::api::object::find_any_in;
use crate::api::problem::Problem;
use crate::api::view::View;
use crate::api::{Api, Shared, filters, paging};
use crate::hindsight::blame::Evidence;
use crate::hindsight::missed::{Known, Reason, Told};
use crate::query::{Filter, RecipientRow, WebhookRow};
use axum::extract::State;
use hooklog_projections::configuration::Subscription;
use hooklog_schemas::{DeliveryId, ReceiptId, SubscriptionId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(explain_range))
}

/// For whom, of which webhooks, and how many of them. All given clauses must hold.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct RangeQuery {
    /// The subscription's name or id.
    subscription: String,
    /// Received at or after (RFC 3339).
    from: Option<String>,
    /// Received before (RFC 3339).
    to: Option<String>,
    /// The source's name.
    source: Option<String>,
    /// The host.
    host: Option<String>,
    /// The repository's full name; with `*` at the end, all that begin so; or several full names,
    /// separated by commas.
    repository: Option<String>,
    /// `push`, or `pull_request.opened`.
    event: Option<String>,
    /// List only what was not delivered; the counts are of everything all the same.
    missed: Option<bool>,
    /// Webhooks looked at for one answer, 1 to 500; 50 if not given.
    limit: Option<u32>,
    /// The `next` of the answer before.
    cursor: Option<String>,
    /// What it was then: a time (RFC 3339), a record (`webhooks/3@1042`), or a bookmark (`@NAME`).
    as_of: Option<String>,
}

/// What became of some webhooks for one subscription.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExplainedRange {
    /// The subscription's name.
    subscription: String,
    /// The subscription's id.
    #[schema(value_type = String, format = "uuid")]
    subscription_id: SubscriptionId,
    /// Webhooks looked at for this answer.
    looked_at: u64,
    /// How many of them became what.
    counts: Vec<ReasonCount>,
    /// The events of `control` that show why, each once, in the order of the log.
    evidence: Vec<Evidence>,
    /// Webhook by webhook, the latest received first.
    items: Vec<ExplainedWebhook>,
    /// When the earliest webhook of this answer was received.
    reached: Option<i64>,
    /// The cursor of the answer that follows; none when everything in the range was looked at.
    next: Option<String>,
}

/// How many webhooks became this.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReasonCount {
    #[serde(flatten)]
    reason: Reason,
    /// How many.
    count: u64,
}

/// What became of one webhook.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExplainedWebhook {
    /// The receipt.
    #[schema(value_type = String, format = "uuid")]
    receipt: ReceiptId,
    /// GitHub's id of the event.
    guid: String,
    /// GitHub's name of the event.
    event: String,
    /// The body's `action`.
    action: Option<String>,
    /// The repository's full name; none where it was erased.
    repository: Option<String>,
    /// The source's name.
    source: String,
    /// When it was received.
    received_at: i64,
    /// The offset in `control` of the configuration that decided.
    configuration_offset: i64,
    #[serde(flatten)]
    reason: Reason,
    /// Its delivery, if it was owed.
    #[schema(value_type = Option<String>, format = "uuid")]
    delivery: Option<DeliveryId>,
    /// When that delivery last changed.
    changed_at: Option<i64>,
    /// The status or the class of error of its last attempt.
    last_answer: Option<String>,
    /// The offsets of the events in `evidence` that show it.
    evidence: Vec<i64>,
}

/// Tells of everything that was received in a range what a subscription got, what it did not, and
/// why: counts for each reason, then the list, with the events of `control` as evidence.
#[utoipa::path(get, path = "/explain", tag = "webhook", params(RangeQuery),
    responses((status = 200, body = ExplainedRange), (status = 404, body = Problem)))]
async fn explain_range(
    _: Reader,
    State(api): State<Shared>,
    Query(query): Query<RangeQuery>,
) -> Result<axum::Json<ExplainedRange>, Problem> {
    let page = paging::page(query.limit, query.cursor.clone())?;
    let filter = query.filter()?;
    let view = api.fresh_view(query.as_of.as_deref()).await?;
    let configuration = view.configuration().await?;
    let subscription = find_any_in::<Subscription>(&configuration, &query.subscription)?;
    let rows = view.queries.webhooks(&filter, &page).await?;
    let told = explain_all(&api, &view, &subscription, &rows.items).await?;
    Ok(axum::Json(answer(
        &subscription,
        rows.items,
        told,
        rows.next,
        query.missed.unwrap_or(false),
    )))
}

impl RangeQuery {
    fn filter(&self) -> Result<Filter, Problem> {
        let (from, to) = range(self.from.as_deref(), self.to.as_deref())?;
        filters::check_repository(self.repository.as_deref())?;
        Ok(Filter {
            from,
            to,
            source: self.source.clone(),
            host: self.host.clone(),
            repository: self.repository.clone(),
            event: self.event.clone(),
            ..Filter::default()
        })
    }
}

/// What became of each of these webhooks, and the delivery that it was owed.
async fn explain_all(
    api: &Api,
    view: &View<'_>,
    subscription: &Subscription,
    rows: &[WebhookRow],
) -> Result<Vec<(Told, Option<RecipientRow>)>, Problem> {
    let receipts: Vec<_> = rows.iter().map(|row| row.receipt).collect();
    let owed = view.queries.owed_to(subscription.id, &receipts);
    let owed = owed.await?.into_iter();
    let mut owed: HashMap<_, _> = owed.map(|row| (row.delivery.receipt, row)).collect();
    view.fill_held(owed.values_mut().map(|row| &mut row.delivery))
        .await?;
    let life = api.life(subscription.id, view.control_end()).await?;
    let decisions = api.decisions(rows).await?;
    let received = api.receipts(rows).await?;
    let mut all = Vec::with_capacity(rows.len());
    for ((row, routed), received) in rows.iter().zip(decisions).zip(received) {
        let owed = owed.get(&row.receipt).cloned();
        let told = match &routed {
            Some(routed) => life.tell(Known {
                routed,
                received: received.as_ref(),
                delivery: owed.as_ref().map(|owed| &owed.delivery),
            }),
            None => Told::unknown(),
        };
        all.push((told, owed));
    }
    Ok(all)
}

fn answer(
    subscription: &Subscription,
    rows: Vec<WebhookRow>,
    told: Vec<(Told, Option<RecipientRow>)>,
    next: Option<String>,
    missed: bool,
) -> ExplainedRange {
    let looked_at = rows.len() as u64;
    let reached = rows.last().map(|row| row.received_at);
    let mut counts: BTreeMap<Reason, u64> = BTreeMap::new();
    let mut evidence: BTreeMap<i64, Evidence> = BTreeMap::new();
    let mut items = Vec::new();
    for (row, (told, owed)) in rows.into_iter().zip(told) {
        *counts.entry(told.reason.clone()).or_default() += 1;
        if missed && told.reason.reason == "delivered" {
            continue;
        }
        let shown = told.evidence.iter();
        evidence.extend(shown.map(|one| (one.offset, one.clone())));
        items.push(item(row, told, owed));
    }
    let mut counts: Vec<_> = counts
        .into_iter()
        .map(|(reason, count)| ReasonCount { reason, count })
        .collect();
    counts.sort_by_key(|one| std::cmp::Reverse(one.count));
    ExplainedRange {
        subscription: subscription.spec.name.clone(),
        subscription_id: subscription.id,
        looked_at,
        counts,
        evidence: evidence.into_values().collect(),
        items,
        reached,
        next,
    }
}

fn item(row: WebhookRow, told: Told, owed: Option<RecipientRow>) -> ExplainedWebhook {
    let last = owed.as_ref().and_then(|owed| owed.last_attempt.as_ref());
    let status = last.and_then(|last| last.status);
    let error = last.and_then(|last| last.error.clone());
    ExplainedWebhook {
        last_answer: status.map(|status| status.to_string()).or(error),
        delivery: owed.as_ref().map(|owed| owed.delivery.id),
        changed_at: owed.as_ref().map(|owed| owed.delivery.changed_at),
        receipt: row.receipt,
        guid: row.guid,
        event: row.event,
        action: row.action,
        repository: row.repository,
        source: row.source,
        received_at: row.received_at,
        configuration_offset: row.configuration_offset,
        reason: told.reason,
        evidence: told.evidence.iter().map(|one| one.offset).collect(),
    }
}
