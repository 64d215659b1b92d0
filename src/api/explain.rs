//! `/explain/{guid}`: why a subscription got a webhook, or did not.

use super::auth::Reader;
use super::extract::{Name, Query};
use super::problem::Problem;
use super::record::position;
use super::subscriptions::find_any;
use super::timeline::CATCH_UP;
use super::{Api, Shared};
use crate::log::ReadLimit;
use crate::query::WebhookRow;
use crate::route;
use axum::extract::State;
use hooklog_projections::configuration::Configuration;
use hooklog_schemas::deliveries::{MatchOutcome, Routed};
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{Event, Offset, Partition, Position, ReceiptId, SubscriptionId, Topic};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(explain))
}

/// For whom.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainQuery {
    /// The subscription's name or id.
    subscription: String,
}

/// Why, for each receipt of the event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Explained {
    /// GitHub's id of the event.
    guid: String,
    /// The subscription's name.
    subscription: String,
    /// The subscription's id.
    #[schema(value_type = String, format = "uuid")]
    subscription_id: SubscriptionId,
    /// The event's receipts, in the order of their arrival.
    receipts: Vec<ExplainedReceipt>,
}

/// Why, for one receipt.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExplainedReceipt {
    #[schema(value_type = String, format = "uuid")]
    receipt: ReceiptId,
    /// The decision that counts; none if its record cannot be found.
    recorded: Option<Recorded>,
    /// The same question under the configuration that decided; none if the webhook was erased.
    #[schema(value_type = Option<Object>)]
    recomputed: Option<route::Explanation>,
    /// The same question under today's configuration; none if the webhook was erased.
    #[schema(value_type = Option<Object>)]
    today: Option<route::Explanation>,
    /// The recomputation under the recorded configuration says something else.
    differs: bool,
}

/// The decision as the log has it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Recorded {
    /// The subscription matched.
    matched: bool,
    /// What became of the match: `owed`, `already_open`, `already_delivered` or
    /// `requeued_dead_letter`.
    #[schema(value_type = Option<String>)]
    outcome: Option<MatchOutcome>,
    /// The offset in `control` of the configuration that decided.
    #[schema(value_type = u64)]
    configuration_offset: Offset,
    /// The version of the matcher that decided.
    matcher: u32,
    /// Why routing failed.
    error: Option<String>,
}

/// Tells which clause decided: the recorded decision first, then the same question asked again.
#[utoipa::path(get, path = "/explain/{guid}", tag = "webhook",
    params(("guid" = String, Path), ExplainQuery),
    responses((status = 200, body = Explained), (status = 404, body = Problem)))]
async fn explain(
    _: Reader,
    State(api): State<Shared>,
    guid: Name,
    Query(query): Query<ExplainQuery>,
) -> Result<axum::Json<Explained>, Problem> {
    let subscription = find_any(&api, &query.subscription)?;
    api.catch_up(CATCH_UP).await?;
    let timeline = api.parts.queries.timeline(&guid.0).await?;
    let mut decided = Vec::with_capacity(timeline.receipts.len());
    for row in timeline.receipts {
        let at = position(Topic::Deliveries, row.partition, row.decision_offset);
        decided.push((row, api.decision(at).await?));
    }
    let offsets = decided.iter().filter_map(|(_, routed)| routed.as_ref());
    let offsets = offsets.map(|routed| routed.configuration.offset).collect();
    let past = api.configurations_at(offsets).await?;
    let mut receipts = Vec::with_capacity(decided.len());
    for (row, routed) in decided {
        receipts.push(explain_one(&api, &row, routed, &past, subscription.id).await?);
    }
    Ok(axum::Json(Explained {
        guid: guid.0,
        subscription: subscription.spec.name.clone(),
        subscription_id: subscription.id,
        receipts,
    }))
}

async fn explain_one(
    api: &Api,
    row: &WebhookRow,
    routed: Option<Routed>,
    past: &BTreeMap<Offset, Configuration>,
    subscription: SubscriptionId,
) -> Result<ExplainedReceipt, Problem> {
    let received = received(api, row).await?;
    let offset = routed.as_ref().map(|routed| routed.configuration.offset);
    let then = offset.and_then(|offset| past.get(&offset));
    let ask = |configuration: &Configuration| {
        let received = received.as_ref()?;
        Some(ask(configuration, subscription, received))
    };
    let recorded = routed.map(|routed| recorded(&routed, subscription));
    let recomputed = then.and_then(ask);
    let differs = match (&recorded, &recomputed) {
        (Some(recorded), Some(recomputed)) => recorded.matched != recomputed.matched,
        _ => false,
    };
    Ok(ExplainedReceipt {
        receipt: row.receipt,
        recorded,
        recomputed,
        today: ask(&api.parts.control.current()),
        differs,
    })
}

fn recorded(routed: &Routed, subscription: SubscriptionId) -> Recorded {
    let found = routed
        .matches
        .iter()
        .find(|one| one.subscription == subscription);
    Recorded {
        matched: found.is_some(),
        outcome: found.map(|found| found.outcome),
        configuration_offset: routed.configuration.offset,
        matcher: routed.matcher,
        error: routed.error.clone(),
    }
}

fn ask(
    configuration: &Configuration,
    subscription: SubscriptionId,
    received: &Received,
) -> route::Explanation {
    match configuration.subscriptions.get(&subscription) {
        Some(subscription) => route::explain(subscription, received),
        None => route::Explanation {
            matched: false,
            clauses: vec![route::Clause {
                clause: "state",
                wanted: vec!["created".to_owned()],
                found: Some("not created yet".to_owned()),
                holds: false,
            }],
        },
    }
}

/// What the receiver knew of the webhook; none if it was erased.
async fn received(api: &Api, row: &WebhookRow) -> Result<Option<Received>, Problem> {
    let at = position(Topic::Webhooks, row.partition, row.offset);
    let record = api.record(at).await?;
    let Some(record) = record.filter(|record| !row.erased && record.value.is_some()) else {
        return Ok(None);
    };
    Received::decode(&record)
        .map(Some)
        .map_err(Problem::internal)
}

impl Api {
    /// The configurations as they were after the events at these offsets, in one walk over `control`.
    async fn configurations_at(
        &self,
        mut offsets: BTreeSet<Offset>,
    ) -> Result<BTreeMap<Offset, Configuration>, Problem> {
        let mut configuration = Configuration::default();
        let mut past = BTreeMap::new();
        while !offsets.is_empty() {
            let from = Position::new(Topic::Control, Partition(0), configuration.next);
            let records = self.parts.log.read(from, ReadLimit::default()).await?;
            if records.is_empty() {
                break;
            }
            for record in &records {
                let offset = record.position.offset;
                let event = Event::decode(record).map_err(Problem::internal)?;
                configuration.fold(offset, record.event_id, &event);
                if offsets.remove(&offset) {
                    past.insert(offset, configuration.clone());
                }
            }
        }
        Ok(past)
    }
}
