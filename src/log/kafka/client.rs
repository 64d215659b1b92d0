//! How every client of the brokers is set up, and what they say when something is wrong.

use crate::config::{KafkaConfig, Mechanism};
use crate::secret::Secret;
use rdkafka::ClientConfig;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

mod token;

/// One record's headers and value at the most: a form-encoded body may have 40 MiB.
pub(super) const RECORD_BYTES_MAX: usize = 42 << 20;
/// What a topic must let through: such a record, and what Kafka puts around it.
pub(super) const MESSAGE_BYTES_MAX: usize = 44 << 20;

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A file that the configuration names cannot be read.
    #[error("{key} = {}: {reason}", path.display())]
    File {
        /// The configuration's key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The client library does not take a setting.
    #[error("[log.kafka] cannot be used: {0}")]
    Setting(String),
}

/// What all clients have in common.
pub(super) fn base(config: &KafkaConfig) -> Result<ClientConfig, ClientError> {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", config.brokers.join(","))
        .set("client.id", "hooklog")
        .set("security.protocol", config.security.as_str())
        .set("allow.auto.create.topics", "false")
        .set("socket.keepalive.enable", "true")
        // A broker that came back is noticed within seconds, where the default waits for ten.
        .set("reconnect.backoff.max.ms", "2000")
        // Who asked for a leader while there was none asks again this soon, and not in five minutes.
        .set("topic.metadata.refresh.interval.ms", "10000")
        .set_log_level(RDKafkaLogLevel::Info);
    let files = [
        ("log.kafka.ca_file", "ssl.ca.location", &config.ca_file),
        (
            "log.kafka.cert_file",
            "ssl.certificate.location",
            &config.cert_file,
        ),
        ("log.kafka.key_file", "ssl.key.location", &config.key_file),
    ];
    for (key, setting, path) in files {
        if let Some(path) = path {
            read(key, path)?;
            client.set(setting, path.display().to_string());
        }
    }
    if config.security.names_a_user() {
        user(config, &mut client)?;
    }
    Ok(client)
}

fn user(config: &KafkaConfig, client: &mut ClientConfig) -> Result<(), ClientError> {
    client.set("sasl.mechanism", config.sasl_mechanism.as_str());
    if config.sasl_mechanism == Mechanism::OauthBearer {
        return Ok(());
    }
    if let Some(username) = &config.username {
        client.set("sasl.username", username);
    }
    if let Some(path) = &config.password_file {
        let key = "log.kafka.password_file";
        let password = Secret::from_file_bytes(read(key, path)?);
        let text = std::str::from_utf8(password.expose()).map_err(|_| ClientError::File {
            key,
            path: path.clone(),
            reason: "a password is text, and this is not UTF-8".into(),
        })?;
        client.set("sasl.password", text);
    }
    Ok(())
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, ClientError> {
    std::fs::read(path).map_err(|error| ClientError::File {
        key,
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// A consumer that is told where to read, and never asks a group. It has one all the same, since
/// the library assigns nothing to a consumer without.
pub(super) fn consumer(base: &ClientConfig, prefix: &str) -> ClientConfig {
    let mut client = base.clone();
    client
        .set("group.id", format!("{prefix}readers"))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("check.crcs", "true")
        .set("queued.min.messages", "1000")
        .set("queued.max.messages.kbytes", "8192")
        .set("fetch.message.max.bytes", "4194304")
        .set("receive.message.max.bytes", "100000000")
        .set("fetch.error.backoff.ms", "50")
        // A fetch that waits for records ends as soon as there are some. A partition that is
        // followed anew has to wait for the end of the fetch before.
        .set("fetch.wait.max.ms", "200");
    client
}

/// Takes what the client library has to say to a consumer that fetches nothing: errors, and that its
/// token ends.
pub(super) fn serve(consumer: &BaseConsumer<Context>) {
    while let Some(Err(error)) = consumer.poll(Duration::ZERO) {
        tracing::debug!(target: "kafka", %error, "asking the brokers");
    }
}

/// A producer whose records stay in order and are never written twice by it.
pub(super) fn producer(base: &ClientConfig, timeout_ms: u64, queue_bytes: u64) -> ClientConfig {
    let mut client = base.clone();
    client
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.type", "zstd")
        .set("message.timeout.ms", timeout_ms.to_string())
        .set("message.max.bytes", MESSAGE_BYTES_MAX.to_string())
        .set(
            "queue.buffering.max.kbytes",
            (queue_bytes / 1024).max(1).to_string(),
        )
        .set("queue.buffering.max.messages", "100000")
        // Appends come in batches already: who waits longer only waits.
        .set("linger.ms", "1")
        // Partitions are explicit; should one ever not be, it is where Java would put it.
        .set("partitioner", "murmur2_random");
    client
}

/// Hears what clients say: into our own log, and kept for the next error message.
#[derive(Clone, Default)]
pub(super) struct Context {
    problem: Arc<Mutex<Option<Problem>>>,
    token_file: Option<PathBuf>,
}

/// The last thing that went wrong between us and the brokers.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) code: RDKafkaErrorCode,
    pub(super) reason: String,
    /// When an operator was told last.
    told: Instant,
}

/// How often an operator is told that something is wrong with the brokers.
const TELL_EVERY: Duration = Duration::from_secs(10);

impl Context {
    pub(super) fn new(config: &KafkaConfig) -> Self {
        Self {
            problem: Arc::default(),
            token_file: config.token_file.clone(),
        }
    }

    /// What went wrong last, if anything did.
    pub(super) fn problem(&self) -> Option<Problem> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Problem>> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what went wrong is a matter of who we are, which waiting does not mend.
    pub(super) fn refused(&self) -> Option<String> {
        let refused = self.problem()?;
        let codes = [
            RDKafkaErrorCode::Authentication,
            RDKafkaErrorCode::SaslAuthenticationFailed,
        ];
        codes.contains(&refused.code).then_some(refused.reason)
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        // What fails is told by `error` too, and more calmly.
        let level = if fac == "FAIL" {
            RDKafkaLogLevel::Debug
        } else {
            level
        };
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::warn!(target: "kafka", fac, "{message}"),
            _ => tracing::debug!(target: "kafka", fac, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        // Whoever reads to an end is told so as well, and that is no problem.
        if code == RDKafkaErrorCode::PartitionEOF {
            return;
        }
        let mut problem = self.lock();
        let before = problem.take();
        // Every connection of every client says the same while a broker is away.
        let told = before.as_ref().filter(|p| p.told.elapsed() < TELL_EVERY);
        match told {
            Some(_) => tracing::debug!(target: "kafka", %code, "{reason}"),
            None => tracing::warn!(target: "kafka", %code, "{reason}"),
        }
        let told = told.map_or_else(Instant::now, |problem| problem.told);
        // That all brokers are down is known from the error before it, which says why.
        let (code, reason) = match before {
            Some(before) if code == RDKafkaErrorCode::AllBrokersDown => {
                (before.code, before.reason)
            }
            _ => (code, reason.to_owned()),
        };
        *problem = Some(Problem { code, reason, told });
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let path = self.token_file.as_deref();
        token::read(path.ok_or("log.kafka.token_file is not set")?)
    }
}

impl ConsumerContext for Context {}
