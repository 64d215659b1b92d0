//! Which tables there are, under which names, and the checkpoints beside them.

use super::errors::failed;
use super::unreadable;
use crate::project::store::StoreError;
use crate::project::stores::names::{self, Files, Member, Names};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_schemas::{EventId, Offset, Partition, Position};
use sqlx::postgres::PgConnection;
use uuid::Uuid;

pub(super) fn files(projection: &str) -> Files {
    names::files!("postgres", projection)
}

/// The tables that queries read.
pub(super) async fn active(connection: &mut PgConnection) -> Result<Names, sqlx::Error> {
    Ok(Names::of(&read_members(connection).await?))
}

/// The same, with what this release does not know.
pub(super) async fn members(connection: &mut PgConnection) -> Result<Vec<Member>, StoreError> {
    let members = read_members(connection).await;
    members.map_err(failed("looking which tables are active"))
}

/// A projection, the version of its tables, their suffix and their names.
type Columns = (String, i32, String, String);

async fn read_members(connection: &mut PgConnection) -> Result<Vec<Member>, sqlx::Error> {
    let rows: Vec<Columns> = sqlx::query_as(
        "SELECT projection, version, suffix, tables FROM active ORDER BY projection",
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(member).collect())
}

pub(super) fn member((projection, version, suffix, tables): Columns) -> Member {
    Member {
        projection,
        version: u32::try_from(version).unwrap_or_default(),
        suffix,
        tables,
    }
}

/// Makes these tables the ones that queries read.
pub(super) async fn activate(
    connection: &mut PgConnection,
    member: &Member,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO active VALUES ($1, $2, $3, $4) ON CONFLICT (projection) DO UPDATE \
         SET version = excluded.version, suffix = excluded.suffix, tables = excluded.tables",
    )
    .bind(&member.projection)
    .bind(i32::try_from(member.version).unwrap_or(i32::MAX))
    .bind(&member.suffix)
    .bind(&member.tables)
    .execute(connection)
    .await
    .map_err(failed("switching tables"))?;
    Ok(())
}

/// The log of a set, and the next offset of one partition, if there is any.
type Place = (Vec<u8>, Option<String>, Option<i32>, Option<i64>);

/// The checkpoint of a set of tables; none if there is no such set.
pub(super) async fn checkpoint(
    connection: &mut PgConnection,
    set: &str,
) -> Result<Option<Checkpoint>, StoreError> {
    // One statement, so that both are of one moment whatever the transaction.
    let rows: Vec<Place> = sqlx::query_as(
        "SELECT log, topic, partition, next FROM builds LEFT JOIN checkpoints USING (build) \
         WHERE build = $1",
    )
    .bind(set)
    .fetch_all(connection)
    .await
    .map_err(failed("reading its checkpoint"))?;
    let Some((log, ..)) = rows.first() else {
        return Ok(None);
    };
    let log = Uuid::from_slice(log).map_err(|_| unreadable("a log's id that is none"))?;
    let mut checkpoint = Checkpoint::start(EventId(log));
    for row in rows {
        let (_, Some(topic), Some(partition), Some(next)) = row else {
            continue;
        };
        let topic = topic.parse().map_err(|_| unreadable("an unknown topic"))?;
        let below = |_| unreadable("an offset below zero");
        let partition = u32::try_from(partition).map_err(below)?;
        let offset = u64::try_from(next).map_err(below)?;
        checkpoint.read_up_to(Position::new(topic, Partition(partition), Offset(offset)));
    }
    Ok(Some(checkpoint))
}

/// Writes the checkpoint of the set `set`, which is there.
pub(super) async fn write_checkpoint(
    connection: &mut PgConnection,
    set: &str,
    checkpoint: &Checkpoint,
) -> Result<(), StoreError> {
    let positions: Vec<_> = checkpoint.positions().collect();
    let topics: Vec<_> = positions.iter().map(|p| p.topic.as_str()).collect();
    let numbers = positions.iter().map(|p| i32::try_from(p.partition.0));
    let offsets = positions.iter().map(|p| i64::try_from(p.offset.0));
    let over = |_| unreadable("an offset over what a log can have");
    let numbers = numbers.collect::<Result<Vec<_>, _>>().map_err(over)?;
    let offsets = offsets.collect::<Result<Vec<_>, _>>().map_err(over)?;
    sqlx::query(
        "INSERT INTO checkpoints SELECT $1, * FROM UNNEST($2::text[], $3::int4[], $4::int8[]) \
         ON CONFLICT (build, topic, partition) DO UPDATE SET next = excluded.next",
    )
    .bind(set)
    .bind(topics)
    .bind(numbers)
    .bind(offsets)
    .execute(connection)
    .await
    .map_err(failed("writing its checkpoint"))?;
    Ok(())
}

/// Notes a set of tables and the log that they are of.
pub(super) async fn note(
    connection: &mut PgConnection,
    set: &str,
    log: EventId,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO builds VALUES ($1, $2, '') ON CONFLICT (build) DO UPDATE \
         SET log = excluded.log, tables = excluded.tables",
    )
    .bind(set)
    .bind(log.0.as_bytes().as_slice())
    .execute(connection)
    .await
    .map_err(failed("noting its tables"))?;
    Ok(())
}

/// Forgets a set of tables.
pub(super) async fn forget(connection: &mut PgConnection, set: &str) -> Result<(), StoreError> {
    for meta in ["checkpoints", "builds", "sets", "members"] {
        let sql = format!("DELETE FROM {meta} WHERE build = $1");
        let gone = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(set);
        let gone = gone.execute(&mut *connection).await;
        gone.map_err(failed("forgetting tables"))?;
    }
    Ok(())
}
