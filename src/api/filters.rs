//! What a list shows: the filters that webhooks, deliveries and dead letters share.

use super::object::find_any_in;
use super::problem::Problem;
use super::view::View;
use super::{Api, check, paging};
use crate::query::{Filter, Page};
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
    /// Rows at the most, 1 to 500; 50 if not given.
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// What it was then: a time (RFC 3339), a record (`webhooks/3@1042`), or a bookmark (`@NAME`).
    as_of: Option<String>,
}

impl ListQuery {
    /// The same, of webhooks: a replay makes deliveries alone.
    pub(super) fn of_webhooks(self) -> Result<Self, Problem> {
        match &self.replay {
            None => Ok(self),
            Some(id) => {
                let rule = "replays make deliveries, not webhooks; ask `deliveries` for those";
                Err(check::wrong("replay", id, rule))
            }
        }
    }

    /// What is looked at, and the clauses and the page, checked; `states` are those that the list
    /// knows.
    pub(super) async fn read<'a>(
        self,
        api: &'a Api,
        states: &[&str],
    ) -> Result<(View<'a>, Filter, Page), Problem> {
        let page = paging::page(self.limit, self.cursor)?;
        if let Some(state) = &self.state
            && !states.contains(&state.as_str())
        {
            let rule = format!("it must be one of {}", states.join(", "));
            return Err(check::wrong("state", state, &rule));
        }
        check_repository(self.repository.as_deref())?;
        let replay = self.replay.as_deref().map(replay).transpose()?;
        let (from, to) = range(self.from.as_deref(), self.to.as_deref())?;
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
    let from = from.map(|text| time("from", text)).transpose()?;
    let to = to.map(|text| time("to", text)).transpose()?;
    match (from, to) {
        (Some(start), Some(end)) if start >= end => Err(Problem::bad_value(format!(
            "`from` ({start}) is not before `to` ({end}), so nothing is in between"
        ))),
        range => Ok(range),
    }
}

fn time(field: &str, text: &str) -> Result<Timestamp, Problem> {
    let rule = "it must be a time of RFC 3339, such as 2026-11-01T12:00:00Z";
    text.parse().map_err(|_| check::wrong(field, text, rule))
}
