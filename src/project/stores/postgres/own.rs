//! The tables of somebody's own projection in PostgreSQL: schemas of their own, written by a user who
//! has no right on anything of ours. `own_NAME` is the one that answers.

mod folding;
mod meta;
mod rights;

use super::connect::Connector;
use super::errors::{code, message};
use crate::config::ProjectConfig;
use crate::project::own::{Advance, Definition, Flavour, OwnError, OwnStore, OwnStored, Set};
use crate::project::store::StoreError;
use crate::project::stores::patience::{self, within};
use async_trait::async_trait;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use std::future::Future;
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
            Set::Live => quoted(&format!("own_{}", self.name)),
            Set::Next => quoted(&format!("own_{}__next", self.name)),
        }
    }

    fn kept_schema(&self, version: u32) -> String {
        quoted(&format!("own_{}__v{version}", self.name))
    }

    /// Waits for what the server itself would end in time. One that is gone without a word does not.
    async fn answered<T>(
        &self,
        doing: &'static str,
        what: impl Future<Output = Result<T, OwnError>>,
    ) -> Result<T, OwnError> {
        let silent = |reason| OwnError::Failed { doing, reason };
        patience::or_else(self.timeout + GRACE, what, silent).await
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
}

/// How much longer than a statement may take its answer is waited for.
const GRACE: Duration = Duration::from_secs(5);

#[async_trait]
impl OwnStore for PostgresOwn {
    async fn stored(&mut self, set: Set) -> Result<Option<OwnStored>, OwnError> {
        let mut connection = self.connection().await?;
        let schema = self.schema(set);
        let stored = meta::stored(&mut connection, &schema);
        let stored = self.answered("reading how far they are", stored).await?;
        self.connection = Some(connection);
        Ok(stored)
    }

    async fn begin(&mut self, definition: &Definition, stored: &OwnStored) -> Result<(), OwnError> {
        let mut connection = self.connection().await?;
        self.make(&mut connection, definition, stored).await?;
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
        let mut connection = self.connection().await?;
        let batch = (definition, events);
        self.fold(&mut connection, set, batch, advance).await?;
        self.connection = Some(connection);
        Ok(())
    }

    async fn switch(&mut self) -> Result<(), OwnError> {
        let before = match self.stored(Set::Live).await {
            Err(OwnError::Damaged(_)) => Before::Damaged,
            before => before?.map_or(Before::None, |before| Before::Version(before.version)),
        };
        let mut connection = self.connection().await?;
        let turn = self.turn(&mut connection, before);
        self.answered("switching", turn).await?;
        self.connection = Some(connection);
        Ok(())
    }

    async fn kept(&mut self) -> Result<Vec<u32>, OwnError> {
        let mut connection = self.connection().await?;
        let before = format!("own_{}__v", self.name);
        let names = self.answered("looking what is kept", async {
            sqlx::query_scalar(
                "SELECT nspname::text FROM pg_namespace WHERE starts_with(nspname::text, $1)",
            )
            .bind(&before)
            .fetch_all(&mut connection)
            .await
            .map_err(|error| failed("looking what is kept")(&error))
        });
        let names: Vec<String> = names.await?;
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
        let dropped = execute(&mut connection, sql, "dropping tables");
        self.answered("dropping tables", dropped).await?;
        self.connection = Some(connection);
        Ok(there)
    }
}

/// What answers before a switch.
enum Before {
    None,
    /// Tables of this version, which are kept.
    Version(u32),
    /// What cannot be read, and is not kept.
    Damaged,
}

/// A name of the server's, whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
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

/// The server's codes for tables, columns and rows that are not there, and for damage.
const DAMAGED: [&str; 4] = ["42P01", "42703", "XX001", "XX002"];

/// What could not be read.
fn unread(error: &sqlx::Error) -> OwnError {
    let damaged = match error {
        sqlx::Error::RowNotFound | sqlx::Error::ColumnDecode { .. } => true,
        error => code(error).is_some_and(|code| DAMAGED.contains(&code.as_str())),
    };
    match damaged {
        true => OwnError::Damaged(message(error)),
        false => failed("reading how far they are")(error),
    }
}
