//! `/recipients` and `/subscriptions/{name}/received`: who received a webhook, and what a subscriber
//! received. `/body-reads`: who looked at which payload.

use super::auth::Reader;
use super::extract::{Name, Query};
use super::filters::{ListQuery, Of, range};
use super::object::find_any_in;
use super::problem::Problem;
use super::view::View;
use super::{Shared, check, paging};
use crate::query::{BodyReadRow, Filter, Page, Paged, ReadsFilter, ReceivedRow, RecipientRow};
use axum::extract::State;
use hooklog_projections::configuration::Subscription;
use hooklog_schemas::ReceiptId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(recipients))
        .routes(routes!(received))
        .routes(routes!(body_reads))
}

/// Lists webhooks with everybody to whom they were owed, the result, and who looked at their bodies;
/// the latest received first.
#[utoipa::path(get, path = "/recipients", tag = "webhook", params(ListQuery),
    responses((status = 200, body = Paged<ReceivedRow>), (status = 503, body = Problem)))]
async fn recipients(
    _: Reader,
    State(api): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<axum::Json<Paged<ReceivedRow>>, Problem> {
    let (view, filter, page) = query.read(&api, Of::Webhooks).await?;
    let mut rows = view.queries.received(&filter, &page).await?;
    let recipients = rows.items.iter_mut().flat_map(|row| &mut row.recipients);
    view.fill_held(recipients.map(|row| &mut row.delivery))
        .await?;
    Ok(axum::Json(rows))
}

/// Which deliveries, and which page of them. All given clauses must hold.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceivedQuery {
    /// Received by hooklog at or after (RFC 3339).
    from: Option<String>,
    /// Received by hooklog before (RFC 3339).
    to: Option<String>,
    /// Rows at the most, 1 to 500; 50 if not given.
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// What it was then: a time (RFC 3339), a record (`webhooks/3@1042`), or a bookmark (`@NAME`).
    as_of: Option<String>,
}

/// Lists everything that was delivered to a subscription, the latest received first. A deleted one
/// is found by its id.
#[utoipa::path(get, path = "/subscriptions/{name}/received", tag = "subscription",
    params(("name" = String, Path), ReceivedQuery),
    responses((status = 200, body = Paged<RecipientRow>)))]
async fn received(
    _: Reader,
    State(api): State<Shared>,
    name: Name,
    Query(query): Query<ReceivedQuery>,
) -> Result<axum::Json<Paged<RecipientRow>>, Problem> {
    let page = paging::page(query.limit, query.cursor)?;
    let (from, to) = range(query.from.as_deref(), query.to.as_deref())?;
    let view = api.view(query.as_of.as_deref()).await?;
    let configuration = view.configuration().await?;
    let subscription = find_any_in::<Subscription>(&configuration, &name.0)?;
    let filter = Filter {
        from,
        to,
        state: Some("delivered".to_owned()),
        subscription: Some(subscription.id),
        ..Filter::default()
    };
    Ok(axum::Json(view.queries.recipients(&filter, &page).await?))
}

/// Which looks, and which page of them. All given clauses must hold.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadsQuery {
    /// Looked at or after (RFC 3339).
    from: Option<String>,
    /// Looked before (RFC 3339).
    to: Option<String>,
    /// Who looked: a token's name.
    actor: Option<String>,
    /// At the body of this receipt.
    receipt: Option<String>,
    /// At the bodies of this event, by GitHub's id.
    guid: Option<String>,
    /// Rows at the most, 1 to 500; 50 if not given.
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// What it was then: a time (RFC 3339), a record (`webhooks/3@1042`), or a bookmark (`@NAME`).
    as_of: Option<String>,
}

/// Lists who looked at which body, when and from where; the latest first. Each look is recorded
/// before the body is given.
#[utoipa::path(get, path = "/body-reads", tag = "webhook", params(ReadsQuery),
    responses((status = 200, body = Paged<BodyReadRow>), (status = 503, body = Problem)))]
async fn body_reads(
    _: Reader,
    State(api): State<Shared>,
    Query(query): Query<ReadsQuery>,
) -> Result<axum::Json<Paged<BodyReadRow>>, Problem> {
    let page = paging::page(query.limit, query.cursor.clone())?;
    let (from, to) = range(query.from.as_deref(), query.to.as_deref())?;
    let view = api.view(query.as_of.as_deref()).await?;
    let filter = ReadsFilter {
        from,
        to,
        receipts: receipts(&view, &query).await?,
        actor: query.actor,
    };
    Ok(axum::Json(view.queries.body_reads(&filter, &page).await?))
}

/// The receipts that are asked for; none if any will do.
async fn receipts(view: &View<'_>, query: &ReadsQuery) -> Result<Option<Vec<ReceiptId>>, Problem> {
    let rule = "it must be the id of a receipt, as `webhook list` shows it";
    let one = query.receipt.as_deref().map(|text| {
        text.parse::<ReceiptId>()
            .map_err(|_| check::wrong("receipt", text, rule))
    });
    let one = one.transpose()?;
    let Some(guid) = query.guid.clone() else {
        return Ok(one.map(|receipt| vec![receipt]));
    };
    let filter = Filter {
        guid: Some(guid),
        ..Filter::default()
    };
    let page = Page {
        limit: Page::LIMIT_MAX,
        cursor: None,
    };
    let rows = view.queries.webhooks(&filter, &page).await?.items;
    let receipts = rows.into_iter().map(|row| row.receipt);
    Ok(Some(
        receipts
            .filter(|receipt| one.is_none_or(|one| one == *receipt))
            .collect(),
    ))
}
