//! `[project.postgres]`: the server, and how to get in. Secrets stand in files, never here.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Tables in PostgreSQL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostgresConfig {
    /// Where the tables are written: `postgres://USER@HOST:PORT/DATABASE`, without a password.
    pub url: Option<String>,
    /// Where queries read, if not there: a read replica, in the same form.
    pub read_url: Option<String>,
    /// The file that holds the user's password; it is read anew for every connection.
    pub password_file: Option<PathBuf>,
    /// The schema that holds the tables. It must be there, and be the user's to create tables in.
    pub schema: String,
    /// How connections are protected.
    pub sslmode: SslMode,
    /// Certificates (PEM) of those who may sign the server's; the system's unless set.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate (PEM), where the server asks for one.
    pub cert_file: Option<PathBuf>,
    /// The key (PEM) of `cert_file`.
    pub key_file: Option<PathBuf>,
    /// Queries answered at the same time; more wait.
    pub read_connections_max: u32,
    /// How long a connection may take to be made, in milliseconds.
    pub connect_timeout_ms: u64,
    /// How long a statement of a query may take, in milliseconds.
    pub read_timeout_ms: u64,
    /// How long a transaction of the projector may take, in milliseconds.
    pub write_timeout_ms: u64,
}

impl Default for PostgresConfig {
    fn default() -> Self {
        Self {
            url: None,
            read_url: None,
            password_file: None,
            schema: "hooklog".into(),
            sslmode: SslMode::default(),
            ca_file: None,
            cert_file: None,
            key_file: None,
            read_connections_max: 8,
            connect_timeout_ms: 5_000,
            read_timeout_ms: 10_000,
            write_timeout_ms: 60_000,
        }
    }
}

/// How connections are protected, in libpq's words. Those of its modes that may fall back to no
/// protection are not offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    /// Not at all.
    Disable,
    /// TLS, whoever answers.
    Require,
    /// TLS with a server whose certificate was signed by whom we trust.
    VerifyCa,
    /// Likewise, and it names the host.
    #[default]
    VerifyFull,
}
