//! A subscription's filter, compiled; and the checks that keep bad ones out.

use super::glob::{self, Pattern, Style};
use hooklog_schemas::control::Filter;
use hooklog_schemas::webhook::{Facts, Received};

/// Values of one clause at the most.
const VALUES_MAX: usize = 1_000;
/// Characters of one value at the most.
const VALUE_CHARS_MAX: usize = 300;

/// Why a filter is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A value is empty or too long.
    #[error("{clause}: {value:?} must have 1 to {VALUE_CHARS_MAX} characters")]
    Length {
        /// The clause.
        clause: &'static str,
        /// The value.
        value: String,
    },
    /// Too many values.
    #[error(
        "{clause}: {count} values are more than {VALUES_MAX}; use a glob or several subscriptions"
    )]
    TooMany {
        /// The clause.
        clause: &'static str,
        /// How many.
        count: usize,
    },
    /// A value is not a glob.
    #[error("{clause}: {value:?} is not a glob: {reason}; one looks like acme/*")]
    Glob {
        /// The clause.
        clause: &'static str,
        /// The value.
        value: String,
        /// What the parser says.
        reason: String,
    },
    /// A value is not the name of an event.
    #[error(
        "events: {value:?} is not an event; one looks like push, pull_request.opened, or * for all"
    )]
    Event {
        /// The value.
        value: String,
    },
}

/// Checks a filter before it becomes a subscription's.
///
/// # Errors
/// The first value that is wrong, and why.
pub fn validate(filter: &Filter) -> Result<(), FilterError> {
    check_lengths("events", &filter.events)?;
    if let Some(value) = filter.events.iter().find(|value| !is_event(value)) {
        let value = value.clone();
        return Err(FilterError::Event { value });
    }
    check_lengths("sources", &filter.sources)?;
    check_lengths("hosts", &filter.hosts)?;
    check_globs("organizations", &filter.organizations, Style::Name)?;
    check_globs("repositories", &filter.repositories, Style::Name)?;
    check_globs("branches", &filter.branches, Style::Branch)?;
    check_globs("senders", &filter.senders, Style::Login)
}

fn check_lengths(clause: &'static str, values: &[String]) -> Result<(), FilterError> {
    if values.len() > VALUES_MAX {
        let count = values.len();
        return Err(FilterError::TooMany { clause, count });
    }
    let wrong = |value: &&String| !(1..=VALUE_CHARS_MAX).contains(&value.chars().count());
    match values.iter().find(wrong).cloned() {
        Some(value) => Err(FilterError::Length { clause, value }),
        None => Ok(()),
    }
}

fn check_globs(clause: &'static str, values: &[String], style: Style) -> Result<(), FilterError> {
    check_lengths(clause, values)?;
    for value in values {
        glob::check(value, style).map_err(|error| FilterError::Glob {
            clause,
            value: value.clone(),
            reason: error.kind().to_string(),
        })?;
    }
    Ok(())
}

fn is_event(text: &str) -> bool {
    let word = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-')
    };
    text == "*"
        || match text.split_once('.') {
            Some((event, action)) => word(event) && word(action),
            None => word(text),
        }
}

/// What routing looks at in one webhook, folded once for all filters.
pub(super) struct Subject<'a> {
    pub(super) event: &'a str,
    pub(super) action: Option<&'a str>,
    pub(super) source: &'a str,
    pub(super) host: String,
    pub(super) organization: Option<String>,
    pub(super) repository: Option<String>,
    pub(super) branch: Option<&'a str>,
    pub(super) sender: Option<String>,
}

impl<'a> Subject<'a> {
    pub(super) fn new(received: &'a Received) -> Self {
        let facts = &received.facts;
        let name = |text: &Option<String>| text.as_deref().map(|text| Style::Name.fold(text));
        Self {
            event: &facts.event,
            action: facts.action.as_deref(),
            source: &received.source_name,
            host: Style::Name.fold(&facts.host),
            organization: name(&facts.organization),
            repository: name(&facts.repository),
            branch: branch(facts),
            sender: name(&facts.sender),
        }
    }

    /// The owner's part of the repository's name.
    pub(super) fn owner(&self) -> Option<&str> {
        self.repository
            .as_deref()?
            .split_once('/')
            .map(|(owner, _)| owner)
    }
}

/// The branch that a webhook is about: its ref without `refs/heads/`; a tag is none.
pub(super) fn branch(facts: &Facts) -> Option<&str> {
    let git_ref = facts.git_ref.as_deref()?;
    match git_ref.strip_prefix("refs/heads/") {
        Some(branch) => Some(branch),
        None if git_ref.starts_with("refs/") => None,
        None => Some(git_ref),
    }
}

/// A filter in which every clause is ready to be tested. An empty clause always holds.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    events: Vec<String>,
    sources: Vec<String>,
    hosts: Vec<String>,
    organizations: Vec<Pattern>,
    repositories: Vec<Pattern>,
    branches: Vec<Pattern>,
    senders: Vec<Pattern>,
}

impl Compiled {
    pub(super) fn new(filter: &Filter) -> Self {
        let globs = |values: &[String], style| -> Vec<Pattern> {
            values
                .iter()
                .map(|value| Pattern::compile(value, style))
                .collect()
        };
        Self {
            events: filter.events.clone(),
            sources: filter.sources.clone(),
            hosts: filter
                .hosts
                .iter()
                .map(|host| Style::Name.fold(host))
                .collect(),
            organizations: globs(&filter.organizations, Style::Name),
            repositories: globs(&filter.repositories, Style::Name),
            branches: globs(&filter.branches, Style::Branch),
            senders: globs(&filter.senders, Style::Login),
        }
    }

    pub(super) fn fits(&self, subject: &Subject<'_>) -> bool {
        self.event_fits(subject)
            && self.source_fits(subject)
            && self.host_fits(subject)
            && self.repository_fits(subject)
            && self.organization_fits(subject)
            && self.branch_fits(subject)
            && self.sender_fits(subject)
    }

    pub(super) fn event_fits(&self, subject: &Subject<'_>) -> bool {
        let fits = |wanted: &String| {
            wanted == "*"
                || wanted == subject.event
                || wanted.split_once('.').is_some_and(|(event, action)| {
                    event == subject.event && Some(action) == subject.action
                })
        };
        self.events.is_empty() || self.events.iter().any(fits)
    }

    pub(super) fn source_fits(&self, subject: &Subject<'_>) -> bool {
        self.sources.is_empty() || self.sources.iter().any(|source| source == subject.source)
    }

    pub(super) fn host_fits(&self, subject: &Subject<'_>) -> bool {
        self.hosts.is_empty() || self.hosts.contains(&subject.host)
    }

    pub(super) fn organization_fits(&self, subject: &Subject<'_>) -> bool {
        any_fits(&self.organizations, subject.organization.as_deref())
    }

    pub(super) fn repository_fits(&self, subject: &Subject<'_>) -> bool {
        any_fits(&self.repositories, subject.repository.as_deref())
    }

    pub(super) fn branch_fits(&self, subject: &Subject<'_>) -> bool {
        any_fits(&self.branches, subject.branch)
    }

    pub(super) fn sender_fits(&self, subject: &Subject<'_>) -> bool {
        any_fits(&self.senders, subject.sender.as_deref())
    }
}

fn any_fits(patterns: &[Pattern], text: Option<&str>) -> bool {
    patterns.is_empty()
        || text.is_some_and(|text| patterns.iter().any(|pattern| pattern.fits(text)))
}
