//! What became of one receipt for one subscription, in a word; and which events of `control` show it.

use super::blame::Evidence;
use super::life::Life;
use crate::query::DeliveryRow;
use crate::route::{self, Explanation};
use hooklog_schemas::deliveries::{Match, MatchOutcome, Repeats, Routed};
use hooklog_schemas::webhook::Received;
use serde::Serialize;
use utoipa::ToSchema;

/// What became of a receipt for a subscription.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub struct Reason {
    /// `delivered`, `open`, `dead`, `cancelled`, `served_by_earlier_receipt`, `filter`,
    /// `not_created`, `deleted`, `routing_failed`, `erased`, or `another_rule`: the recorded decision
    /// says no, and the rules of today would say yes.
    pub reason: String,
    /// More about it: the clauses that did not hold, why it is dead, what it waits for.
    pub detail: Option<String>,
}

impl Reason {
    fn plain(reason: &str) -> Self {
        let reason = reason.to_owned();
        Self {
            reason,
            detail: None,
        }
    }

    fn with(reason: &str, detail: impl Into<Option<String>>) -> Self {
        let (reason, detail) = (reason.to_owned(), detail.into());
        Self { reason, detail }
    }
}

/// What is known of one receipt.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The decision that counts.
    pub routed: &'a Routed,
    /// What the receiver knew of it; none where it was erased.
    pub received: Option<&'a Received>,
    /// The delivery that the decision names for the subscription, if it names one.
    pub delivery: Option<&'a DeliveryRow>,
}

/// Why, and the events of `control` that show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// In a word.
    pub reason: Reason,
    /// The evidence, the earliest first.
    pub evidence: Vec<Evidence>,
}

impl Life {
    /// What became of a receipt for this subscription.
    #[must_use]
    pub fn tell(&self, known: Known<'_>) -> Told {
        let mine = |one: &&Match| Some(one.subscription) == self.last().map(|s| s.id);
        let told = match known.routed.matches.iter().find(mine) {
            Some(found) => self.matched(found, known.delivery),
            None => self.unmatched(known),
        };
        told.in_order()
    }

    fn matched(&self, found: &Match, delivery: Option<&DeliveryRow>) -> Told {
        if found.outcome != MatchOutcome::Owed {
            let outcome = match found.outcome {
                MatchOutcome::RequeuedDeadLetter => "its dead letter was tried again",
                MatchOutcome::AlreadyOpen => "it was under way",
                MatchOutcome::SubscriptionDeleted => "the subscription was deleted",
                MatchOutcome::AlreadyDelivered | MatchOutcome::Owed => "it was delivered",
            };
            let reason = Reason::with("served_by_earlier_receipt", outcome.to_owned());
            return Told::bare(reason);
        }
        let Some(delivery) = delivery else {
            return Told::bare(Reason::with("open", "not in the tables yet".to_owned()));
        };
        let reason = delivery.reason.clone();
        match delivery.state.as_str() {
            "delivered" => Told::bare(Reason::plain("delivered")),
            "dead" => Told::bare(Reason::with("dead", reason)),
            "cancelled" => self.cancelled(reason),
            _ => self.open(delivery),
        }
    }

    fn open(&self, delivery: &DeliveryRow) -> Told {
        let detail = delivery.held.clone().or_else(|| delivery.reason.clone());
        let paused = delivery.held.as_deref() == Some("the subscription is paused");
        let evidence = self.blame().set_by("state", i64::MAX).filter(|_| paused);
        Told {
            reason: Reason::with("open", detail),
            evidence: evidence.into_iter().cloned().collect(),
        }
    }

    /// The reason of a cancellation names the event that led to it.
    fn cancelled(&self, reason: Option<String>) -> Told {
        let (kind, id) = reason
            .as_deref()
            .and_then(|reason| reason.split_once(':'))
            .unwrap_or_default();
        let named = |change: &&Evidence| change.event.to_string() == id;
        let evidence = self.blame().changes().iter().find(named);
        Told {
            reason: Reason::with("cancelled", Some(kind.to_owned())),
            evidence: evidence.into_iter().cloned().collect(),
        }
    }

    fn unmatched(&self, known: Known<'_>) -> Told {
        let offset = i64::try_from(known.routed.configuration.offset.0).unwrap_or(i64::MAX);
        let changes = self.blame().changes();
        if known.received.is_none() {
            return Told::bare(Reason::plain("erased"));
        }
        let itself = |repeats: &Repeats| repeats.receipt == known.routed.receipt;
        if known.routed.repeats.as_ref().is_some_and(itself) {
            let twice = "the receipt was handed over twice".to_owned();
            return Told::bare(Reason::with("served_by_earlier_receipt", twice));
        }
        if let Some(error) = &known.routed.error {
            return Told::bare(Reason::with("routing_failed", error.clone()));
        }
        let Some(version) = self.at(offset) else {
            let created = changes.first().cloned();
            let evidence = created.into_iter().collect();
            let reason = Reason::plain("not_created");
            return Told { reason, evidence };
        };
        if version.deleted {
            let deleted = changes
                .iter()
                .find(|one| one.event_type.ends_with(".deleted"));
            let evidence = deleted.cloned().into_iter().collect();
            let reason = Reason::plain("deleted");
            return Told { reason, evidence };
        }
        let explained = known.received.map(|r| route::explain(version, r));
        self.filtered(explained.as_ref(), offset)
    }

    fn filtered(&self, explained: Option<&Explanation>, offset: i64) -> Told {
        let clauses = explained.into_iter().flat_map(|one| &one.clauses);
        let failed: Vec<_> = clauses.filter(|clause| !clause.holds).collect();
        if failed.is_empty() {
            return Told::bare(Reason::plain("another_rule"));
        }
        let names: Vec<_> = failed.iter().map(|clause| clause.clause).collect();
        let set = |name: &&str| self.blame().set_by(&format!("filter.{name}"), offset);
        Told {
            evidence: names.iter().filter_map(set).cloned().collect(),
            reason: Reason::with("filter", names.join(", ")),
        }
    }
}

impl Told {
    /// Of a decision whose record cannot be found.
    #[must_use]
    pub fn unknown() -> Self {
        Self::bare(Reason::plain("erased"))
    }

    fn bare(reason: Reason) -> Self {
        let evidence = Vec::new();
        Self { reason, evidence }
    }

    fn in_order(mut self) -> Self {
        self.evidence.sort_by_key(|one| one.offset);
        self.evidence.dedup_by_key(|one| one.offset);
        self
    }
}

#[cfg(test)]
mod tests;
