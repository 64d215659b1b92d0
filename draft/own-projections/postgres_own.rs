//! The tables of somebody's own projection in PostgreSQL: a schema of their own, `own_NAME`, written
//! by a user who has no right on anything of ours.

use super::connect::Connector;
use super::schema::place;
use crate::config::{OwnConfig, ProjectConfig};
use crate::project::own::{Definition, OwnError, OwnStore, OwnStored, Set};
use crate::project::store::StoreError;
use async_trait::async_trait;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_schemas::EventId;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

/// The tables of one projection of somebody's own.
pub struct PostgresOwn {
    connector: Connector,
    name: String,
    /// The schema that must be out of reach.
    ours: String,
    connection: Option<PgConnection>,
}

impl PostgresOwn {
    /// Those of `name`, on the server that `config` names.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(config: &ProjectConfig, name: &str) -> Result<Self, StoreError> {
        let OwnConfig {
            postgres_url,
            postgres_password_file,
            timeout_ms,
            ..
        } = &config.own;
        let mut own = config.postgres.clone();
        own.url.clone_from(postgres_url);
        own.password_file.clone_from(postgres_password_file);
        own.schema = format!("own_{name}");
        Ok(Self {
            connector: Connector::own(&own, *timeout_ms)?,
            name: name.to_owned(),
            ours: config.postgres.schema.clone(),
            connection: None,
        })
    }

    fn schema(&self, set: Set) -> String {
        match set {
            Set::Live => format!("own_{}", self.name),
            Set::Next => format!("own_{}_next", self.name),
        }
    }

    /// The connection, which is put back when all went well.
    async fn connection(&mut self) -> Result<PgConnection, OwnError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let options = self.connector.options().map_err(refused)?;
        let connected = options.connect().await;
        let connected = connected.map_err(|error| refused(self.connector.server.refused(error)));
        let mut connection = connected?;
        self.check(&mut connection).await?;
        Ok(connection)
    }

    /// A user who could change our tables is not taken.
    async fn check(&self, connection: &mut PgConnection) -> Result<(), OwnError> {
        let (user, may): (String, bool) = sqlx::query_as(
            "SELECT current_user::text, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) \
             OR EXISTS (SELECT FROM pg_namespace WHERE nspname = $1 \
                 AND (has_schema_privilege(oid, 'USAGE') OR has_schema_privilege(oid, 'CREATE')))",
        )
        .bind(&self.ours)
        .fetch_one(connection)
        .await
        .map_err(failed("looking who it is"))?;
        match may {
            false => Ok(()),
            true => Err(OwnError::Refused(format!(
                "the user {user} of project.own.postgres_url may use the schema {}, or is a superuser: \
                 a projection of somebody's own could change hooklog's tables; name a user without \
                 rights there (see docs/own-projections.md)",
                self.ours
            ))),
        }
    }
}

#[async_trait]
impl OwnStore for PostgresOwn {
    async fn stored(&mut self, set: Set) -> Result<Option<OwnStored>, OwnError> {
        let mut connection = self.connection().await?;
        let schema = self.schema(set);
        let there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
            .bind(format!("{schema}.hooklog_projection"))
            .fetch_one(&mut connection)
            .await
            .map_err(failed("reading its checkpoint"))?;
        let found = match there {
            true => Some(stored(&mut connection, &schema).await?),
            false => None,
        };
        self.connection = Some(connection);
        Ok(found)
    }

    async fn begin(
        &mut self,
        definition: &Definition,
        checkpoint: &Checkpoint,
    ) -> Result<(), OwnError> {
        let failed = failed("beginning");
        let mut connection = self.connection().await?;
        let schema = self.schema(Set::Next);
        let mut tx = connection.begin().await.map_err(&failed)?;
        let make = format!(
            "DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}; \
             CREATE TABLE {schema}.hooklog_projection (version BIGINT NOT NULL, digest TEXT NOT NULL, log BYTEA NOT NULL); \
             CREATE TABLE {schema}.hooklog_checkpoint (topic TEXT NOT NULL, partition BIGINT NOT NULL, \
             next BIGINT NOT NULL, PRIMARY KEY (topic, partition)); SET LOCAL search_path = {schema}"
        );
        let made = sqlx::raw_sql(AssertSqlSafe(make)).execute(&mut *tx).await;
        made.map_err(&failed)?;
        for (number, statement) in (1..).zip(&definition.sql.tables) {
            let query = sqlx::query(AssertSqlSafe(statement.clone())).persistent(false);
            let made = query.execute(&mut *tx).await;
            made.map_err(|error| statement_failed("tables", number, &error))?;
        }
        let note = format!("INSERT INTO {schema}.hooklog_projection VALUES ($1, $2, $3)");
        sqlx::query(AssertSqlSafe(note))
            .bind(i64::from(definition.version))
            .bind(&definition.digest)
            .bind(checkpoint.log.0.as_bytes().as_slice())
            .execute(&mut *tx)
            .await
            .map_err(&failed)?;
        write_checkpoint(&mut tx, &schema, checkpoint).await?;
        tx.commit().await.map_err(&failed)?;
        self.connection = Some(connection);
        Ok(())
    }

