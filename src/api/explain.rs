//! `/explain/{guid}`: why a subscription got a webhook, or did not; and `/explain` for many.

mod range;

use super::auth::Reader;
use super::extract::{Name, Query};
use super::object::find_any_in;
use super::problem::Problem;
use super::record::position;
use super::{Api, Shared};
use crate::hindsight::blame::Evidence;
use crate::hindsight::life::Life;
use crate::hindsight::missed::{Known, Reason};
use crate::query::{DeliveryRow, WebhookRow};
use crate::route;
use axum::extract::State;
use hooklog_projections::configuration::{Configuration, Subscription};
use hooklog_schemas::deliveries::{MatchOutcome, Routed};
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{Offset, ReceiptId, SubscriptionId, Topic};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(explain))
        .merge(range::routes())
}

/// For whom.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainQuery {
    /// The subscription's name or id.
    subscription: String,
    /// What it was then: a time (RFC 3339), a record (`webhooks/3@1042`), or a bookmark (`@NAME`).
    as_of: Option<String>,
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
    /// The same question under today's configuration, or that of the point; none if the webhook was erased.
    #[schema(value_type = Option<Object>)]
    today: Option<route::Explanation>,
    /// The recomputation under the recorded configuration says something else.
    differs: bool,
    /// What became of it, in a word; none if its decision cannot be found.
    reason: Option<Reason>,
    /// The events of `control` that show why: who set the clause that did not hold, who cancelled it.
    evidence: Vec<Evidence>,
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
    let view = api.fresh_view(query.as_of.as_deref()).await?;
    let now = view.configuration().await?;
    let subscription = find_any_in::<Subscription>(&now, &query.subscription)?;
    let timeline = view.queries.timeline(&guid.0).await?;
    let mut decided = Vec::with_capacity(timeline.receipts.len());
    for row in timeline.receipts {
        let at = position(Topic::Deliveries, row.partition, row.decision_offset);
        decided.push((row, api.decision(at).await?));
    }
    let offsets = decided.iter().filter_map(|(_, routed)| routed.as_ref());
    let offsets = offsets.map(|routed| routed.configuration.offset).collect();
    let past = api.configurations_at(offsets).await?;
    let life = api.life(subscription.id, view.control_end()).await?;
    let mut owed: Vec<_> = timeline
        .deliveries
        .into_iter()
        .map(|d| d.delivery)
        .collect();
    view.fill_held(&mut owed).await?;
    let mut receipts = Vec::with_capacity(decided.len());
    for (row, routed) in decided {
        let mine = |one: &&DeliveryRow| {
            one.receipt == row.receipt && one.subscription_id == subscription.id
        };
        let about = About {
            past: &past,
            life: &life,
            now: &now,
            delivery: owed.iter().find(mine),
        };
        receipts.push(explain_one(&api, &row, routed, subscription.id, about).await?);
    }
    Ok(axum::Json(Explained {
        guid: guid.0,
        subscription: subscription.spec.name.clone(),
        subscription_id: subscription.id,
        receipts,
    }))
}

/// What is known beside the decision.
struct About<'a> {
    past: &'a BTreeMap<Offset, Arc<Configuration>>,
    life: &'a Life,
    now: &'a Configuration,
    delivery: Option<&'a DeliveryRow>,
}

async fn explain_one(
    api: &Api,
    row: &WebhookRow,
    routed: Option<Routed>,
    subscription: SubscriptionId,
    about: About<'_>,
) -> Result<ExplainedReceipt, Problem> {
    let received = received(api, row).await?;
    let told = routed.as_ref().map(|routed| {
        about.life.tell(Known {
            routed,
            received: received.as_ref(),
            delivery: about.delivery,
        })
    });
    let offset = routed.as_ref().map(|routed| routed.configuration.offset);
    let then = offset.and_then(|offset| about.past.get(&offset));
    let ask = |configuration: &Configuration| {
        let received = received.as_ref()?;
        Some(ask(configuration, subscription, received))
    };
    let recorded = routed.map(|routed| recorded(&routed, subscription));
    let recomputed = then.and_then(|then| ask(then));
    let differs = match (&recorded, &recomputed) {
        (Some(recorded), Some(recomputed)) => recorded.matched != recomputed.matched,
        _ => false,
    };
    let (reason, evidence) = told.map_or((None, Vec::new()), |told| {
        (Some(told.reason), told.evidence)
    });
    Ok(ExplainedReceipt {
        reason,
        evidence,
        receipt: row.receipt,
        recorded,
        recomputed,
        today: ask(about.now),
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
