//! History: which records lie inside a cut through the log.
//!
//! A time becomes, per partition, the prefix before the first record that was appended after it and
//! is there for ever. Clocks differ, so such a cut may hold a decision whose webhook or configuration it does not
//! hold; [`resolve`] shrinks it until it is closed over causes.

mod causes;
mod closing;
mod difference;
mod erased;
mod prefix;
mod range;
mod spec;

pub use difference::{Difference, Field, differences};
pub use prefix::Prefix;
pub use spec::{PointSpec, SpecError};

use crate::control::FollowError;
use crate::log::{EventLog, ReadError, ReadLimit};
use closing::Closing;
use hooklog_projections::configuration::Configuration;
use hooklog_schemas::{
    DecodeError, Event, EventId, Offset, Partition, Point, Position, Record, Timestamp, Topic,
};
use std::sync::Arc;

/// Why there is no point.
#[derive(Debug, thiserror::Error)]
pub enum PointError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record near the cut is not understood.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The log has no first event.
    #[error("the log is empty: there is nothing to look back on")]
    Empty,
    /// The time is before the log was made.
    #[error("{asked} is before the log, which begins at {begins}")]
    BeforeTheLog {
        /// What was asked for.
        asked: String,
        /// When the log was made.
        begins: Timestamp,
    },
    /// What lies inside cannot all be read any more.
    #[error("{asked} is before {first}, the first record that can be read of its partition")]
    Unreadable {
        /// What was asked for.
        asked: String,
        /// The first position that can be read.
        first: Position,
    },
    /// The log has no such record.
    #[error("{position} is not in the log: {reason}")]
    NoRecord {
        /// What was asked for.
        position: Position,
        /// Why not.
        reason: String,
    },
    /// There is no such bookmark.
    #[error("there is no bookmark {0:?}; `hooklog bookmark list` shows those that there are")]
    NoBookmark(String),
    /// The point is of another log.
    #[error("the point is of log {theirs}, but this is log {ours}")]
    OtherLog {
        /// The log that the point cuts.
        theirs: EventId,
        /// This log.
        ours: EventId,
    },
    /// The point reaches beyond the end of the log.
    #[error("the point reaches up to {end}, but the log ends at {tail}")]
    BeyondTheEnd {
        /// The end of the point.
        end: Position,
        /// Where the partition ends.
        tail: Offset,
    },
}

/// The point that `spec` means.
///
/// A time that is yet to come means all that is there now. A position means everything up to it and
/// including it, with what that names; of other partitions what was appended up to then.
///
/// # Errors
/// When the log cannot be read, or does not hold what `spec` names: never a guess.
pub async fn resolve(
    log: &dyn EventLog,
    configuration: &Configuration,
    spec: &PointSpec,
) -> Result<Point, PointError> {
    let (id, _) = configuration.log.ok_or(PointError::Empty)?;
    let point = match spec {
        PointSpec::Time(time) => {
            let cut = at(log, configuration, id, *time).await?;
            let mut closing = Closing::new(log, configuration, *time, cut);
            closing.close(None).await?;
            closing.point
        }
        PointSpec::Position(position) => {
            let time = appended_at(log, configuration, *position).await?;
            let cut = at(log, configuration, id, time).await?;
            let mut closing = Closing::new(log, configuration, time, cut);
            closing.include(*position).await?;
            closing.close(Some(*position)).await?;
            closing.point
        }
        PointSpec::Bookmark(name) => {
            let bookmark = configuration.bookmarks.get(name);
            let none = || PointError::NoBookmark(name.clone());
            bookmark.ok_or_else(none)?.point.clone()
        }
    };
    check(log, id, &point, spec).await?;
    Ok(point)
}

/// Everything up to the end of the log as it is now. Records name only what was there before them,
/// and each partition is asked before those that its records name, so it is closed.
///
/// # Errors
/// When the log cannot be read.
pub async fn end(log: &dyn EventLog, configuration: &Configuration) -> Result<Point, PointError> {
    let (id, _) = configuration.log.ok_or(PointError::Empty)?;
    let deliveries = tails(log, Topic::Deliveries).await?;
    let webhooks = tails(log, Topic::Webhooks).await?;
    let control = log.bounds(Topic::Control, Partition(0)).await?.tail;
    Ok(Point {
        log: id,
        webhooks,
        deliveries,
        control,
    })
}

