//! `[project.mongodb]`: the servers, and how to get in. Secrets stand in files, never here.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Tables in MongoDB.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MongodbConfig {
    /// The servers: `mongodb://HOST:PORT,HOST:PORT/?replicaSet=NAME`, without a user and a
    /// password.
    pub uri: Option<String>,
    /// The user; none where the server asks nobody who he is.
    pub username: Option<String>,
    /// The file that holds the user's password; it is read anew whenever we connect.
    pub password_file: Option<PathBuf>,
    /// The database that knows the user.
    pub auth_source: String,
    /// The database that holds the tables, and nothing else.
    pub database: String,
    /// Whether connections are protected by TLS, with a server whose certificate names the host and
    /// was signed by whom we trust.
    pub tls: bool,
    /// Certificates (PEM) of those who may sign the server's; Mozilla's list unless set.
    pub ca_file: Option<PathBuf>,
    /// Connections that answer queries; more wait.
    pub read_connections_max: u32,
    /// How long a connection may take to be made, in milliseconds.
    pub connect_timeout_ms: u64,
    /// How long one question of a query may take, in milliseconds.
    pub read_timeout_ms: u64,
    /// How long a write of the projector may take, in milliseconds.
    pub write_timeout_ms: u64,
}

impl Default for MongodbConfig {
    fn default() -> Self {
        Self {
            uri: None,
            username: None,
            password_file: None,
            auth_source: "admin".into(),
            database: "hooklog".into(),
            tls: true,
            ca_file: None,
            read_connections_max: 8,
            connect_timeout_ms: 5_000,
            read_timeout_ms: 10_000,
            write_timeout_ms: 60_000,
        }
    }
}
