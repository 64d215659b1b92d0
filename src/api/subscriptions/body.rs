//! What goes in and out of `/subscriptions`.

use crate::api::change::Changed;
use crate::api::schema;
use crate::api::secrets::{self, SecretText, SecretView};
use hooklog_projections::configuration::Subscription;
use hooklog_schemas::control::{Filter, Policy, Signing};
use hooklog_schemas::{EventId, SubscriptionId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A subscription as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SubscriptionView {
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    id: SubscriptionId,
    /// Its name.
    pub(super) name: String,
    /// The team that it belongs to.
    team: String,
    /// Where it goes.
    to: String,
    /// What it wants.
    #[schema(value_type = schema::Filter)]
    filter: Filter,
    /// `standard`, `github` or `none`.
    #[schema(value_type = schema::Signing)]
    sign: Signing,
    /// How deliveries are tried.
    #[schema(value_type = schema::Policy)]
    policy: Policy,
    /// Its deliveries wait.
    paused: bool,
    /// The last event that changed it.
    #[schema(value_type = String, format = "uuid")]
    version: EventId,
    /// When it was created.
    #[schema(value_type = i64)]
    created_at: Timestamp,
    /// Its secrets, newest first, without their values.
    secrets: Vec<SecretView>,
    /// Whether a request to pause or to resume changed anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api) changed: Option<bool>,
    /// The secret that was made just now. It is never shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<String>,
}

impl From<&Subscription> for SubscriptionView {
    fn from(subscription: &Subscription) -> Self {
        let spec = subscription.spec.clone();
        Self {
            id: subscription.id,
            name: spec.name,
            team: spec.team,
            to: spec.to,
            filter: spec.filter,
            sign: spec.sign,
            policy: spec.policy,
            paused: subscription.paused,
            version: subscription.version,
            created_at: subscription.created_at,
            secrets: secrets::views(&subscription.secrets),
            changed: None,
            secret: None,
        }
    }
}

/// A new subscription.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSubscription {
    /// `[a-z0-9][a-z0-9-]{0,62}`.
    pub(super) name: String,
    /// Where it goes: an `https` URL.
    pub(super) to: String,
    /// The team that it belongs to; `default` if not given.
    pub(super) team: Option<String>,
    /// What it wants; everything if not given.
    #[serde(default)]
    #[schema(value_type = schema::Filter)]
    pub(super) filter: Filter,
    /// `standard` if not given, `github` or `none`.
    #[serde(default)]
    #[schema(value_type = schema::Signing)]
    pub(super) sign: Signing,
    /// How deliveries are tried.
    #[serde(default)]
    #[schema(value_type = schema::Policy)]
    pub(super) policy: Policy,
    /// What signs its deliveries; made if not given.
    pub(super) secret: Option<SecretText>,
    /// Why.
    pub(super) reason: Option<String>,
}

/// The whole new description of a subscription.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubscriptionBody {
    /// Where it goes.
    pub(super) to: String,
    /// The team that it belongs to.
    pub(super) team: String,
    /// What it wants.
    #[schema(value_type = schema::Filter)]
    pub(super) filter: Filter,
    /// `standard`, `github` or `none`.
    #[schema(value_type = schema::Signing)]
    pub(super) sign: Signing,
    /// How deliveries are tried.
    #[schema(value_type = schema::Policy)]
    pub(super) policy: Policy,
    /// The version that the change is based on; the present one if not given.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub(super) expected: Option<EventId>,
    /// Why.
    pub(super) reason: Option<String>,
}

/// A new secret of a subscription.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSubscriptionSecret {
    /// What will sign; made if not given.
    pub(super) secret: Option<SecretText>,
    /// How long the older secrets stay valid; a day if not given.
    pub(super) overlap_seconds: Option<u64>,
    /// The version that the change is based on; the present one if not given.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub(super) expected: Option<EventId>,
    /// Why.
    pub(super) reason: Option<String>,
}

/// What a deletion may say.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeleteQuery {
    /// Only count.
    pub(super) dry_run: Option<bool>,
    /// The version that the change is based on; the present one if not given.
    #[param(value_type = Option<String>, format = "uuid")]
    pub(super) expected: Option<EventId>,
    /// Why.
    pub(super) reason: Option<String>,
}

/// A deletion, or what one would do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Deleted {
    /// Open deliveries that are cancelled, as far as the tables know; none if they are away.
    pub(super) count: Option<u64>,
    /// What was done; absent after a dry run.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) changed: Option<Changed>,
}
