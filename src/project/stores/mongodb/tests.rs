//! The conformance suite on a real server, and what only servers of this kind have.
//!
//! The server is FerretDB, which has no transactions and reads a document before it changes it. So
//! writers that write at the same moment are not tried here, but what they leave behind is.

use super::*;
use crate::config::{MongodbConfig, StoreKind};
use crate::project::conformance;
use crate::query::Tables;
use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use std::path::PathBuf;
use std::sync::Arc;
use uuid::Uuid;

pub(crate) use way::{Way, place_with_way};

/// The address of the server that `tools/services` started.
fn uri() -> String {
    let uri = std::env::var("HOOKLOG_TEST_MONGODB");
    assert!(
        uri.is_ok(),
        "HOOKLOG_TEST_MONGODB is not set: run the tests by `tools/services run ferretdb -- cargo \
         nextest run --features store-mongodb`"
    );
    uri.unwrap()
}

/// A file of the server's folder: its certificates, the user's password.
fn file(name: &str) -> Option<PathBuf> {
    let folder = std::env::var("HOOKLOG_TEST_MONGODB_FILES").unwrap();
    Some(PathBuf::from(folder).join(name))
}

/// Settings that get in, to a database of their own.
fn config() -> ProjectConfig {
    let mongodb = MongodbConfig {
        uri: Some(uri()),
        username: Some("hooklog".to_owned()),
        password_file: file("password"),
        ca_file: file("ca.pem"),
        database: format!("test_{}", Uuid::now_v7().simple()),
        read_connections_max: 2,
        ..MongodbConfig::default()
    };
    ProjectConfig {
        store: StoreKind::Mongodb,
        mongodb,
        ..ProjectConfig::default()
    }
}

/// A database of its own.
struct InDatabase(ProjectConfig);

#[async_trait]
impl conformance::Place for InDatabase {
    async fn open(&self) -> Box<dyn ProjectionStore> {
        Box::new(MongodbStore::new(&self.0))
    }

    fn tables(&self) -> Arc<dyn Tables> {
        Arc::new(MongodbTables::new(&self.0.mongodb))
    }

    fn keeps_leases(&self) -> bool {
        true
    }

    async fn age(&self, how: conformance::Aged) {
        aged::age(&self.0, how).await;
    }
}

/// A place for tables on the server.
pub(crate) async fn place() -> Arc<dyn conformance::Place> {
    Arc::new(InDatabase(config()))
}

conformance::suite!(place);

mod aged;
mod earlier;
mod leftovers;
mod refusing;
mod way;
