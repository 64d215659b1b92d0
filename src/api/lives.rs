//! `/subscriptions/{name}/blame`: who set which field, when, from where and why; and what other
//! answers need of the lives of subscriptions.

use super::auth::Reader;
use super::extract::{Name, Query};
use super::problem::Problem;
use super::view::AsOfQuery;
use super::{Api, Shared};
use crate::hindsight::blame::{Blamed, Evidence};
use crate::hindsight::life::Life;
use axum::extract::State;
use hooklog_projections::configuration::{Configuration, Subscription};
use hooklog_schemas::SubscriptionId;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Changes read at once.
const CHANGES: usize = 500;

/// Lives of one name in one answer, the latest ones.
const LIVES_MAX: usize = 100;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(blame))
}

/// Who set what, for each subscription that has or had a name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BlameView {
    /// The name or the id that was asked for.
    name: String,
    /// The latest life first: a name may be used again after a deletion, by another subscription.
    lives: Vec<LifeView>,
}

/// One subscription from its creation on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LifeView {
    /// Its id: no other subscription has it, whatever becomes of the name.
    #[schema(value_type = String, format = "uuid")]
    id: SubscriptionId,
    /// Its name.
    name: String,
    /// Its creation.
    created: Option<Evidence>,
    /// Its deletion, if it was deleted.
    deleted: Option<Evidence>,
    /// Every field that it has or had, with who set it last.
    fields: Vec<Blamed>,
}

/// Tells who set each field of a subscription last, when, from where and why; by a name, of every
/// subscription that has or had it; by an id, of that one.
#[utoipa::path(get, path = "/subscriptions/{name}/blame", tag = "subscription",
    params(("name" = String, Path), AsOfQuery), responses((status = 200, body = BlameView)))]
async fn blame(
    _: Reader,
    State(api): State<Shared>,
    name: Name,
    Query(query): Query<AsOfQuery>,
) -> Result<axum::Json<BlameView>, Problem> {
    let view = api.fresh_view(query.as_of.as_deref()).await?;
    let configuration = view.configuration().await?;
    let mut lives = Vec::new();
    for subscription in with_name(&configuration, &name.0)? {
        let life = api.life(subscription.id, view.control_end()).await?;
        lives.push(told(&subscription, &life));
    }
    let name = name.0;
    Ok(axum::Json(BlameView { name, lives }))
}

/// The subscriptions that have or had this name, or this id; the latest first.
fn with_name(configuration: &Configuration, name: &str) -> Result<Vec<Arc<Subscription>>, Problem> {
    let all = configuration.subscriptions.values();
    let named = all.filter(|one| one.spec.name == name || one.id.to_string() == name);
    let mut named: Vec<_> = named.cloned().collect();
    named.sort_by_key(|one| std::cmp::Reverse((one.created_at, one.id)));
    named.truncate(LIVES_MAX);
    if named.is_empty() {
        let said = format!("no subscription has or had the name {name:?}");
        return Err(Problem::not_found(said));
    }
    Ok(named)
}

fn told(subscription: &Subscription, life: &Life) -> LifeView {
    let changes = life.blame().changes();
    let deleted = |one: &&Evidence| one.event_type == "subscription.deleted";
    LifeView {
        id: subscription.id,
        name: subscription.spec.name.clone(),
        created: changes.first().cloned(),
        deleted: changes.iter().find(deleted).cloned(),
        fields: life.blame().blamed(),
    }
}

impl Api {
    /// The life of a subscription, up to an offset of `control` that lies outside, if one is given.
    pub(super) async fn life(&self, id: SubscriptionId, end: Option<i64>) -> Result<Life, Problem> {
        let end = end.unwrap_or(i64::MAX);
        let mut life = Life::of(id);
        let mut from = 0;
        loop {
            let queries = &self.parts.queries;
            let changes = queries.subscription_changes(id, from, CHANGES).await?;
            for change in changes.iter().filter(|change| change.offset < end) {
                life.fold(change);
            }
            let last = changes.last().map(|change| change.offset);
            match last.filter(|last| changes.len() == CHANGES && *last < end) {
                Some(last) => from = last + 1,
                None => return Ok(life),
            }
        }
    }
}
