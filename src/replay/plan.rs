//! What a replay owes for one receipt. Pure.

use super::Destinations;
use crate::deliver::target::shown;
use crate::route::{Index, MATCHER_VERSION};
use hooklog_projections::configuration::{Configuration, Replay, Subscription};
use hooklog_schemas::control::{ConfigurationVersion, ReplayFilter};
use hooklog_schemas::deliveries::{
    Match, MatchOutcome, Passed, RepeatKind, Repeats, Routed, Summary,
};
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{DeliveryId, Partition, SubscriptionId, Timestamp};
use std::sync::Arc;

/// A replay, and what it routes by.
pub struct Course {
    /// What was asked.
    pub replay: Arc<Replay>,
    /// What it routes by.
    pub routing: Routing,
}

/// What a replay routes by.
pub enum Routing {
    /// The original decisions, and where their deliveries went.
    Original(Arc<Destinations>),
    /// One configuration.
    By {
        /// Its version.
        version: ConfigurationVersion,
        /// Its subscriptions.
        index: Index,
    },
}

/// What becomes of one receipt.
pub enum Fate {
    /// Nothing is owed, and no record tells of it.
    Passed(Passing),
    /// The decision, before what is true by now is taken off: see [`settle`].
    Decided(Box<Routed>),
}

/// Why a receipt is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    /// It is outside of the filter.
    Filtered,
    /// Nobody gets it.
    Unmatched,
    /// It repeats an earlier receipt of the same event.
    Repeats,
}

impl Passing {
    /// Counts it.
    pub const fn count(self, passed: &mut Passed) {
        match self {
            Self::Filtered => passed.filtered += 1,
            Self::Unmatched => passed.unmatched += 1,
            Self::Repeats => passed.repeats += 1,
        }
    }
}

impl Course {
    /// Whether its filter lets a receipt through.
    #[must_use]
    pub fn wants(&self, original: &Routed) -> bool {
        fits(&self.replay.spec.filter, original)
    }

    /// Whether webhooks must be read to route by it.
    #[must_use]
    pub const fn needs_webhooks(&self) -> bool {
        matches!(self.routing, Routing::By { .. })
    }

    /// Where those of its deliveries go that do not go where their subscription is now.
    #[must_use]
    pub const fn destinations(&self) -> Option<&Arc<Destinations>> {
        match &self.routing {
            Routing::Original(destinations) => Some(destinations),
            Routing::By { .. } => None,
        }
    }

    /// What becomes of a receipt that the filter lets through, given the original decision and, where
    /// it is needed, what its receiver knew of it.
    #[must_use]
    pub fn plan(&self, original: &Routed, received: Option<&Received>) -> Fate {
        let (matches, configuration, matcher) = match &self.routing {
            Routing::Original(destinations) => (
                self.original(original, destinations),
                original.configuration,
                original.matcher,
            ),
            Routing::By { version, index } => (
                self.routed(original, received, index),
                *version,
                MATCHER_VERSION,
            ),
        };
        if matches.is_empty() {
            let repeats = original.repeats.as_ref().is_some_and(is_again);
            return Fate::Passed(if repeats {
                Passing::Repeats
            } else {
                Passing::Unmatched
            });
        }
        Fate::Decided(Box::new(Routed {
            cause: self.replay.id.to_string(),
            configuration,
            matcher,
            matches,
            repeats: None,
            error: None,
            ..original.clone()
        }))
    }

    /// What was owed at the time; what an earlier delivery stood for has its own receipt.
    fn original(&self, original: &Routed, destinations: &Destinations) -> Vec<Match> {
        let owed = original.matches.iter();
        let owed = owed.filter(|m| m.outcome == MatchOutcome::Owed && self.is_for(m.subscription));
        owed.map(|found| {
            let set_by = destinations.at(found.subscription, original.configuration.offset);
            Match {
                set_by: set_by.map(|(set_by, _)| set_by),
                ..self.owed(original, found.clone())
            }
        })
        .collect()
    }

