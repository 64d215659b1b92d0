//! What a request looks at: the present, or a point of the past (`?as_of=`).

use super::problem::Problem;
use super::timeline::{CATCH_UP, LOOK};
use super::{Api, check};
use crate::control::FollowError;
use crate::history::{self, PointError, PointSpec};
use crate::query::Queries;
use hooklog_projections::configuration::Configuration;
use hooklog_schemas::{Offset, Point, Timestamp, Topic};
use serde::Deserialize;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use utoipa::IntoParams;

/// Configurations of the past that are kept, at a few megabytes each where there are many
/// subscriptions.
const KEPT: usize = 4;

/// Which point.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct AsOfQuery {
    /// What it was then: a time (RFC 3339), a record (`webhooks/3@1042`), or a bookmark (`@NAME`).
    pub(super) as_of: Option<String>,
}

/// What a request looks at.
pub(super) struct View<'a> {
    api: &'a Api,
    /// Answers as of then.
    pub(super) queries: Queries,
    past: Option<Past>,
}

struct Past {
    point: Arc<Point>,
    time: Timestamp,
}

/// Configurations of the past that were asked for lately, by the end of `control`.
#[derive(Default)]
pub(super) struct Configurations(Mutex<VecDeque<(Offset, Arc<Configuration>)>>);

impl Api {
    /// The present, or the point that `as_of` names. Tables that have not read all of it yet are
    /// waited for a moment.
    pub(super) async fn view(&self, as_of: Option<&str>) -> Result<View<'_>, Problem> {
        let queries = self.parts.queries.clone();
        let Some(text) = as_of else {
            return Ok(View {
                api: self,
                queries,
                past: None,
            });
        };
        let spec = self.spec("as_of", text)?;
        let point = Arc::new(self.resolve(&spec).await?);
        let log = self.parts.log.as_ref();
        let time = history::time(log, &self.parts.control.current(), &spec).await?;
        self.read_up_to(&point).await?;
        Ok(View {
            api: self,
            queries: queries.at(Arc::clone(&point)),
            past: Some(Past { point, time }),
        })
    }

    /// The same; the present with what was in the log when it was asked for: who has just done
    /// something finds it.
    pub(super) async fn fresh_view(&self, as_of: Option<&str>) -> Result<View<'_>, Problem> {
        if as_of.is_none() {
            self.catch_up(CATCH_UP).await?;
        }
        self.view(as_of).await
    }

    /// A point as somebody wrote it in `field`.
    pub(super) fn spec(&self, field: &str, text: &str) -> Result<PointSpec, Problem> {
        let parsed: Result<PointSpec, _> = text.parse();
        parsed.map_err(|error| check::wrong(field, text, &error.to_string()))
    }

    /// The point that `spec` means.
    pub(super) async fn resolve(&self, spec: &PointSpec) -> Result<Point, Problem> {
        let configuration = self.parts.control.current();
        let log = self.parts.log.as_ref();
        Ok(history::resolve(log, &configuration, spec).await?)
    }

    /// The point at the end of the log as it is now.
    pub(super) async fn end(&self) -> Result<Point, Problem> {
        let configuration = self.parts.control.current();
        Ok(history::end(self.parts.log.as_ref(), &configuration).await?)
    }

    /// Answers as of `point`, once the tables have read all of it.
    pub(super) async fn view_at(&self, point: Point) -> Result<Queries, Problem> {
        self.read_up_to(&point).await?;
        Ok(self.parts.queries.at(Arc::new(point)))
    }

    /// The configuration as it was when `control` ended at `end`.
    pub(super) async fn configuration_at(
        &self,
        end: Offset,
    ) -> Result<Arc<Configuration>, Problem> {
        let now = self.parts.control.current();
        if now.next <= end {
            return Ok(now);
        }
        if let Some(kept) = self.configurations.get(end) {
            return Ok(kept);
        }
        let then = history::configuration(self.parts.log.as_ref(), end).await;
        let then = Arc::new(then.map_err(|error| match error {
            FollowError::Read(error) => error.into(),
            FollowError::Decode(error) => Problem::internal(error),
        })?);
        self.configurations.keep(end, Arc::clone(&then));
        Ok(then)
    }

    /// Waits a moment until the tables have read all of `point`.
    async fn read_up_to(&self, point: &Point) -> Result<(), Problem> {
        let waiting = async {
            loop {
                let read = self.parts.queries.as_of().await?;
                let reached = |topic: Topic, partition: u32, end: u64| {
                    let same = |r: &&crate::query::ReadUpTo| {
                        r.topic == topic.as_str() && r.partition == partition
                    };
                    end == 0 || read.iter().find(same).is_some_and(|r| r.next >= end)
                };
                let mut folded = point.ends().filter(|end| end.topic != Topic::Webhooks);
                if folded.all(|end| reached(end.topic, end.partition.0, end.offset.0)) {
                    return Ok::<_, Problem>(());
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        // If they do not get there in time, the answer says so.
        tokio::time::timeout(CATCH_UP, waiting)
            .await
            .unwrap_or(Ok(()))
    }
}

impl View<'_> {
    /// The configuration in force then.
    pub(super) async fn configuration(&self) -> Result<Arc<Configuration>, Problem> {
        match &self.past {
            Some(past) => self.api.configuration_at(past.point.control).await,
            None => Ok(self.api.parts.control.current()),
        }
    }

    /// When that is.
    pub(super) fn time(&self) -> Timestamp {
        match &self.past {
            Some(past) => past.time,
            None => self.api.parts.clock.now(),
        }
    }

    /// What to say of something that is not there: nothing about the present.
    pub(super) fn then(&self) -> String {
        match &self.past {
            Some(past) => format!(" as of {}", past.time),
            None => String::new(),
        }
    }

    /// Where `control` ends then; none for the present.
    pub(super) fn control_end(&self) -> Option<i64> {
        let past = self.past.as_ref()?;
        Some(i64::try_from(past.point.control.0).unwrap_or(i64::MAX))
    }
}

impl Configurations {
    fn get(&self, end: Offset) -> Option<Arc<Configuration>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|(offset, _)| *offset == end)?;
        Some(Arc::clone(&found.1))
    }

    fn keep(&self, end: Offset, configuration: Arc<Configuration>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.truncate(KEPT - 1);
        kept.push_front((end, configuration));
    }
}

impl From<PointError> for Problem {
    fn from(error: PointError) -> Self {
        let said = error.to_string();
        match error {
            PointError::Read(error) => error.into(),
            PointError::Decode(error) => Self::internal(error),
            PointError::NoBookmark(_) => Self::not_found(said),
            PointError::Empty | PointError::OtherLog { .. } | PointError::BeyondTheEnd { .. } => {
                Self::conflict(said)
            }
            PointError::BeforeTheLog { .. }
            | PointError::Unreadable { .. }
            | PointError::NoRecord { .. } => Self::bad_value(said),
        }
    }
}
