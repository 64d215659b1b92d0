//! `/what-if`: history through a proposed set of subscriptions, without delivering anything.

use super::auth::Reader;
use super::extract::Json;
use super::filters::{self, range};
use super::problem::Problem;
use super::revert::point_spec;
use super::timeline::CATCH_UP;
use super::{Api, Shared, check, paging, schema};
use crate::hindsight::what_if::{Proposal, Proposed, Tally, Weighed, is_subtracted_from};
use crate::query::{Filter as Listed, Page, WebhookRow};
use axum::extract::State;
use hooklog_schemas::control::{Filter, Policy, Signing};
use hooklog_schemas::deliveries::Routed;
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{Offset, ReceiptId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(what_if))
}

/// A proposal, and the range of history that it is held against.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhatIfBody {
    /// What would be; subscriptions with other names stay as they were.
    #[serde(default)]
    subscriptions: Vec<ProposedBody>,
    /// Likewise, but as they were at a point of the past.
    as_it_was: Option<AsItWas>,
    /// There would be no other subscriptions.
    #[serde(default)]
    complete: bool,
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
    /// Webhooks looked at for one answer, 1 to 500; 50 if not given.
    limit: Option<u32>,
    /// The `next` of the answer before.
    cursor: Option<String>,
}

/// Subscriptions as they were at a point.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AsItWas {
    /// The point: a time (RFC 3339), `control/0@42`, or `@bookmark`.
    at: String,
    /// The names of the subscriptions; all that there were, if not given.
    subscriptions: Option<Vec<String>>,
}

/// A proposed subscription, described as a new one is. What decides nothing about who gets what may
/// be left out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProposedBody {
    /// Its name. What a subscription of this name was owed is compared with it.
    name: String,
    /// What it would want; everything if not given.
    #[serde(default)]
    #[schema(value_type = schema::Filter)]
    filter: Filter,
    /// How deliveries would be tried: `duplicates` decides who gets what.
    #[serde(default)]
    #[schema(value_type = schema::Policy)]
    policy: Policy,
    /// There would be no such subscription.
    #[serde(default)]
    deleted: bool,
    /// Where it would go; decides nothing here.
    #[serde(rename = "to")]
    _to: Option<String>,
    /// The team that it would belong to; decides nothing here.
    #[serde(rename = "team")]
    _team: Option<String>,
    /// How deliveries would be signed; decides nothing here.
    #[serde(rename = "sign")]
    #[schema(value_type = Option<schema::Signing>)]
    _sign: Option<Signing>,
}

/// What would have been different.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WhatIf {
    /// Webhooks looked at for this answer.
    looked_at: u64,
    /// Those of them that were erased, so that nobody can say.
    erased: u64,
    /// Those of which today's rules, under the configuration of that time, say something else than
    /// the recorded decision: then what is said about them is about the rules, too.
    differs: u64,
    /// Subscription by subscription, by name.
    subscriptions: Vec<Compared>,
    /// The webhooks that make a difference, the latest received first.
    items: Vec<Different>,
    /// When the earliest webhook of this answer was received.
    reached: Option<i64>,
    /// The cursor of the answer that follows; none when everything in the range was looked at.
    next: Option<String>,
}

/// One subscription before and after.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Compared {
    /// Its name.
    name: String,
    /// Deliveries that it was owed.
    before: u64,
    /// Deliveries that it would have been owed.
    after: u64,
    /// Those that it was not owed, and would have been.
    more: u64,
    /// Those that it was owed, and would not have been.
    fewer: u64,
}

/// One webhook that makes a difference.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Different {
    /// The receipt.
    #[schema(value_type = String, format = "uuid")]
    receipt: ReceiptId,
    /// GitHub's id of the event.
    guid: String,
    /// GitHub's name of the event.
    event: String,
    /// The body's `action`.
    action: Option<String>,
    /// The repository's full name.
    repository: Option<String>,
    /// The source's name.
    source: String,
    /// When it was received.
    received_at: i64,
    /// The subscriptions that were not owed it, and would have been.
    more: Vec<String>,
    /// The subscriptions that were owed it, and would not have been.
    fewer: Vec<String>,
}

