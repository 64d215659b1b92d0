//! Counts what a replay would deliver, by the same plan by which workers decide.

use crate::api::Api;
use crate::api::problem::Problem;
use crate::replay::{self, Course, Fate, Place, Planned, Scan};
use hooklog_projections::configuration::{Configuration, Replay};
use hooklog_schemas::control::ReplayRange;
use hooklog_schemas::deliveries::{Match, MatchOutcome, Passed, Routed};
use hooklog_schemas::{Offset, Partition, Position, ReceiptId, SubscriptionId, Timestamp, Topic};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use utoipa::ToSchema;

/// How long it counts at the most.
const BUDGET: Duration = Duration::from_secs(15);
/// Records of `deliveries` that are looked at before it looks at the clock.
const STEP: u64 = 8_192;
/// Decisions about webhooks of a time stand behind what was appended so much before it: clocks differ.
const SKEW: Duration = Duration::from_secs(10 * 60);

/// What a replay would deliver.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Counted {
    /// Deliveries that it would make: at least so many, unless `complete`.
    deliveries: u64,
    /// All webhooks of its range were looked at in time.
    complete: bool,
    /// Webhooks in its range at the most.
    webhooks: u64,
    /// Those that its filter leaves out.
    filtered: u64,
    /// Those that nobody gets by its mode.
    unmatched: u64,
    /// Those that repeat an earlier receipt of the same event.
    repeats: u64,
    /// Those whose body was erased.
    skipped: u64,
    /// Deliveries that deleted subscriptions would have got.
    left_out: u64,
    /// Deliveries by subscription, the most first.
    subscriptions: Vec<BySubscription>,
    /// Some of them, in the order of the log, as many as were asked for.
    list: Vec<Listed>,
    #[serde(skip)]
    by: BTreeMap<SubscriptionId, BySubscription>,
}

/// What one subscription would get.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct BySubscription {
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    subscription_id: SubscriptionId,
    /// Its name.
    subscription: String,
    /// How many deliveries.
    deliveries: u64,
}

/// One delivery that would be made, or a receipt that would be skipped.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listed {
    /// Where the webhook stands: `webhooks/3@1042`.
    position: String,
    /// The receipt.
    #[schema(value_type = String, format = "uuid")]
    receipt: ReceiptId,
    /// When it was received.
    #[schema(value_type = i64)]
    received_at: Timestamp,
    /// GitHub's id of the event.
    guid: String,
    /// GitHub's name of the event.
    event: String,
    /// The body's `action`.
    action: Option<String>,
    /// The repository's full name; none where it was erased.
    repository: Option<String>,
    /// The subscription's name; none where the receipt would be skipped.
    subscription: Option<String>,
    /// Where it would go.
    destination: Option<String>,
    /// `owed`, `subscription_deleted` or `erased`.
    outcome: &'static str,
}

/// Counts what `asked` would deliver, and lists the first `listed` deliveries.
pub(super) async fn count(api: &Api, asked: Replay, listed: usize) -> Result<Counted, Problem> {
    let deadline = Instant::now() + BUDGET;
    let log = api.parts.log.as_ref();
    let configuration = api.parts.control.current();
    let course = replay::prepare(log, Arc::new(asked)).await?;
    let mut counted = Counted {
        webhooks: course.replay.total(),
        complete: true,
        ..Counted::default()
    };
    let ranges = course.replay.spec.range.iter().copied();
    for (partition, range) in (0..).map(Partition).zip(ranges) {
        if range.is_empty() {
            continue;
        }
        let within = decisions(api, partition, range).await?;
        let mut scan = Scan {
            within: within.start..within.start,
            epoch: None,
        };
        while scan.within.end < within.end {
            if Instant::now() >= deadline {
                counted.complete = false;
                break;
            }
            let from = scan.within.end;
            scan.within = from..Offset(from.0 + STEP).min(within.end);
            let place = Place {
                partition,
                webhooks: range.from..range.to,
            };
            let planned = replay::plan_part(log, &course, &configuration, place, &mut scan).await?;
            for planned in planned {
                counted.add(&course, &configuration, partition, planned, listed);
            }
        }
    }
    counted.finish();
    Ok(counted)
}

/// Where the decisions about a part of a partition stand, or more than that.
async fn decisions(
    api: &Api,
    partition: Partition,
    range: ReplayRange,
) -> Result<std::ops::Range<Offset>, Problem> {
    let log = &api.parts.log;
    let bounds = log.bounds(Topic::Deliveries, partition).await?;
    let first = log.read(
        Position::new(Topic::Webhooks, partition, range.from),
        crate::log::ReadLimit {
            records: 1,
            bytes: 0,
        },
    );
    let Some(first) = first.await?.into_iter().next() else {
        return Ok(bounds.start..bounds.start);
    };
    let skew = i64::try_from(SKEW.as_micros()).unwrap_or(i64::MAX);
    let since = Timestamp(first.appended_at.0.saturating_sub(skew));
    let from = log
        .offset_after(Topic::Deliveries, partition, since)
        .await?;
    Ok(from..bounds.tail)
}

impl Counted {
    fn add(
        &mut self,
        course: &Course,
        configuration: &Configuration,
        partition: Partition,
        planned: Planned,
        listed: usize,
    ) {
        let mut decision = match planned.fate {
            Fate::Passed(passing) => {
                let mut passed = Passed::default();
                passing.count(&mut passed);
                self.filtered += passed.filtered;
                self.unmatched += passed.unmatched;
                self.repeats += passed.repeats;
                return;
            }
            Fate::Decided(decision) => decision,
        };
        replay::settle(course, configuration, partition, decision.at, &mut decision);
        if decision.error.is_some() {
            self.skipped += 1;
            self.list(partition, &decision, None, listed);
        }
        for found in &decision.matches {
            if found.outcome == MatchOutcome::Owed {
                self.deliveries += 1;
                let by = self.by.entry(found.subscription);
                let by = by.or_insert_with(|| BySubscription {
                    subscription_id: found.subscription,
                    subscription: found.name.clone(),
                    deliveries: 0,
                });
                by.deliveries += 1;
            } else {
                self.left_out += 1;
            }
            self.list(partition, &decision, Some(found), listed);
        }
    }

    fn list(&mut self, partition: Partition, decision: &Routed, found: Option<&Match>, max: usize) {
        if self.list.len() >= max {
            return;
        }
        let summary = &decision.summary;
        let outcome = match found.map(|found| found.outcome) {
            Some(MatchOutcome::Owed) => "owed",
            Some(_) => "subscription_deleted",
            None => "erased",
        };
        let position = Position::new(Topic::Webhooks, partition, decision.webhook);
        self.list.push(Listed {
            position: position.to_string(),
            receipt: decision.receipt,
            received_at: decision.received_at,
            guid: summary.guid.clone(),
            event: summary.event.clone(),
            action: summary.action.clone(),
            // What was erased is blank in every answer.
            repository: summary.repository.clone().filter(|_| found.is_some()),
            subscription: found.map(|found| found.name.clone()),
            destination: found.map(|found| found.destination.clone()),
            outcome,
        });
    }

    fn finish(&mut self) {
        let by = std::mem::take(&mut self.by);
        self.subscriptions = by.into_values().collect();
        let most = |by: &BySubscription| std::cmp::Reverse(by.deliveries);
        self.subscriptions.sort_by_key(most);
    }
}
