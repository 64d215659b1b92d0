//! What sources and subscriptions are: the values that events about them carry whole.

use crate::{Sealed, SecretId};
use serde::{Deserialize, Serialize};

/// What a source is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct SourceSpec {
    /// Stands in the URL: `/webhooks/{name}`.
    pub name: String,
    /// `github.com`, or the name of a GitHub Enterprise Server.
    pub host: String,
    /// Networks that may send, in CIDR form; empty means any.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Webhooks a second over all connections; none means no limit.
    #[serde(default)]
    pub rate_per_second: Option<u32>,
}

/// A secret that was sealed, with what it may sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct SealedSecret {
    /// Its id: what a receipt names as the version that verified it.
    pub id: SecretId,
    /// The secret.
    pub sealed: Sealed,
    /// The organisations that it may speak for; empty means any.
    #[serde(default)]
    pub organization_ids: Vec<i64>,
}

/// What a subscription is: filter, destination, policy. It belongs to a team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct SubscriptionSpec {
    /// Its name; unique among those that are not deleted.
    pub name: String,
    /// The team that it belongs to.
    pub team: String,
    /// What it wants.
    #[serde(default)]
    pub filter: Filter,
    /// Where it goes: an `https` URL.
    pub to: String,
    /// How deliveries are signed.
    #[serde(default)]
    pub sign: Signing,
    /// How deliveries are tried.
    #[serde(default)]
    pub policy: Policy,
}

/// What a subscription wants. Every clause that is given must hold; one of its values suffices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// `push`, or `pull_request.opened`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// Names of sources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Hosts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Globs over the organisation's login.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub organizations: Vec<String>,
    /// Globs over the repository's full name: `acme/*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<String>,
    /// Globs over the branch: `main`, `release/*`. Events without one do not match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<String>,
    /// Globs over the sender's login.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub senders: Vec<String>,
}

/// How a delivery is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Signing {
    /// Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    #[default]
    Standard,
    /// As GitHub does: its headers and `X-Hub-Signature-256`, body as JSON.
    Github,
    /// Not at all.
    None,
}

/// How deliveries are tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Tries before the dead letter. 1 to 100.
    pub attempts_max: u32,
    /// The first delay, in milliseconds; each later one doubles, with jitter.
    pub delay_first_ms: u64,
    /// The longest delay, in milliseconds.
    pub delay_max_ms: u64,
    /// One deadline over connect, headers and body, in milliseconds.
    pub deadline_ms: u64,
    /// Attempts under way at once.
    pub concurrency_max: u32,
    /// Attempts a second; none means no limit.
    pub rate_per_second: Option<u32>,
    /// GitHub mode: also send the old `X-Hub-Signature`.
    pub sha1: bool,
    /// GitHub mode: send the body as a form.
    pub form: bool,
    /// Deliver an event again when GitHub redelivers it, or another hook sees it.
    pub duplicates: bool,
}

impl Default for Policy {
    /// Sixteen attempts over about a day and a half: a receiver may be down over a night and be
    /// noticed in the morning. (The Standard Webhooks specification proposes up to three days.)
    fn default() -> Self {
        Self {
            attempts_max: 16,
            delay_first_ms: 5_000,
            delay_max_ms: 12 * 3_600_000,
            deadline_ms: 15_000,
            concurrency_max: 16,
            rate_per_second: None,
            sha1: false,
            form: false,
            duplicates: false,
        }
    }
}
