//! How clients are set up, and what the service says when something is wrong.

use super::open::OpenError;
use crate::config::EventHubsConfig;
use crate::secret::Secret;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The name under which a connection string is a password.
const USER: &str = "$ConnectionString";
/// The port of the Kafka surface.
const PORT: u16 = 9093;

/// Why a connection string cannot be used. It is never shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionStringError {
    /// Nobody says where it is.
    #[error("intake.eventhubs.connection_string_file is not set")]
    NotSet,
    /// It cannot be read.
    #[error("intake.eventhubs.connection_string_file = {0}: {1}")]
    File(String, String),
    /// It has no address, and the configuration names none.
    #[error(
        "the connection string has no Endpoint=sb://NAMESPACE.servicebus.windows.net/: copy it from \
         the portal (Shared access policies), or set intake.eventhubs.address"
    )]
    NoEndpoint,
}

/// What all clients have in common.
pub(super) fn base(config: &EventHubsConfig) -> Result<ClientConfig, ConnectionStringError> {
    let path = config.connection_string_file.as_deref();
    let secret = read(path.ok_or(ConnectionStringError::NotSet)?)?;
    let text = std::str::from_utf8(secret.expose()).unwrap_or_default();
    let address = match &config.address {
        Some(address) => address.clone(),
        None => endpoint(text).ok_or(ConnectionStringError::NoEndpoint)?,
    };
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", address)
        .set("client.id", "hooklog")
        .set("security.protocol", config.security.as_str())
        .set("sasl.mechanism", "PLAIN")
        .set("sasl.username", USER)
        .set("sasl.password", text)
        .set("allow.auto.create.topics", "false")
        .set("socket.keepalive.enable", "true")
        // The service closes connections that were idle for four minutes.
        .set("connections.max.idle.ms", "180000")
        .set("metadata.max.age.ms", "180000")
        .set("reconnect.backoff.max.ms", "2000")
        .set_log_level(RDKafkaLogLevel::Info);
    Ok(client)
}

fn read(path: &Path) -> Result<Secret, ConnectionStringError> {
    let wrong = |why: &str| ConnectionStringError::File(path.display().to_string(), why.to_owned());
    let bytes = std::fs::read(path).map_err(|error| wrong(&error.to_string()))?;
    let secret = Secret::from_file_bytes(bytes);
    if secret.is_empty() {
        return Err(wrong("it is empty"));
    }
    match std::str::from_utf8(secret.expose()) {
        Ok(_) => Ok(secret),
        Err(_) => Err(wrong("it is not UTF-8")),
    }
}

/// `host:port` of `Endpoint=sb://host/;…`.
fn endpoint(text: &str) -> Option<String> {
    let value = |part: &str| Some(part.trim().strip_prefix("Endpoint=sb://")?.to_owned());
    let host = text.split(';').find_map(value)?;
    let host = host.trim_end_matches('/');
    match host.is_empty() {
        true => None,
        false if host.contains(':') => Some(host.to_owned()),
        false => Some(format!("{host}:{PORT}")),
    }
}

/// The service has neither idempotence nor compression.
pub(super) fn producer(base: &ClientConfig, config: &EventHubsConfig) -> ClientConfig {
    let mut client = base.clone();
    client
        .set("acks", "all")
        .set("enable.idempotence", "false")
        .set("compression.type", "none")
        .set("message.timeout.ms", config.enqueue_timeout_ms.to_string())
        // Headers and framing come on top.
        .set(
            "message.max.bytes",
            (config.message_bytes_max + 1_024).to_string(),
        )
        .set("queue.buffering.max.kbytes", "131072")
        .set("linger.ms", "1");
    client
}

/// A consumer of the group, which commits what it is told.
pub(super) fn consumer(base: &ClientConfig, config: &EventHubsConfig) -> ClientConfig {
    let mut client = base.clone();
    client
        .set("group.id", &config.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", "30000")
        .set("heartbeat.interval.ms", "3000")
        .set("queued.min.messages", "1000")
        .set("queued.max.messages.kbytes", "16384")
        .set("fetch.wait.max.ms", "200");
    client
}

/// Hears what clients say, and keeps the last problem for the next error message.
#[derive(Clone, Default)]
pub(super) struct Context {
    problem: Arc<Mutex<Option<(RDKafkaErrorCode, String)>>>,
}

impl Context {
    /// What the service said if it does not let us in.
    pub(super) fn refused(&self) -> Option<String> {
        let problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        let (code, reason) = problem.as_ref()?;
        let codes = [
            RDKafkaErrorCode::Authentication,
            RDKafkaErrorCode::SaslAuthenticationFailed,
        ];
        codes.contains(code).then(|| reason.clone())
    }

    /// The error, with what went wrong last between us and the service.
    pub(super) fn why(&self, error: &KafkaError) -> String {
        let problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        match problem.as_ref() {
            Some((_, reason)) => format!("{error} ({reason})"),
            None => error.to_string(),
        }
    }
}

impl ClientContext for Context {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "eventhubs", facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        tracing::debug!(target: "eventhubs", %code, "{reason}");
        let mut problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        // That all brokers are down is known from the error before it, which says why.
        if code != RDKafkaErrorCode::AllBrokersDown || problem.is_none() {
            *problem = Some((code, reason.to_owned()));
        }
    }
}

impl ConsumerContext for Context {}

pub(super) fn setting(error: &KafkaError) -> OpenError {
    OpenError::Setting(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_portal_s_connection_string_names_the_server() {
        let key = "SharedAccessKeyName=hooklog;SharedAccessKey=abc=";
        for (text, address) in [
            (
                format!("Endpoint=sb://acme.servicebus.windows.net/;{key}"),
                Some("acme.servicebus.windows.net:9093"),
            ),
            (
                format!("{key};Endpoint=sb://localhost:19092"),
                Some("localhost:19092"),
            ),
            (key.to_owned(), None),
            ("Endpoint=sb:///;x".to_owned(), None),
        ] {
            assert_eq!(endpoint(&text).as_deref(), address, "{text}");
        }
    }
}
