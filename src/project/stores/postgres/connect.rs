//! Connections: how to get in, and what must be so before anything is written.

use super::errors::{Server, failed};
use crate::config::{PostgresConfig, ProjectConfig, SslMode};
use crate::project::store::StoreError;
use crate::project::stores::patience::within;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};
use std::path::PathBuf;
use std::time::Duration;

/// The oldest server that is tried with.
const OLDEST: (&str, i32) = ("PostgreSQL 13", 130_000);

/// What replay cannot recreate.
const MIGRATIONS: [&str; 2] = [
    include_str!("../../../../migrations/postgres/1_tables.sql"),
    include_str!("../../../../migrations/postgres/2_sets.sql"),
];

/// What the last of them makes.
const LAST: &str = "members";

/// Where connections go, and how.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    options: PgConnectOptions,
    password_file: Option<PathBuf>,
    password_key: &'static str,
    pub(super) server: Server,
    pub(super) schema: String,
    /// How long a connection may take to be made.
    pub(super) connect: Duration,
    /// How long a transaction may take.
    pub(super) limit: Duration,
}

/// What names the address for projections of somebody's own.
const OWN: &str = "own";

/// How much longer than a projector's a transaction of a build may take: it is larger.
const BUILD_FACTOR: u32 = 10;

impl Connector {
    /// Connections that write.
    pub(super) fn writing(config: &ProjectConfig) -> Result<Self, StoreError> {
        let lease = format!("{}ms", config.lease_ms);
        let limit = Duration::from_millis(config.postgres.write_timeout_ms);
        let connector = Self::new(&config.postgres, "url", limit)?;
        Ok(connector.with([
            // A writer that stops in the middle must not keep its successor from the lease.
            ("idle_in_transaction_session_timeout", lease.as_str()),
            ("lock_timeout", &lease),
            // What a crash of the server takes of the last transactions is folded again.
            ("synchronous_commit", "off"),
        ]))
    }

    /// Connections that fill a build and make its indexes.
    pub(super) fn building(&self) -> Self {
        let mut connector = self.clone().with([("maintenance_work_mem", "256MB")]);
        connector.limit *= BUILD_FACTOR;
        connector
    }

    /// Connections that read.
    pub(super) fn reading(config: &PostgresConfig) -> Result<Self, StoreError> {
        let key = match config.read_url {
            Some(_) => "read_url",
            None => "url",
        };
        let limit = Duration::from_millis(config.read_timeout_ms);
        let timeout = format!("{}ms", config.read_timeout_ms);
        let connector = Self::new(config, key, limit)?;
        Ok(connector.with([
            ("statement_timeout", timeout.as_str()),
            ("idle_in_transaction_session_timeout", &timeout),
            ("default_transaction_read_only", "on"),
        ]))
    }

    /// Connections of a projection of somebody's own, which may touch nothing but `schema`.
    pub(super) fn own(config: &ProjectConfig, schema: &str) -> Result<Self, StoreError> {
        let mut own = config.postgres.clone();
        own.url.clone_from(&config.own.postgres_url);
        own.password_file
            .clone_from(&config.own.postgres_password_file);
        schema.clone_into(&mut own.schema);
        let limit = Duration::from_millis(config.own.timeout_ms);
        let timeout = format!("{}ms", config.own.timeout_ms);
        let connector = Self::new(&own, OWN, limit)?;
        Ok(connector.with([
            ("statement_timeout", timeout.as_str()),
            ("idle_in_transaction_session_timeout", &timeout),
            ("lock_timeout", &timeout),
            // What a crash of the server takes of the last transactions is folded again.
            ("synchronous_commit", "off"),
        ]))
    }

    fn new(
        config: &PostgresConfig,
        key: &'static str,
        limit: Duration,
    ) -> Result<Self, StoreError> {
        let url = match key {
            "read_url" => config.read_url.as_deref(),
            _ => config.url.as_deref(),
        };
        let keys = keys(key);
        let options: PgConnectOptions = url
            .unwrap_or_default()
            .parse()
            .map_err(|error| wrong(keys.0, &error))?;
        let mut options = options
            .ssl_mode(mode(config.sslmode))
            .application_name(&format!("hooklog {}", config.schema))
            .disable_statement_logging()
            .options([
                ("search_path", config.schema.as_str()),
                ("client_min_messages", "warning"),
            ]);
        if let Some(path) = &config.ca_file {
            options = options.ssl_root_cert(path);
        }
        if let (Some(cert), Some(key)) = (&config.cert_file, &config.key_file) {
            options = options.ssl_client_cert(cert).ssl_client_key(key);
        }
        Ok(Self {
            server: Server::of(keys, &options, &config.schema),
            password_key: keys.1,
            options,
            password_file: config.password_file.clone(),
            schema: config.schema.clone(),
            connect: Duration::from_millis(config.connect_timeout_ms),
            limit,
        })
    }

