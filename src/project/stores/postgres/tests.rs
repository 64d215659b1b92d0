//! The conformance suite on a real server, and what only a server has.

use super::*;
use crate::config::{PostgresConfig, SslMode, StoreKind};
use crate::project::conformance::{self, Aged, Place};
use crate::query::Tables;
use std::path::PathBuf;
use std::sync::Arc;
use uuid::Uuid;

/// The address of the server that `tools/services` started.
pub(super) fn url() -> String {
    let url = std::env::var("HOOKLOG_TEST_POSTGRES");
    assert!(
        url.is_ok(),
        "HOOKLOG_TEST_POSTGRES is not set: run the tests by `tools/services run postgres -- cargo \
         nextest run --features store-postgres`"
    );
    url.unwrap()
}

/// A file of the server's folder: its certificates, the user's password.
pub(super) fn file(name: &str) -> Option<PathBuf> {
    let folder = std::env::var("HOOKLOG_TEST_POSTGRES_FILES").unwrap();
    Some(PathBuf::from(folder).join(name))
}

/// Settings that get in, to a schema that is not made yet.
pub(super) fn config() -> ProjectConfig {
    let postgres = PostgresConfig {
        url: Some(url()),
        password_file: file("password"),
        ca_file: file("ca.pem"),
        sslmode: SslMode::VerifyFull,
        schema: format!("test_{}", Uuid::now_v7().simple()),
        read_connections_max: 2,
        ..PostgresConfig::default()
    };
    ProjectConfig {
        store: StoreKind::Postgres,
        postgres,
        ..ProjectConfig::default()
    }
}

/// A connection of the user of the tables, which is none of the program's.
async fn connected(config: &ProjectConfig) -> PgConnection {
    let options = Connector::writing(config).unwrap().options().unwrap();
    let options = options.application_name("a test");
    PgConnection::connect_with(&options).await.unwrap()
}

/// Does something on the server, as the user of the tables.
pub(super) async fn execute(config: &ProjectConfig, sql: impl Into<String>) {
    let mut connection = connected(config).await;
    let sql = AssertSqlSafe(sql.into());
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
}

/// A schema of its own.
struct InSchema(ProjectConfig);

#[async_trait]
impl Place for InSchema {
    async fn open(&self) -> Box<dyn ProjectionStore> {
        Box::new(PostgresStore::new(&self.0).unwrap())
    }

    fn tables(&self) -> Arc<dyn Tables> {
        Arc::new(PostgresTables::new(&self.0.postgres).unwrap())
    }

    fn keeps_leases(&self) -> bool {
        true
    }

    async fn age(&self, how: Aged) {
        let mut connection = connected(&self.0).await;
        let suffix: String = sqlx::query_scalar("SELECT suffix FROM active LIMIT 1")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        execute(&self.0, how.sql(&suffix)).await;
    }
}

/// Settings of a schema that is there.
pub(crate) async fn made() -> ProjectConfig {
    let config = config();
    execute(&config, format!("CREATE SCHEMA {}", config.postgres.schema)).await;
    config
}

/// A place for tables in PostgreSQL.
pub(crate) async fn place() -> Arc<dyn Place> {
    place_in(made().await)
}

/// The place that `config` names.
pub(crate) fn place_in(config: ProjectConfig) -> Arc<dyn Place> {
    Arc::new(InSchema(config))
}

/// Ends every connection of the program to the schema of `config`, and tells how many there were.
pub(crate) async fn end_connections(config: &ProjectConfig) -> u64 {
    let mut connection = connected(config).await;
    let ended: Vec<bool> = sqlx::query_scalar(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
    )
    .bind(format!("hooklog {}", config.postgres.schema))
    .fetch_all(&mut connection)
    .await
    .unwrap();
    ended.len() as u64
}

conformance::suite!(place);

mod ending;
pub(crate) mod own;
mod refusing;
mod tables;
