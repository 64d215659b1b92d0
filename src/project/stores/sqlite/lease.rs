//! Who may write. The file belongs to one process, so a lease goes to the last who asks; what
//! every write compares is the same as in any store.

use super::{failed, schema};
use crate::project::store::{NOBODY, StoreError};
use hooklog_projections::checkpoint::Checkpoint;
use sqlx::sqlite::SqliteConnection;

/// The lease of the live tables.
pub(super) const LIVE: &str = "live";

/// The lease for what is done beside them.
pub(super) const BESIDE: &str = "beside";

/// A lease of one writer.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    name: &'static str,
    term: i64,
    writer: String,
}

/// Gives the lease `name` to `writer`, whoever has it.
pub(super) async fn acquire(
    connection: &mut SqliteConnection,
    name: &'static str,
    writer: &str,
) -> Result<Lease, StoreError> {
    let term = sqlx::query_scalar(
        "INSERT INTO leases VALUES (?, 1, ?) ON CONFLICT (name) \
         DO UPDATE SET term = term + 1, writer = excluded.writer RETURNING term",
    )
    .bind(name)
    .bind(writer)
    .fetch_one(connection)
    .await
    .map_err(failed("acquiring its lease"))?;
    let writer = writer.to_owned();
    Ok(Lease { name, term, writer })
}

/// Gives the lease back, if it is still there.
pub(super) async fn release(
    connection: &mut SqliteConnection,
    lease: &Lease,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE leases SET term = term + 1, writer = ? WHERE name = ? AND term = ?")
        .bind(NOBODY)
        .bind(lease.name)
        .bind(lease.term)
        .execute(connection)
        .await
        .map_err(failed("giving back its lease"))?;
    Ok(())
}

/// Compares the lease, and keeps others from taking it until the transaction ends.
pub(super) async fn fence(
    connection: &mut SqliteConnection,
    lease: Option<&Lease>,
) -> Result<(), StoreError> {
    let failed = failed("comparing its lease");
    if let Some(lease) = lease {
        // An update that changes nothing takes the lock of the file before anything is read.
        let kept =
            sqlx::query("UPDATE leases SET term = term WHERE name = ? AND term = ? AND writer = ?")
                .bind(lease.name)
                .bind(lease.term)
                .bind(&lease.writer)
                .execute(&mut *connection);
        if kept.await.map_err(&failed)?.rows_affected() > 0 {
            return Ok(());
        }
    }
    let by: Option<String> = sqlx::query_scalar("SELECT writer FROM leases WHERE name = ?")
        .bind(lease.map_or(LIVE, |lease| lease.name))
        .fetch_optional(connection)
        .await
        .map_err(&failed)?;
    let by = by.unwrap_or_else(|| NOBODY.to_owned());
    Err(StoreError::Superseded { by })
}

/// Compares where a set of tables is.
pub(super) async fn compare(
    connection: &mut SqliteConnection,
    set: &str,
    from: &Checkpoint,
) -> Result<(), StoreError> {
    match schema::checkpoint(connection, set).await? {
        Some(at) if at == *from => Ok(()),
        _ => Err(StoreError::Moved),
    }
}
