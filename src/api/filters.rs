//! What a list shows: the filters that webhooks, deliveries and dead letters share.

use super::object::find_any_in;
use super::problem::Problem;
use super::view::View;
use super::{Api, check, paging};
use crate::query::{Between, Filter, Page};
use hooklog_projections::configuration::Subscription;
use hooklog_schemas::{ReplayId, Timestamp};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which rows, and which page of them. All given clauses must hold.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Received at or after (RFC 3339).
    from: Option<String>,
    /// Received before (RFC 3339).
    to: Option<String>,
    /// The source's name.
    source: Option<String>,
    /// The host.
    host: Option<String>,
    /// The repository's full name; with `*` at the end, all that begin so; or several full names,
    /// separated by commas.
    repository: Option<String>,
    /// `push`, or `pull_request.opened`.
    event: Option<String>,
    /// Of deliveries `open`, `dead`, `delivered` or `cancelled`; of webhooks `matched`,
    /// `unmatched`, `unparsed` or `error`.
    state: Option<String>,
    /// The subscription's name or id: its deliveries, or the webhooks of which there is one.
    subscription: Option<String>,
    /// Deliveries that this replay made, by its id.
    replay: Option<String>,
    /// GitHub's id of the event.
    guid: Option<String>,
    /// Webhooks that happened at or after, by GitHub's time (RFC 3339).
    event_from: Option<String>,
    /// Webhooks that happened before, by GitHub's time (RFC 3339).
    event_to: Option<String>,
    /// Webhooks that were appended to the log at or after (RFC 3339).
    appended_from: Option<String>,
    /// Webhooks that were appended to the log before (RFC 3339).
    appended_to: Option<String>,
    /// Deliveries whose first attempt began at or after (RFC 3339).
    attempted_from: Option<String>,
    /// Deliveries whose first attempt began before (RFC 3339).
    attempted_to: Option<String>,
    /// Rows at the most, 1 to 500; 50 if not given.
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// What it was then: a time (RFC 3339), a record (`webhooks/3@1042`), or a bookmark (`@NAME`).
    as_of: Option<String>,
}

/// What a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Webhooks,
    Deliveries,
    DeadLetters,
}

impl Of {
    /// The states that are told apart in it.
    const fn states(self) -> &'static [&'static str] {
        match self {
            Self::Webhooks => &["matched", "unmatched", "unparsed", "error"],
            Self::Deliveries => &["open", "dead", "delivered", "cancelled"],
            Self::DeadLetters => &["dead"],
        }
    }
}

impl ListQuery {
    /// Refuses clauses about what this list is not of.
    fn ensure_fits(&self, of: Of) -> Result<(), Problem> {
        let webhooks = "it is a time of webhooks; ask `webhooks` for it";
        let deliveries = "it is a matter of deliveries; ask `deliveries` for it";
        for (name, value, wanted, rule) in [
            ("replay", &self.replay, Of::Deliveries, deliveries),
            (
                "attempted_from",
                &self.attempted_from,
                Of::Deliveries,
                deliveries,
            ),
            (
                "attempted_to",
                &self.attempted_to,
                Of::Deliveries,
                deliveries,
            ),
            ("event_from", &self.event_from, Of::Webhooks, webhooks),
            ("event_to", &self.event_to, Of::Webhooks, webhooks),
            ("appended_from", &self.appended_from, Of::Webhooks, webhooks),
            ("appended_to", &self.appended_to, Of::Webhooks, webhooks),
        ] {
            // Dead letters are deliveries, and each has its replay.
            let fits = of == wanted || (of == Of::DeadLetters && name == "replay");
            if let Some(value) = value.as_deref().filter(|_| !fits) {
                return Err(check::wrong(name, value, rule));
            }
        }
        Ok(())
    }

