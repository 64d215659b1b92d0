//! The tables of somebody's own projection in SQLite: a file of their own, so that its statements
//! have hold of nothing else. `NAME.sqlite` is a link to the file that answers.

use super::schema::place;
use crate::project::own::{Definition, OwnError, OwnStore, OwnStored, Set};
use async_trait::async_trait;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_schemas::EventId;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What stands beside the tables.
const META: &str = "
CREATE TABLE hooklog_projection (version INTEGER NOT NULL, digest TEXT NOT NULL, log BLOB NOT NULL) STRICT;
CREATE TABLE hooklog_checkpoint (topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)) STRICT, WITHOUT ROWID;
";

/// The tables of one projection of somebody's own.
pub struct SqliteOwn {
    folder: PathBuf,
    name: String,
    timeout: Duration,
    live: Option<SqliteConnection>,
    next: Option<SqliteConnection>,
}

impl SqliteOwn {
    /// Those of `name`, in `folder`. A statement may take `timeout`.
    #[must_use]
    pub fn new(folder: &Path, name: &str, timeout: Duration) -> Self {
        Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
            timeout,
            live: None,
            next: None,
        }
    }

    /// The link to the file of a set.
    fn link(&self, what: &str) -> PathBuf {
        self.folder.join(format!("{}{what}.sqlite", self.name))
    }

    const fn suffix(set: Set) -> &'static str {
        match set {
            Set::Live => "",
            Set::Next => ".next",
        }
    }

    async fn connection(&mut self, set: Set) -> Result<Option<&mut SqliteConnection>, OwnError> {
        let link = self.link(Self::suffix(set));
        let slot = match set {
            Set::Live => &mut self.live,
            Set::Next => &mut self.next,
        };
        if slot.is_none() {
            if !link.exists() {
                return Ok(None);
            }
            *slot = Some(open(&link, false).await?);
        }
        Ok(slot.as_mut())
    }

    /// A file that no set has.
    fn free_file(&self) -> PathBuf {
        let name = |n: u32| self.folder.join(format!("{}.{n}.sqlite", self.name));
        let mut files = (1..).map(name);
        files.find(|file| !file.exists()).unwrap_or_default()
    }

    /// Removes a link and the file that it names.
    fn remove(&self, what: &str) -> Result<(), OwnError> {
        let link = self.link(what);
        if let Ok(target) = std::fs::read_link(&link) {
            let file = self.folder.join(target);
            for end in ["", "-wal", "-shm"] {
                gone(&PathBuf::from(format!("{}{end}", file.display())))?;
            }
        }
        gone(&link)
    }

    /// Lets the link name `target`, in one step.
    fn point(&self, what: &str, target: &Path) -> Result<(), OwnError> {
        let link = self.link(what);
        let new = self.link(".link");
        gone(&new)?;
        std::os::unix::fs::symlink(target, &new).map_err(failed_file)?;
        std::fs::rename(&new, &link).map_err(failed_file)
    }
}

#[async_trait]
impl OwnStore for SqliteOwn {
    async fn stored(&mut self, set: Set) -> Result<Option<OwnStored>, OwnError> {
        let Some(connection) = self.connection(set).await? else {
            return Ok(None);
        };
        stored(connection).await.map(Some)
    }

    async fn begin(
        &mut self,
        definition: &Definition,
        checkpoint: &Checkpoint,
    ) -> Result<(), OwnError> {
        close(&mut self.next).await;
        std::fs::create_dir_all(&self.folder).map_err(failed_file)?;
        self.remove(".next")?;
        let file = self.free_file();
        let mut connection = open(&file, true).await?;
        limit(&mut connection, self.timeout).await?;
        let mut tx = connection.begin().await.map_err(failed("beginning"))?;
        sqlx::raw_sql(META)
            .execute(&mut *tx)
            .await
            .map_err(failed("beginning"))?;
        for (number, statement) in (1..).zip(&definition.sql.tables) {
            let sql = AssertSqlSafe(statement.clone());
            let made = sqlx::query(sql).execute(&mut *tx).await;
            made.map_err(|error| statement_failed("tables", number, &error))?;
        }
        sqlx::query("INSERT INTO hooklog_projection VALUES (?, ?, ?)")
            .bind(definition.version)
            .bind(&definition.digest)
            .bind(checkpoint.log.0.as_bytes().as_slice())
            .execute(&mut *tx)
            .await
            .map_err(failed("beginning"))?;
        write_checkpoint(&mut tx, checkpoint).await?;
        tx.commit().await.map_err(failed("beginning"))?;
        let target = file.file_name().map(PathBuf::from).unwrap_or_default();
        self.point(".next", &target)?;
        self.next = Some(connection);
        Ok(())
    }

