//! Transactions: tables that are begun, a batch that is folded, a set that takes another's place.

use super::{Before, OWN, PostgresOwn, code, execute, failed, message, meta};
use crate::project::own::{Advance, Definition, OwnError, OwnStored, Set, Statement};
use crate::project::stores::own::statement_failed;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

/// The server's code for a statement that it ended.
const CANCELLED: &str = "57014";

impl PostgresOwn {
    /// Makes empty tables to build.
    pub(super) async fn make(
        &self,
        connection: &mut PgConnection,
        definition: &Definition,
        stored: &OwnStored,
    ) -> Result<(), OwnError> {
        let failed = failed("beginning");
        let schema = self.schema(Set::Next);
        let begun = self.answered("beginning", async {
            let mut tx = connection.begin().await.map_err(|error| failed(&error))?;
            let make = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
            execute(&mut tx, make, "beginning").await?;
            meta::create(&mut tx, &schema).await?;
            Ok(tx)
        });
        let mut tx = begun.await?;
        for statement in &definition.sql.tables {
            self.run(&mut tx, &schema, statement, None).await?;
        }
        let end = async {
            self.limit(&mut tx, &schema).await?;
            meta::note(&mut tx, &schema, stored).await?;
            meta::reached(&mut tx, &schema, &stored.place).await?;
            tx.commit().await.map_err(|error| failed(&error))
        };
        self.answered("beginning", end).await
    }

    /// Folds a batch: all of it, and where the tables are then, or nothing.
    pub(super) async fn fold(
        &self,
        connection: &mut PgConnection,
        set: Set,
        (definition, events): (&Definition, Option<&str>),
        Advance { from, to }: Advance<'_>,
    ) -> Result<(), OwnError> {
        let failed = failed("folding");
        let schema = self.schema(set);
        let begun = self.answered("folding", async {
            let mut tx = connection.begin().await.map_err(|error| failed(&error))?;
            let stored = meta::held(&mut tx, &schema).await?;
            let place = stored.map(|stored| stored.place.checkpoint);
            match place.as_ref() == Some(&from.checkpoint) {
                true => Ok(tx),
                false => Err(OwnError::Moved),
            }
        });
        let mut tx = begun.await?;
        if events.is_some() {
            self.run_all(&mut tx, &schema, definition, events).await?;
        }
        let end = async {
            // A statement may have lengthened the time of what comes after it.
            self.limit(&mut tx, &schema).await?;
            meta::reached(&mut tx, &schema, to).await?;
            tx.commit().await.map_err(|error| failed(&error))
        };
        self.answered("folding", end).await
    }

    /// Puts what was built in the place of what answers.
    pub(super) async fn turn(
        &self,
        connection: &mut PgConnection,
        before: Before,
    ) -> Result<(), OwnError> {
        let failed = failed("switching");
        let (live, next) = (self.schema(Set::Live), self.schema(Set::Next));
        let mut tx = connection.begin().await.map_err(|error| failed(&error))?;
        let aside = match before {
            Before::None => String::new(),
            Before::Damaged => format!("DROP SCHEMA {live} CASCADE;"),
            Before::Version(version) => {
                let kept = self.kept_schema(version);
                format!(
                    "DROP SCHEMA IF EXISTS {kept} CASCADE; ALTER SCHEMA {live} RENAME TO {kept};"
                )
            }
        };
        let turn = format!("{aside} ALTER SCHEMA {next} RENAME TO {live}");
        execute(&mut tx, turn, "switching").await?;
        tx.commit().await.map_err(|error| failed(&error))
    }

    /// Runs all statements over a batch, and then the constraints that wait until the end: at the commit
    /// nobody would know that it was one of these events. It is told of the last statement.
    async fn run_all(
        &self,
        connection: &mut PgConnection,
        schema: &str,
        definition: &Definition,
        events: Option<&str>,
    ) -> Result<(), OwnError> {
        for statement in &definition.sql.events {
            self.run(connection, schema, statement, events).await?;
        }
        let Some(last) = definition.sql.events.last() else {
            return Ok(());
        };
        let constraints = async {
            self.limit(connection, schema).await?;
            let checked = sqlx::raw_sql("SET CONSTRAINTS ALL IMMEDIATE");
            let checked = checked.execute(&mut *connection).await;
            checked.map(drop).map_err(|error| self.failed(last, &error))
        };
        self.answered("folding", constraints).await
    }

    /// Runs one of its statements in `schema`.
    async fn run(
        &self,
        connection: &mut PgConnection,
        schema: &str,
        statement: &Statement,
        events: Option<&str>,
    ) -> Result<(), OwnError> {
        let running = async {
            self.limit(connection, schema).await?;
            let query = sqlx::query(AssertSqlSafe(statement.text.clone())).persistent(false);
            let done = match events {
                Some(events) => query.bind(events).execute(&mut *connection).await,
                None => query.execute(&mut *connection).await,
            };
            done.map(drop)
                .map_err(|error| self.failed(statement, &error))
        };
        self.answered("folding", running).await
    }

    /// The settings are made anew before each statement, since the one before it may have changed them.
    async fn limit(&self, connection: &mut PgConnection, schema: &str) -> Result<(), OwnError> {
        let timeout = self.timeout.as_millis();
        let settings =
            format!("SET LOCAL search_path = {schema}; SET LOCAL statement_timeout = {timeout}");
        execute(connection, settings, "setting its limits").await
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