    /// When it happened, when it was appended, when it was first attempted.
    fn times(&self) -> Result<[Between; 3], Problem> {
        let both = |from: (&str, &Option<String>), to: (&str, &Option<String>)| {
            between((from.0, from.1.as_deref()), (to.0, to.1.as_deref()))
        };
        Ok([
            both(
                ("event_from", &self.event_from),
                ("event_to", &self.event_to),
            )?,
            both(
                ("appended_from", &self.appended_from),
                ("appended_to", &self.appended_to),
            )?,
            both(
                ("attempted_from", &self.attempted_from),
                ("attempted_to", &self.attempted_to),
            )?,
        ])
    }

    /// What is looked at, and the clauses and the page, checked.
    pub(super) async fn read<'a>(
        self,
        api: &'a Api,
        of: Of,
    ) -> Result<(View<'a>, Filter, Page), Problem> {
        self.ensure_fits(of)?;
        let states = of.states();
        let page = paging::page(self.limit, self.cursor.clone())?;
        if let Some(state) = &self.state
            && !states.contains(&state.as_str())
        {
            let rule = format!("it must be one of {}", states.join(", "));
            return Err(check::wrong("state", state, &rule));
        }
        check_repository(self.repository.as_deref())?;
        let replay = self.replay.as_deref().map(replay).transpose()?;
        let (from, to) = range(self.from.as_deref(), self.to.as_deref())?;
        let [happened, appended, attempted] = self.times()?;
        let view = api.view(self.as_of.as_deref()).await?;
        let subscription = match &self.subscription {
            Some(name) => {
                let configuration = view.configuration().await?;
                Some(find_any_in::<Subscription>(&configuration, name)?)
            }
            None => None,
        };
        let filter = Filter {
            from,
            to,
            source: self.source,
            host: self.host,
            repository: self.repository,
            event: self.event,
            guid: self.guid,
            state: self.state,
            subscription: subscription.map(|subscription| subscription.id),
            replay,
            happened,
            appended,
            attempted,
        };
        Ok((view, filter, page))
    }
}

fn replay(text: &str) -> Result<ReplayId, Problem> {
    let rule = "it must be the id of a replay, as `replay list` shows it";
    text.parse().map_err(|_| check::wrong("replay", text, rule))
}

/// Repositories in one question at the most.
const REPOSITORIES_MAX: u64 = 200;

/// Checks the name of a repository, or several of them.
pub(super) fn check_repository(text: Option<&str>) -> Result<(), Problem> {
    let Some(text) = text.filter(|text| text.contains(',')) else {
        return Ok(());
    };
    let names = text.split(',');
    check::within(
        "repositories",
        names.clone().count() as u64,
        1..=REPOSITORIES_MAX,
    )?;
    match names
        .into_iter()
        .find(|name| name.is_empty() || name.ends_with('*'))
    {
        Some(name) => {
            let rule = "of several repositories each must be a full name, such as acme/api";
            Err(check::wrong("repository", name, rule))
        }
        None => Ok(()),
    }
}

/// Both ends of a range of time; the first must be before the second.
pub(super) fn range(
    from: Option<&str>,
    to: Option<&str>,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Problem> {
    let Between { from, to } = between(("from", from), ("to", to))?;
    Ok((from, to))
}

/// The same of two fields with these names.
fn between(
    (from_name, from): (&str, Option<&str>),
    (to_name, to): (&str, Option<&str>),
) -> Result<Between, Problem> {
    let from = from.map(|text| time(from_name, text)).transpose()?;
    let to = to.map(|text| time(to_name, text)).transpose()?;
    match (from, to) {
        (Some(start), Some(end)) if start >= end => Err(Problem::bad_value(format!(
            "`{from_name}` ({start}) is not before `{to_name}` ({end}), so nothing is in between"
        ))),
        (from, to) => Ok(Between { from, to }),
    }
}

fn time(field: &str, text: &str) -> Result<Timestamp, Problem> {
    let rule = "it must be a time of RFC 3339, such as 2026-11-01T12:00:00Z";
    text.parse().map_err(|_| check::wrong(field, text, rule))
}
