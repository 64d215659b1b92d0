//! What a list shows. All given clauses must hold.

use hooklog_schemas::{SubscriptionId, Timestamp};

/// Clauses over webhooks, deliveries and dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Received at or after.
    pub from: Option<Timestamp>,
    /// Received before.
    pub to: Option<Timestamp>,
    /// The source's name at the time of receipt.
    pub source: Option<String>,
    /// The host.
    pub host: Option<String>,
    /// The repository's full name; with `*` at the end, all that begin so.
    pub repository: Option<String>,
    /// `push`, or `pull_request.opened`.
    pub event: Option<String>,
    /// GitHub's id of the event.
    pub guid: Option<String>,
    /// `open`, `dead`, `delivered` or `cancelled`; of webhooks, `matched`, `unmatched` or `error`.
    pub state: Option<String>,
    /// Deliveries of this subscription; nothing of webhooks.
    pub subscription: Option<SubscriptionId>,
}

/// Clauses over counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountsFilter {
    /// Minutes that begin at or after.
    pub from: Option<Timestamp>,
    /// Minutes that begin before.
    pub to: Option<Timestamp>,
    /// The source's name.
    pub source: Option<String>,
}
