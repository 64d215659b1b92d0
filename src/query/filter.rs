//! What a list shows. All given clauses must hold.

use super::Condition;
use hooklog_projections::table::Value;
use hooklog_schemas::{ReplayId, SubscriptionId, Timestamp};

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
    /// The repository's full name; with `*` at the end, all that begin so; or several full names,
    /// separated by commas.
    pub repository: Option<String>,
    /// `push`, or `pull_request.opened`.
    pub event: Option<String>,
    /// GitHub's id of the event.
    pub guid: Option<String>,
    /// Of deliveries `open`, `dead`, `delivered` or `cancelled`; of webhooks `matched`, `unmatched`,
    /// `unparsed` or `error`.
    pub state: Option<String>,
    /// Deliveries of this subscription; webhooks of which such a delivery was made.
    pub subscription: Option<SubscriptionId>,
    /// Deliveries that this replay made; webhooks have no such clause.
    pub replay: Option<ReplayId>,
    /// Webhooks that happened then, by GitHub's time; deliveries have no such clause.
    pub happened: Between,
    /// Webhooks that were appended then; deliveries have no such clause.
    pub appended: Between,
    /// Deliveries whose first attempt began then; webhooks have no such clause.
    pub attempted: Between,
}

/// A part of time, open where no end is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Between {
    /// At or after.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
}

impl Between {
    /// Everything lies in it.
    #[must_use]
    pub fn is_all(self) -> bool {
        self == Self::default()
    }

    /// Whether `at` lies in it; what has no time lies in no part of it.
    pub(super) fn holds(self, at: Option<i64>) -> bool {
        let inside = |at: i64| {
            self.from.is_none_or(|from| at >= from.0) && self.to.is_none_or(|to| at < to.0)
        };
        self.is_all() || at.is_some_and(inside)
    }

    pub(super) fn conditions(self, column: &'static str) -> Vec<Condition> {
        within(column, self.from, self.to)
    }
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

impl Filter {
    /// The clauses that webhooks and deliveries share.
    pub(super) fn conditions(&self) -> Vec<Condition> {
        let mut conditions = Vec::new();
        let mut is = |column, text: Option<&str>| {
            conditions.extend(text.map(|text| Condition::Is(column, Value::text(text))));
        };
        let (event, action) = match self.event.as_deref().map(|event| event.split_once('.')) {
            Some(Some((event, action))) => (Some(event), Some(action)),
            _ => (self.event.as_deref(), None),
        };
        is("guid", self.guid.as_deref());
        is("source", self.source.as_deref());
        is("host", self.host.as_deref());
        is("event", event);
        is("action", action);
        if let Some(repository) = &self.repository {
            conditions.extend(like("repository", repository));
        }
        conditions.extend(within("received_at", self.from, self.to));
        conditions
    }
}

impl CountsFilter {
    pub(super) fn conditions(&self) -> Vec<Condition> {
        let mut conditions = within("minute_at", self.from, self.to);
        let source = self.source.as_deref().map(Value::text);
        conditions.extend(source.map(|source| Condition::Is("source", source)));
        conditions
    }

    /// Whether what counts in this minute of this source is shown.
    pub(super) fn shows(&self, minute: i64, source: &str) -> bool {
        self.from.is_none_or(|from| minute >= from.0)
            && self.to.is_none_or(|to| minute < to.0)
            && self.source.as_deref().is_none_or(|wanted| wanted == source)
    }
}

pub(super) fn within(
    column: &'static str,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Vec<Condition> {
    let from = from.map(|from| Condition::AtLeast(column, Value::Int(from.0)));
    let to = to.map(|to| Condition::Below(column, Value::Int(to.0)));
    from.into_iter().chain(to).collect()
}

/// Equal to `wanted`, or to one of several with commas between; or, if it ends with `*`, beginning
/// with what stands before. No name of a repository has a comma.
fn like(column: &'static str, wanted: &str) -> Vec<Condition> {
    if wanted.contains(',') {
        let names = wanted.split(',').map(Value::text);
        return vec![Condition::OneOf(column, names.collect())];
    }
    let Some(beginning) = wanted.strip_suffix('*') else {
        return vec![Condition::Is(column, Value::text(wanted))];
    };
    // No text that begins so comes after this one.
    let end = format!("{beginning}{}", char::MAX);
    vec![
        Condition::AtLeast(column, Value::text(beginning)),
        Condition::Below(column, Value::text(&end)),
    ]
}