    /// What a configuration says. A receipt that repeats another is for those who want duplicates.
    fn routed(&self, original: &Routed, received: Option<&Received>, index: &Index) -> Vec<Match> {
        let Some(received) = received else {
            return Vec::new();
        };
        let again = original.repeats.as_ref().filter(|r| is_again(r));
        let twice = again.is_some_and(|repeats| repeats.receipt == original.receipt);
        let wants = |s: &&Arc<Subscription>| {
            self.is_for(s.id) && (again.is_none() || (s.spec.policy.duplicates && !twice))
        };
        let found = index.matches(received).into_iter().filter(wants);
        found
            .map(|subscription| {
                let found = Match {
                    subscription: subscription.id,
                    name: subscription.spec.name.clone(),
                    team: subscription.spec.team.clone(),
                    destination: shown(&subscription.spec.to),
                    set_by: None,
                    delivery: DeliveryId(uuid::Uuid::nil()),
                    outcome: MatchOutcome::Owed,
                };
                self.owed(original, found)
            })
            .collect()
    }

    fn owed(&self, original: &Routed, found: Match) -> Match {
        let cause = self.replay.id.to_string();
        let delivery = DeliveryId::derive(original.receipt, found.subscription, &cause);
        Match { delivery, ..found }
    }

    fn is_for(&self, subscription: SubscriptionId) -> bool {
        let only = self.replay.spec.subscription;
        only.is_none_or(|only| only == subscription)
    }
}

/// Takes off what is true by now: bodies that were erased, subscriptions that were deleted. The time
/// of the decision is `at`. What is left has the destination that it will go to.
pub fn settle(
    course: &Course,
    configuration: &Configuration,
    partition: Partition,
    at: Timestamp,
    decision: &mut Routed,
) {
    decision.at = at;
    if configuration
        .erased
        .at(partition, decision.webhook)
        .is_some()
    {
        erased(decision);
    }
    for found in &mut decision.matches {
        let subscription = configuration.subscriptions.get(&found.subscription);
        let Some(subscription) = subscription.filter(|subscription| !subscription.deleted) else {
            found.outcome = MatchOutcome::SubscriptionDeleted;
            found.set_by = None;
            continue;
        };
        let to = &subscription.spec.to;
        if let Some(elsewhere) = &course.replay.spec.to {
            found.set_by = None;
            found.destination = shown(elsewhere);
            continue;
        }
        let former = |set_by| course.destinations()?.set_by(found.subscription, set_by);
        // Where it still goes to the same place it is like any other of the subscription.
        found.set_by = found.set_by.filter(|set_by| former(*set_by) != Some(to));
        if found.set_by.is_none() {
            found.destination = shown(to);
        }
    }
}

/// Makes the decision one about a receipt whose body was erased: nothing is owed.
pub fn erased(decision: &mut Routed) {
    decision.matches.clear();
    decision.error = Some("erased".to_owned());
}

/// Redeliveries and other hooks bring the same event once more; conflicts and suspects are events of
/// their own.
fn is_again(repeats: &Repeats) -> bool {
    matches!(repeats.kind, RepeatKind::Redelivery | RepeatKind::OtherHook)
}

fn fits(filter: &ReplayFilter, original: &Routed) -> bool {
    let Summary {
        guid,
        event,
        action,
        host,
        repository,
        ..
    } = &original.summary;
    let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|w| w == found);
    let from = filter.from.is_none_or(|from| original.received_at >= from);
    let to = filter.to.is_none_or(|to| original.received_at < to);
    let event = filter
        .event
        .as_deref()
        .is_none_or(|wanted| match wanted.split_once('.') {
            Some((name, wanted)) => name == event && action.as_deref() == Some(wanted),
            None => wanted == event,
        });
    let repository = filter.repository.as_deref().is_none_or(|wanted| {
        let found = repository.as_deref();
        match wanted.strip_suffix('*') {
            Some(beginning) => found.is_some_and(|found| found.starts_with(beginning)),
            None => found == Some(wanted),
        }
    });
    from && to
        && event
        && repository
        && is(&filter.source, &original.source_name)
        && is(&filter.host, host)
        && is(&filter.guid, guid)
}
