//! Which tables there are, under which names, and the checkpoints beside them.

use super::errors::failed;
use super::unreadable;
use crate::project::store::StoreError;
use crate::project::stores::names::{self, Files, Names};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::projection::{PROJECTIONS, Projection};
use hooklog_schemas::{EventId, Offset, Partition, Position};
use sqlx::postgres::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(super) fn files(projection: &str) -> Files {
    names::files!("postgres", projection)
}

/// The tables that queries read; those of other versions than this release's are left out.
pub(super) async fn active(connection: &mut PgConnection) -> Result<Names, sqlx::Error> {
    let rows: Vec<(String, i32, String)> =
        sqlx::query_as("SELECT projection, version, suffix FROM active")
            .fetch_all(connection)
            .await?;
    let ours = rows.into_iter().filter_map(|(name, version, suffix)| {
        let known = PROJECTIONS.iter().find(|p| p.name == name).copied();
        let ours = known.filter(|p| i64::from(p.version) == i64::from(version));
        ours.map(|projection| (projection, suffix))
    });
    Ok(Names::of(ours))
}

pub(super) async fn versions(
    connection: &mut PgConnection,
) -> Result<BTreeMap<String, u32>, StoreError> {
    let rows: Vec<(String, i32)> = sqlx::query_as("SELECT projection, version FROM active")
        .fetch_all(connection)
        .await
        .map_err(failed("looking which tables are active"))?;
    let version = |version| u32::try_from(version).unwrap_or_default();
    let rows = rows.into_iter();
    Ok(rows.map(|(name, found)| (name, version(found))).collect())
}

pub(super) async fn activate(
    connection: &mut PgConnection,
    projection: &Projection,
    suffix: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO active VALUES ($1, $2, $3, $4) ON CONFLICT (projection) DO UPDATE \
         SET version = excluded.version, suffix = excluded.suffix, tables = excluded.tables",
    )
    .bind(projection.name)
    .bind(i32::try_from(projection.version).unwrap_or(i32::MAX))
    .bind(suffix)
    .bind(names::listed(projection, suffix))
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

/// Notes a set of tables, the log that they are of, and those of them that will be dropped.
pub(super) async fn note(
    connection: &mut PgConnection,
    set: &str,
    log: EventId,
    tables: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO builds VALUES ($1, $2, $3) ON CONFLICT (build) DO UPDATE \
         SET log = excluded.log, tables = excluded.tables",
    )
    .bind(set)
    .bind(log.0.as_bytes().as_slice())
    .bind(tables)
    .execute(connection)
    .await
    .map_err(failed("noting its tables"))?;
    Ok(())
}

/// Forgets a set of tables.
pub(super) async fn forget(connection: &mut PgConnection, set: &str) -> Result<(), StoreError> {
    for meta in ["checkpoints", "builds"] {
        let sql = format!("DELETE FROM {meta} WHERE build = $1");
        let gone = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(set);
        let gone = gone.execute(&mut *connection).await;
        gone.map_err(failed("forgetting tables"))?;
    }
    Ok(())
}