    fn with<const N: usize>(mut self, settings: [(&str, &str); N]) -> Self {
        self.options = self.options.options(settings);
        self
    }

    /// The options with the password as it is now: it may be changed while we run.
    pub(super) fn options(&self) -> Result<PgConnectOptions, StoreError> {
        let Some(path) = &self.password_file else {
            return Ok(self.options.clone());
        };
        let text = std::fs::read_to_string(path).map_err(|error| {
            let (key, path) = (self.password_key, path.display());
            StoreError::Refused(format!("{key} {path} cannot be read: {error}"))
        })?;
        let password = text.lines().next().unwrap_or_default();
        Ok(self.options.clone().password(password))
    }

    /// A connection to a server that is fit for tables, with what replay cannot recreate.
    pub(super) async fn connect(&self) -> Result<PgConnection, StoreError> {
        let options = self.options()?;
        within(self.connect, "connecting", async {
            let connected = options.connect().await;
            let mut connection = connected.map_err(|error| self.server.refused(error))?;
            self.check(&mut connection).await?;
            Ok(connection)
        })
        .await
    }

    async fn check(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        self.check_server(connection).await?;
        let failed = failed("looking what the server is");
        let schema: Option<(bool, bool)> = sqlx::query_as(
            "SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid AND relname = $2), \
             has_schema_privilege(oid, 'CREATE') FROM pg_namespace AS n WHERE nspname = $1",
        )
        .bind(&self.schema)
        .bind(LAST)
        .fetch_optional(&mut *connection)
        .await
        .map_err(&failed)?;
        match schema {
            None => Err(self.server.no_schema()),
            Some((_, false)) => Err(self.server.not_owner()),
            Some((true, true)) => Ok(()),
            Some((false, true)) => self.migrate(connection).await,
        }
    }

    /// Whether the server is one that takes tables.
    pub(super) async fn check_server(
        &self,
        connection: &mut PgConnection,
    ) -> Result<(), StoreError> {
        let failed = failed("looking what the server is");
        let (version, name, encoding, replica): (i32, String, String, bool) = sqlx::query_as(
            "SELECT current_setting('server_version_num')::int4, current_setting('server_version'), \
             current_setting('server_encoding'), pg_is_in_recovery()",
        )
        .fetch_one(&mut *connection)
        .await
        .map_err(&failed)?;
        let (needed, oldest) = OLDEST;
        if version < oldest {
            let found = format!("PostgreSQL {name}");
            return Err(StoreError::TooOld { found, needed });
        }
        if encoding != "UTF8" {
            return Err(self.server.not_utf8(&encoding));
        }
        if replica {
            return Err(self.server.is_replica());
        }
        Ok(())
    }

    /// Two processes may start at once: the second one waits, and finds what the first one made.
    async fn migrate(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let failed = failed("making what replay cannot recreate");
        let mut tx = connection.begin().await.map_err(&failed)?;
        sqlx::query("SELECT pg_advisory_xact_lock(hashtext('hooklog'), hashtext($1))")
            .bind(&self.schema)
            .execute(&mut *tx)
            .await
            .map_err(&failed)?;
        for migration in MIGRATIONS {
            let make = sqlx::raw_sql(migration).execute(&mut *tx);
            make.await.map_err(&failed)?;
        }
        tx.commit().await.map_err(&failed)
    }
}

const fn mode(mode: SslMode) -> PgSslMode {
    match mode {
        SslMode::Disable => PgSslMode::Disable,
        SslMode::Require => PgSslMode::Require,
        SslMode::VerifyCa => PgSslMode::VerifyCa,
        SslMode::VerifyFull => PgSslMode::VerifyFull,
    }
}

/// The keys of the configuration that name an address, and the file of its password.
fn keys(key: &str) -> (&'static str, &'static str) {
    match key {
        "read_url" => (
            "project.postgres.read_url",
            "project.postgres.password_file",
        ),
        OWN => (
            "project.own.postgres_url",
            "project.own.postgres_password_file",
        ),
        _ => ("project.postgres.url", "project.postgres.password_file"),
    }
}

fn wrong(key: &str, error: &sqlx::Error) -> StoreError {
    StoreError::Refused(format!("{key} is no address of a server: {error}"))
}
