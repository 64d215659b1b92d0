//! Which tables there are, under which names, and the checkpoints beside them.

use super::{failed, unreadable};
use crate::project::store::StoreError;
use crate::project::stores::names::{self, Files, Member, Names};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_schemas::{EventId, Offset, Partition, Position};
use sqlx::sqlite::SqliteConnection;

/// What replay cannot recreate.
pub(super) const MIGRATIONS: [&str; 3] = [
    include_str!("../../../../migrations/sqlite/1_checkpoints.sql"),
    include_str!("../../../../migrations/sqlite/2_leases.sql"),
    include_str!("../../../../migrations/sqlite/3_sets.sql"),
];

pub(super) fn files(projection: &str) -> Files {
    names::files!("sqlite", projection)
}

/// The tables that queries read.
pub(super) async fn active(connection: &mut SqliteConnection) -> Result<Names, StoreError> {
    Ok(Names::of(&members(connection).await?))
}

/// The same, with what this release does not know.
pub(super) async fn members(connection: &mut SqliteConnection) -> Result<Vec<Member>, StoreError> {
    let rows: Vec<Columns> = sqlx::query_as(
        "SELECT projection, version, suffix, tables FROM active ORDER BY projection",
    )
    .fetch_all(connection)
    .await
    .map_err(failed("looking which tables are active"))?;
    Ok(rows.into_iter().map(member).collect())
}

/// A projection, the version of its tables, their suffix and their names.
type Columns = (String, u32, String, String);

pub(super) fn member((projection, version, suffix, tables): Columns) -> Member {
    Member {
        projection,
        version,
        suffix,
        tables,
    }
}

/// Makes these tables the ones that queries read.
pub(super) async fn activate(
    connection: &mut SqliteConnection,
    member: &Member,
) -> Result<(), StoreError> {
    sqlx::query("INSERT OR REPLACE INTO active VALUES (?, ?, ?, ?)")
        .bind(&member.projection)
        .bind(member.version)
        .bind(&member.suffix)
        .bind(&member.tables)
        .execute(connection)
        .await
        .map_err(failed("switching tables"))?;
    Ok(())
}

/// The checkpoint of a set of tables; none if there is no such set.
pub(super) async fn checkpoint(
    connection: &mut SqliteConnection,
    set: &str,
) -> Result<Option<Checkpoint>, StoreError> {
    let failed = failed("reading its checkpoint");
    let log: Option<Vec<u8>> = sqlx::query_scalar("SELECT log FROM builds WHERE build = ?")
        .bind(set)
        .fetch_optional(&mut *connection)
        .await
        .map_err(&failed)?;
    let Some(log) = log else {
        return Ok(None);
    };
    let log = uuid::Uuid::from_slice(&log).map_err(|_| unreadable("a log's id that is none"))?;
    let mut checkpoint = Checkpoint::start(EventId(log));
    let rows: Vec<(String, u32, i64)> =
        sqlx::query_as("SELECT topic, partition, next FROM checkpoints WHERE build = ?")
            .bind(set)
            .fetch_all(connection)
            .await
            .map_err(&failed)?;
    for (topic, partition, next) in rows {
        let topic = topic.parse().map_err(|_| unreadable("an unknown topic"))?;
        let offset = u64::try_from(next).map_err(|_| unreadable("an offset below zero"))?;
        let position = Position::new(topic, Partition(partition), Offset(offset));
        checkpoint.read_up_to(position);
    }
    Ok(Some(checkpoint))
}

pub(super) async fn write_checkpoint(
    connection: &mut SqliteConnection,
    set: &str,
    checkpoint: &Checkpoint,
) -> Result<(), StoreError> {
    let failed = failed("writing its checkpoint");
    sqlx::query("INSERT OR REPLACE INTO builds (build, log) VALUES (?, ?)")
        .bind(set)
        .bind(checkpoint.log.0.as_bytes().as_slice())
        .execute(&mut *connection)
        .await
        .map_err(&failed)?;
    let positions: Vec<_> = checkpoint.positions().collect();
    // One statement for all partitions: a statement costs more than its rows.
    for some in positions.chunks(64) {
        let rows = vec!["(?,?,?,?)"; some.len()].join(",");
        let sql = format!("INSERT OR REPLACE INTO checkpoints VALUES {rows}");
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for position in some {
            query = query
                .bind(set)
                .bind(position.topic.as_str())
                .bind(position.partition.0)
                .bind(i64::try_from(position.offset.0).unwrap_or(i64::MAX));
        }
        query.execute(&mut *connection).await.map_err(&failed)?;
    }
    Ok(())
}
