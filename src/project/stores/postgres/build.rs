//! Work on a set of tables beside the live one: making it, going on with it, finishing it.

use super::errors::failed;
use super::lease::Lease;
use super::{LIVE, PostgresStore, lease, schema, sets};
use crate::project::store::{Holder, SetKind, StoreError};
use crate::project::stores::names::{self, Member, Names};
use crate::project::stores::patience::within;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::projection::Projection;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

/// What to work on.
pub(super) enum Wanted<'a> {
    /// A new set of empty tables for these projections, at this checkpoint.
    New(&'a [&'static Projection], &'a Checkpoint),
    /// The set with this name.
    Set(&'a str),
}

/// Opens the set for work, under the lease for what is done beside the live one.
pub(super) async fn open(
    live: &PostgresStore,
    wanted: Wanted<'_>,
    holder: Holder<'_>,
) -> Result<PostgresStore, StoreError> {
    let connector = live.connector.building();
    let mut connection = connector.connect().await?;
    let lease = lease::acquire(&mut connection, lease::BESIDE, holder).await?;
    let opened = match wanted {
        Wanted::New(projections, at) => begin(&mut connection, &lease, projections, at).await,
        Wanted::Set(set) => found(&mut connection, set).await,
    };
    let (set, names) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            // It would end by itself; the next who asks need not wait for that.
            let _ = lease::release(&mut connection, &lease).await;
            return Err(error);
        }
    };
    Ok(PostgresStore {
        connector,
        connection: Some(connection),
        names,
        set,
        lease: Some(lease),
    })
}

async fn begin(
    connection: &mut PgConnection,
    lease: &Lease,
    projections: &[&'static Projection],
    at: &Checkpoint,
) -> Result<(String, Names), StoreError> {
    let failed = failed("beginning a build");
    let mut tx = connection.begin().await.map_err(&failed)?;
    lease::fence(&mut tx, Some(lease)).await?;
    for left in sets::left_behind(&mut tx).await? {
        sets::drop(&mut tx, &left).await?;
    }
    let set = names::free("b", &sets::taken(&mut tx).await?);
    let suffix = format!("_{set}");
    let names = Names::today(projections, &suffix);
    for projection in projections {
        let sql = names.fill(schema::files(projection.name).tables);
        let made = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx);
        made.await.map_err(&failed)?;
    }
    let members: Vec<_> = projections
        .iter()
        .map(|projection| Member::today(projection, &suffix))
        .collect();
    schema::note(&mut tx, &set, at.log).await?;
    schema::write_checkpoint(&mut tx, &set, at).await?;
    sets::note(&mut tx, &set, SetKind::Building, &members).await?;
    tx.commit().await.map_err(&failed)?;
    Ok((set, names))
}

async fn found(connection: &mut PgConnection, set: &str) -> Result<(String, Names), StoreError> {
    let members = sets::members(connection, set).await?;
    if members.is_empty() {
        return Err(StoreError::NoSet(set.to_owned()));
    }
    Ok((set.to_owned(), Names::of(&members)))
}

/// Makes the indexes, and has the tables' statistics taken, while the lease is renewed beside it.
pub(super) async fn finish(
    built: &PostgresStore,
    connection: &mut PgConnection,
) -> Result<(), StoreError> {
    let failed = failed("making the indexes of a build");
    lease::fence(connection, built.lease.as_ref()).await?;
    let members = sets::members(connection, &built.set).await?;
    let making = async {
        for projection in built.names.projections() {
            // Those of an earlier version were live, so they have theirs.
            if members.contains(&Member::today(projection, &format!("_{}", built.set))) {
                let sql = built.names.fill(schema::files(projection.name).indexes);
                let made = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection);
                made.await.map_err(&failed)?;
            }
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

/// Renews the lease until another writer has it. What fails otherwise is tried again: the next write
/// compares it once more.
async fn keep(built: &PostgresStore, lease: &Lease) -> StoreError {
    loop {
        tokio::time::sleep(lease.length() / 3).await;
        match renew(built, lease).await {
            Err(lost @ StoreError::Superseded { .. }) => return lost,
            Err(error) => tracing::warn!(%error, "the lease of a rebuild was not renewed"),
            Ok(()) => {}
        }
    }
}

/// Renews the lease on a connection of its own: that of the build is at work.
async fn renew(built: &PostgresStore, lease: &Lease) -> Result<(), StoreError> {
    let mut connection = built.connector.connect().await?;
    let renewal = lease::fence(&mut connection, Some(lease));
    within(built.connector.connect, "renewing its lease", renewal).await
}

/// The set as it is now, on a connection of its own whose transaction stays open.
pub(super) async fn freeze(store: &PostgresStore) -> Result<PostgresStore, StoreError> {
    let failed = failed("beginning to read");
    let connector = store.connector.building();
    let mut connection = connector.connect().await?;
    let begin = "SET idle_in_transaction_session_timeout = 0; \
         BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let begun = sqlx::raw_sql(begin).execute(&mut connection).await;
    begun.map_err(&failed)?;
    let names = match store.set.as_str() {
        LIVE => schema::active(&mut connection).await.map_err(&failed)?,
        _ => store.names.clone(),
    };
    Ok(PostgresStore {
        connector,
        connection: Some(connection),
        names,
        set: store.set.clone(),
        lease: None,
    })
}