/// Compares what was owed with what a proposal would have owed: how many more, how many fewer, which,
/// subscription by subscription. Nothing is delivered, and nothing recorded.
#[utoipa::path(post, path = "/what-if", tag = "subscription",
    responses((status = 200, body = WhatIf), (status = 422, body = Problem)))]
async fn what_if(
    _: Reader,
    State(api): State<Shared>,
    Json(body): Json<WhatIfBody>,
) -> Result<axum::Json<WhatIf>, Problem> {
    let proposal = proposal(&api, &body).await?;
    let page = paging::page(body.limit, body.cursor.clone())?;
    let (from, to) = range(body.from.as_deref(), body.to.as_deref())?;
    filters::check_repository(body.repository.as_deref())?;
    let filter = Listed {
        from,
        to,
        source: body.source,
        host: body.host,
        repository: body.repository,
        event: body.event,
        ..Listed::default()
    };
    if body.cursor.is_none() {
        api.catch_up(CATCH_UP).await?;
    }
    let rows = api.parts.queries.webhooks(&filter, &page).await?;
    let asked = Asked {
        api: &api,
        proposal,
        from,
    };
    let mut answer = asked.weigh(&rows.items).await?;
    answer.next = rows.next;
    Ok(axum::Json(answer))
}

async fn proposal(api: &Api, body: &WhatIfBody) -> Result<Proposal, Problem> {
    check::bounded("subscriptions", body.subscriptions.len())?;
    let mut proposed = Vec::with_capacity(body.subscriptions.len());
    for (place, one) in body.subscriptions.iter().enumerate() {
        proposed.push(proposed_by(api, place, one)?);
    }
    if let Some(as_it_was) = &body.as_it_was {
        proposed.extend(of_the_past(api, as_it_was).await?);
    }
    if proposed.is_empty() && !body.complete {
        return Err(Problem::bad_value(
            "`subscriptions` is empty, so nothing would be different; name at least one",
        ));
    }
    let mut names = BTreeSet::new();
    match proposed.iter().find(|one| !names.insert(&one.name)) {
        Some(twice) => Err(Problem::bad_value(format!(
            "{:?} is proposed twice; say once what it would be",
            twice.name
        ))),
        None => Ok(Proposal::new(proposed, body.complete)),
    }
}

fn proposed_by(api: &Api, place: usize, one: &ProposedBody) -> Result<Proposed, Problem> {
    check::name(&format!("subscriptions[{place}].name"), &one.name)?;
    (api.parts.check_filter)(&one.filter).map_err(|reason| {
        let field = format!("`subscriptions[{place}].filter` (of {:?})", one.name);
        Problem::bad_value(format!("{field} is wrong: {reason}"))
    })?;
    Ok(Proposed {
        name: one.name.clone(),
        filter: (!one.deleted).then(|| one.filter.clone()),
        duplicates: one.policy.duplicates,
    })
}

/// The subscriptions of a point of the past, as if they were proposed.
async fn of_the_past(api: &Api, asked: &AsItWas) -> Result<Vec<Proposed>, Problem> {
    let point = api.point(&point_spec("as_it_was.at", &asked.at)?).await?;
    let then = api.configuration_before(point.control).await?;
    let live = then.subscriptions.values().filter(|one| !one.deleted);
    let named = |name: &String| {
        asked
            .subscriptions
            .as_ref()
            .is_none_or(|n| n.contains(name))
    };
    let found: Vec<_> = live.filter(|one| named(&one.spec.name)).collect();
    for name in asked.subscriptions.iter().flatten() {
        if !found.iter().any(|one| one.spec.name == *name) {
            let said = format!("there was no subscription {name:?} at {}", asked.at);
            return Err(Problem::bad_value(said));
        }
    }
    let proposed = found.iter().map(|one| Proposed {
        name: one.spec.name.clone(),
        filter: Some(one.spec.filter.clone()),
        duplicates: one.spec.policy.duplicates,
    });
    Ok(proposed.collect())
}

