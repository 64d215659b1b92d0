//! Builds beside the live tables, in the same file, so that one transaction can switch to them.

use super::values::Statements;
use super::{CACHE_BUILD, JOURNAL_BUILD, LIVE, SqliteStore, connect, failed, lease, schema};
use crate::project::store::StoreError;
use crate::project::stores::names::{Names, free_suffix};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::projection::{PROJECTIONS, Projection};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};

/// Begins a build: tables without their secondary indexes, under names of their own.
pub(super) async fn begin(
    live: &SqliteStore,
    projections: &[&'static Projection],
    at: &Checkpoint,
) -> Result<SqliteStore, StoreError> {
    let failed = failed("beginning a build");
    let mut connection = connect(&live.path, CACHE_BUILD, JOURNAL_BUILD).await?;
    lease::fence(&mut connection, live.lease.as_ref()).await?;
    drop_inactive(&mut connection).await?;
    forget_builds(&mut connection).await?;
    let suffix = suffix(&mut connection).await?;
    let names = Names::of(projections.iter().map(|p| (*p, suffix.clone())));
    for projection in projections {
        let sql = names.fill(schema::files(projection.name).tables);
        let made = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection);
        made.await.map_err(&failed)?;
    }
    schema::write_checkpoint(&mut connection, &suffix, at).await?;
    Ok(SqliteStore {
        connection,
        path: live.path.clone(),
        lease: live.lease.clone(),
        names,
        set: suffix,
        statements: Statements::default(),
    })
}

/// Makes the indexes, then switches.
pub(super) async fn switch(mut built: SqliteStore, at: &Checkpoint) -> Result<(), StoreError> {
    let failed = failed("switching to the tables that were built");
    let projections: Vec<_> = PROJECTIONS
        .into_iter()
        .filter(|p| p.tables.iter().any(|table| built.names.get(table).is_ok()))
        .collect();
    for projection in &projections {
        let sql = built.names.fill(schema::files(projection.name).indexes);
        let made = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut built.connection);
        made.await.map_err(&failed)?;
    }
    let mut tx = built.connection.begin().await.map_err(&failed)?;
    lease::fence(&mut tx, built.lease.as_ref()).await?;
    for projection in &projections {
        schema::activate(&mut tx, projection, &built.set).await?;
    }
    for meta in ["builds", "checkpoints"] {
        let sql = format!("DELETE FROM {meta}");
        let gone = sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await;
        gone.map_err(&failed)?;
    }
    schema::write_checkpoint(&mut tx, LIVE, at).await?;
    drop_inactive(&mut tx).await?;
    if let Some(lease) = &built.lease {
        lease::release(&mut tx, lease).await?;
    }
    tx.commit().await.map_err(&failed)?;
    built.connection.close().await.map_err(&failed)
}

/// Drops the tables that no query reads: replaced ones, and those of builds that were given up.
async fn drop_inactive(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let failed = failed("dropping tables that are not used any more");
    let active: Vec<String> = sqlx::query_scalar("SELECT tables FROM active")
        .fetch_all(&mut *connection)
        .await
        .map_err(&failed)?;
    let active: Vec<&str> = active.iter().flat_map(|names| names.split(' ')).collect();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
         AND name NOT IN ('active', 'builds', 'checkpoints', 'leases')",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(&failed)?;
    for table in tables
        .iter()
        .filter(|table| !active.contains(&table.as_str()))
    {
        let sql = format!("DROP TABLE \"{table}\"");
        let gone = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection);
        gone.await.map_err(&failed)?;
    }
    Ok(())
}

/// Forgets how far builds that were given up had come.
async fn forget_builds(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    for meta in ["builds", "checkpoints"] {
        let sql = format!("DELETE FROM {meta} WHERE build <> ?");
        let gone = sqlx::query(AssertSqlSafe(sql)).bind(LIVE);
        let gone = gone.execute(&mut *connection).await;
        gone.map_err(failed("beginning a build"))?;
    }
    Ok(())
}

/// A suffix that no active table has.
async fn suffix(connection: &mut SqliteConnection) -> Result<String, StoreError> {
    let taken: Vec<String> = sqlx::query_scalar("SELECT suffix FROM active")
        .fetch_all(connection)
        .await
        .map_err(failed("beginning a build"))?;
    Ok(free_suffix(&taken))
}
