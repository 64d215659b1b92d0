//! History through a proposed set of subscriptions: what would have been owed, and to whom.
//!
//! The proposal holds for the whole range that is asked about, whenever its subscriptions were
//! created or deleted. What was owed is what the log says; what would have been is matched anew.

use crate::route::Index;
use hooklog_projections::configuration::{Configuration, Subscription};
use hooklog_schemas::control::{Filter, Policy, Signing, SubscriptionSpec};
use hooklog_schemas::deliveries::{Match, MatchOutcome, RepeatKind, Routed};
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{EventId, SubscriptionId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// One proposed subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// Its name: what a subscription of this name was owed is compared with it.
    pub name: String,
    /// What it would want; nothing at all if it is to be deleted.
    pub filter: Option<Filter>,
    /// Whether it would be owed an event again when GitHub redelivers it.
    pub duplicates: bool,
}

/// A proposed set of subscriptions, compiled once.
pub struct Proposal {
    proposed: BTreeMap<String, Proposed>,
    complete: bool,
    index: Index,
}

/// How a subscription fared over some receipts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Deliveries that it was owed.
    pub before: u64,
    /// Deliveries that it would have been owed.
    pub after: u64,
    /// Those that it was not owed, and would have been.
    pub more: u64,
    /// Those that it was owed, and would not have been.
    pub fewer: u64,
}

/// The subscriptions for which one receipt makes a difference, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weighed {
    /// They were not owed it, and would have been.
    pub more: Vec<String>,
    /// They were owed it, and would not have been.
    pub fewer: Vec<String>,
}

impl Proposal {
    /// Compiles a proposal. When it is `complete`, there would be no other subscriptions.
    #[must_use]
    pub fn new(proposed: Vec<Proposed>, complete: bool) -> Self {
        let wanted = proposed.iter().filter_map(|one| {
            let filter = one.filter.clone()?;
            Some((one.name.clone(), filter))
        });
        Self {
            index: index(wanted),
            proposed: proposed
                .into_iter()
                .map(|one| (one.name.clone(), one))
                .collect(),
            complete,
        }
    }

    /// The names that would match a receipt.
    #[must_use]
    pub fn matches(&self, received: &Received) -> BTreeSet<String> {
        names(&self.index, received)
    }

    /// Whether the subscription of this name is compared.
    #[must_use]
    pub fn is_about(&self, name: &str) -> bool {
        self.complete || self.proposed.contains_key(name)
    }

    /// The names that it proposes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.proposed.keys().map(String::as_str)
    }

    /// Compares what was owed for a receipt with what would have been, and counts it. `served` are
    /// the names that an earlier receipt of the same event would have served.
    pub fn weigh(
        &self,
        received: &Received,
        routed: &Routed,
        served: &BTreeSet<String>,
        tallies: &mut BTreeMap<String, Tally>,
    ) -> Weighed {
        let before = self.owed(routed);
        let after = self.would_be_owed(received, routed, served);
        let mut weighed = Weighed::default();
        for name in before.union(&after) {
            let tally = tallies.entry(name.clone()).or_default();
            let (was, would) = (before.contains(name), after.contains(name));
            tally.before += u64::from(was);
            tally.after += u64::from(would);
            match (was, would) {
                (false, true) => {
                    tally.more += 1;
                    weighed.more.push(name.clone());
                }
                (true, false) => {
                    tally.fewer += 1;
                    weighed.fewer.push(name.clone());
                }
                _ => {}
            }
        }
        weighed
    }

    fn owed(&self, routed: &Routed) -> BTreeSet<String> {
        let owed = routed.matches.iter().filter(|one| is_owed(one));
        let names = owed.map(|one| one.name.clone());
        names.filter(|name| self.is_about(name)).collect()
    }

    fn would_be_owed(
        &self,
        received: &Received,
        routed: &Routed,
        served: &BTreeSet<String>,
    ) -> BTreeSet<String> {
        let mut names = self.matches(received);
        let again = routed
            .repeats
            .as_ref()
            .is_some_and(|repeats| repeats.receipt == routed.receipt);
        if again || is_subtracted_from(routed) {
            let wants_all = |name: &str| self.proposed.get(name).is_some_and(|p| p.duplicates);
            names.retain(|name| !served.contains(name) || (wants_all(name) && !again));
        }
        names
    }

    /// Whether the rules of today, under the `configuration` that decided, match the same
    /// subscriptions as the recorded decision, as far as the proposal is about them.
    #[must_use]
    pub fn agrees(&self, then: &Then, received: &Received, routed: &Routed) -> bool {
        if routed.error.is_some() || routed.repeats.is_some() {
            return true;
        }
        let matched = routed.matches.iter().map(|one| one.name.clone());
        let matched: BTreeSet<_> = matched.filter(|name| self.is_about(name)).collect();
        names(&then.0, received) == matched
    }

    /// The subscriptions of a configuration that the proposal is about, compiled.
    #[must_use]
    pub fn then(&self, configuration: &Configuration) -> Then {
        let live = configuration.subscriptions.values().filter(|s| !s.deleted);
        let about = live.filter(|s| self.is_about(&s.spec.name));
        let wanted = about.map(|s| (s.spec.name.clone(), s.spec.filter.clone()));
        Then(index(wanted))
    }
}

/// A configuration of the past, compiled for one proposal.
pub struct Then(Index);

/// Whether the decision may have subtracted what an earlier receipt of the event is owed.
#[must_use]
pub fn is_subtracted_from(routed: &Routed) -> bool {
    let kind = routed.repeats.as_ref().map(|repeats| repeats.kind);
    matches!(kind, Some(RepeatKind::Redelivery | RepeatKind::OtherHook))
}

fn is_owed(found: &Match) -> bool {
    found.outcome == MatchOutcome::Owed
}

fn names(index: &Index, received: &Received) -> BTreeSet<String> {
    let found = index.matches(received);
    found.iter().map(|s| s.spec.name.clone()).collect()
}

/// An index only of names and filters; ids stand for nothing.
fn index(wanted: impl Iterator<Item = (String, Filter)>) -> Index {
    let mut configuration = Configuration::default();
    for ((name, filter), number) in wanted.zip(1..) {
        let id = SubscriptionId(Uuid::from_u128(number));
        let spec = SubscriptionSpec {
            name,
            team: String::new(),
            filter,
            to: String::new(),
            sign: Signing::None,
            policy: Policy::default(),
        };
        let subscription = Subscription {
            id,
            version: EventId(Uuid::nil()),
            spec,
            secrets: Vec::new(),
            paused: false,
            deleted: false,
            created_at: Timestamp(0),
        };
        configuration
            .subscriptions
            .insert(id, Arc::new(subscription));
    }
    Index::new(&configuration)
}

#[cfg(test)]
mod tests;
