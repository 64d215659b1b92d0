//! `/subscriptions/{name}/revert`: makes a subscription what it was at a point.

use super::auth::Operator;
use super::extract::{Json, Name};
use super::object;
use super::problem::Problem;
use super::subscriptions::check_spec;
use super::{Api, Shared, check, secrets};
use crate::hindsight::blame::{FieldChange, between};
use crate::history::{self, PointError, PointSpec};
use axum::extract::State;
use hooklog_projections::configuration::Subscription;
use hooklog_schemas::control::{SubscriptionChanged, SubscriptionSpec};
use hooklog_schemas::{EventId, Offset, Point};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(revert))
}

/// To where.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevertBody {
    /// The point: a time (RFC 3339), `control/0@42`, or `@bookmark`.
    to: String,
    /// Only tell what it would change.
    dry_run: Option<bool>,
    /// The version that the change is based on; the present one if not given.
    #[schema(value_type = Option<String>, format = "uuid")]
    expected: Option<EventId>,
    /// Why.
    reason: Option<String>,
}

/// What was changed back, or would be.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reverted {
    /// The subscription's name.
    name: String,
    /// The version that it had before: what a change must name as `expected`.
    #[schema(value_type = String, format = "uuid")]
    version: EventId,
    /// The first offset of `control` that lies outside the point.
    #[schema(value_type = u64)]
    control: Offset,
    /// The fields that differ: what they are, and what they were at the point.
    fields: Vec<FieldChange>,
    /// Whether anything was changed.
    changed: bool,
}

/// Makes the description of a subscription what it was at a point: filter, destination, team, policy.
/// It is a change like any other, with an event of its own. Its name, its secrets, and whether it is
/// paused stay as they are.
#[utoipa::path(post, path = "/subscriptions/{name}/revert", tag = "subscription",
    params(("name" = String, Path)),
    responses((status = 200, body = Reverted), (status = 409, body = Problem)))]
async fn revert(
    Operator(caller): Operator,
    State(api): State<Shared>,
    name: Name,
    Json(body): Json<RevertBody>,
) -> Result<axum::Json<Reverted>, Problem> {
    let subscription = object::find::<Subscription>(&api, &name.0)?;
    let reason = check::reason(body.reason)?;
    let (control, spec) = spec_at(&api, &subscription, &body.to).await?;
    let fields = differences(&subscription.spec, &spec)?;
    let dry_run = body.dry_run.unwrap_or(false);
    let changed = !fields.is_empty() && !dry_run;
    let reverted = Reverted {
        name: subscription.spec.name.clone(),
        version: subscription.version,
        control,
        fields,
        changed,
    };
    if !changed {
        return Ok(axum::Json(reverted));
    }
    check_spec(&api, &spec).await?;
    secrets::check_fits(&api, &subscription.secrets, spec.sign)?;
    let event = SubscriptionChanged {
        id: subscription.id,
        expected: body.expected.unwrap_or(subscription.version),
        spec,
        by: caller.by(&api, reason),
    };
    api.submit(event).await?;
    Ok(axum::Json(reverted))
}

impl Api {
    /// The point that somebody named.
    pub(super) async fn point(&self, spec: &PointSpec) -> Result<Point, Problem> {
        let configuration = self.parts.control.current();
        let point = history::resolve(&*self.parts.log, &configuration, spec).await;
        point.map_err(|error| match error {
            PointError::Read(error) => error.into(),
            PointError::Decode(error) => Problem::internal(error),
            error => Problem::bad_value(error.to_string()),
        })
    }
}

/// Reads what names a point.
pub(super) fn point_spec(field: &str, text: &str) -> Result<PointSpec, Problem> {
    let spec = text.parse();
    spec.map_err(|error: history::SpecError| check::wrong(field, text, &error.to_string()))
}

/// What the subscription was at a point, under the name that it has.
async fn spec_at(
    api: &Api,
    subscription: &Subscription,
    to: &str,
) -> Result<(Offset, SubscriptionSpec), Problem> {
    let spec = point_spec("to", to)?;
    let point = api.point(&spec).await?;
    let then = api.configuration_before(point.control).await?;
    let was = then.subscriptions.get(&subscription.id).ok_or_else(|| {
        let (name, created) = (&subscription.spec.name, subscription.created_at);
        Problem::bad_value(format!(
            "{name:?} did not exist at {to}: it was created at {created}"
        ))
    })?;
    let name = subscription.spec.name.clone();
    let spec = SubscriptionSpec {
        name,
        ..was.spec.clone()
    };
    Ok((point.control, spec))
}

fn differences(
    now: &SubscriptionSpec,
    then: &SubscriptionSpec,
) -> Result<Vec<FieldChange>, Problem> {
    let value = |spec| serde_json::to_value(spec).map_err(Problem::internal);
    Ok(between(&value(now)?, &value(then)?))
}
