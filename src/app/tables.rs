//! The tables that the configuration names: for who writes them, and for who reads.

use super::offline;
use crate::config::{Config, StoreKind};
#[cfg(feature = "store-mongodb")]
use crate::project::stores::mongodb::{MongodbStore, MongodbTables};
#[cfg(feature = "store-postgres")]
use crate::project::stores::postgres::{PostgresStore, PostgresTables};
use crate::project::stores::sqlite::{SqliteStore, SqliteTables};
use crate::project::{OpenStore, ProjectionStore, StoreError};
use crate::query::Tables;
#[cfg(not(all(feature = "store-mongodb", feature = "store-postgres")))]
use anyhow::bail;
use hooklog_schemas::EventId;
use std::sync::Arc;

/// A writer of the tables. Those on a server may be away, those in the folder are made if they are
/// not there.
///
/// # Errors
/// Each store's own, which say what to change.
pub(super) async fn writing(config: &Config) -> Result<Box<dyn ProjectionStore>, StoreError> {
    match config.project.store {
        StoreKind::Sqlite => {
            let file = offline::file_of_tables(&config.data);
            Ok(Box::new(SqliteStore::open(&file).await?))
        }
        StoreKind::Postgres => writing_postgres(config),
        StoreKind::Mongodb => writing_mongodb(config),
    }
}

/// Opens writers of the tables, as many as are asked for.
pub(super) fn opening(config: &Config) -> OpenStore {
    let config = Arc::new(config.clone());
    Arc::new(move || {
        let config = Arc::clone(&config);
        Box::pin(async move { writing(&config).await })
    })
}

/// The tables for queries. They need not be there yet.
///
/// # Errors
/// Each store's own, which say what to change.
pub(super) fn reading(config: &Config) -> anyhow::Result<Arc<dyn Tables>> {
    match config.project.store {
        StoreKind::Sqlite => {
            let file = offline::file_of_tables(&config.data);
            Ok(Arc::new(SqliteTables::new(&file)))
        }
        StoreKind::Postgres => reading_postgres(config),
        StoreKind::Mongodb => reading_mongodb(config),
    }
}

/// Whether the tables are in the data folder.
pub(super) const fn are_in_the_folder(config: &Config) -> bool {
    matches!(config.project.store, StoreKind::Sqlite)
}

/// What others are told of this process when it writes the tables: where it is, and who it is for
/// certain.
pub(super) fn writer(process: EventId) -> String {
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_string_lossy();
    format!("{machine} (process {}, {process})", std::process::id())
}

#[cfg(feature = "store-postgres")]
fn writing_postgres(config: &Config) -> Result<Box<dyn ProjectionStore>, StoreError> {
    Ok(Box::new(PostgresStore::new(&config.project)?))
}

#[cfg(feature = "store-postgres")]
fn reading_postgres(config: &Config) -> anyhow::Result<Arc<dyn Tables>> {
    Ok(Arc::new(PostgresTables::new(&config.project.postgres)?))
}

/// Makes tables of a point of the past, which stay on a server, fit for people and their tools.
///
/// # Errors
/// The store's own.
#[cfg(feature = "store-postgres")]
pub(super) async fn publish(config: &Config) -> anyhow::Result<()> {
    let mut store = PostgresStore::new(&config.project)?;
    Ok(store.publish().await?)
}

#[cfg(not(feature = "store-postgres"))]
pub(super) async fn publish(_: &Config) -> anyhow::Result<()> {
    bail!("{NO_POSTGRES}")
}

#[cfg(feature = "store-mongodb")]
fn writing_mongodb(config: &Config) -> Result<Box<dyn ProjectionStore>, StoreError> {
    Ok(Box::new(MongodbStore::new(&config.project)))
}

#[cfg(feature = "store-mongodb")]
fn reading_mongodb(config: &Config) -> anyhow::Result<Arc<dyn Tables>> {
    Ok(Arc::new(MongodbTables::new(&config.project.mongodb)))
}

#[cfg(not(feature = "store-postgres"))]
fn writing_postgres(_: &Config) -> Result<Box<dyn ProjectionStore>, StoreError> {
    Err(StoreError::Refused(NO_POSTGRES.to_owned()))
}

#[cfg(not(feature = "store-postgres"))]
fn reading_postgres(_: &Config) -> anyhow::Result<Arc<dyn Tables>> {
    bail!("{NO_POSTGRES}")
}

#[cfg(not(feature = "store-mongodb"))]
fn writing_mongodb(_: &Config) -> Result<Box<dyn ProjectionStore>, StoreError> {
    Err(StoreError::Refused(NO_MONGODB.to_owned()))
}

#[cfg(not(feature = "store-mongodb"))]
fn reading_mongodb(_: &Config) -> anyhow::Result<Arc<dyn Tables>> {
    bail!("{NO_MONGODB}")
}

/// The configuration says the same before it comes to this, with the line that asks for it.
#[cfg(not(feature = "store-postgres"))]
const NO_POSTGRES: &str = "this hooklog was built without the feature store-postgres";

#[cfg(not(feature = "store-mongodb"))]
const NO_MONGODB: &str = "this hooklog was built without the feature store-mongodb";
