//! What a request for a replay says, and the range that it means.

use crate::api::problem::Problem;
use crate::api::subscriptions::find_any;
use crate::api::{Api, check};
use crate::history::{self, PointError, PointSpec};
use hooklog_projections::configuration::Configuration;
use hooklog_schemas::control::{ReplayFilter, ReplayMode, ReplayRange, ReplaySpec};
use hooklog_schemas::{Offset, Partition, Point, Position, SubscriptionId, Timestamp, Topic};
use serde::Deserialize;
use std::time::Duration;
use utoipa::ToSchema;

/// Deliveries a second, if nothing else is said.
const RATE: u32 = 100;
/// Deliveries a second at the most.
const RATE_MAX: u64 = 10_000;
/// Deliveries that a dry run lists at the most.
const LISTED_MAX: u64 = 1_000;
/// Clocks of machines differ by less: what was received after a time came into the log later than so
/// much before it.
const SKEW: Duration = Duration::from_secs(10 * 60);
/// What was received before a time came into the log within so much after it, also when it waited in a
/// queue or in a spool.
const WAITED_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Which history is to be delivered again, to whom, and how fast.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayBody {
    /// Who gets it.
    mode: Mode,
    /// The point as of which it is routed, where the mode is `as_of_routing`: a time, a record such as
    /// `control/0@17`, or a bookmark such as `@before-the-move`.
    point: Option<String>,
    /// Received at or after (RFC 3339); or a position such as `webhooks/3@1042`, which means that
    /// partition from there on; or a bookmark: what came after it.
    from: Option<String>,
    /// Received before (RFC 3339); or a position of the same partition, which lies outside; or a
    /// bookmark: what came before it.
    to: Option<String>,
    /// The source's name.
    source: Option<String>,
    /// The host.
    host: Option<String>,
    /// The repository's full name; with `*` at the end, all that begin so.
    repository: Option<String>,
    /// `push`, or `pull_request.opened`.
    event: Option<String>,
    /// GitHub's id of the event.
    guid: Option<String>,
    /// Only what this subscription gets by the mode, by its name or id.
    subscription: Option<String>,
    /// Everything goes to this URL instead of its destination.
    url: Option<String>,
    /// Deliveries that become owed in a second; 100 if not given.
    rate_per_second: Option<u32>,
    /// How many deliveries a dry run counted: kept as what was expected.
    counted: Option<u64>,
    /// Only count.
    #[serde(default)]
    pub(super) dry_run: bool,
    /// How many deliveries a dry run lists, up to 1,000; none if not given.
    list: Option<u64>,
    /// Why. It must be given.
    pub(super) reason: Option<String>,
}

/// Who gets what is replayed.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// The subscriptions that were owed it at the time, at the destinations that they had then.
    OriginalTargets,
    /// Those that want it by the configuration of now.
    CurrentRouting,
    /// Those that wanted it by the configuration as of a point.
    AsOfRouting,
}

impl ReplayBody {
    /// How many deliveries a dry run lists.
    pub(super) fn listed(&self) -> Result<usize, Problem> {
        let listed = self.list.unwrap_or_default();
        check::within("list", listed, 0..=LISTED_MAX)?;
        Ok(usize::try_from(listed).unwrap_or(usize::MAX))
    }

    /// What is asked for, checked, with its range as places in the log.
    pub(super) async fn spec(&self, api: &Api) -> Result<ReplaySpec, Problem> {
        let rate_per_second = self.rate_per_second.unwrap_or(RATE);
        check::within("rate_per_second", u64::from(rate_per_second), 1..=RATE_MAX)?;
        let subscription = self.subscription(api)?;
        if let Some(to) = &self.url {
            check::no_password(to)?;
            let checked = (api.parts.check_target)(to).await;
            checked.map_err(|error| check::wrong("url", to, &error))?;
        }
        let mode = self.mode(api).await?;
        let configuration = api.parts.control.current();
        let read = |field, text: &Option<String>| {
            let text = text.as_deref();
            text.map(|text| Bound::read(field, text, &configuration))
                .transpose()
        };
        let (from, to) = (read("from", &self.from)?, read("to", &self.to)?);
        check_order(from.as_ref(), to.as_ref())?;
        let range = range(api, from.as_ref(), to.as_ref()).await?;
        if range.iter().all(|range| range.is_empty()) {
            let detail = "there are no webhooks between `from` and `to`";
            return Err(Problem::bad_value(detail));
        }
        let filter = ReplayFilter {
            from: from.as_ref().and_then(Bound::time),
            to: to.as_ref().and_then(Bound::time),
            source: self.source.clone(),
            host: self.host.clone(),
            repository: self.repository.clone(),
            event: self.event.clone(),
            guid: self.guid.clone(),
        };
        Ok(ReplaySpec {
            mode,
            subscription,
            to: self.url.clone(),
            filter,
            range,
            rate_per_second,
            counted: self.counted,
        })
    }

