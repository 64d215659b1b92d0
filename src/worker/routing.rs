//! From a webhook to its recorded decision. Matching is pure; subtracting asks the identities.

use crate::deliver::target;
use crate::route::{Index, MATCHER_VERSION};
use hooklog_projections::configuration::Subscription;
use hooklog_schemas::control::{ConfigurationVersion, ErasedReceipt};
use hooklog_schemas::deliveries::{LIVE, Match, MatchOutcome, Routed, Summary};
use hooklog_schemas::webhook::{Facts, Received};
use hooklog_schemas::{DeliveryId, Record, SourceId, Timestamp};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use uuid::Uuid;

/// A configuration, compiled for routing.
pub(super) struct Compiled {
    pub(super) version: Option<ConfigurationVersion>,
    pub(super) index: Arc<Index>,
}

/// The decision about a receipt whose body was erased before it was routed: nothing is owed.
pub(super) fn erased(compiled: &Compiled, erased: ErasedReceipt, at: Timestamp) -> Routed {
    Routed {
        receipt: erased.receipt,
        webhook: erased.offset,
        cause: LIVE.to_owned(),
        at,
        received_at: at,
        source: SourceId(Uuid::nil()),
        source_name: String::new(),
        summary: Summary::default(),
        configuration: compiled.version.unwrap_or(ConfigurationVersion::START),
        matcher: MATCHER_VERSION,
        matches: Vec::new(),
        repeats: None,
        error: Some("erased".to_owned()),
    }
}

/// The decision about a webhook that stands in `record`, before anything is subtracted.
pub(super) fn decide(
    compiled: &Compiled,
    received: &Received,
    record: &Record,
    at: Timestamp,
) -> Routed {
    let (webhook, appended_at) = (record.position.offset, record.appended_at);
    // A panic of the matcher must not stop the partition: it is recorded, and nothing is owed.
    let matched = std::panic::catch_unwind(AssertUnwindSafe(|| compiled.index.matches(received)));
    let (found, error) = match matched {
        Ok(found) => (found, None),
        Err(_) => (Vec::new(), Some("routing panicked".to_owned())),
    };
    let matches = found.into_iter().map(|s| owed(s, received)).collect();
    Routed {
        receipt: received.receipt,
        webhook,
        cause: LIVE.to_owned(),
        at,
        received_at: received.received_at,
        source: received.source,
        source_name: received.source_name.clone(),
        summary: summary(&received.facts, appended_at),
        configuration: compiled.version.unwrap_or(ConfigurationVersion::START),
        matcher: MATCHER_VERSION,
        matches,
        repeats: None,
        error,
    }
}

fn owed(subscription: &Arc<Subscription>, received: &Received) -> Match {
    Match {
        subscription: subscription.id,
        name: subscription.spec.name.clone(),
        team: subscription.spec.team.clone(),
        destination: target::shown(&subscription.spec.to),
        set_by: None,
        delivery: DeliveryId::derive(received.receipt, subscription.id, LIVE),
        outcome: MatchOutcome::Owed,
    }
}

fn summary(facts: &Facts, appended_at: Timestamp) -> Summary {
    Summary {
        guid: facts.guid.clone(),
        event: facts.event.clone(),
        action: facts.action.clone(),
        host: facts.host.clone(),
        hook_id: facts.hook_id.clone(),
        git_ref: facts.git_ref.clone(),
        repository_id: facts.repository_id,
        repository: facts.repository.clone(),
        organization_id: facts.organization_id,
        sender_id: facts.sender_id,
        event_at: facts.event_at,
        appended_at: Some(appended_at),
        body_bytes: facts.body_bytes,
        unparsed: facts.unparsed,
    }
}
