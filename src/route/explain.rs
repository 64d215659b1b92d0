//! Why a subscription wants a webhook, or does not: clause by clause.

use super::filter::{Compiled, Subject};
use hooklog_projections::configuration::Subscription;
use hooklog_schemas::webhook::Received;
use serde::Serialize;

/// What decided about one webhook and one subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Whether every clause holds.
    pub matched: bool,
    /// Every clause that the subscription has, in a fixed order.
    pub clauses: Vec<Clause>,
}

/// One clause of a filter, and what it met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Clause {
    /// The clause's name, as in the filter.
    pub clause: &'static str,
    /// The values of which one suffices.
    pub wanted: Vec<String>,
    /// What the webhook has; none if it has nothing of the kind.
    pub found: Option<String>,
    /// Whether the clause holds.
    pub holds: bool,
}

/// Tests every clause of `subscription` against a webhook, also after the first that fails.
#[must_use]
pub fn explain(subscription: &Subscription, received: &Received) -> Explanation {
    let filter = &subscription.spec.filter;
    let compiled = Compiled::new(filter);
    let subject = Subject::new(received);
    let facts = &received.facts;
    let event = match &facts.action {
        Some(action) => format!("{}.{action}", facts.event),
        None => facts.event.clone(),
    };
    let mut clauses = Vec::new();
    let mut add = |clause, wanted: &[String], found: Option<&str>, holds| {
        if !wanted.is_empty() {
            clauses.push(Clause {
                clause,
                wanted: wanted.to_vec(),
                found: found.map(str::to_owned),
                holds,
            });
        }
    };
    add(
        "events",
        &filter.events,
        Some(&event),
        compiled.event_fits(&subject),
    );
    let source = Some(received.source_name.as_str());
    add(
        "sources",
        &filter.sources,
        source,
        compiled.source_fits(&subject),
    );
    add(
        "hosts",
        &filter.hosts,
        Some(&facts.host),
        compiled.host_fits(&subject),
    );
    let organization = facts.organization.as_deref();
    let holds = compiled.organization_fits(&subject);
    add("organizations", &filter.organizations, organization, holds);
    let repository = facts.repository.as_deref();
    add(
        "repositories",
        &filter.repositories,
        repository,
        compiled.repository_fits(&subject),
    );
    add(
        "branches",
        &filter.branches,
        subject.branch,
        compiled.branch_fits(&subject),
    );
    let sender = facts.sender.as_deref();
    add(
        "senders",
        &filter.senders,
        sender,
        compiled.sender_fits(&subject),
    );
    if subscription.deleted {
        add("state", &["not deleted".to_owned()], Some("deleted"), false);
    }
    Explanation {
        matched: clauses.iter().all(|clause| clause.holds),
        clauses,
    }
}