/// A question about one page of webhooks.
struct Asked<'a> {
    api: &'a Api,
    proposal: Proposal,
    from: Option<Timestamp>,
}

impl Asked<'_> {
    async fn weigh(&self, rows: &[WebhookRow]) -> Result<WhatIf, Problem> {
        let decisions = self.api.decisions(rows).await?;
        let received = self.api.receipts(rows).await?;
        let offsets = decisions
            .iter()
            .flatten()
            .map(|one| one.configuration.offset);
        let past = self.api.configurations_at(offsets.collect()).await?;
        let past = past
            .iter()
            .map(|(at, then)| (*at, self.proposal.then(then)));
        let past: BTreeMap<Offset, _> = past.collect();
        let mut tallies: BTreeMap<String, Tally> = self
            .proposal
            .names()
            .map(|name| (name.to_owned(), Tally::default()))
            .collect();
        let (mut erased, mut differs) = (0, 0);
        let mut items = Vec::new();
        for ((row, routed), received) in rows.iter().zip(&decisions).zip(&received) {
            let (Some(routed), Some(received)) = (routed, received) else {
                erased += 1;
                continue;
            };
            let served = self.served(row, routed).await?;
            let weighed = self.proposal.weigh(received, routed, &served, &mut tallies);
            if weighed != Weighed::default() {
                items.push(different(row, weighed));
            }
            let then = past.get(&routed.configuration.offset);
            let agrees = then.is_none_or(|then| self.proposal.agrees(then, received, routed));
            differs += u64::from(!agrees);
        }
        Ok(WhatIf {
            looked_at: rows.len() as u64,
            erased,
            differs,
            subscriptions: tallies.into_iter().map(compared).collect(),
            items,
            reached: rows.last().map(|row| row.received_at),
            next: None,
        })
    }

    /// The names that earlier receipts of the same event would have served: before the range as it
    /// was recorded, in it as it is proposed.
    async fn served(&self, row: &WebhookRow, routed: &Routed) -> Result<BTreeSet<String>, Problem> {
        let mut served = BTreeSet::new();
        if !is_subtracted_from(routed) {
            return Ok(served);
        }
        let same = Listed {
            guid: Some(row.guid.clone()),
            ..Listed::default()
        };
        let page = Page {
            limit: Page::LIMIT_MAX,
            cursor: None,
        };
        let mut earlier = self.api.parts.queries.webhooks(&same, &page).await?.items;
        earlier.retain(|one| one.partition == row.partition && one.offset < row.offset);
        let decisions = self.api.decisions(&earlier).await?;
        let received = self.api.receipts(&earlier).await?;
        for ((row, routed), received) in earlier.iter().zip(decisions).zip(received) {
            let before = self.from.is_some_and(|from| row.received_at < from.0);
            served.extend(self.served_by(routed, received.filter(|_| !before)));
        }
        Ok(served)
    }

    fn served_by(&self, routed: Option<Routed>, received: Option<Received>) -> BTreeSet<String> {
        match received {
            Some(received) => self.proposal.matches(&received),
            None => {
                let matches = routed.into_iter().flat_map(|routed| routed.matches);
                matches.map(|one| one.name).collect()
            }
        }
    }
}

fn compared((name, tally): (String, Tally)) -> Compared {
    Compared {
        name,
        before: tally.before,
        after: tally.after,
        more: tally.more,
        fewer: tally.fewer,
    }
}

fn different(row: &WebhookRow, weighed: Weighed) -> Different {
    Different {
        receipt: row.receipt,
        guid: row.guid.clone(),
        event: row.event.clone(),
        action: row.action.clone(),
        repository: row.repository.clone(),
        source: row.source.clone(),
        received_at: row.received_at,
        more: weighed.more,
        fewer: weighed.fewer,
    }
}
