//! What stands beside the tables: which projection made them, and how far they are.

use super::{execute, failed, unread};
use crate::project::own::{OwnError, OwnStored, Place};
use crate::project::stores::own::unreadable;
use hooklog_schemas::{EventId, Offset, Partition, Position, Topic};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

pub(super) async fn create(connection: &mut PgConnection, schema: &str) -> Result<(), OwnError> {
    let make = format!(
        "CREATE TABLE {schema}.hooklog_projection (version BIGINT NOT NULL, digest TEXT NOT NULL, \
         begun BIGINT NOT NULL, log UUID NOT NULL); \
         CREATE TABLE {schema}.hooklog_checkpoint (topic TEXT NOT NULL, partition BIGINT NOT NULL, \
         next BIGINT NOT NULL, fences TEXT, PRIMARY KEY (topic, partition))"
    );
    execute(connection, make, "beginning").await
}

/// Notes which projection makes them.
pub(super) async fn note(
    connection: &mut PgConnection,
    schema: &str,
    stored: &OwnStored,
) -> Result<(), OwnError> {
    let sql = format!("INSERT INTO {schema}.hooklog_projection VALUES ($1, $2, $3, $4::uuid)");
    sqlx::query(AssertSqlSafe(sql))
        .bind(i64::from(stored.version))
        .bind(&stored.digest)
        .bind(integer(stored.begun))
        .bind(stored.place.checkpoint.log.0.to_string())
        .execute(connection)
        .await
        .map(drop)
        .map_err(|error| failed("beginning")(&error))
}

/// What is stored in a schema, held until the transaction ends: whoever writes holds it.
pub(super) async fn held(
    connection: &mut PgConnection,
    schema: &str,
) -> Result<Option<OwnStored>, OwnError> {
    if !is_there(connection, schema).await? {
        return Ok(None);
    }
    let hold = format!("SELECT version FROM {schema}.hooklog_projection FOR UPDATE");
    execute(connection, hold, "folding").await?;
    read(connection, schema).await.map(Some)
}

/// What is stored in a schema; nothing if it is not there.
pub(super) async fn stored(
    connection: &mut PgConnection,
    schema: &str,
) -> Result<Option<OwnStored>, OwnError> {
    match is_there(connection, schema).await? {
        true => read(connection, schema).await.map(Some),
        false => Ok(None),
    }
}

async fn is_there(connection: &mut PgConnection, schema: &str) -> Result<bool, OwnError> {
    sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(format!("{schema}.hooklog_projection"))
        .fetch_one(connection)
        .await
        .map_err(|error| failed("reading how far they are")(&error))
}

/// Topic, partition, next offset, and what else was noted.
type Reached = (String, i64, i64, Option<String>);

async fn read(connection: &mut PgConnection, schema: &str) -> Result<OwnStored, OwnError> {
    let sql = format!("SELECT version, digest, begun, log::text FROM {schema}.hooklog_projection");
    let (version, digest, begun, log): (i64, String, i64, String) =
        sqlx::query_as(AssertSqlSafe(sql))
            .fetch_one(&mut *connection)
            .await
            .map_err(|error| unread(&error))?;
    let log = log.parse().map_err(unreadable)?;
    let mut place = Place::start(EventId(log));
    let sql = format!("SELECT topic, partition, next, fences FROM {schema}.hooklog_checkpoint");
    let rows: Vec<Reached> = sqlx::query_as(AssertSqlSafe(sql))
        .fetch_all(connection)
        .await
        .map_err(|error| unread(&error))?;
    for row in rows {
        take(row, &mut place)?;
    }
    Ok(OwnStored {
        version: u32::try_from(version).map_err(unreadable)?,
        digest,
        begun: offset(begun)?,
        place,
    })
}

fn take((topic, partition, next, note): Reached, place: &mut Place) -> Result<(), OwnError> {
    let topic: Topic = topic.parse().map_err(unreadable)?;
    let partition = Partition(u32::try_from(partition).map_err(unreadable)?);
    let at = Position::new(topic, partition, offset(next)?);
    place.checkpoint.read_up_to(at);
    match note {
        Some(note) if !place.take(partition, &note) => Err(unreadable(note)),
        _ => Ok(()),
    }
}

/// Notes how far they are.
pub(super) async fn reached(
    connection: &mut PgConnection,
    schema: &str,
    place: &Place,
) -> Result<(), OwnError> {
    let (mut topics, mut partitions) = (Vec::new(), Vec::new());
    let (mut next, mut notes) = (Vec::new(), Vec::new());
    for position in place.checkpoint.positions() {
        topics.push(position.topic.as_str().to_owned());
        partitions.push(i64::from(position.partition.0));
        next.push(integer(position.offset));
        notes.push(place.note(position));
    }
    let sql = format!(
        "INSERT INTO {schema}.hooklog_checkpoint SELECT * FROM UNNEST($1, $2, $3, $4) \
         ON CONFLICT (topic, partition) DO UPDATE SET next = excluded.next, fences = excluded.fences"
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(topics)
        .bind(partitions)
        .bind(next)
        .bind(notes)
        .execute(connection)
        .await
        .map(drop)
        .map_err(|error| failed("noting how far they are")(&error))
}

fn integer(offset: Offset) -> i64 {
    i64::try_from(offset.0).unwrap_or(i64::MAX)
}

fn offset(number: i64) -> Result<Offset, OwnError> {
    u64::try_from(number).map(Offset).map_err(unreadable)
}
