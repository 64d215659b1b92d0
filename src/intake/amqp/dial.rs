//! How connections are made.

use super::open::OpenError;
use super::server::Server;
use crate::config::AmqpConfig;
use crate::secret::Secret;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::tcp::{AsyncTcpStream, RustlsConnector, RustlsConnectorConfig};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPUri, AMQPUserInfo, SASLMechanism};
use lapin::{Connection, ConnectionProperties, Error, ErrorKind};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a node may take to let us in.
const PATIENCE: Duration = Duration::from_secs(4);
/// How often each side shows that it is alive, in seconds.
const HEARTBEAT: u16 = 10;

/// Whom to call, and how.
pub(super) struct Dial {
    nodes: Vec<AMQPUri>,
    tls: Option<Arc<RustlsConnector>>,
}

/// Why no connection came about.
#[derive(Clone, Debug)]
pub(super) enum DialError {
    /// No node answers in time, or not as one should.
    Unreachable(String),
    /// They do not let us in: waiting mends nothing.
    Refused(String),
}

impl Dial {
    pub(super) fn new(config: &AmqpConfig) -> Result<Self, OpenError> {
        let (user, mechanism) = user(config)?;
        let node = |node: &String| {
            let (host, port) = host_and_port(node)?;
            Ok(AMQPUri {
                // The TLS is ours, so that it uses our authorities alone.
                scheme: Default::default(),
                authority: AMQPAuthority {
                    userinfo: user.clone(),
                    host,
                    port,
                },
                vhost: config.virtual_host.clone(),
                query: AMQPQueryString {
                    heartbeat: Some(HEARTBEAT),
                    auth_mechanism: Some(mechanism),
                    ..AMQPQueryString::default()
                },
            })
        };
        Ok(Self {
            nodes: config
                .nodes
                .iter()
                .map(node)
                .collect::<Result<_, OpenError>>()?,
            tls: config.tls.then(|| connector(config)).transpose()?,
        })
    }

    /// A connection to the first node that answers.
    pub(super) async fn connect(&self) -> Result<Connection, DialError> {
        let no_one = || None;
        self.first(no_one).await
    }

    /// The same, and what the node says of itself.
    pub(super) async fn meet(&self) -> Result<(Connection, Server), DialError> {
        let server = Arc::new(Mutex::new(Server::default()));
        let connection = self.first(|| Some(Arc::clone(&server))).await?;
        let server = server
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        Ok((connection, server))
    }

    async fn first(
        &self,
        learn: impl Fn() -> Option<Arc<Mutex<Server>>>,
    ) -> Result<Connection, DialError> {
        let mut problems = Vec::new();
        for uri in &self.nodes {
            let name = format!("{}:{}", uri.authority.host, uri.authority.port);
            let calling = call(uri.clone(), self.tls.clone(), learn());
            match tokio::time::timeout(PATIENCE, calling).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => match refusal(&error) {
                    Some(reason) => return Err(DialError::Refused(reason)),
                    None => problems.push(format!("{name}: {}", plain(&error))),
                },
                Err(_) => problems.push(format!("{name}: no answer within {PATIENCE:?}")),
            }
        }
        Err(DialError::Unreachable(problems.join("; ")))
    }
}

async fn call(
    uri: AMQPUri,
    tls: Option<Arc<RustlsConnector>>,
    learn: Option<Arc<Mutex<Server>>>,
) -> lapin::Result<Connection> {
    let properties = ConnectionProperties::default().with_connection_name("hooklog".into());
    let runtime = lapin::runtime::default_runtime()?;
    Connection::connector(
        uri,
        runtime,
        async move |uri, runtime| {
            let host = &uri.authority.host;
            let open = async || {
                let address = runtime.to_socket_addrs((host.clone(), uri.authority.port));
                let stream = AsyncTcpStream::connect(&runtime, address).await?;
                match &tls {
                    Some(tls) => stream.into_rustls(tls, host).await,
                    None => Ok(stream),
                }
            };
            // Who asked a server what it is cannot log in over the same connection.
            if let Some(learn) = &learn {
                let server = Server::ask(open().await?).await?;
                *learn.lock().unwrap_or_else(PoisonError::into_inner) = server;
            }
            Ok(open().await?)
        },
        properties,
    )
    .await
}

fn host_and_port(node: &str) -> Result<(String, u16), OpenError> {
    let wrong = || OpenError::Node(node.to_owned());
    let (host, port) = node.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().map_err(|_| wrong())?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err(wrong());
    }
    Ok((host.to_owned(), port))
}

fn user(config: &AmqpConfig) -> Result<(AMQPUserInfo, SASLMechanism), OpenError> {
    let Some(username) = &config.username else {
        let nobody = AMQPUserInfo {
            username: String::new(),
            password: String::new(),
        };
        return Ok((nobody, SASLMechanism::External));
    };
    let password = match &config.password_file {
        Some(path) => password(path)?,
        None => String::new(),
    };
    let user = AMQPUserInfo {
        username: username.clone(),
        password,
    };
    Ok((user, SASLMechanism::Plain))
}

fn password(path: &Path) -> Result<String, OpenError> {
    let key = "intake.amqp.password_file";
    let password = Secret::from_file_bytes(read(key, path)?);
    let text = std::str::from_utf8(password.expose());
    let text = text.map_err(|_| file(key, path, "a password is text, and this is not UTF-8"))?;
    Ok(text.to_owned())
}

fn connector(config: &AmqpConfig) -> Result<Arc<RustlsConnector>, OpenError> {
    let made = match &config.ca_file {
        Some(path) => RustlsConnectorConfig::default()
            .with_parsable_certificates(certificates("intake.amqp.ca_file", path)?),
        None => RustlsConnectorConfig::new_with_platform_verifier(),
    };
    let connector = match (&config.cert_file, &config.key_file) {
        (Some(cert), Some(key)) => {
            let certificates = certificates("intake.amqp.cert_file", cert)?;
            made.connector_with_single_cert(certificates, private_key(key)?)
        }
        _ => made.connector_with_no_client_auth(),
    };
    let connector = connector.map_err(|error| OpenError::Tls(error.to_string()))?;
    Ok(Arc::new(connector))
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, OpenError> {
    let bytes = read(key, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if found.is_empty() => {
            Err(file(key, path, "there is no certificate (PEM) in it"))
        }
        Ok(found) => Ok(found),
        Err(error) => Err(file(key, path, &error.to_string())),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, OpenError> {
    let key = "intake.amqp.key_file";
    let bytes = Secret::new(read(key, path)?);
    PrivateKeyDer::from_pem_slice(bytes.expose())
        .map_err(|error| file(key, path, &error.to_string()))
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, OpenError> {
    std::fs::read(path).map_err(|error| file(key, path, &error.to_string()))
}

fn file(key: &'static str, path: &Path, reason: &str) -> OpenError {
    OpenError::File {
        key,
        path: PathBuf::from(path),
        reason: reason.to_owned(),
    }
}

/// What they say, if it is a matter of who we are and what we may.
fn refusal(error: &Error) -> Option<String> {
    let ErrorKind::ProtocolError(told) = error.kind() else {
        return None;
    };
    let refused = matches!(
        told.kind(),
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)
            | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
    );
    refused.then(|| told.get_message().to_string())
}

/// The error without the library's own words around it.
pub(super) fn plain(error: &Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(told) => told.get_message().to_string(),
        ErrorKind::IOError(told) => told.to_string(),
        _ => error.to_string(),
    }
}