/// When the point that `spec` means is: of a bookmark, when it was made.
///
/// # Errors
/// As [`resolve`].
pub async fn time(
    log: &dyn EventLog,
    configuration: &Configuration,
    spec: &PointSpec,
) -> Result<Timestamp, PointError> {
    match spec {
        PointSpec::Time(time) => Ok(*time),
        PointSpec::Position(position) => appended_at(log, configuration, *position).await,
        PointSpec::Bookmark(name) => {
            let bookmark = configuration.bookmarks.get(name);
            let none = || PointError::NoBookmark(name.clone());
            Ok(bookmark.ok_or_else(none)?.by.at)
        }
    }
}

/// The configuration as `control` before `end` says.
///
/// # Errors
/// When the log cannot be read, or holds an event that this release does not know.
pub async fn configuration(log: &dyn EventLog, end: Offset) -> Result<Configuration, FollowError> {
    let mut configuration = Configuration::default();
    let mut next = Position::new(Topic::Control, Partition(0), Offset(0));
    while next.offset < end {
        let records = log.read(next, ReadLimit::default()).await?;
        let Some(last) = records.last() else { break };
        next.offset = last.position.offset.next();
        let before = |record: &&Arc<Record>| record.position.offset < end;
        for record in records.iter().take_while(before) {
            let event = Event::decode(record)?;
            configuration.fold(record.position.offset, record.event_id, &event);
        }
    }
    Ok(configuration)
}

/// Refuses a point of another log, and one that this log cannot give.
///
/// # Errors
/// As said, or when the log cannot be read.
pub async fn check(
    log: &dyn EventLog,
    id: EventId,
    point: &Point,
    asked: &PointSpec,
) -> Result<(), PointError> {
    if point.log != id {
        let (theirs, ours) = (point.log, id);
        return Err(PointError::OtherLog { theirs, ours });
    }
    for end in point.ends() {
        let bounds = log.bounds(end.topic, end.partition).await?;
        if end.offset > bounds.tail {
            let tail = bounds.tail;
            return Err(PointError::BeyondTheEnd { end, tail });
        }
        if bounds.start > Offset(0) && end.offset <= bounds.start {
            let first = Position {
                offset: bounds.start,
                ..end
            };
            let asked = asked.to_string();
            return Err(PointError::Unreadable { asked, first });
        }
    }
    if point.control == Offset(0) {
        let first = Position::new(Topic::Control, Partition(0), Offset(0));
        let begins = appended_at(log, &Configuration::default(), first).await?;
        let asked = asked.to_string();
        return Err(PointError::BeforeTheLog { asked, begins });
    }
    Ok(())
}

/// Per partition, the prefix before the first record that was appended after `time` and stays.
async fn at(
    log: &dyn EventLog,
    configuration: &Configuration,
    id: EventId,
    time: Timestamp,
) -> Result<Point, PointError> {
    Ok(Point {
        log: id,
        webhooks: after(log, configuration, Topic::Webhooks, time).await?,
        deliveries: after(log, configuration, Topic::Deliveries, time).await?,
        control: log.offset_after(Topic::Control, Partition(0), time).await?,
    })
}

async fn after(
    log: &dyn EventLog,
    configuration: &Configuration,
    topic: Topic,
    time: Timestamp,
) -> Result<Vec<Offset>, PointError> {
    let one = async |number| {
        let partition = Partition(number);
        let offset = log.offset_after(topic, partition, time).await?;
        erased::past(log, configuration, Position::new(topic, partition, offset)).await
    };
    futures_util::future::try_join_all((0..log.partitions(topic)).map(one)).await
}

async fn tails(log: &dyn EventLog, topic: Topic) -> Result<Vec<Offset>, ReadError> {
    let mut tails = Vec::new();
    for number in 0..log.partitions(topic) {
        tails.push(log.bounds(topic, Partition(number)).await?.tail);
    }
    Ok(tails)
}

/// When the record at `position` was appended.
async fn appended_at(
    log: &dyn EventLog,
    configuration: &Configuration,
    position: Position,
) -> Result<Timestamp, PointError> {
    let no = |reason: String| PointError::NoRecord { position, reason };
    let count = log.partitions(position.topic);
    if position.partition.0 >= count {
        return Err(no(format!("{} has {count} partitions", position.topic)));
    }
    let bounds = log.bounds(position.topic, position.partition).await?;
    if position.offset >= bounds.tail {
        return Err(no(format!("the partition ends at {}", bounds.tail)));
    }
    if position.offset < bounds.start {
        let asked = position.to_string();
        let offset = bounds.start;
        let first = Position { offset, ..position };
        return Err(PointError::Unreadable { asked, first });
    }
    let found = range::read(log, position, position.offset.next()).await?;
    match found.first() {
        Some(record) if !erased::goes(record, configuration)? => Ok(record.appended_at),
        _ => Err(no("it was erased; name one beside it".into())),
    }
}

#[cfg(test)]
mod tests;
