//! A connection that is made anew after it broke, and what errors mean.

use super::OpenError;
use crate::config::RedisConfig;
use crate::intake::{IntakeError, files};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ErrorKind, FromRedisValue,
    IntoConnectionInfo as _, Pipeline, RedisError, TlsCertificates, Value, cmd,
};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::Mutex;

/// What knows the server, the user and the certificates.
pub(super) fn client(config: &RedisConfig) -> Result<Client, OpenError> {
    let unusable = |error: RedisError| OpenError::Client(error.to_string());
    let info = config
        .url
        .as_str()
        .into_connection_info()
        .map_err(unusable)?;
    let mut user = info.redis_settings().clone();
    if let Some(username) = &config.username {
        user = user.set_username(username);
    }
    if let Some(path) = &config.password_file {
        let password = files::secret("intake.redis.password_file", path)?;
        user = user.set_password(files::text(&password));
    }
    let info = info.set_redis_settings(user);
    if !config.url.starts_with("rediss:") {
        return Client::open(info).map_err(unusable);
    }
    // Whoever made one before this chose the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::build_with_tls(info, certificates(config)?).map_err(unusable)
}

fn certificates(config: &RedisConfig) -> Result<TlsCertificates, OpenError> {
    let read = |key, path: &Option<PathBuf>| match path {
        Some(path) => files::read(key, path).map(Some),
        None => Ok(None),
    };
    let cert = read("intake.redis.cert_file", &config.cert_file)?;
    let key = read("intake.redis.key_file", &config.key_file)?;
    let client_tls = cert
        .zip(key)
        .map(|(client_cert, client_key)| ClientTlsConfig {
            client_cert,
            client_key,
        });
    Ok(TlsCertificates {
        client_tls,
        root_cert: read("intake.redis.ca_file", &config.ca_file)?,
    })
}

/// One connection to the server, while there is one.
pub(super) struct Link {
    client: Client,
    settings: AsyncConnectionConfig,
    timeout: Duration,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Link {
    /// A link whose answers may take `timeout`.
    pub(super) fn new(client: Client, timeout: Duration) -> Self {
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout));
        Self {
            client,
            settings,
            timeout,
            connection: Mutex::default(),
        }
    }

    /// The answer to a command.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        Ok(T::from_redis_value(self.have(Work::One(command)).await?)?)
    }

    /// The same, for whoever needs to know no more than what an error means.
    pub(super) async fn look<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, IntakeError> {
        self.ask(command).await.map_err(|error| told(&error))
    }

    /// Has a transaction done.
    pub(super) async fn transact(&self, pipeline: &Pipeline) -> Result<(), IntakeError> {
        let done = self.have(Work::All(pipeline)).await;
        done.map(drop).map_err(|error| told(&error))
    }

    /// Has a transaction done, and waits until `wanted` replicas have it, or for half of the time
    /// that an answer may take. Tells how many have it.
    pub(super) async fn transact_on_replicas(
        &self,
        pipeline: &Pipeline,
        wanted: u32,
    ) -> Result<u32, IntakeError> {
        let millis = u64::try_from(self.timeout.as_millis() / 2).unwrap_or(u64::MAX);
        let mut wait = cmd("WAIT");
        wait.arg(wanted).arg(millis);
        let copies = self.have(Work::AllAndThen(pipeline, &wait)).await;
        let copies = copies.and_then(|copies| Ok(u32::from_redis_value(copies)?));
        copies.map_err(|error| told(&error))
    }

    /// Once more on a fresh connection, where one that was there before turns out to be broken: a
    /// server that restarted costs no webhook. What was done twice then comes twice, and does no harm.
    async fn have(&self, work: Work<'_>) -> Result<Value, RedisError> {
        let (mut connection, is_fresh) = self.connect().await?;
        let outcome = work.done_by(&mut connection).await;
        let Err(error) = &outcome else { return outcome };
        if !is_broken(error) {
            return outcome;
        }
        self.connection.lock().await.take();
        if is_fresh || error.is_timeout() {
            return outcome;
        }
        let (mut connection, _) = self.connect().await?;
        let outcome = work.done_by(&mut connection).await;
        if outcome.as_ref().is_err_and(is_broken) {
            self.connection.lock().await.take();
        }
        outcome
    }

    async fn connect(&self) -> Result<(MultiplexedConnection, bool), RedisError> {
        let mut held = self.connection.lock().await;
        if let Some(connection) = &*held {
            return Ok((connection.clone(), false));
        }
        let client = &self.client;
        let connecting = client.get_multiplexed_async_connection_with_config(&self.settings);
        let connection = connecting.await?;
        *held = Some(connection.clone());
        Ok((connection, true))
    }
}

/// What a connection is asked to do.
enum Work<'a> {
    /// A command.
    One(&'a Cmd),
    /// A transaction.
    All(&'a Pipeline),
    /// A transaction, then a command that is about what this very connection wrote.
    AllAndThen(&'a Pipeline, &'a Cmd),
}

impl Work<'_> {
    async fn done_by(&self, connection: &mut MultiplexedConnection) -> Result<Value, RedisError> {
        match self {
            Self::One(command) => command.query_async(connection).await,
            Self::All(all) => all.query_async(connection).await,
            Self::AllAndThen(all, then) => {
                all.exec_async(connection).await?;
                then.query_async(connection).await
            }
        }
    }
}

/// Whether the connection is of no use any more. An answer that did not come in time would come as
/// the answer to something else.
fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_timeout() || error.is_unrecoverable_error()
}

/// What an error means for whoever enqueues or receives.
pub(super) fn told(error: &RedisError) -> IntakeError {
    let text = error.to_string();
    if error.kind() == ErrorKind::AuthenticationFailed {
        return IntakeError::Refused(text);
    }
    let server = error.clone().into_server_errors();
    let errors = server.iter().flat_map(|errors| errors.iter());
    let mut codes: Vec<&str> = errors.map(|(_, error)| error.code()).collect();
    codes.extend(error.code());
    let any_of = |wanted: &[&str]| codes.iter().any(|code| wanted.contains(code));
    if any_of(&["OOM"]) {
        return IntakeError::Full(format!("Redis is at its maxmemory: {text}"));
    }
    // What passes by itself: a start, a failover, a disk that is full.
    let passing = [
        "LOADING",
        "MASTERDOWN",
        "READONLY",
        "MISCONF",
        "BUSY",
        "TRYAGAIN",
        "NOREPLICAS",
    ];
    if error.is_io_error() || codes.is_empty() || any_of(&passing) {
        return IntakeError::Unavailable(text);
    }
    IntakeError::Refused(text)
}
