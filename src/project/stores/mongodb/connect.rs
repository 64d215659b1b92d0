//! Connections: how to get in, and what the server is.

use super::errors::{Server, failed, is_forbidden};
use super::states::States;
use crate::config::{MongodbConfig, ProjectConfig};
use crate::project::store::StoreError;
use crate::project::stores::patience::within;
use mongodb::bson::{Document, doc};
use mongodb::options::{
    Acknowledgment, ClientOptions, Credential, DatabaseOptions, ReadConcern, Tls, TlsOptions,
    WriteConcern,
};
use mongodb::{Client, Database};
use std::time::Duration;

/// Connections of a projector: it writes several tables at the same time.
const WRITING: u32 = 8;

/// How much longer than a projector's a write of a build may take: it is larger.
const BUILD_FACTOR: u32 = 10;

/// Where connections go, and how.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    config: MongodbConfig,
    server: Server,
    connections: u32,
    /// What is read was confirmed by most of the servers.
    majority: bool,
    /// How long a connection may take to be made.
    pub(super) connect: Duration,
    /// How long anything else may take.
    pub(super) limit: Duration,
}

impl Connector {
    /// Connections that write.
    pub(super) fn writing(config: &ProjectConfig) -> Self {
        let config = &config.mongodb;
        Self::new(config, WRITING, config.write_timeout_ms)
    }

    /// Connections that fill a build and make its indexes.
    pub(super) fn building(&self) -> Self {
        let mut connector = self.clone();
        connector.limit *= BUILD_FACTOR;
        connector
    }

    /// Connections that read.
    pub(super) fn reading(config: &MongodbConfig) -> Self {
        Self {
            majority: true,
            ..Self::new(config, config.read_connections_max, config.read_timeout_ms)
        }
    }

    fn new(config: &MongodbConfig, connections: u32, limit_ms: u64) -> Self {
        let uri = config.uri.as_deref().unwrap_or_default();
        Self {
            server: Server::of(uri, config.username.as_deref(), &config.database),
            config: config.clone(),
            connections,
            majority: false,
            connect: Duration::from_millis(config.connect_timeout_ms),
            limit: Duration::from_millis(limit_ms),
        }
    }

    /// The same error, with the server's address.
    pub(super) fn named(&self, error: StoreError) -> StoreError {
        self.server.named(error)
    }

    /// The database on a server that lets us in. The password is read anew: it may be changed while
    /// we run.
    pub(super) async fn connect(&self) -> Result<Database, StoreError> {
        // The driver gives up earlier, and says why.
        within(self.connect * 2, "connecting", self.connected()).await
    }

    async fn connected(&self) -> Result<Database, StoreError> {
        let options = self.options().await?;
        let client = Client::with_options(options).map_err(|error| self.server.refused(&error))?;
        let database = client.database(&self.config.database);
        let said = database.run_command(doc! {"hello": 1}).await;
        let said = said.map_err(|error| self.server.refused(&error))?;
        let majority = self.majority && is_one_of_many(&said);
        let options = DatabaseOptions::builder()
            .read_concern(majority.then(ReadConcern::majority))
            .build();
        let database = client.database_with_options(&self.config.database, options);
        let states = States::of(&database);
        match states.look().await {
            Err(error) if is_forbidden(&error) => Err(self.server.forbidden(&error)),
            Err(error) => Err(failed("reading its state")(error)),
            Ok(()) => Ok(database),
        }
    }

    async fn options(&self) -> Result<ClientOptions, StoreError> {
        let uri = self.config.uri.as_deref().unwrap_or_default();
        let mut options = ClientOptions::parse(uri).await.map_err(|error| {
            let reason = error.kind;
            StoreError::Refused(format!("project.mongodb.uri is no address: {reason}"))
        })?;
        options.app_name = Some(format!("hooklog {}", self.config.database));
        options.credential = self.credential()?;
        options.tls = Some(self.tls());
        options.connect_timeout = Some(self.connect);
        options.server_selection_timeout = Some(self.connect);
        options.max_pool_size = Some(self.connections);
        options.write_concern = Some(
            WriteConcern::builder()
                .w(Acknowledgment::Majority)
                .journal(true)
                .build(),
        );
        Ok(options)
    }

    fn credential(&self) -> Result<Option<Credential>, StoreError> {
        let (Some(user), Some(path)) = (&self.config.username, &self.config.password_file) else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(path).map_err(|error| {
            let path = path.display();
            StoreError::Refused(format!(
                "project.mongodb.password_file {path} cannot be read: {error}"
            ))
        })?;
        let password = text.lines().next().unwrap_or_default();
        let credential = Credential::builder()
            .username(user.clone())
            .source(self.config.auth_source.clone())
            .password(password.to_owned())
            .build();
        Ok(Some(credential))
    }

    fn tls(&self) -> Tls {
        if !self.config.tls {
            return Tls::Disabled;
        }
        let options = TlsOptions::builder()
            .ca_file_path(self.config.ca_file.clone())
            .build();
        Tls::Enabled(options)
    }
}

/// Whether the server is one of a replica set, or stands in front of some.
fn is_one_of_many(hello: &Document) -> bool {
    hello.contains_key("setName") || hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid")
}