    async fn mode(&self, api: &Api) -> Result<ReplayMode, Problem> {
        match (self.mode, &self.point) {
            (Mode::AsOfRouting, Some(text)) => {
                let spec: PointSpec = point("point", text)?;
                let configuration = api.parts.control.current();
                let log = api.parts.log.as_ref();
                let found = history::resolve(log, &configuration, &spec).await;
                Ok(ReplayMode::AsOfRouting {
                    control: found
                        .map_err(|error| no_point("point", text, error))?
                        .control,
                    point: spec.to_string(),
                })
            }
            (Mode::AsOfRouting, None) => Err(Problem::bad_value(
                "`point` must be given: as of when is it to be routed?",
            )),
            (_, Some(_)) => Err(Problem::bad_value(
                "`point` needs `mode` to be `as_of_routing`",
            )),
            (Mode::OriginalTargets, None) => Ok(ReplayMode::OriginalTargets),
            (Mode::CurrentRouting, None) => Ok(ReplayMode::CurrentRouting),
        }
    }

    fn subscription(&self, api: &Api) -> Result<Option<SubscriptionId>, Problem> {
        let Some(name) = &self.subscription else {
            return Ok(None);
        };
        let found = find_any(api, name)?;
        if found.deleted {
            let rule = "it is deleted, and gets nothing; create another one for what it missed";
            return Err(check::wrong("subscription", name, rule));
        }
        Ok(Some(found.id))
    }
}

/// One end of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Bound {
    Time(Timestamp),
    Place(Position),
    Cut(Point),
}

impl Bound {
    fn read(field: &str, text: &str, configuration: &Configuration) -> Result<Self, Problem> {
        match point(field, text)? {
            PointSpec::Time(time) => Ok(Self::Time(time)),
            PointSpec::Position(place) if place.topic == Topic::Webhooks => Ok(Self::Place(place)),
            PointSpec::Position(_) => {
                let rule = "only webhooks are replayed; write a position such as webhooks/3@1042";
                Err(check::wrong(field, text, rule))
            }
            PointSpec::Bookmark(name) => match configuration.bookmarks.get(&name) {
                Some(bookmark) => Ok(Self::Cut(bookmark.point.clone())),
                None => Err(no_point(field, text, PointError::NoBookmark(name))),
            },
        }
    }

    const fn time(&self) -> Option<Timestamp> {
        match self {
            Self::Time(time) => Some(*time),
            Self::Place(_) | Self::Cut(_) => None,
        }
    }

    const fn place(&self) -> Option<Position> {
        match self {
            Self::Place(place) => Some(*place),
            Self::Time(_) | Self::Cut(_) => None,
        }
    }
}

fn point(field: &str, text: &str) -> Result<PointSpec, Problem> {
    let point: Result<PointSpec, _> = text.parse();
    point.map_err(|error| check::wrong(field, text, &error.to_string()))
}

fn no_point(field: &str, text: &str, error: PointError) -> Problem {
    match error {
        PointError::Read(error) => error.into(),
        PointError::Decode(error) => Problem::unavailable(error.to_string()),
        error => check::wrong(field, text, &error.to_string()),
    }
}

