//! What the user of somebody's own projections may do: not more than make schemas.

use crate::project::store::StoreError;
use crate::project::stores::postgres::errors::{Server, failed};
use sqlx::postgres::PgConnection;

/// Whether the user is, or may become, one who could change anything, reach out of the database, read
/// all of it as a replica does, or end what others do; may
/// use the schema `$1` as itself or as another that it may become; and may make schemas.
const QUESTION: &str = "
WITH become AS (
    SELECT oid, rolname, rolsuper OR rolcreaterole OR rolreplication AS rules FROM pg_roles
    WHERE pg_has_role(current_user, oid, 'MEMBER')
)
SELECT
    EXISTS (SELECT FROM become WHERE rules OR rolname IN
        ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files',
            'pg_signal_backend')),
    EXISTS (SELECT FROM become, pg_namespace AS n WHERE n.nspname = $1
        AND (has_schema_privilege(become.oid, n.oid, 'USAGE')
            OR has_schema_privilege(become.oid, n.oid, 'CREATE'))),
    has_database_privilege(current_database(), 'CREATE')";

/// Refuses a user who could change hooklog's tables, which are in the schema `ours`, or more.
pub(super) async fn check(
    connection: &mut PgConnection,
    server: &Server,
    ours: &str,
) -> Result<(), StoreError> {
    let (rules, reaches, makes): (bool, bool, bool) = sqlx::query_as(QUESTION)
        .bind(ours)
        .fetch_one(connection)
        .await
        .map_err(failed("looking what its user may do"))?;
    match (rules, reaches, makes) {
        (true, ..) => Err(server.may_too_much("is, or may become, one who rules the server")),
        (_, true, _) => {
            let what = format!("may use the schema {ours} of hooklog's tables");
            Err(server.may_too_much(&what))
        }
        (.., false) => Err(server.makes_no_schemas()),
        _ => Ok(()),
    }
}
