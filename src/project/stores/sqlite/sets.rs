//! Sets of tables beside the live one, and the switch between them. All stand in one file, so that
//! one transaction can switch.

use super::{LIVE, failed, lease, schema, unreadable};
use crate::project::store::{SetKind, StoreError, Stored, TableSet};
use crate::project::stores::names::{self, Member};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::projection::PROJECTIONS;
use hooklog_schemas::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

/// Every set beside the live one.
pub(super) async fn all(connection: &mut SqliteConnection) -> Result<Vec<TableSet>, StoreError> {
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT build, kind, since FROM sets ORDER BY build")
            .fetch_all(&mut *connection)
            .await
            .map_err(failed("looking which sets there are"))?;
    let mut sets = Vec::with_capacity(rows.len());
    for (name, kind, since) in rows {
        let kind = SetKind::read(&kind).ok_or_else(|| unreadable("an unknown kind of set"))?;
        let members = members(connection, &name).await?;
        let Some(checkpoint) = schema::checkpoint(connection, &name).await? else {
            continue;
        };
        let versions = names::versions(&members);
        sets.push(TableSet {
            name,
            kind,
            since: Timestamp(since),
            stored: Stored {
                checkpoint,
                versions,
            },
        });
    }
    Ok(sets)
}

/// The tables of a set; none if there is no such set.
pub(super) async fn members(
    connection: &mut SqliteConnection,
    set: &str,
) -> Result<Vec<Member>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT projection, version, suffix, tables FROM members WHERE build = ? ORDER BY projection",
    )
    .bind(set)
    .fetch_all(connection)
    .await
    .map_err(failed("looking which tables a set has"))?;
    Ok(rows.into_iter().map(schema::member).collect())
}

/// Notes a set and its tables.
pub(super) async fn note(
    connection: &mut SqliteConnection,
    set: &str,
    kind: SetKind,
    members: &[Member],
) -> Result<(), StoreError> {
    let failed = failed("noting a set of tables");
    sqlx::query("INSERT INTO sets VALUES (?, ?, CAST(unixepoch('subsec') * 1000000 AS INTEGER))")
        .bind(set)
        .bind(kind.as_str())
        .execute(&mut *connection)
        .await
        .map_err(&failed)?;
    for member in members {
        sqlx::query("INSERT INTO members VALUES (?, ?, ?, ?, ?)")
            .bind(set)
            .bind(&member.projection)
            .bind(member.version)
            .bind(&member.suffix)
            .bind(&member.tables)
            .execute(&mut *connection)
            .await
            .map_err(&failed)?;
    }
    Ok(())
}

/// Names of sets, and suffixes of tables, that are taken.
pub(super) async fn taken(connection: &mut SqliteConnection) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar(
        "SELECT build FROM builds UNION SELECT build FROM sets \
         UNION SELECT ltrim(suffix, '_') FROM active UNION SELECT ltrim(suffix, '_') FROM members",
    )
    .fetch_all(connection)
    .await
    .map_err(failed("looking which names are taken"))
}

/// Switches to `set`, in the transaction of `tx`, under the live lease; tells what holds the tables
/// that were replaced.
pub(super) async fn switch(
    tx: &mut SqliteConnection,
    set: &str,
    at: &Checkpoint,
) -> Result<Option<String>, StoreError> {
    let members = members(tx, set).await?;
    if members.is_empty() {
        return Err(StoreError::NoSet(set.to_owned()));
    }
    lease::compare(tx, set, at).await?;
    let has = |name: &str| members.iter().any(|member| member.projection == name);
    let whole = PROJECTIONS.iter().all(|p| has(p.name));
    if !whole {
        lease::compare(tx, LIVE, at).await?;
    }
    let mut replaced = schema::members(tx).await?;
    replaced.retain(|member| whole || has(&member.projection));
    let kept = keep(tx, &replaced).await?;
    for member in &replaced {
        let sql = "DELETE FROM active WHERE projection = ?";
        let gone = sqlx::query(sql).bind(&member.projection).execute(&mut *tx);
        gone.await.map_err(failed("switching tables"))?;
    }
    for member in &members {
        schema::activate(tx, member).await?;
    }
    forget(tx, set).await?;
    forget(tx, LIVE).await?;
    schema::write_checkpoint(tx, LIVE, at).await?;
    Ok(kept)
}

/// Makes a set of what is live, at the live checkpoint.
async fn keep(tx: &mut SqliteConnection, live: &[Member]) -> Result<Option<String>, StoreError> {
    let Some(checkpoint) = schema::checkpoint(tx, LIVE).await? else {
        return Ok(None);
    };
    if live.is_empty() {
        return Ok(None);
    }
    let name = names::free("old", &taken(tx).await?);
    schema::write_checkpoint(tx, &name, &checkpoint).await?;
    note(tx, &name, SetKind::Kept, live).await?;
    Ok(Some(name))
}

/// Drops a set; who reads it keeps it until the answer is complete.
pub(super) async fn drop(tx: &mut SqliteConnection, set: &str) -> Result<(), StoreError> {
    let failed = failed("dropping tables that are not used any more");
    for member in members(tx, set).await? {
        for table in member.tables.split(' ') {
            let sql = AssertSqlSafe(format!("DROP TABLE IF EXISTS \"{table}\""));
            let gone = sqlx::raw_sql(sql).execute(&mut *tx).await;
            gone.map_err(&failed)?;
        }
    }
    forget(tx, set).await
}

/// Forgets a set of tables.
async fn forget(connection: &mut SqliteConnection, set: &str) -> Result<(), StoreError> {
    for meta in ["checkpoints", "builds", "sets", "members"] {
        let sql = format!("DELETE FROM {meta} WHERE build = ?");
        let gone = sqlx::query(AssertSqlSafe(sql)).bind(set);
        let gone = gone.execute(&mut *connection).await;
        gone.map_err(failed("forgetting tables"))?;
    }
    Ok(())
}

/// Drops what an earlier release left behind: it kept nothing, and noted less.
pub(super) async fn drop_left_behind(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let failed = failed("dropping tables that are not used any more");
    let used: Vec<String> =
        sqlx::query_scalar("SELECT tables FROM active UNION ALL SELECT tables FROM members")
            .fetch_all(&mut *connection)
            .await
            .map_err(&failed)?;
    let used: Vec<&str> = used.iter().flat_map(|names| names.split(' ')).collect();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
         AND name NOT IN ('active', 'builds', 'checkpoints', 'leases', 'sets', 'members')",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(&failed)?;
    for table in tables
        .iter()
        .filter(|table| !used.contains(&table.as_str()))
    {
        let sql = format!("DROP TABLE \"{table}\"");
        let gone = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection);
        gone.await.map_err(&failed)?;
    }
    let builds: Vec<String> = sqlx::query_scalar(
        "SELECT build FROM builds WHERE build <> ? AND build NOT IN (SELECT build FROM sets)",
    )
    .bind(LIVE)
    .fetch_all(&mut *connection)
    .await
    .map_err(&failed)?;
    for build in builds {
        forget(connection, &build).await?;
    }
    Ok(())
}
