//! The tables of somebody's own projection in PostgreSQL: schemas of their own, written by a user who
//! has no right on anything of ours. `own_NAME` is the one that answers.

mod meta;
mod rights;

use super::connect::Connector;
use super::errors::{code, message};
use crate::config::ProjectConfig;
use crate::project::own::{
    Advance, Definition, Flavour, OwnError, OwnStore, OwnStored, Set, Statement,
};
use crate::project::store::StoreError;
use crate::project::stores::own::statement_failed;
use crate::project::stores::patience::within;
use async_trait::async_trait;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use std::time::Duration;

/// What its SQL is called, and how it is read.
pub const OWN: Flavour = Flavour {
    file: "postgres.sql",
    brackets_quote: false,
    parameters: "$",
};

/// The tables of one projection of somebody's own.
pub struct PostgresOwn {
    connector: Connector,
    name: String,
    /// The schema of hooklog's own tables, which must be out of reach.
    ours: String,
    timeout: Duration,
    /// None before the first question, and after an error: it may be in the middle of something.
    connection: Option<PgConnection>,
}

impl PostgresOwn {
    /// Those of `name`, on the server that `config` names. Nobody is asked anything yet.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(config: &ProjectConfig, name: &str) -> Result<Self, StoreError> {
        Ok(Self {
            connector: Connector::own(config, &format!("own_{name}"))?,
            name: name.to_owned(),
            ours: config.postgres.schema.clone(),
            timeout: Duration::from_millis(config.own.timeout_ms),
            connection: None,
        })
    }

    /// The schema of a set. No name has two underscores, so no two have the same.
    fn schema(&self, set: Set) -> String {
        match set {
            Set::Live => format!("own_{}", self.name),
            Set::Next => format!("own_{}__next", self.name),
        }
    }

    fn kept_schema(&self, version: u32) -> String {
        format!("own_{}__v{version}", self.name)
    }

    /// The connection, which is put back when all went well.
    async fn connection(&mut self) -> Result<PgConnection, OwnError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let options = self.connector.options().map_err(refused)?;
        let connected = within(self.connector.connect, "connecting", async {
            let connected = options.connect().await;
            let mut connection = connected.map_err(|error| self.connector.server.refused(error))?;
            self.connector.check_server(&mut connection).await?;
            rights::check(&mut connection, &self.connector.server, &self.ours).await?;
            Ok(connection)
        });
        connected.await.map_err(refused)
    }

    /// Runs one of its statements in `schema`. The settings are made anew for each, since a statement
    /// may change them for the next.
    async fn run(
        &self,
        connection: &mut PgConnection,
        schema: &str,
        statement: &Statement,
        events: Option<&str>,
    ) -> Result<(), OwnError> {
        let timeout = self.timeout.as_millis();
        let settings =
            format!("SET LOCAL search_path = {schema}; SET LOCAL statement_timeout = {timeout}");
        execute(connection, settings, "setting its limits").await?;
        let query = sqlx::query(AssertSqlSafe(statement.text.clone())).persistent(false);
        let running = async {
            match events {
                Some(events) => query.bind(events).execute(&mut *connection).await,
                None => query.execute(&mut *connection).await,
            }
        };
        // The server ends it in time; this is for one that is gone without a word.
        match tokio::time::timeout(self.timeout + GRACE, running).await {
            Ok(done) => done
                .map(drop)
                .map_err(|error| self.failed(statement, &error)),
            Err(_) => Err(OwnError::Failed {
                doing: "folding",
                reason: "the server does not answer any more".to_owned(),
            }),
        }
    }

    /// What the database says of the statement is told of it; anything else is of the connection.
    fn failed(&self, statement: &Statement, error: &sqlx::Error) -> OwnError {
        match code(error) {
            Some(code) => {
                let late = (code == CANCELLED).then_some(self.timeout);
                statement_failed(OWN.file, statement, message(error), late)
            }
            None => failed("folding")(error),
        }
    }
}

/// How much longer than a statement may take its answer is waited for.
const GRACE: Duration = Duration::from_secs(5);

/// The server's code for a statement that it ended.
const CANCELLED: &str = "57014";

#[async_trait]
impl OwnStore for PostgresOwn {
    async fn stored(&mut self, set: Set) -> Result<Option<OwnStored>, OwnError> {
        let mut connection = self.connection().await?;
        let stored = meta::stored(&mut connection, &self.schema(set)).await?;
        self.connection = Some(connection);
        Ok(stored)
    }