    async fn apply(
        &mut self,
        set: Set,
        definition: &Definition,
        events: Option<&str>,
        (from, to): (&Checkpoint, &Checkpoint),
    ) -> Result<(), OwnError> {
        let failed = failed("folding");
        let mut connection = self.connection().await?;
        let schema = self.schema(set);
        let mut tx = connection.begin().await.map_err(&failed)?;
        // Whoever writes holds this row.
        let hold = format!("SELECT version FROM {schema}.hooklog_projection FOR UPDATE");
        let held = sqlx::query(AssertSqlSafe(hold)).fetch_one(&mut *tx).await;
        held.map_err(&failed)?;
        if stored(&mut tx, &schema).await?.checkpoint != *from {
            return Err(OwnError::Moved);
        }
        if let Some(events) = events {
            let path = AssertSqlSafe(format!("SET LOCAL search_path = {schema}"));
            let set = sqlx::raw_sql(path).execute(&mut *tx).await;
            set.map_err(&failed)?;
            for (number, statement) in (1..).zip(&definition.sql.fold) {
                let query = sqlx::query(AssertSqlSafe(statement.clone())).bind(events);
                let done = query.persistent(false).execute(&mut *tx).await;
                done.map_err(|error| statement_failed("fold", number, &error))?;
            }
        }
        write_checkpoint(&mut tx, &schema, to).await?;
        tx.commit().await.map_err(&failed)?;
        self.connection = Some(connection);
        Ok(())
    }

    async fn switch(&mut self) -> Result<(), OwnError> {
        let failed = failed("switching");
        let mut connection = self.connection().await?;
        let (live, next) = (self.schema(Set::Live), self.schema(Set::Next));
        let mut tx = connection.begin().await.map_err(&failed)?;
        let there: bool = sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL")
            .bind(&live)
            .fetch_one(&mut *tx)
            .await
            .map_err(&failed)?;
        let aside = match there {
            true => format!(
                "DROP SCHEMA IF EXISTS {live}_before CASCADE; ALTER SCHEMA {live} RENAME TO {live}_before;"
            ),
            false => String::new(),
        };
        let turn = AssertSqlSafe(format!("{aside} ALTER SCHEMA {next} RENAME TO {live}"));
        let turned = sqlx::raw_sql(turn).execute(&mut *tx).await;
        turned.map_err(&failed)?;
        tx.commit().await.map_err(&failed)?;
        self.connection = Some(connection);
        Ok(())
    }
}

async fn stored(connection: &mut PgConnection, schema: &str) -> Result<OwnStored, OwnError> {
    let failed = failed("reading its checkpoint");
    let sql = format!("SELECT version, digest, log FROM {schema}.hooklog_projection");
    let row = sqlx::query(AssertSqlSafe(sql))
        .fetch_one(&mut *connection)
        .await
        .map_err(&failed)?;
    let log: Vec<u8> = row.try_get(2).map_err(&failed)?;
    let log = uuid::Uuid::from_slice(&log).map_err(unreadable)?;
    let mut checkpoint = Checkpoint::start(EventId(log));
    let sql = format!("SELECT topic, partition, next FROM {schema}.hooklog_checkpoint");
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(AssertSqlSafe(sql))
        .fetch_all(connection)
        .await
        .map_err(&failed)?;
    for (topic, partition, next) in rows {
        let partition = u32::try_from(partition).map_err(unreadable)?;
        checkpoint.read_up_to(place(&topic, partition, next).map_err(unreadable)?);
    }
    let version: i64 = row.try_get(0).map_err(&failed)?;
    Ok(OwnStored {
        version: u32::try_from(version).map_err(unreadable)?,
        digest: row.try_get(1).map_err(&failed)?,
        checkpoint,
    })
}

async fn write_checkpoint(
    connection: &mut PgConnection,
    schema: &str,
    checkpoint: &Checkpoint,
) -> Result<(), OwnError> {
    let sql = format!(
        "INSERT INTO {schema}.hooklog_checkpoint VALUES ($1, $2, $3) \
         ON CONFLICT (topic, partition) DO UPDATE SET next = excluded.next"
    );
    for position in checkpoint.positions() {
        sqlx::query(AssertSqlSafe(sql.clone()))
            .bind(position.topic.as_str())
            .bind(i64::from(position.partition.0))
            .bind(i64::try_from(position.offset.0).unwrap_or(i64::MAX))
            .execute(&mut *connection)
            .await
            .map_err(failed("writing its checkpoint"))?;
    }
    Ok(())
}

fn refused(error: StoreError) -> OwnError {
    match error {
        StoreError::Failed { doing, reason } => OwnError::Failed { doing, reason },
        error => OwnError::Refused(format!("project.own.postgres_url: {error}")),
    }
}

fn unreadable(error: impl std::fmt::Display) -> OwnError {
    OwnError::Failed {
        doing: "reading its checkpoint",
        reason: error.to_string(),
    }
}

fn failed(doing: &'static str) -> impl Fn(sqlx::Error) -> OwnError {
    move |error| OwnError::Failed {
        doing,
        reason: error.to_string(),
    }
}

fn statement_failed(section: &str, number: usize, error: &sqlx::Error) -> OwnError {
    OwnError::Statement {
        what: format!("statement {number} under `-- hooklog: {section}`"),
        reason: error.to_string(),
    }
}
