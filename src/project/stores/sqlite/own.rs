//! The tables of somebody's own projection in SQLite: a file of their own, so that its statements
//! have hold of nothing else. `NAME.sqlite` is a link to the file that answers.

mod files;
mod meta;
mod walls;

use crate::config::OwnConfig;
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
    pages_max: u64,
    live: Option<SqliteConnection>,
    next: Option<SqliteConnection>,
}

impl SqliteOwn {
    /// Those of `name`, in `folder`, within the limits of `config`.
    #[must_use]
    pub fn new(folder: &Path, name: &str, config: &OwnConfig) -> Self {
        Self {
            files: Files::new(folder, name),
            timeout: Duration::from_millis(config.timeout_ms),
            pages_max: config.file_bytes_max.div_ceil(u64::from(PAGE)),
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
            Some(file) => {
                let opened = self.options(&file).connect().await;
                opened.map(Some).map_err(unread("opening its file"))
            }
            None => Ok(None),
        }
    }

    fn options(&self, path: &Path) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .page_size(PAGE)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(10))
            // What a statement sorts may be larger than the memory.
            .pragma("temp_store", "FILE")
            .pragma("max_page_count", self.pages_max.to_string())
            // What views and indexes say runs no function that could reach out of the file.
            .pragma("trusted_schema", "OFF")
            .disable_statement_logging()
    }

    async fn run(
        &self,
        connection: &mut SqliteConnection,
        statement: &Statement,
        events: Option<&str>,
    ) -> Result<(), OwnError> {
        let until = Instant::now() + self.timeout;
        walls::raise(connection, until).await?;
        let sql = AssertSqlSafe(statement.text.clone());
        let query = sqlx::query(sql).persistent(false);
        let done = match events {
            Some(events) => query.bind(events).execute(&mut *connection).await,
            None => query.execute(&mut *connection).await,
        };
        walls::lower(connection).await?;
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
        let options = self.options(&file).create_if_missing(true);
        let mut connection = options.connect().await.map_err(failed("beginning"))?;
        let mut tx = connection.begin().await.map_err(failed("beginning"))?;
        meta::create(&mut tx).await?;
        for statement in &definition.sql.tables {
            self.run(&mut tx, statement, None).await?;
        }
        meta::note(&mut tx, stored).await?;
        meta::reached(&mut tx, &stored.place).await?;
        walls::check(&mut tx).await?;
        tx.commit().await.map_err(failed("beginning"))?;
        walls::settle(connection).await?;
        files::sync(&file)?;
        self.files.point(Link::Next, &file)
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
        walls::check(&mut tx).await?;
        meta::reached(&mut tx, advance.to).await?;
        let committed = tx.commit().await;
        committed.map_err(|error| uncommitted(definition, &error))?;
        *self.slot(set) = Some(connection);
        Ok(())
    }

    async fn switch(&mut self) -> Result<(), OwnError> {
        let before = match self.stored(Set::Live).await {
            // There is nothing to keep; the next build finds that nothing names the file.
            Err(OwnError::Damaged(_)) => None,
            before => before?,
        };
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

/// Bytes of a page of a file.
const PAGE: u32 = 4_096;

async fn close(connection: Option<SqliteConnection>) {
    if let Some(connection) = connection {
        // What is committed is in the file, or in its journal.
        let _ = connection.close().await;
    }
}

/// The kinds of what is said of a file that lacks our tables, is damaged, or is no database.
const DAMAGED: [u8; 3] = [1, 11, 26];

/// What could not be read.
fn unread(doing: &'static str) -> impl Fn(sqlx::Error) -> OwnError {
    move |error| match &error {
        sqlx::Error::Database(_) if DAMAGED.iter().any(|of| kind(&error) == Some(*of)) => {
            OwnError::Damaged(message(&error))
        }
        sqlx::Error::RowNotFound | sqlx::Error::ColumnDecode { .. } => {
            OwnError::Damaged(error.to_string())
        }
        _ => failed(doing)(error),
    }
}

/// That a constraint does not hold.
const CONSTRAINT: u8 = 19;

/// A constraint that is looked at when all statements have run does not hold: nobody can say which
/// broke it, so it is told of the last.
fn uncommitted(definition: &Definition, error: &sqlx::Error) -> OwnError {
    match definition.sql.events.last() {
        Some(last) if kind(error) == Some(CONSTRAINT) => {
            statement_failed(OWN.file, last, message(error), None)
        }
        _ => OwnError::Failed {
            doing: "folding",
            reason: error.to_string(),
        },
    }
}

/// Of which kind an error is: the low byte of the database's code.
fn kind(error: &sqlx::Error) -> Option<u8> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    u8::try_from(code & 0xff).ok()
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

#[cfg(test)]
mod tests;
