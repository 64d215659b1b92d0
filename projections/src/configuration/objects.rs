//! Sources, subscriptions, secrets and tokens as folded.

use hooklog_schemas::control::{
    Holder, Role, SealedSecret, SourceCreated, SourceSpec, SubscriptionCreated, SubscriptionSpec,
    TokenCreated,
};
use hooklog_schemas::{EventId, Sealed, SecretId, SourceId, SubscriptionId, Timestamp, TokenId};
use serde::{Deserialize, Serialize};

/// A source of webhooks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// The last event that changed it: what a change must name.
    pub version: EventId,
    /// What it is.
    pub spec: SourceSpec,
    /// Its secrets, newest first, retired ones too.
    pub secrets: Vec<Secret>,
    /// It answers 503.
    pub paused: bool,
    /// It answers 404.
    pub deleted: bool,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A filter, a destination and a policy.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// The last event that changed it: what a change must name.
    pub version: EventId,
    /// What it is.
    pub spec: SubscriptionSpec,
    /// Its secrets, newest first, retired ones too. Empty when it does not sign.
    pub secrets: Vec<Secret>,
    /// Its deliveries wait.
    pub paused: bool,
    /// Its deliveries are cancelled.
    pub deleted: bool,
    /// When it was created.
    pub created_at: Timestamp,
}

/// One secret, sealed, with the time in which it counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Its id.
    pub id: SecretId,
    /// The secret, encrypted.
    pub sealed: Sealed,
    /// The organisations that it may speak for; empty means any.
    pub organization_ids: Vec<i64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it retires; never, if none.
    pub valid_until: Option<Timestamp>,
}

impl Secret {
    pub(super) fn new(secret: &SealedSecret, created_at: Timestamp) -> Self {
        Self {
            id: secret.id,
            sealed: secret.sealed.clone(),
            organization_ids: secret.organization_ids.clone(),
            created_at,
            valid_until: None,
        }
    }

    /// Whether it counts at `now`.
    #[must_use]
    pub fn valid_at(&self, now: Timestamp) -> bool {
        self.valid_until.is_none_or(|until| now < until)
    }
}

/// An API token, by its hash.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// The person's or service's name.
    pub name: String,
    /// Which of the two.
    pub holder: Holder,
    /// What it may do.
    pub role: Role,
    /// SHA-256 of the token, in hex.
    pub sha256: String,
    /// It is worth nothing any more.
    pub revoked: bool,
    /// When it was created.
    pub created_at: Timestamp,
}

impl Source {
    pub(super) fn created(event: &SourceCreated, id: EventId) -> Self {
        Self {
            id: event.id,
            version: id,
            spec: event.spec.clone(),
            secrets: vec![Secret::new(&event.secret, event.by.at)],
            paused: false,
            deleted: false,
            created_at: event.by.at,
        }
    }
}

impl Subscription {
    pub(super) fn created(event: &SubscriptionCreated, id: EventId) -> Self {
        let secrets = event
            .secret
            .iter()
            .map(|secret| Secret::new(secret, event.by.at))
            .collect();
        Self {
            id: event.id,
            version: id,
            spec: event.spec.clone(),
            secrets,
            paused: false,
            deleted: false,
            created_at: event.by.at,
        }
    }
}

impl Token {
    pub(super) fn created(event: &TokenCreated) -> Self {
        Self {
            id: event.id,
            name: event.name.clone(),
            holder: event.holder,
            role: event.role,
            sha256: event.sha256.clone(),
            revoked: false,
            created_at: event.by.at,
        }
    }
}
