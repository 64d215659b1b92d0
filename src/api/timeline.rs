//! `/timeline/{guid}`: the whole life of one event.

use super::auth::Reader;
use super::deliveries::fill_excerpts;
use super::extract::{Name, Query};
use super::problem::Problem;
use super::view::AsOfQuery;
use super::{Api, Shared};
use crate::hindsight::blame::Evidence;
use crate::query::{DeliveryDetail, ReadUpTo, WebhookRow};
use axum::extract::State;
use hooklog_schemas::{Partition, Topic};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How long an answer waits for the tables to read what was in the log when it was asked for.
pub(super) const CATCH_UP: Duration = Duration::from_secs(2);

/// How often it looks whether they have.
pub(super) const LOOK: Duration = Duration::from_millis(20);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show))
}

/// The whole life of one event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TimelineView {
    /// GitHub's id of the event.
    guid: String,
    /// Its receipts, in the order of their arrival.
    receipts: Vec<WebhookRow>,
    /// Their deliveries.
    deliveries: Vec<TimelineDelivery>,
    /// The changes that made the configurations under which it was decided and tried: who, when, why.
    /// Receipts and attempts name them by `configuration_offset`.
    configurations: Vec<Evidence>,
    /// Up to where the tables had read the log, or where the point ends that was asked for: what came
    /// later is not in this answer.
    as_of: Vec<ReadUpTo>,
}

/// One delivery, and when its next attempt is due.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TimelineDelivery {
    #[serde(flatten)]
    delivery: DeliveryDetail,
    /// When the next attempt is due; none if there is none.
    next: Option<i64>,
    /// What was done to its subscription while it was under way, and the commands that it followed.
    changes: Vec<Evidence>,
}

/// Shows every receipt, decision and attempt of one event, and what is due next.
#[utoipa::path(get, path = "/timeline/{guid}", tag = "webhook",
    params(("guid" = String, Path), AsOfQuery),
    responses((status = 200, body = TimelineView), (status = 503, body = Problem)))]
async fn show(
    _: Reader,
    State(api): State<Shared>,
    guid: Name,
    Query(query): Query<AsOfQuery>,
) -> Result<axum::Json<TimelineView>, Problem> {
    // If the tables do not catch up in time, `as_of` says how far they are.
    let view = api.fresh_view(query.as_of.as_deref()).await?;
    let timeline = view.queries.timeline(&guid.0).await?;
    let mut in_force: BTreeSet<i64> = BTreeSet::new();
    in_force.extend(timeline.receipts.iter().map(|row| row.configuration_offset));
    let mut deliveries = Vec::with_capacity(timeline.deliveries.len());
    for mut delivery in timeline.deliveries {
        fill_excerpts(&api, &mut delivery.attempts).await?;
        view.fill_held([&mut delivery.delivery]).await?;
        let attempts = delivery.attempts.iter();
        in_force.extend(attempts.map(|attempt| attempt.configuration_offset));
        deliveries.push(TimelineDelivery {
            next: delivery.delivery.due_at,
            changes: api.changes_during(&delivery, view.control_end()).await?,
            delivery,
        });
    }
    Ok(axum::Json(TimelineView {
        guid: timeline.guid,
        receipts: timeline.receipts,
        deliveries,
        configurations: api.evidence(&in_force).await?,
        as_of: timeline.as_of,
    }))
}

impl Api {
    /// What was done to the subscription of a delivery while that was under way, and the commands
    /// that the delivery followed; in the order of the log. `control` is read up to `control_end`.
    async fn changes_during(
        &self,
        detail: &DeliveryDetail,
        control_end: Option<i64>,
    ) -> Result<Vec<Evidence>, Problem> {
        let delivery = &detail.delivery;
        let life = self.life(delivery.subscription_id, control_end).await?;
        let end = match delivery.state.as_str() {
            "open" => i64::MAX,
            _ => delivery.changed_at,
        };
        let during = |one: &&Evidence| delivery.created_at <= one.at && one.at <= end;
        let mut changes: Vec<_> = life
            .blame()
            .changes()
            .iter()
            .filter(during)
            .cloned()
            .collect();
        changes.extend(self.evidence(&self.commands_of(detail)).await?);
        changes.sort_by_key(|one| one.offset);
        changes.dedup_by_key(|one| one.offset);
        Ok(changes)
    }

    /// The offsets of the events that changes of a delivery name as their reasons.
    fn commands_of(&self, detail: &DeliveryDetail) -> BTreeSet<i64> {
        let configuration = self.parts.control.current();
        let reasons = detail
            .transitions
            .iter()
            .filter_map(|one| one.reason.as_deref());
        let named: Vec<_> = reasons
            .filter_map(|why| why.strip_prefix("command:"))
            .collect();
        let commands = configuration.commands.iter();
        let followed = commands.filter(|command| named.contains(&command.id.to_string().as_str()));
        followed
            .map(|command| i64::try_from(command.offset.0).unwrap_or(i64::MAX))
            .collect()
    }

    /// Waits until the tables have read what is in the log now, and tells whether they have.
    pub(super) async fn catch_up(&self, within: Duration) -> Result<bool, Problem> {
        let tails = self.tails(&[Topic::Deliveries, Topic::Control]).await?;
        let behind = |read: &[ReadUpTo]| {
            let reached = |tail: &ReadUpTo| {
                let same = |r: &&ReadUpTo| r.topic == tail.topic && r.partition == tail.partition;
                tail.next == 0 || read.iter().find(same).is_some_and(|r| r.next >= tail.next)
            };
            !tails.iter().all(reached)
        };
        let waiting = async {
            while behind(&self.parts.queries.as_of().await?) {
                tokio::time::sleep(LOOK).await;
            }
            Ok::<_, Problem>(())
        };
        match tokio::time::timeout(within, waiting).await {
            Ok(result) => result.map(|()| true),
            Err(_) => Ok(false),
        }
    }

    /// Where the partitions of these topics end.
    pub(super) async fn tails(&self, topics: &[Topic]) -> Result<Vec<ReadUpTo>, Problem> {
        let mut tails = Vec::new();
        for topic in topics {
            for partition in 0..self.parts.log.partitions(*topic) {
                let bounds = self.parts.log.bounds(*topic, Partition(partition)).await?;
                tails.push(ReadUpTo {
                    topic: topic.as_str().to_owned(),
                    partition,
                    next: bounds.tail.0,
                });
            }
        }
        Ok(tails)
    }
}