    async fn begin(&mut self, definition: &Definition, stored: &OwnStored) -> Result<(), OwnError> {
        let failed = failed("beginning");
        let mut connection = self.connection().await?;
        let schema = self.schema(Set::Next);
        let mut tx = connection.begin().await.map_err(|error| failed(&error))?;
        let make = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
        execute(&mut tx, make, "beginning").await?;
        meta::create(&mut tx, &schema).await?;
        for statement in &definition.sql.tables {
            self.run(&mut tx, &schema, statement, None).await?;
        }
        meta::note(&mut tx, &schema, stored).await?;
        meta::reached(&mut tx, &schema, &stored.place).await?;
        tx.commit().await.map_err(|error| failed(&error))?;
        self.connection = Some(connection);
        Ok(())
    }

    async fn apply(
        &mut self,
        set: Set,
        definition: &Definition,
        events: Option<&str>,
        advance: Advance<'_>,
    ) -> Result<(), OwnError> {
        let failed = failed("folding");
        let mut connection = self.connection().await?;
        let schema = self.schema(set);
        let mut tx = connection.begin().await.map_err(|error| failed(&error))?;
        let stored = meta::held(&mut tx, &schema).await?;
        if stored.map(|stored| stored.place.checkpoint).as_ref() != Some(&advance.from.checkpoint) {
            return Err(OwnError::Moved);
        }
        for statement in &definition.sql.events {
            if events.is_some() {
                self.run(&mut tx, &schema, statement, events).await?;
            }
        }
        meta::reached(&mut tx, &schema, advance.to).await?;
        tx.commit().await.map_err(|error| failed(&error))?;
        self.connection = Some(connection);
        Ok(())
    }

    async fn switch(&mut self) -> Result<(), OwnError> {
        let failed = failed("switching");
        let mut connection = self.connection().await?;
        let (live, next) = (self.schema(Set::Live), self.schema(Set::Next));
        let mut tx = connection.begin().await.map_err(|error| failed(&error))?;
        if let Some(before) = meta::stored(&mut tx, &live).await? {
            let kept = self.kept_schema(before.version);
            let aside = format!(
                "DROP SCHEMA IF EXISTS {kept} CASCADE; ALTER SCHEMA {live} RENAME TO {kept}"
            );
            execute(&mut tx, aside, "switching").await?;
        }
        let turn = format!("ALTER SCHEMA {next} RENAME TO {live}");
        execute(&mut tx, turn, "switching").await?;
        tx.commit().await.map_err(|error| failed(&error))?;
        self.connection = Some(connection);
        Ok(())
    }

    async fn kept(&mut self) -> Result<Vec<u32>, OwnError> {
        let mut connection = self.connection().await?;
        let before = format!("own_{}__v", self.name);
        let names: Vec<String> = sqlx::query_scalar(
            "SELECT nspname::text FROM pg_namespace WHERE starts_with(nspname::text, $1)",
        )
        .bind(&before)
        .fetch_all(&mut connection)
        .await
        .map_err(|error| failed("looking what is kept")(&error))?;
        self.connection = Some(connection);
        let version = |name: &String| name.strip_prefix(&before)?.parse().ok();
        let mut versions: Vec<u32> = names.iter().filter_map(version).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    async fn drop_kept(&mut self, version: u32) -> Result<bool, OwnError> {
        let there = self.kept().await?.contains(&version);
        let mut connection = self.connection().await?;
        let schema = self.kept_schema(version);
        let sql = format!("DROP SCHEMA IF EXISTS {schema} CASCADE");
        execute(&mut connection, sql, "dropping tables").await?;
        self.connection = Some(connection);
        Ok(there)
    }
}

async fn execute(
    connection: &mut PgConnection,
    sql: String,
    doing: &'static str,
) -> Result<(), OwnError> {
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await;
    done.map(drop).map_err(|error| failed(doing)(&error))
}

fn refused(error: StoreError) -> OwnError {
    match error {
        StoreError::Failed { doing, reason } => OwnError::Failed { doing, reason },
        StoreError::Refused(reason) => OwnError::Refused(reason),
        error => OwnError::Refused(error.to_string()),
    }
}

fn failed(doing: &'static str) -> impl Fn(&sqlx::Error) -> OwnError {
    move |error| OwnError::Failed {
        doing,
        reason: error.to_string(),
    }
}
