//! The tables of somebody's own projection in SQLite: a file of their own, so that its statements
//! have hold of nothing else. `NAME.sqlite` is a link to the file that answers.

mod files;
mod meta;

use crate::project::own::{
    Advance, Definition, Flavour, OwnError, OwnStore, OwnStored, Set, Statement,
};
use crate::project::stores::own::statement_failed;
use async_trait::async_trait;
use files::{Files, Link};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// What its SQL is called, and how it is read.
pub const OWN: Flavour = Flavour {
    file: "sqlite.sql",
    brackets_quote: true,
    parameters: "$?:@#",
};

/// The tables of one projection of somebody's own.
pub struct SqliteOwn {
    files: Files,
    timeout: Duration,
    live: Option<SqliteConnection>,
    next: Option<SqliteConnection>,
}

impl SqliteOwn {
    /// Those of `name`, in `folder`. A statement may take `timeout`.
    #[must_use]
    pub fn new(folder: &Path, name: &str, timeout: Duration) -> Self {
        Self {
            files: Files::new(folder, name),
            timeout,
            live: None,
            next: None,
        }
    }

    const fn slot(&mut self, set: Set) -> &mut Option<SqliteConnection> {
        match set {
            Set::Live => &mut self.live,
            Set::Next => &mut self.next,
        }
    }

    /// The connection to a set, which is put back when all went well; nothing if there is no such set.
    async fn connection(&mut self, set: Set) -> Result<Option<SqliteConnection>, OwnError> {
        if let Some(connection) = self.slot(set).take() {
            return Ok(Some(connection));
        }
        let link = match set {
            Set::Live => Link::Live,
            Set::Next => Link::Next,
        };
        match self.files.target(link) {
            Some(file) => open(&file, false).await.map(Some),
            None => Ok(None),
        }
    }

    async fn run(
        &self,
        connection: &mut SqliteConnection,
        statement: &Statement,
        events: Option<&str>,
    ) -> Result<(), OwnError> {
        let until = Instant::now() + self.timeout;
        limit(connection, until).await?;
        let sql = AssertSqlSafe(statement.text.clone());
        let query = sqlx::query(sql).persistent(false);
        let done = match events {
            Some(events) => query.bind(events).execute(&mut *connection).await,
            None => query.execute(&mut *connection).await,
        };
        connection
            .lock_handle()
            .await
            .map_err(failed("folding"))?
            .remove_progress_handler();
        done.map(drop).map_err(|error| {
            let late = Instant::now() >= until;
            let late = late.then_some(self.timeout);
            statement_failed(OWN.file, statement, message(&error), late)
        })
    }
}

#[async_trait]
impl OwnStore for SqliteOwn {
    async fn stored(&mut self, set: Set) -> Result<Option<OwnStored>, OwnError> {
        let Some(mut connection) = self.connection(set).await? else {
            return Ok(None);
        };
        let stored = meta::stored(&mut connection).await?;
        *self.slot(set) = Some(connection);
        Ok(Some(stored))
    }

    async fn begin(&mut self, definition: &Definition, stored: &OwnStored) -> Result<(), OwnError> {
        close(self.next.take()).await;
        self.files.remove(Link::Next)?;
        let file = self.files.free()?;
        let mut connection = open(&file, true).await?;
        let mut tx = connection.begin().await.map_err(failed("beginning"))?;
        meta::create(&mut tx).await?;
        for statement in &definition.sql.tables {
            self.run(&mut tx, statement, None).await?;
        }
        meta::note(&mut tx, stored).await?;
        meta::reached(&mut tx, &stored.place).await?;
        tx.commit().await.map_err(failed("beginning"))?;
        self.files.point(Link::Next, &file)?;
        self.next = Some(connection);
        Ok(())
    }

    async fn apply(
        &mut self,
        set: Set,
        definition: &Definition,
        events: Option<&str>,
        advance: Advance<'_>,
    ) -> Result<(), OwnError> {
        let Some(mut connection) = self.connection(set).await? else {
            return Err(OwnError::Moved);
        };
        let begun = connection.begin_with("BEGIN IMMEDIATE").await;
        let mut tx = begun.map_err(failed("folding"))?;
        if meta::stored(&mut tx).await?.place.checkpoint != advance.from.checkpoint {
            return Err(OwnError::Moved);
        }
        for statement in &definition.sql.events {
            if events.is_some() {
                self.run(&mut tx, statement, events).await?;
            }
        }
        meta::reached(&mut tx, advance.to).await?;
        tx.commit().await.map_err(failed("folding"))?;
        *self.slot(set) = Some(connection);
        Ok(())
    }

    async fn switch(&mut self) -> Result<(), OwnError> {
        let before = self.stored(Set::Live).await?;
        close(self.live.take()).await;
        close(self.next.take()).await;
        match before {
            Some(before) => self.files.switch(Some(before.version)),
            None => self.files.switch(None),
        }
    }

    async fn kept(&mut self) -> Result<Vec<u32>, OwnError> {
        self.files.kept()
    }

    async fn drop_kept(&mut self, version: u32) -> Result<bool, OwnError> {
        let link = Link::Kept(version);
        let there = self.files.target(link).is_some();
        self.files.remove(link)?;
        Ok(there)
    }
}

async fn open(path: &Path, new: bool) -> Result<SqliteConnection, OwnError> {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(new)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(10))
        .pragma("temp_store", "MEMORY")
        // What views and indexes say runs no function that could reach out of the file.
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging()
        .connect()
        .await
        .map_err(failed("opening its file"))
}

async fn close(connection: Option<SqliteConnection>) {
    if let Some(connection) = connection {
        // What is committed is in the file, or in its journal.
        let _ = connection.close().await;
    }
}

/// Instructions of the database between two looks at the clock.
const LOOK_EVERY: i32 = 10_000;

/// Until it is removed, the handler ends whatever runs after `until`.
async fn limit(connection: &mut SqliteConnection, until: Instant) -> Result<(), OwnError> {
    let mut handle = connection.lock_handle().await.map_err(failed("folding"))?;
    handle.set_progress_handler(LOOK_EVERY, move || Instant::now() < until);
    Ok(())
}

fn failed(doing: &'static str) -> impl Fn(sqlx::Error) -> OwnError {
    move |error| OwnError::Failed {
        doing,
        reason: error.to_string(),
    }
}

fn message(error: &sqlx::Error) -> String {
    let said = error.as_database_error();
    said.map_or_else(|| error.to_string(), |said| said.message().to_owned())
}
