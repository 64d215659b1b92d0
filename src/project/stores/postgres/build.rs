//! Builds beside the live tables, in the same schema, so that one transaction can switch to them.

use super::errors::{failed, within};
use super::lease::Lease;
use super::{LIVE, PostgresStore, lease, schema};
use crate::project::store::StoreError;
use crate::project::stores::names::{Names, free_suffix};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::projection::{PROJECTIONS, Projection};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

/// Begins a build: tables without their secondary indexes, under names of their own.
pub(super) async fn begin(
    live: &PostgresStore,
    projections: &[&'static Projection],
    at: &Checkpoint,
) -> Result<PostgresStore, StoreError> {
    let failed = failed("beginning a build");
    let connector = live.connector.building();
    let mut connection = connector.connect().await?;
    let mut tx = connection.begin().await.map_err(&failed)?;
    lease::fence(&mut tx, live.lease.as_ref()).await?;
    drop_unused(&mut tx).await?;
    let taken = sqlx::query_scalar("SELECT suffix FROM active").fetch_all(&mut *tx);
    let suffix = free_suffix(&taken.await.map_err(&failed)?);
    let names = Names::of(projections.iter().map(|p| (*p, suffix.clone())));
    for projection in projections {
        let sql = names.fill(schema::files(projection.name).tables);
        let made = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx);
        made.await.map_err(&failed)?;
    }
    let listed: Vec<_> = names.all().collect();
    schema::note(&mut tx, &suffix, at.log, &listed.join(" ")).await?;
    schema::write_checkpoint(&mut tx, &suffix, at).await?;
    tx.commit().await.map_err(&failed)?;
    Ok(PostgresStore {
        connector,
        connection: Some(connection),
        names,
        set: suffix,
        lease: live.lease.clone(),
    })
}

/// Makes the indexes, then switches, then drops what was replaced.
pub(super) async fn switch(mut built: PostgresStore, at: &Checkpoint) -> Result<(), StoreError> {
    let mut connection = built.connection().await?;
    finish(&built, &mut connection).await?;
    let replaced = turn(&built, &mut connection, at).await?;
    // Readers that began before keep them; should one take long, the next build drops them.
    if let Err(error) = drop_set(&mut connection, &replaced).await {
        tracing::warn!(%error, "tables that were replaced are dropped by the next rebuild");
    }
    Ok(())
}

/// Makes the indexes, and has the tables' statistics taken, while the lease is renewed beside it.
async fn finish(built: &PostgresStore, connection: &mut PgConnection) -> Result<(), StoreError> {
    let failed = failed("making the indexes of a build");
    let making = async {
        for projection in of(&built.names) {
            let sql = built.names.fill(schema::files(projection.name).indexes);
            let made = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection);
            made.await.map_err(&failed)?;
        }
        for table in built.names.all() {
            let sql = AssertSqlSafe(format!("ANALYZE {table}"));
            let done = sqlx::raw_sql(sql).execute(&mut *connection).await;
            done.map_err(&failed)?;
        }
        Ok(())
    };
    let Some(lease) = &built.lease else {
        return making.await;
    };
    tokio::select! {
        made = making => made,
        lost = keep(built, lease) => Err(lost),
    }
}

/// Renews the lease until another writer has it. What fails otherwise is tried again: the switch
/// compares it once more.
async fn keep(built: &PostgresStore, lease: &Lease) -> StoreError {
    loop {
        match renew(built, lease).await {
            Err(lost @ StoreError::Superseded { .. }) => return lost,
            Err(error) => tracing::warn!(%error, "the lease of a rebuild was not renewed"),
            Ok(()) => {}
        }
        tokio::time::sleep(lease.length() / 3).await;
    }
}

/// Renews the lease on a connection of its own: that of the build is at work.
async fn renew(built: &PostgresStore, lease: &Lease) -> Result<(), StoreError> {
    let mut connection = built.connector.connect().await?;
    let renewal = lease::fence(&mut connection, Some(lease));
    within(built.connector.connect, "renewing its lease", renewal).await
}

/// Switches in one transaction, and gives the lease back; tells the set that holds what was
/// replaced.
async fn turn(
    built: &PostgresStore,
    connection: &mut PgConnection,
    at: &Checkpoint,
) -> Result<String, StoreError> {
    let failed = failed("switching to the tables that were built");
    let mut tx = connection.begin().await.map_err(&failed)?;
    lease::fence(&mut tx, built.lease.as_ref()).await?;
    let mut replaced: Vec<String> = Vec::new();
    for projection in of(&built.names) {
        let before = sqlx::query_scalar("SELECT tables FROM active WHERE projection = $1")
            .bind(projection.name)
            .fetch_optional(&mut *tx);
        replaced.extend(before.await.map_err(&failed)?);
        schema::activate(&mut tx, projection, &built.set).await?;
    }
    schema::forget(&mut tx, &built.set).await?;
    schema::forget(&mut tx, LIVE).await?;
    schema::note(&mut tx, LIVE, at.log, "").await?;
    schema::write_checkpoint(&mut tx, LIVE, at).await?;
    let set = format!("replaced by {}", built.set);
    schema::note(&mut tx, &set, at.log, &replaced.join(" ")).await?;
    if let Some(lease) = &built.lease {
        lease::release(&mut tx, lease).await?;
    }
    tx.commit().await.map_err(&failed)?;
    Ok(set)
}

/// Drops what builds that were given up, and those that were switched to, left behind.
async fn drop_unused(connection: &mut PgConnection) -> Result<(), StoreError> {
    let sets: Vec<String> = sqlx::query_scalar("SELECT build FROM builds WHERE build <> $1")
        .bind(LIVE)
        .fetch_all(&mut *connection)
        .await
        .map_err(failed("looking for tables that are not used any more"))?;
    for set in sets {
        drop_set(connection, &set).await?;
    }
    Ok(())
}

/// Drops the tables of one set that no query reads.
async fn drop_set(connection: &mut PgConnection, set: &str) -> Result<(), StoreError> {
    let failed = failed("dropping tables that are not used any more");
    let mut tx = connection.begin().await.map_err(&failed)?;
    let tables: Option<String> = sqlx::query_scalar("SELECT tables FROM builds WHERE build = $1")
        .bind(set)
        .fetch_optional(&mut *tx)
        .await
        .map_err(&failed)?;
    let tables = tables.unwrap_or_default();
    let mut tables: Vec<_> = tables.split_whitespace().collect();
    // In the order in which readers lock them, so that neither waits for the other in a circle.
    tables.sort_unstable();
    for table in tables {
        let sql = AssertSqlSafe(format!("DROP TABLE IF EXISTS {table}"));
        let gone = sqlx::raw_sql(sql).execute(&mut *tx).await;
        gone.map_err(&failed)?;
    }
    schema::forget(&mut tx, set).await?;
    tx.commit().await.map_err(&failed)
}

/// The projections whose tables these are.
fn of(names: &Names) -> impl Iterator<Item = &'static Projection> {
    let ours = |p: &&Projection| p.tables.iter().any(|table| names.get(table).is_ok());
    PROJECTIONS.into_iter().filter(ours)
}
