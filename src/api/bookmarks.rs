//! `/bookmarks`: points of the log that have a name.

use super::auth::{Operator, Reader};
use super::change::Changed;
use super::extract::{Json, Name, Query};
use super::paging::PageQuery;
use super::problem::Problem;
use super::view::AsOfQuery;
use super::{Shared, check, schema};
use crate::query::Paged;
use axum::extract::State;
use axum::http::StatusCode;
use hooklog_projections::configuration::Bookmark;
use hooklog_schemas::control::{BookmarkCreated, BookmarkDeleted, By};
use hooklog_schemas::{Point, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, delete))
}

/// A point that has a name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BookmarkView {
    /// The name: `@NAME` stands for the point wherever one is asked for.
    name: String,
    /// The point.
    #[schema(value_type = schema::Point)]
    point: Point,
    /// When it was made.
    #[schema(value_type = i64)]
    created_at: Timestamp,
    /// Who made it: a token's name.
    actor: String,
    /// From which address.
    from: String,
    /// The reason that was given.
    why: Option<String>,
}

impl From<&Bookmark> for BookmarkView {
    fn from(bookmark: &Bookmark) -> Self {
        Self::of(&bookmark.name, &bookmark.point, &bookmark.by)
    }
}

impl BookmarkView {
    fn of(name: &str, point: &Point, by: &By) -> Self {
        Self {
            name: name.to_owned(),
            point: point.clone(),
            created_at: by.at,
            actor: by.actor.clone(),
            from: by.from.clone(),
            why: by.why.clone(),
        }
    }
}

/// A new bookmark.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBookmark {
    /// The name.
    name: String,
    /// Which point: a time (RFC 3339), a record (`webhooks/3@1042`), or another bookmark (`@NAME`);
    /// the end of the log if not given.
    point: Option<String>,
    /// Why.
    reason: Option<String>,
}

/// What a deletion may say.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeleteQuery {
    /// Why.
    reason: Option<String>,
}

/// Lists the bookmarks by name.
#[utoipa::path(get, path = "/bookmarks", tag = "bookmark", params(PageQuery),
    responses((status = 200, body = Paged<BookmarkView>)))]
async fn list(
    _: Reader,
    State(api): State<Shared>,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Paged<BookmarkView>>, Problem> {
    let view = api.view(query.as_of.as_deref()).await?;
    let configuration = view.configuration().await?;
    let bookmarks = configuration.bookmarks.iter();
    let rows = bookmarks.map(|bookmark| BookmarkView::from(&**bookmark));
    query.cut(rows, |row| row.name.clone()).map(axum::Json)
}

/// Shows one bookmark, with its point.
#[utoipa::path(get, path = "/bookmarks/{name}", tag = "bookmark",
    params(("name" = String, Path), AsOfQuery),
    responses((status = 200, body = BookmarkView), (status = 404, body = Problem)))]
async fn show(
    _: Reader,
    State(api): State<Shared>,
    name: Name,
    Query(query): Query<AsOfQuery>,
) -> Result<axum::Json<BookmarkView>, Problem> {
    let view = api.view(query.as_of.as_deref()).await?;
    let configuration = view.configuration().await?;
    let bookmark = configuration.bookmarks.get(&name.0);
    let shown = bookmark.map(|bookmark| BookmarkView::from(&**bookmark));
    shown
        .map(axum::Json)
        .ok_or_else(|| missing(&name.0, &view.then()))
}

/// Gives a point a name. It keeps its meaning until it is deleted, whatever is appended meanwhile.
#[utoipa::path(post, path = "/bookmarks", tag = "bookmark",
    responses((status = 201, body = BookmarkView), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn create(
    Operator(caller): Operator,
    State(api): State<Shared>,
    Json(body): Json<NewBookmark>,
) -> Result<(StatusCode, axum::Json<BookmarkView>), Problem> {
    check::name("name", &body.name)?;
    let by = caller.by(&api, check::reason(body.reason)?);
    let configuration = api.parts.control.current();
    let taken = || Problem::conflict(format!("there is a bookmark {:?} already", body.name));
    if configuration.bookmarks.get(&body.name).is_some() {
        return Err(taken());
    }
    let point = match &body.point {
        Some(text) => api.resolve(&api.spec("point", text)?).await?,
        None => api.end().await?,
    };
    let view = BookmarkView::of(&body.name, &point, &by);
    let created = BookmarkCreated {
        name: body.name.clone(),
        point,
        by,
    };
    api.submit_new(created, taken).await?;
    Ok((StatusCode::CREATED, axum::Json(view)))
}

/// Deletes a bookmark: its name is free again. Nothing else is deleted.
#[utoipa::path(delete, path = "/bookmarks/{name}", tag = "bookmark",
    params(("name" = String, Path), DeleteQuery),
    responses((status = 200, body = Changed), (status = 404, body = Problem)))]
async fn delete(
    Operator(caller): Operator,
    State(api): State<Shared>,
    name: Name,
    Query(query): Query<DeleteQuery>,
) -> Result<axum::Json<Changed>, Problem> {
    if api.parts.control.current().bookmarks.get(&name.0).is_none() {
        return Err(missing(&name.0, ""));
    }
    let deleted = BookmarkDeleted {
        name: name.0,
        by: caller.by(&api, check::reason(query.reason)?),
    };
    Ok(axum::Json(api.submit(deleted).await?.into()))
}

/// `then` says as of which time there is none.
fn missing(name: &str, then: &str) -> Problem {
    Problem::not_found(format!("there is no bookmark {name:?}{then}"))
}
