//! Who may write: a row that says who, and until when by the clock of the server.
//!
//! Not an advisory lock: that belongs to a connection, so a pooler or a failover to a standby
//! loses it, and who holds it is known to nobody but the server. The row is written with the
//! tables, so it is where they are, whatever happens to the server.

use super::errors::failed;
use super::schema;
use crate::project::store::{Holder, NOBODY, StoreError};
use hooklog_projections::checkpoint::Checkpoint;
use sqlx::postgres::PgConnection;
use sqlx::postgres::types::PgInterval;
use std::time::Duration;

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
    length: Duration,
}

impl Lease {
    pub(super) const fn length(&self) -> Duration {
        self.length
    }
}

/// Gives the lease `name` to `holder`, unless another has it and is not over.
pub(super) async fn acquire(
    connection: &mut PgConnection,
    name: &'static str,
    holder: Holder<'_>,
) -> Result<Lease, StoreError> {
    let taken = take(connection, name, holder, false).await?;
    match taken {
        Some(lease) => Ok(lease),
        None => Err(held(connection, name).await?),
    }
}

/// Gives the lease `name` to `holder`, whoever has it.
pub(super) async fn take_over(
    connection: &mut PgConnection,
    name: &'static str,
    holder: Holder<'_>,
) -> Result<Lease, StoreError> {
    let taken = take(connection, name, holder, true).await?;
    taken.ok_or_else(|| StoreError::Superseded {
        by: NOBODY.to_owned(),
    })
}

async fn take(
    connection: &mut PgConnection,
    name: &'static str,
    Holder { writer, lease }: Holder<'_>,
    whoever: bool,
) -> Result<Option<Lease>, StoreError> {
    let term: Option<i64> = sqlx::query_scalar(
        "INSERT INTO leases AS l VALUES ($3, 1, $1, clock_timestamp() + $2) \
         ON CONFLICT (name) DO UPDATE \
         SET term = l.term + 1, writer = $1, ends_at = clock_timestamp() + $2 \
         WHERE l.ends_at <= clock_timestamp() OR l.writer = $1 OR $4 RETURNING term",
    )
    .bind(writer)
    .bind(interval(lease))
    .bind(name)
    .bind(whoever)
    .fetch_optional(&mut *connection)
    .await
    .map_err(failed("acquiring its lease"))?;
    Ok(term.map(|term| Lease {
        name,
        term,
        writer: writer.to_owned(),
        length: lease,
    }))
}

async fn held(connection: &mut PgConnection, name: &str) -> Result<StoreError, StoreError> {
    let (by, left): (String, f64) = sqlx::query_as(
        "SELECT writer, greatest(extract(epoch FROM ends_at - clock_timestamp()), 0)::float8 \
         FROM leases WHERE name = $1",
    )
    .bind(name)
    .fetch_one(connection)
    .await
    .map_err(failed("looking who has its lease"))?;
    let ends_in = Duration::try_from_secs_f64(left).unwrap_or_default();
    Ok(StoreError::Held { by, ends_in })
}

/// Gives the lease back, if it is still there.
pub(super) async fn release(
    connection: &mut PgConnection,
    lease: &Lease,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE leases SET term = term + 1, writer = $3, ends_at = clock_timestamp() \
         WHERE name = $4 AND term = $1 AND writer = $2",
    )
    .bind(lease.term)
    .bind(&lease.writer)
    .bind(NOBODY)
    .bind(lease.name)
    .execute(connection)
    .await
    .map_err(failed("giving back its lease"))?;
    Ok(())
}

/// Compares the lease and renews it. Its row is locked until the transaction ends, so nobody takes
/// it meanwhile; one that is never ended is ended by the server.
pub(super) async fn fence(
    connection: &mut PgConnection,
    lease: Option<&Lease>,
) -> Result<(), StoreError> {
    let failed = failed("comparing its lease");
    if let Some(lease) = lease {
        let renewed = sqlx::query(
            "UPDATE leases SET ends_at = clock_timestamp() + $3 \
             WHERE name = $4 AND term = $1 AND writer = $2",
        )
        .bind(lease.term)
        .bind(&lease.writer)
        .bind(interval(lease.length))
        .bind(lease.name)
        .execute(&mut *connection);
        if renewed.await.map_err(&failed)?.rows_affected() > 0 {
            return Ok(());
        }
    }
    let by: Option<String> = sqlx::query_scalar("SELECT writer FROM leases WHERE name = $1")
        .bind(lease.map_or(LIVE, |lease| lease.name))
        .fetch_optional(connection)
        .await
        .map_err(&failed)?;
    let by = by.unwrap_or_else(|| NOBODY.to_owned());
    Err(StoreError::Superseded { by })
}

/// Compares where a set of tables is.
pub(super) async fn compare(
    connection: &mut PgConnection,
    set: &str,
    from: &Checkpoint,
) -> Result<(), StoreError> {
    match schema::checkpoint(connection, set).await? {
        Some(at) if at == *from => Ok(()),
        _ => Err(StoreError::Moved),
    }
}

fn interval(length: Duration) -> PgInterval {
    PgInterval {
        months: 0,
        days: 0,
        microseconds: i64::try_from(length.as_micros()).unwrap_or(i64::MAX),
    }
}
