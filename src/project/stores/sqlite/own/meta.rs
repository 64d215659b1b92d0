//! What stands beside the tables: which projection made them, and how far they are.

use super::{failed, unread};
use crate::project::own::{OwnError, OwnStored, Place};
use crate::project::stores::own::unreadable;
use hooklog_schemas::{EventId, Offset, Partition, Position, Topic};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _};

const TABLES: &str = "
CREATE TABLE hooklog_projection (
    version INTEGER NOT NULL, digest TEXT NOT NULL, begun INTEGER NOT NULL, log BLOB NOT NULL
) STRICT;
CREATE TABLE hooklog_checkpoint (
    topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL, fences TEXT,
    PRIMARY KEY (topic, partition)
) STRICT, WITHOUT ROWID;
";

pub(super) async fn create(connection: &mut SqliteConnection) -> Result<(), OwnError> {
    let made = sqlx::raw_sql(TABLES).execute(connection).await;
    made.map(drop).map_err(failed("beginning"))
}

/// Notes which projection makes them.
pub(super) async fn note(
    connection: &mut SqliteConnection,
    stored: &OwnStored,
) -> Result<(), OwnError> {
    sqlx::query("INSERT INTO hooklog_projection VALUES (?, ?, ?, ?)")
        .bind(stored.version)
        .bind(&stored.digest)
        .bind(integer(stored.begun))
        .bind(stored.place.checkpoint.log.0.as_bytes().as_slice())
        .execute(connection)
        .await
        .map(drop)
        .map_err(failed("beginning"))
}

pub(super) async fn stored(connection: &mut SqliteConnection) -> Result<OwnStored, OwnError> {
    let unread = unread("reading how far they are");
    let row = sqlx::query("SELECT version, digest, begun, log FROM hooklog_projection")
        .fetch_one(&mut *connection)
        .await
        .map_err(&unread)?;
    let log: Vec<u8> = row.try_get(3).map_err(&unread)?;
    let log = uuid::Uuid::from_slice(&log).map_err(unreadable)?;
    let mut place = Place::start(EventId(log));
    let rows = sqlx::query("SELECT topic, partition, next, fences FROM hooklog_checkpoint")
        .fetch_all(connection)
        .await
        .map_err(&unread)?;
    for row in rows {
        take(&row, &mut place)?;
    }
    Ok(OwnStored {
        version: row.try_get(0).map_err(&unread)?,
        digest: row.try_get(1).map_err(&unread)?,
        begun: offset(row.try_get(2).map_err(&unread)?)?,
        place,
    })
}

fn take(row: &SqliteRow, place: &mut Place) -> Result<(), OwnError> {
    let unread = unread("reading how far they are");
    let topic: Topic = row
        .try_get::<String, _>(0)
        .map_err(&unread)?
        .parse()
        .map_err(unreadable)?;
    let partition = Partition(row.try_get(1).map_err(&unread)?);
    let next = offset(row.try_get(2).map_err(&unread)?)?;
    let at = Position::new(topic, partition, next);
    place.checkpoint.read_up_to(at);
    match row.try_get::<Option<String>, _>(3).map_err(&unread)? {
        Some(note) if !place.take(partition, &note) => Err(unreadable(note)),
        _ => Ok(()),
    }
}

/// Notes how far they are.
pub(super) async fn reached(
    connection: &mut SqliteConnection,
    place: &Place,
) -> Result<(), OwnError> {
    let positions: Vec<_> = place.checkpoint.positions().collect();
    // One statement for all partitions: a statement costs more than its rows.
    for some in positions.chunks(64) {
        let rows = vec!["(?,?,?,?)"; some.len()].join(",");
        let sql = format!("INSERT OR REPLACE INTO hooklog_checkpoint VALUES {rows}");
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for position in some {
            query = query
                .bind(position.topic.as_str())
                .bind(position.partition.0)
                .bind(integer(position.offset))
                .bind(place.note(*position));
        }
        let noted = query.execute(&mut *connection).await;
        noted.map_err(failed("noting how far they are"))?;
    }
    Ok(())
}

fn integer(offset: Offset) -> i64 {
    i64::try_from(offset.0).unwrap_or(i64::MAX)
}

fn offset(number: i64) -> Result<Offset, OwnError> {
    u64::try_from(number).map(Offset).map_err(unreadable)
}
