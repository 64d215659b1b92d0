//! Sets of tables beside the live one, and the switch between them. All stand in the same schema,
//! so that one transaction can switch.

use super::errors::failed;
use super::{LIVE, lease, schema, unreadable};
use crate::project::store::{SetKind, StoreError, Stored, TableSet};
use crate::project::stores::names::{self, Member};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::projection::PROJECTIONS;
use hooklog_schemas::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

/// Every set beside the live one.
pub(super) async fn all(connection: &mut PgConnection) -> Result<Vec<TableSet>, StoreError> {
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
    connection: &mut PgConnection,
    set: &str,
) -> Result<Vec<Member>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT projection, version, suffix, tables FROM members WHERE build = $1 ORDER BY projection",
    )
    .bind(set)
    .fetch_all(connection)
    .await
    .map_err(failed("looking which tables a set has"))?;
    Ok(rows.into_iter().map(schema::member).collect())
}

/// Notes a set and its tables.
pub(super) async fn note(
    connection: &mut PgConnection,
    set: &str,
    kind: SetKind,
    members: &[Member],
) -> Result<(), StoreError> {
    let failed = failed("noting a set of tables");
    sqlx::query(
        "INSERT INTO sets VALUES ($1, $2, (extract(epoch FROM clock_timestamp()) * 1000000)::int8)",
    )
    .bind(set)
    .bind(kind.as_str())
    .execute(&mut *connection)
    .await
    .map_err(&failed)?;
    for member in members {
        sqlx::query("INSERT INTO members VALUES ($1, $2, $3, $4, $5)")
            .bind(set)
            .bind(&member.projection)
            .bind(i32::try_from(member.version).unwrap_or(i32::MAX))
            .bind(&member.suffix)
            .bind(&member.tables)
            .execute(&mut *connection)
            .await
            .map_err(&failed)?;
    }
    Ok(())
}

/// Names of sets, and suffixes of tables, that are taken.
pub(super) async fn taken(connection: &mut PgConnection) -> Result<Vec<String>, StoreError> {
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
    tx: &mut PgConnection,
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
        let sql = "DELETE FROM active WHERE projection = $1";
        let gone = sqlx::query(sql).bind(&member.projection).execute(&mut *tx);
        gone.await.map_err(failed("switching tables"))?;
    }
    for member in &members {
        schema::activate(tx, member).await?;
    }
    schema::forget(tx, set).await?;
    schema::forget(tx, LIVE).await?;
    schema::note(tx, LIVE, at.log).await?;
    schema::write_checkpoint(tx, LIVE, at).await?;
    Ok(kept)
}

/// Makes a set of what is live, at the live checkpoint.
async fn keep(tx: &mut PgConnection, live: &[Member]) -> Result<Option<String>, StoreError> {
    let Some(checkpoint) = schema::checkpoint(tx, LIVE).await? else {
        return Ok(None);
    };
    if live.is_empty() {
        return Ok(None);
    }
    let name = names::free("old", &taken(tx).await?);
    schema::note(tx, &name, checkpoint.log).await?;
    schema::write_checkpoint(tx, &name, &checkpoint).await?;
    note(tx, &name, SetKind::Kept, live).await?;
    Ok(Some(name))
}

/// Drops a set that no query reads; its readers end first.
pub(super) async fn drop(tx: &mut PgConnection, set: &str) -> Result<(), StoreError> {
    let failed = failed("dropping tables that are not used any more");
    let mut tables: Vec<String> = sqlx::query_scalar(
        "SELECT tables FROM members WHERE build = $1 UNION SELECT tables FROM builds WHERE build = $1",
    )
    .bind(set)
    .fetch_all(&mut *tx)
    .await
    .map_err(&failed)?;
    tables = tables
        .iter()
        .flat_map(|names| names.split_whitespace())
        .map(str::to_owned)
        .collect();
    // In the order in which readers lock them, so that neither waits for the other in a circle.
    tables.sort_unstable();
    for table in tables {
        let sql = AssertSqlSafe(format!("DROP TABLE IF EXISTS {table}"));
        let gone = sqlx::raw_sql(sql).execute(&mut *tx).await;
        gone.map_err(&failed)?;
    }
    schema::forget(tx, set).await
}

/// Sets that an earlier release left behind: it kept none, and dropped them later.
pub(super) async fn left_behind(connection: &mut PgConnection) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar(
        "SELECT build FROM builds WHERE build <> $1 AND build NOT IN (SELECT build FROM sets)",
    )
    .bind(LIVE)
    .fetch_all(connection)
    .await
    .map_err(failed("looking for tables that are not used any more"))
}
