//! Projections of the operator's own: where their tables are, and a trial of a folder.

use crate::clock;
use crate::config::{Config, OwnConfig, StoreKind};
use crate::log::EventLog;
use crate::metrics::Metrics;
use crate::project::Status;
use crate::project::own::{
    Advance, Definition, Flavour, OpenOwn, OwnClerk, OwnClerkParts, OwnDesk, OwnError, OwnStore,
    OwnStored, Place, Set, examples,
};
#[cfg(feature = "store-postgres")]
use crate::project::stores::postgres::{self, PostgresOwn};
use crate::project::stores::sqlite::{self, SqliteOwn};
use anyhow::{Context as _, bail};
use hooklog_schemas::Offset;
use std::path::Path;
use std::sync::Arc;

/// What keeps them, and what tells of them; nothing where there is no folder for any.
pub(super) fn keeping(
    config: &Config,
    log: &Arc<dyn EventLog>,
    metrics: &Metrics,
    projector: Status,
) -> Option<(OwnClerk, OwnDesk)> {
    let folder = config.project.own.folder.clone()?;
    Some(OwnClerk::new(OwnClerkParts {
        folder,
        flavour: flavour(config.project.store),
        open: opening(config),
        log: Arc::clone(log),
        config: config.project.clone(),
        metrics: metrics.clone(),
        projector: Some(projector),
    }))
}

/// The folder of their tables in the data folder, where they are kept there.
const FOLDER: &str = "own";

const NO_SQL: &str = "projections of your own are SQL, which MongoDB does not speak";

fn opening(config: &Config) -> OpenOwn {
    let config = config.clone();
    Arc::new(move |name| match config.project.store {
        StoreKind::Sqlite => {
            let folder = config.data.join(FOLDER);
            Ok(Box::new(SqliteOwn::new(&folder, name, &config.project.own)))
        }
        StoreKind::Postgres => opening_postgres(&config, name),
        // The configuration says so before it comes to this.
        StoreKind::Mongodb => Err(OwnError::Refused(NO_SQL.to_owned())),
    })
}

#[cfg(feature = "store-postgres")]
fn opening_postgres(config: &Config, name: &str) -> Result<Box<dyn OwnStore>, OwnError> {
    let store = PostgresOwn::new(&config.project, name);
    let store = store.map_err(|error| OwnError::Refused(error.to_string()))?;
    Ok(Box::new(store))
}

#[cfg(not(feature = "store-postgres"))]
fn opening_postgres(_: &Config, _: &str) -> Result<Box<dyn OwnStore>, OwnError> {
    Err(OwnError::Refused(NOT_BUILT.to_owned()))
}

#[cfg(feature = "store-postgres")]
const fn flavour(store: StoreKind) -> Flavour {
    match store {
        StoreKind::Sqlite | StoreKind::Mongodb => sqlite::OWN,
        StoreKind::Postgres => postgres::OWN,
    }
}

#[cfg(not(feature = "store-postgres"))]
const fn flavour(_: StoreKind) -> Flavour {
    sqlite::OWN
}

/// The configuration says the same before it comes to this, with the line that asks for it.
#[cfg(not(feature = "store-postgres"))]
const NOT_BUILT: &str = "this hooklog was built without the feature store-postgres";

/// A folder that was tried, and what was done with each of its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The projection's name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// A sentence a file of SQL.
    pub files: Vec<String>,
}

/// Tries the folder of a projection, without touching any tables of a server.
///
/// # Errors
/// The first thing that is wrong, with its file, its line, and what to do.
pub async fn check(folder: &Path) -> anyhow::Result<Tried> {
    let folder = std::fs::canonicalize(folder)
        .with_context(|| format!("{} cannot be looked at", folder.display()))?;
    let mut tried = Vec::new();
    if folder.join(sqlite::OWN.file).exists() {
        tried.push(run(&folder).await?);
    }
    tried.extend(read_postgres(&folder)?);
    let Some((definition, _)) = tried.first() else {
        // This says what is wrong with the description, or that there is no SQL.
        Definition::read(&folder, sqlite::OWN)?;
        bail!("{} holds no SQL for any store", folder.display());
    };
    Ok(Tried {
        name: definition.name.clone(),
        version: definition.version,
        files: tried.iter().map(|(_, told)| told.clone()).collect(),
    })
}

/// Runs the statements in a database that is thrown away: without events, then with one of each type.
async fn run(folder: &Path) -> anyhow::Result<(Definition, String)> {
    let definition = Definition::read(folder, sqlite::OWN)?;
    let away = tempfile::tempdir()?;
    let mut store = SqliteOwn::new(away.path(), &definition.name, &OwnConfig::default());
    let start = Place::start(clock::event_id());
    let stored = OwnStored {
        version: definition.version,
        digest: definition.digest.clone(),
        begun: Offset(0),
        place: start.clone(),
    };
    store.begin(&definition, &stored).await?;
    let advance = Advance {
        from: &start,
        to: &start,
    };
    for events in ["[]", &examples(&definition.events)] {
        let applied = store.apply(Set::Next, &definition, Some(events), advance);
        applied.await?;
    }
    let file = sqlite::OWN.file;
    let told = match definition.events.len() {
        1 => format!("{file}: its statements run without events, and with an example of one"),
        count => {
            format!("{file}: its statements run without events, and with examples of {count} types")
        }
    };
    Ok((definition, told))
}

#[cfg(feature = "store-postgres")]
fn read_postgres(folder: &Path) -> anyhow::Result<Option<(Definition, String)>> {
    let file = postgres::OWN.file;
    if !folder.join(file).exists() {
        return Ok(None);
    }
    let definition = Definition::read(folder, postgres::OWN)?;
    let told = format!("{file}: its statements may stand there; only a server can run them");
    Ok(Some((definition, told)))
}

#[cfg(not(feature = "store-postgres"))]
fn read_postgres(_: &Path) -> anyhow::Result<Option<(Definition, String)>> {
    Ok(None)
}
