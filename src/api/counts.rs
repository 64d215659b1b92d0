//! `/counts`: what happened, minute by minute.

use super::auth::Reader;
use super::extract::Query;
use super::filters::range;
use super::problem::Problem;
use super::{Shared, check, paging};
use crate::query::{CountRow, CountsFilter, Paged};
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hooklog_schemas::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The range if `from` is not given, in seconds.
const RANGE_SECS: i64 = 86_400;

/// The longest range, in seconds: 31 days.
const RANGE_SECS_MAX: i64 = 31 * 86_400;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which minutes, of which source, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct CountsQuery {
    /// Minutes that begin at or after (RFC 3339); a day before the end if not given.
    from: Option<String>,
    /// Minutes that begin before (RFC 3339); now, or the time of the point, if not given. At most 31 days after `from`.
    to: Option<String>,
    /// The source's name.
    source: Option<String>,
    /// Rows at the most, 1 to 500; 50 if not given.
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// What it was then: a time (RFC 3339), a record (`webhooks/3@1042`), or a bookmark (`@NAME`).
    as_of: Option<String>,
}

/// Lists what happened to the webhooks of each source in each minute, the latest first.
#[utoipa::path(get, path = "/counts", tag = "webhook", params(CountsQuery),
    responses((status = 200, body = Paged<CountRow>), (status = 503, body = Problem)))]
async fn list(
    _: Reader,
    State(api): State<Shared>,
    Query(query): Query<CountsQuery>,
) -> Result<axum::Json<Paged<CountRow>>, Problem> {
    let page = paging::page(query.limit, query.cursor)?;
    let (from, to) = range(query.from.as_deref(), query.to.as_deref())?;
    let view = api.view(query.as_of.as_deref()).await?;
    let end = to.unwrap_or_else(|| view.time());
    let from = from.unwrap_or(Timestamp(end.0.saturating_sub(RANGE_SECS * 1_000_000)));
    if end.0.saturating_sub(from.0) > RANGE_SECS_MAX * 1_000_000 {
        return Err(Problem::bad_value(
            "the range is longer than 31 days; ask in parts",
        ));
    }
    let after = page.cursor.as_deref().map(read).transpose()?;
    let filter = CountsFilter {
        from: Some(from),
        to,
        source: query.source,
    };
    let rows = view.queries.counts(&filter).await?;
    let mut rows = rows.into_iter().peekable();
    if let Some(after) = after {
        while rows.next().is_some_and(|row| key(&row) != after) {}
    }
    let items: Vec<CountRow> = rows.by_ref().take(page.limit as usize).collect();
    let last = items.last().filter(|_| rows.peek().is_some());
    let next = last.map(|row| URL_SAFE_NO_PAD.encode(key(row)));
    Ok(axum::Json(Paged { items, next }))
}

fn key(row: &CountRow) -> String {
    format!("{}/{}", row.minute_at, row.source)
}

fn read(cursor: &str) -> Result<String, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let key = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    key.ok_or_else(|| check::wrong("cursor", cursor, "take the `next` of the page before"))
}
