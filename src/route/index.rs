//! All subscriptions of a configuration, filed under what they ask for.

use super::filter::{Compiled, Subject};
use super::glob::{Style, is_literal};
use hooklog_projections::configuration::{Configuration, Subscription};
use hooklog_schemas::control::Filter;
use hooklog_schemas::webhook::Received;
use std::collections::HashMap;
use std::sync::Arc;

/// The subscriptions of one configuration, ready to be matched. Deleted ones are not in it; paused
/// ones are: their deliveries wait.
#[derive(Debug, Default)]
pub struct Index {
    /// In the order of their ids.
    entries: Vec<Entry>,
    drawers: HashMap<Drawer, Vec<u32>>,
    /// Those that ask for nothing that a drawer can be labelled with.
    rest: Vec<u32>,
}

#[derive(Debug)]
struct Entry {
    subscription: Arc<Subscription>,
    filter: Compiled,
}

/// One clause and value, folded. A subscription lies in the drawers of its most selective clause.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Drawer {
    Repository(String),
    Owner(String),
    Organization(String),
    Sender(String),
    Event(String),
    Action(String, String),
    Source(String),
    Host(String),
}

impl Index {
    /// Compiles every subscription of `configuration`.
    #[must_use]
    pub fn new(configuration: &Configuration) -> Self {
        let mut index = Self::default();
        let live = configuration.subscriptions.values().filter(|s| !s.deleted);
        for subscription in live {
            let number = u32::try_from(index.entries.len()).unwrap_or(u32::MAX);
            match drawers(&subscription.spec.filter) {
                Some(drawers) => {
                    for drawer in drawers {
                        index.drawers.entry(drawer).or_default().push(number);
                    }
                }
                None => index.rest.push(number),
            }
            index.entries.push(Entry {
                subscription: Arc::clone(subscription),
                filter: Compiled::new(&subscription.spec.filter),
            });
        }
        index
    }

    /// The subscriptions that want this webhook, in the order of their ids.
    #[must_use]
    pub fn matches(&self, received: &Received) -> Vec<&Arc<Subscription>> {
        let subject = Subject::new(received);
        let mut found: Vec<u32> = Vec::new();
        let candidates = self.opened(&subject).into_iter().flatten();
        for number in candidates.chain(&self.rest).copied() {
            if self
                .entry(number)
                .is_some_and(|entry| entry.filter.fits(&subject))
            {
                found.push(number);
            }
        }
        // A subscription may lie in two drawers that fit, such as `push` and a host.
        found.sort_unstable();
        found.dedup();
        let entries = found.into_iter().filter_map(|number| self.entry(number));
        entries.map(|entry| &entry.subscription).collect()
    }

    fn entry(&self, number: u32) -> Option<&Entry> {
        self.entries.get(usize::try_from(number).ok()?)
    }

    fn opened(&self, subject: &Subject<'_>) -> Vec<&Vec<u32>> {
        let repository = subject.repository.clone().map(Drawer::Repository);
        let owner = subject.owner().map(|owner| Drawer::Owner(owner.to_owned()));
        let organization = subject.organization.clone().map(Drawer::Organization);
        let sender = subject.sender.clone().map(Drawer::Sender);
        let event = Some(Drawer::Event(subject.event.to_owned()));
        let action = subject
            .action
            .map(|action| Drawer::Action(subject.event.to_owned(), action.to_owned()));
        let source = Some(Drawer::Source(subject.source.to_owned()));
        let host = Some(Drawer::Host(subject.host.clone()));
        [
            repository,
            owner,
            organization,
            sender,
            event,
            action,
            source,
            host,
        ]
        .into_iter()
        .flatten()
        .filter_map(|drawer| self.drawers.get(&drawer))
        .collect()
    }
}

/// The drawers of the most selective clause whose every value can be a label.
fn drawers(filter: &Filter) -> Option<Vec<Drawer>> {
    labels(&filter.repositories, repository)
        .or_else(|| {
            labels(&filter.organizations, |text| {
                literal(text).map(Drawer::Organization)
            })
        })
        .or_else(|| labels(&filter.senders, sender))
        .or_else(|| labels(&filter.events, event))
        .or_else(|| {
            labels(&filter.sources, |text| {
                Some(Drawer::Source(text.to_owned()))
            })
        })
        .or_else(|| {
            labels(&filter.hosts, |text| {
                Some(Drawer::Host(text.to_lowercase()))
            })
        })
}

fn labels(values: &[String], label: impl Fn(&str) -> Option<Drawer>) -> Option<Vec<Drawer>> {
    if values.is_empty() {
        return None;
    }
    values.iter().map(|value| label(value)).collect()
}

fn repository(text: &str) -> Option<Drawer> {
    if let Some(exact) = literal(text) {
        return Some(Drawer::Repository(exact));
    }
    let (owner, _) = text.split_once('/')?;
    literal(owner).map(Drawer::Owner)
}

fn event(text: &str) -> Option<Drawer> {
    match text.split_once('.') {
        Some((event, action)) => Some(Drawer::Action(event.to_owned(), action.to_owned())),
        None if text == "*" => None,
        None => Some(Drawer::Event(text.to_owned())),
    }
}

fn sender(text: &str) -> Option<Drawer> {
    is_literal(text, Style::Login).then(|| Drawer::Sender(text.to_lowercase()))
}

fn literal(text: &str) -> Option<String> {
    is_literal(text, Style::Name).then(|| text.to_lowercase())
}