/// The first must be before the second.
fn check_order(from: Option<&Bound>, to: Option<&Bound>) -> Result<(), Problem> {
    let empty = match (from, to) {
        (Some(Bound::Time(from)), Some(Bound::Time(to))) => from >= to,
        (Some(Bound::Place(from)), Some(Bound::Place(to))) => {
            if from.partition != to.partition {
                let detail = format!(
                    "`from` and `to` are in two partitions, {} and {}; replay one after the other, or \
                     name times",
                    from.partition, to.partition
                );
                return Err(Problem::bad_value(detail));
            }
            from.offset >= to.offset
        }
        _ => false,
    };
    if empty {
        let detail = "`from` is not before `to`, so nothing is in between";
        return Err(Problem::bad_value(detail));
    }
    Ok(())
}

/// The places in the log: those that a position names, or all that can hold what was received in time.
async fn range(
    api: &Api,
    from: Option<&Bound>,
    to: Option<&Bound>,
) -> Result<Vec<ReplayRange>, Problem> {
    let count = api.parts.log.partitions(Topic::Webhooks);
    let places = [from.and_then(Bound::place), to.and_then(Bound::place)];
    let named = places.iter().flatten().next();
    if let Some(named) = named.filter(|named| named.partition.0 >= count) {
        let detail = format!("there is no {named}: the log has {count} partitions");
        return Err(Problem::bad_value(detail));
    }
    let mut range = Vec::new();
    for partition in (0..count).map(Partition) {
        let outside = named.is_some_and(|named| named.partition != partition);
        range.push(if outside {
            ReplayRange::default()
        } else {
            within(api, partition, from, to).await?
        });
    }
    Ok(range)
}

async fn within(
    api: &Api,
    partition: Partition,
    from: Option<&Bound>,
    to: Option<&Bound>,
) -> Result<ReplayRange, Problem> {
    let log = &api.parts.log;
    let bounds = log.bounds(Topic::Webhooks, partition).await?;
    let appended = |time| log.offset_after(Topic::Webhooks, partition, time);
    let end = |point: &Point| point.end(Topic::Webhooks, partition);
    let from: Offset = match from {
        None => bounds.start,
        Some(Bound::Place(place)) => place.offset,
        Some(Bound::Cut(point)) => end(point),
        Some(Bound::Time(time)) => appended(earlier(*time, SKEW)).await?,
    };
    let to: Offset = match to {
        None => bounds.tail,
        Some(Bound::Place(place)) => place.offset,
        Some(Bound::Cut(point)) => end(point),
        Some(Bound::Time(time)) => appended(time.plus(WAITED_MAX)).await?,
    };
    let from = from.clamp(bounds.start, bounds.tail);
    Ok(ReplayRange {
        from,
        to: to.clamp(from, bounds.tail),
    })
}

/// Microseconds count, so one that was appended at that very time is inside.
fn earlier(time: Timestamp, by: Duration) -> Timestamp {
    let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    Timestamp(time.0.saturating_sub(micros).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(text: &str) -> Result<Bound, Problem> {
        Bound::read("from", text, &Configuration::default())
    }

    #[test]
    fn a_bound_is_a_time_a_position_of_webhooks_or_a_bookmark_that_there_is() {
        let place = "webhooks/3@1042".parse().unwrap();
        assert_eq!(bound("webhooks/3@1042").unwrap(), Bound::Place(place));
        let time = "2026-11-01T12:00:00Z".parse().unwrap();
        assert_eq!(bound("2026-11-01T12:00:00Z").unwrap(), Bound::Time(time));
        for wrong in ["deliveries/3@1", "yesterday", "@nowhere"] {
            assert!(bound(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_ends_after_it_begins_and_in_the_same_partition() {
        let check = |from: &str, to: &str| {
            let (from, to) = (bound(from).unwrap(), bound(to).unwrap());
            check_order(Some(&from), Some(&to))
        };
        for (from, to) in [
            ("2026-11-01T12:00:00Z", "2026-11-01T12:00:00Z"),
            ("webhooks/3@7", "webhooks/3@7"),
            ("webhooks/3@7", "webhooks/4@9"),
        ] {
            assert!(check(from, to).is_err(), "{from} {to}");
        }
        assert!(check("webhooks/3@7", "2026-11-01T12:00:00Z").is_ok());
    }
}
