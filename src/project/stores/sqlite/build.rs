//! Work on a set of tables beside the live one: making it, going on with it, finishing it.

use super::lease::{self, Lease};
use super::values::Statements;
use super::{CACHE_BUILD, JOURNAL_BUILD, LIVE, SqliteStore, connect, failed, schema, sets};
use crate::project::store::{Holder, SetKind, StoreError};
use crate::project::stores::names::{self, Member, Names};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::projection::Projection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};

/// What to work on.
pub(super) enum Wanted<'a> {
    /// A new set of empty tables for these projections, at this checkpoint.
    New(&'a [&'static Projection], &'a Checkpoint),
    /// The set with this name.
    Set(&'a str),
}

/// Opens the set for work, under the lease for what is done beside the live one.
pub(super) async fn open(
    live: &SqliteStore,
    wanted: Wanted<'_>,
    holder: Holder<'_>,
) -> Result<SqliteStore, StoreError> {
    let mut connection = connect(&live.path, CACHE_BUILD, JOURNAL_BUILD).await?;
    let lease = lease::acquire(&mut connection, lease::BESIDE, holder.writer).await?;
    let (set, names) = match wanted {
        Wanted::New(projections, at) => begin(&mut connection, &lease, projections, at).await?,
        Wanted::Set(set) => found(&mut connection, set).await?,
    };
    Ok(SqliteStore {
        connection,
        path: live.path.clone(),
        lease: Some(lease),
        names,
        set,
        statements: Statements::default(),
    })
}

async fn begin(
    connection: &mut SqliteConnection,
    lease: &Lease,
    projections: &[&'static Projection],
    at: &Checkpoint,
) -> Result<(String, Names), StoreError> {
    let failed = failed("beginning a build");
    let mut tx = connection.begin().await.map_err(&failed)?;
    lease::fence(&mut tx, Some(lease)).await?;
    sets::drop_left_behind(&mut tx).await?;
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
    schema::write_checkpoint(&mut tx, &set, at).await?;
    sets::note(&mut tx, &set, SetKind::Building, &members).await?;
    tx.commit().await.map_err(&failed)?;
    Ok((set, names))
}

async fn found(
    connection: &mut SqliteConnection,
    set: &str,
) -> Result<(String, Names), StoreError> {
    let members = sets::members(connection, set).await?;
    if members.is_empty() {
        return Err(StoreError::NoSet(set.to_owned()));
    }
    Ok((set.to_owned(), Names::of(&members)))
}

/// Makes the indexes, each in a transaction of its own: the projector writes between them.
pub(super) async fn finish(built: &mut SqliteStore) -> Result<(), StoreError> {
    let failed = failed("making the indexes of a build");
    lease::fence(&mut built.connection, built.lease.as_ref()).await?;
    let members = sets::members(&mut built.connection, &built.set).await?;
    for projection in built.names.projections() {
        // Those of an earlier version were live, so they have theirs.
        if members.contains(&Member::today(projection, &format!("_{}", built.set))) {
            let sql = built.names.fill(schema::files(projection.name).indexes);
            let made = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut built.connection);
            made.await.map_err(&failed)?;
        }
    }
    Ok(())
}

/// The set as it is now, on a connection of its own whose transaction stays open.
pub(super) async fn freeze(store: &SqliteStore) -> Result<SqliteStore, StoreError> {
    let mut connection = connect(&store.path, CACHE_BUILD, JOURNAL_BUILD).await?;
    let begun = sqlx::raw_sql("BEGIN").execute(&mut connection).await;
    begun.map_err(failed("beginning to read"))?;
    // The first answer fixes what the transaction sees.
    let active = schema::active(&mut connection).await?;
    let names = match store.set.as_str() {
        LIVE => active,
        _ => store.names.clone(),
    };
    Ok(SqliteStore {
        connection,
        path: store.path.clone(),
        lease: None,
        names,
        set: store.set.clone(),
        statements: Statements::default(),
    })
}
