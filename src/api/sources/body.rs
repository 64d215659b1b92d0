//! What goes in and out of `/sources`.

use crate::api::secrets::{self, SecretText, SecretView};
use hooklog_projections::configuration::Source;
use hooklog_schemas::{EventId, SourceId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A source as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SourceView {
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    pub(super) id: SourceId,
    /// Stands in the URL: `/webhooks/{name}`.
    pub(super) name: String,
    /// The host.
    pub(super) host: String,
    /// Networks that may send; empty means any.
    pub(super) allow: Vec<String>,
    /// Webhooks a second; none means no limit.
    pub(super) rate_per_second: Option<u32>,
    /// It answers 503.
    pub(super) paused: bool,
    /// The last event that changed it.
    #[schema(value_type = String, format = "uuid")]
    pub(super) version: EventId,
    /// When it was created.
    #[schema(value_type = i64)]
    pub(super) created_at: Timestamp,
    /// Its secrets, newest first, without their values.
    pub(super) secrets: Vec<SecretView>,
    /// Whether a request to pause or to resume changed anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api) changed: Option<bool>,
    /// What should be better about the secret that was given just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) warning: Option<String>,
}

impl From<&Source> for SourceView {
    fn from(source: &Source) -> Self {
        Self {
            id: source.id,
            name: source.spec.name.clone(),
            host: source.spec.host.clone(),
            allow: source.spec.allow.clone(),
            rate_per_second: source.spec.rate_per_second,
            paused: source.paused,
            version: source.version,
            created_at: source.created_at,
            secrets: secrets::views(&source.secrets),
            changed: None,
            warning: None,
        }
    }
}

/// A new source.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSource {
    /// `[a-z0-9][a-z0-9-]{0,62}`.
    pub(super) name: String,
    /// `github.com` if not given.
    pub(super) host: Option<String>,
    /// What GitHub signs with.
    pub(super) secret: SecretText,
    /// Networks that may send; none means any.
    #[serde(default)]
    pub(super) allow: Vec<String>,
    /// Webhooks a second.
    pub(super) rate_per_second: Option<u32>,
    /// The organisations that the secret may speak for; none means any.
    #[serde(default)]
    pub(super) organization_ids: Vec<i64>,
    /// Why.
    pub(super) reason: Option<String>,
}

/// The whole new description of a source.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceBody {
    /// The host.
    pub(super) host: String,
    /// Networks that may send; empty means any.
    pub(super) allow: Vec<String>,
    /// Webhooks a second; none means no limit.
    pub(super) rate_per_second: Option<u32>,
    /// The version that the change is based on; the present one if not given.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub(super) expected: Option<EventId>,
    /// Why.
    pub(super) reason: Option<String>,
}

/// A new secret of a source.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSourceSecret {
    /// What GitHub will sign with.
    pub(super) secret: SecretText,
    /// The organisations that it may speak for; those of the newest secret if not given.
    pub(super) organization_ids: Option<Vec<i64>>,
    /// How long the older secrets stay valid; a day if not given.
    pub(super) overlap_seconds: Option<u64>,
    /// The version that the change is based on; the present one if not given.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub(super) expected: Option<EventId>,
    /// Why.
    pub(super) reason: Option<String>,
}
