//! `/tokens`: who may do what.

mod history;

use super::auth::Admin;
use super::change::Changed;
use super::extract::{Json, Name, Query};
use super::paging::PageQuery;
use super::problem::Problem;
use super::view::AsOfQuery;
use super::{Shared, check, schema, secrets};
use crate::query::{ChangeRow, Paged};
use axum::extract::State;
use axum::http::StatusCode;
use hooklog_projections::configuration::{Configuration, Token};
use hooklog_schemas::control::{Holder, Role, TokenCreated, TokenRevoked};
use hooklog_schemas::{Timestamp, TokenId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, revoke))
        .routes(routes!(history))
}

/// A token, without what makes it one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenView {
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    id: TokenId,
    /// The person's or service's name.
    name: String,
    /// `person` or `service`.
    #[schema(value_type = schema::Holder)]
    holder: Holder,
    /// `read`, `operate` or `admin`.
    #[schema(value_type = schema::Role)]
    role: Role,
    /// When it was created.
    #[schema(value_type = i64)]
    created_at: Timestamp,
    /// The token. It is shown when it is created, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl From<&Token> for TokenView {
    fn from(token: &Token) -> Self {
        Self {
            id: token.id,
            name: token.name.clone(),
            holder: token.holder,
            role: token.role,
            created_at: token.created_at,
            token: None,
        }
    }
}

/// A new token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// The person's or service's name.
    name: String,
    /// `person` or `service`.
    #[schema(value_type = schema::Holder)]
    holder: Holder,
    /// `read`, `operate` or `admin`.
    #[schema(value_type = schema::Role)]
    role: Role,
    /// Why.
    reason: Option<String>,
}

/// What a revocation may say.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokeQuery {
    /// Why.
    reason: Option<String>,
}

/// Lists the tokens by name.
#[utoipa::path(get, path = "/tokens", tag = "token", params(PageQuery),
    responses((status = 200, body = Paged<TokenView>)))]
async fn list(
    _: Admin,
    State(api): State<Shared>,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Paged<TokenView>>, Problem> {
    let view = api.view(query.as_of.as_deref()).await?;
    let configuration = view.configuration().await?;
    let mut live: Vec<_> = live(&configuration).collect();
    live.sort_by(|a, b| a.name.cmp(&b.name));
    let rows = live.into_iter().map(|token| TokenView::from(&**token));
    query.cut(rows, |row| row.name.clone()).map(axum::Json)
}

/// Shows one token's name and role; the token itself is kept nowhere.
#[utoipa::path(get, path = "/tokens/{name}", tag = "token",
    params(("name" = String, Path), AsOfQuery), responses((status = 200, body = TokenView)))]
async fn show(
    _: Admin,
    State(api): State<Shared>,
    name: Name,
    Query(query): Query<AsOfQuery>,
) -> Result<axum::Json<TokenView>, Problem> {
    let configuration = api
        .view(query.as_of.as_deref())
        .await?
        .configuration()
        .await?;
    let token = live(&configuration).find(|token| token.name == name.0);
    let view = token.map(|token| TokenView::from(&**token));
    view.map(axum::Json).ok_or_else(|| missing(&name.0))
}

/// Lists when tokens of this name were created and revoked, by whom and why, the latest first.
#[utoipa::path(get, path = "/tokens/{name}/history", tag = "token",
    params(("name" = String, Path), PageQuery), responses((status = 200, body = Paged<ChangeRow>)))]
async fn history(
    _: Admin,
    State(api): State<Shared>,
    name: Name,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Paged<ChangeRow>>, Problem> {
    let view = api.view(query.as_of.as_deref()).await?;
    let configuration = view.configuration().await?;
    let mut all = configuration.tokens.values();
    if !all.any(|token| token.name == name.0) {
        return Err(missing(&name.0));
    }
    let mut rows = history::of(&api, &name.0, configuration.next).await?;
    rows.reverse();
    // Padded, so that offsets compare as texts; the latest comes first, so the complement counts.
    let key = |row: &ChangeRow| format!("{:020}", i64::MAX - row.offset);
    query.cut(rows.into_iter(), key).map(axum::Json)
}

fn missing(name: &str) -> Problem {
    Problem::not_found(format!("there is no token of {name:?}"))
}

/// Creates a token, and shows it this once.
#[utoipa::path(post, path = "/tokens", tag = "token",
    responses((status = 201, body = TokenView), (status = 409, body = Problem)))]
async fn create(
    Admin(caller): Admin,
    State(api): State<Shared>,
    Json(body): Json<NewToken>,
) -> Result<(StatusCode, axum::Json<TokenView>), Problem> {
    check::holder_name(&body.name)?;
    let reason = check::reason(body.reason)?;
    let taken = || Problem::conflict(format!("there is a token of {:?} already", body.name));
    if live(&api.parts.control.current()).any(|token| token.name == body.name) {
        return Err(taken());
    }
    let token = secrets::token()?;
    let by = caller.by(&api, reason);
    let created = TokenCreated {
        id: TokenId(Uuid::now_v7()),
        name: body.name.clone(),
        holder: body.holder,
        role: body.role,
        sha256: hex::encode(Sha256::digest(token.as_bytes())),
        by,
    };
    let view = TokenView {
        id: created.id,
        name: body.name.clone(),
        holder: created.holder,
        role: created.role,
        created_at: created.by.at,
        token: Some(token),
    };
    api.submit_new(created, taken).await?;
    Ok((StatusCode::CREATED, axum::Json(view)))
}

/// Revokes a token: it is worth nothing from the next request on.
#[utoipa::path(delete, path = "/tokens/{name}", tag = "token", params(("name" = String, Path), RevokeQuery),
    responses((status = 200, body = Changed), (status = 409, body = Problem)))]
async fn revoke(
    Admin(caller): Admin,
    State(api): State<Shared>,
    name: Name,
    Query(query): Query<RevokeQuery>,
) -> Result<axum::Json<Changed>, Problem> {
    // One at a time, so that two admins cannot lock everybody out by revoking each other.
    let _turn = api.revoking.lock().await;
    let configuration = api.parts.control.current();
    let token = live(&configuration).find(|token| token.name == name.0);
    let token = token.ok_or_else(|| missing(&name.0))?;
    let admins = live(&configuration).filter(|token| token.role == Role::Admin);
    if token.role == Role::Admin && admins.count() == 1 {
        let detail = "it is the last admin token; create another one first";
        return Err(Problem::conflict(detail));
    }
    let by = caller.by(&api, check::reason(query.reason)?);
    let id = token.id;
    Ok(axum::Json(
        api.submit(TokenRevoked { id, by }).await?.into(),
    ))
}

fn live(configuration: &Configuration) -> impl Iterator<Item = &Arc<Token>> {
    configuration.tokens.values().filter(|token| !token.revoked)
}
