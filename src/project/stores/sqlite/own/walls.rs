//! What somebody's statement cannot do, even if it were another than the one that was read.

use super::failed;
use crate::project::own::OwnError;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use std::time::Instant;

/// Instructions of the database between two looks at the clock.
const LOOK_EVERY: i32 = 10_000;

/// Until they are lowered, whatever runs after `until` is ended, and nothing is committed.
pub(super) async fn raise(
    connection: &mut SqliteConnection,
    until: Instant,
) -> Result<(), OwnError> {
    let mut handle = connection.lock_handle().await.map_err(failed("folding"))?;
    handle.set_progress_handler(LOOK_EVERY, move || Instant::now() < until);
    handle.set_commit_hook(|| false);
    Ok(())
}

pub(super) async fn lower(connection: &mut SqliteConnection) -> Result<(), OwnError> {
    let mut handle = connection.lock_handle().await.map_err(failed("folding"))?;
    handle.remove_progress_handler();
    handle.remove_commit_hook();
    Ok(())
}

/// Refuses to go on to a commit when there is another file than its own.
pub(super) async fn check(connection: &mut SqliteConnection) -> Result<(), OwnError> {
    let others = "SELECT count(*) FROM pragma_database_list WHERE name NOT IN ('main', 'temp')";
    let others: i64 = sqlx::query_scalar(others)
        .fetch_one(connection)
        .await
        .map_err(failed("folding"))?;
    match others {
        0 => Ok(()),
        _ => Err(OwnError::Refused(
            "its statements attached another file, and nothing of them was kept".to_owned(),
        )),
    }
}

/// Moves all that was committed from the journal into the file, and closes it.
pub(super) async fn settle(mut connection: SqliteConnection) -> Result<(), OwnError> {
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut connection)
        .await
        .map_err(failed("beginning"))?;
    connection.close().await.map_err(failed("beginning"))
}