    async fn apply(
        &mut self,
        set: Set,
        definition: &Definition,
        events: Option<&str>,
        (from, to): (&Checkpoint, &Checkpoint),
    ) -> Result<(), OwnError> {
        let timeout = self.timeout;
        let Some(connection) = self.connection(set).await? else {
            return Err(OwnError::Moved);
        };
        let begun = connection.begin_with("BEGIN IMMEDIATE").await;
        let mut tx = begun.map_err(failed("folding"))?;
        if stored(&mut tx).await?.checkpoint != *from {
            return Err(OwnError::Moved);
        }
        if let Some(events) = events {
            for (number, statement) in (1..).zip(&definition.sql.fold) {
                limit(&mut tx, timeout).await?;
                let query = sqlx::query(AssertSqlSafe(statement.clone())).bind(events);
                let done = query.persistent(false).execute(&mut *tx).await;
                unlimit(&mut tx).await?;
                done.map_err(|error| statement_failed("fold", number, &error))?;
            }
        }
        write_checkpoint(&mut tx, to).await?;
        tx.commit().await.map_err(failed("folding"))
    }

    async fn switch(&mut self) -> Result<(), OwnError> {
        close(&mut self.live).await;
        close(&mut self.next).await;
        let next = std::fs::read_link(self.link(".next")).map_err(failed_file)?;
        if let Ok(live) = std::fs::read_link(self.link("")) {
            self.remove(".before")?;
            self.point(".before", &live)?;
        }
        self.point("", &next)?;
        gone(&self.link(".next"))
    }
}

async fn open(path: &Path, new: bool) -> Result<SqliteConnection, OwnError> {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(new)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(10))
        // What its tables say runs no function that could reach out of them.
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging()
        .connect()
        .await
        .map_err(failed("opening its file"))
}

async fn close(connection: &mut Option<SqliteConnection>) {
    if let Some(connection) = connection.take() {
        // What is committed is in the file, or in its journal.
        let _ = connection.close().await;
    }
}

/// From now on a statement ends after `timeout`.
async fn limit(connection: &mut SqliteConnection, timeout: Duration) -> Result<(), OwnError> {
    let until = Instant::now() + timeout;
    let mut handle = connection.lock_handle().await.map_err(failed("folding"))?;
    handle.set_progress_handler(10_000, move || Instant::now() < until);
    Ok(())
}

async fn unlimit(connection: &mut SqliteConnection) -> Result<(), OwnError> {
    let mut handle = connection.lock_handle().await.map_err(failed("folding"))?;
    handle.remove_progress_handler();
    Ok(())
}

async fn stored(connection: &mut SqliteConnection) -> Result<OwnStored, OwnError> {
    let failed = failed("reading its checkpoint");
    let row = sqlx::query("SELECT version, digest, log FROM hooklog_projection")
        .fetch_one(&mut *connection)
        .await
        .map_err(&failed)?;
    let log: Vec<u8> = row.try_get(2).map_err(&failed)?;
    let log = uuid::Uuid::from_slice(&log).map_err(|error| OwnError::Failed {
        doing: "reading its checkpoint",
        reason: error.to_string(),
    })?;
    let mut checkpoint = Checkpoint::start(EventId(log));
    let rows: Vec<(String, u32, i64)> =
        sqlx::query_as("SELECT topic, partition, next FROM hooklog_checkpoint")
            .fetch_all(connection)
            .await
            .map_err(&failed)?;
    for (topic, partition, next) in rows {
        let next = place(&topic, partition, next).map_err(|error| OwnError::Failed {
            doing: "reading its checkpoint",
            reason: error.to_string(),
        })?;
        checkpoint.read_up_to(next);
    }
    Ok(OwnStored {
        version: row.try_get(0).map_err(&failed)?,
        digest: row.try_get(1).map_err(&failed)?,
        checkpoint,
    })
}

async fn write_checkpoint(
    connection: &mut SqliteConnection,
    checkpoint: &Checkpoint,
) -> Result<(), OwnError> {
    for position in checkpoint.positions() {
        sqlx::query("INSERT OR REPLACE INTO hooklog_checkpoint VALUES (?, ?, ?)")
            .bind(position.topic.as_str())
            .bind(position.partition.0)
            .bind(i64::try_from(position.offset.0).unwrap_or(i64::MAX))
            .execute(&mut *connection)
            .await
            .map_err(failed("writing its checkpoint"))?;
    }
    Ok(())
}

fn gone(path: &Path) -> Result<(), OwnError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed_file(error)),
        _ => Ok(()),
    }
}

fn failed_file(error: io::Error) -> OwnError {
    OwnError::Failed {
        doing: "changing its files",
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
