//! Values that have the right type and are still wrong, alone or together.

mod intake;
mod mongodb;
mod own;
mod postgres;

use super::load::{ConfigError, Loaded, Origin};
use super::{Config, KafkaConfig, LogKind, Mechanism, keys, role};
use std::ops::RangeInclusive;
use toml::Value;

/// A key whose value is wrong, and why.
type Wrong = (&'static str, &'static str);

/// Checks bounds, and combinations that would be unsafe.
///
/// # Errors
/// For the first value that is out of bounds.
pub(super) fn check(loaded: &Loaded) -> Result<(), ConfigError> {
    let values = keys::values(&loaded.config);
    for (key, value) in &values {
        let bounds = bounds(key);
        if let Value::Integer(number) = value
            && !bounds.contains(number)
        {
            let (least, most) = bounds.into_inner();
            let reason = format!("it must be from {least} to {most}");
            return Err(bad(loaded, key, reason));
        }
    }
    match combination(&loaded.config) {
        Some((key, reason)) => Err(bad(loaded, key, reason.to_owned())),
        None => Ok(()),
    }
}

/// What a number may be. Everything has a limit, so none may be zero but those said here.
fn bounds(key: &str) -> RangeInclusive<i64> {
    match key {
        "log.partitions" => 1..=1024,
        "log.kafka.replication_factor" | "log.kafka.min_insync_replicas" => 1..=100,
        // One record of the largest size must fit in.
        "log.kafka.queue_bytes_max" => 48 << 20..=2 << 30,
        // More is longer than the client library may be silent.
        "log.kafka.session_timeout_ms" => 1_000..=300_000,
        "intake.sqs.payload_bytes_max" => 64 << 10..=1 << 20,
        "intake.eventhubs.partitions" => 1..=1024,
        "intake.eventhubs.message_bytes_max" => 64 << 10..=20 << 20,
        "intake.amqp.message_bytes_max" => 64 << 10..=128 << 20,
        "intake.batch_messages_max" => 1..=10_000,
        "intake.amqp.prefetch" => 1..=65_535,
        "intake.redis.replicas_min" => 0..=100,
        // Beside a claim there are the headers of a request.
        "intake.redis.message_bytes_max" => 64 << 10..=256 << 20,
        "intake.sqs.visibility_timeout_s" => 3..=43_200,
        "log.segment_bytes" => 64 << 10..=1 << 40,
        "log.tail_bytes" | "shutdown_ms" | "project.batch_wait_ms" => 0..=1 << 50,
        "receive.body_bytes_max" | "receive.form_bytes_max" => 1..=1 << 30,
        // Shorter than a batch may take, it would go to and fro.
        "project.lease_ms" => 1_000..=3_600_000,
        "deliver.redelivery_window_days" => 1..=365,
        "spool.bytes_max" => 64 << 20..=1 << 50,
        "spool.reserve_bytes" => 0..=1 << 50,
        "project.own.file_bytes_max" => 1 << 20..=1 << 50,
        "spool.configuration_age_max_hours" => 1..=24 * 366,
        "deliver.excerpt_bytes_max" => 0..=1 << 20,
        key if key.ends_with("_ms") => 1..=24 * 3_600_000,
        _ => 1..=1 << 50,
    }
}

fn combination(config: &Config) -> Option<Wrong> {
    let receive = &config.receive;
    if config.data.as_os_str().is_empty() {
        return Some(("data", "it must name a folder"));
    }
    if config.listen == config.api_listen && config.listen.port() != 0 {
        let reason = "webhooks and API need a listener each, and `listen` is the same address";
        return Some(("api_listen", reason));
    }
    if config.log.reserve_bytes < config.log.segment_bytes {
        let reason = "an erasure writes a segment anew beside the old one, also on a full disk, so \
                      it must be at least `log.segment_bytes`";
        return Some(("log.reserve_bytes", reason));
    }
    if receive.form_bytes_max < receive.body_bytes_max {
        let reason = "percent-encoding makes a body longer, so it must be at least \
                      `receive.body_bytes_max`";
        return Some(("receive.form_bytes_max", reason));
    }
    if receive.body_bytes_in_flight_max < receive.form_bytes_max {
        let reason = "one body of `receive.form_bytes_max` must fit in it";
        return Some(("receive.body_bytes_in_flight_max", reason));
    }
    if receive.proxy_protocol && receive.trusted_proxies.is_empty() {
        let reason = "no proxy is trusted; name their networks in `receive.trusted_proxies`";
        return Some(("receive.proxy_protocol", reason));
    }
    if receive
        .trusted_proxies
        .iter()
        .any(|net| net.prefix_len() == 0)
    {
        let reason = "everybody could then claim any address; name the proxies' own networks";
        return Some(("receive.trusted_proxies", reason));
    }
    if config.deliver.ports.contains(&0) {
        return Some(("deliver.ports", "0 is not a port"));
    }
    if let Some(reason) = role::objection(config) {
        return Some(("roles", reason));
    }
    let wrong = spool(config)
        .or_else(|| mongodb::check(&config.project))
        .or_else(|| postgres::check(&config.project))
        .or_else(|| own::check(&config.project));
    if let Some(wrong) = wrong.or_else(|| intake::check(config)) {
        return Some(wrong);
    }
    match config.log.kind {
        LogKind::Embedded => None,
        LogKind::Kafka => kafka(&config.log.kafka),
    }
}

fn spool(config: &Config) -> Option<Wrong> {
    let spool = &config.spool;
    match (&spool.folder, spool.persistent) {
        (None, false) => return None,
        (None, true) => {
            let reason = "name the folder in `spool.folder`; without one there is no spool";
            return Some(("spool.persistent", reason));
        }
        (Some(_), false) => {
            let reason = "webhooks in the spool were answered 200 and are nowhere else: set \
                          `spool.persistent = true` if this folder is on a volume that outlives the \
                          process and its container; leave `spool.folder` away if it is not";
            return Some(("spool.folder", reason));
        }
        (Some(folder), true) if folder.as_os_str().is_empty() => {
            return Some(("spool.folder", "it must name a folder"));
        }
        (Some(_), true) => {}
    }
    if spool.inlet_deadline_ms >= config.receive.append_deadline_ms {
        let reason = "the spool would get no time to take a webhook, so it must be less than \
                      `receive.append_deadline_ms`";
        return Some(("spool.inlet_deadline_ms", reason));
    }
    None
}

fn kafka(kafka: &KafkaConfig) -> Option<Wrong> {
    if cfg!(not(feature = "log-kafka")) {
        let reason = "this hooklog was built without Kafka; build it with `--features log-kafka`, \
                      or take one that was built with `--features full`";
        return Some(("log.kind", reason));
    }
    if kafka.brokers.is_empty() {
        let reason = "name some brokers, as in [\"kafka-1.acme.example:9092\"]";
        return Some(("log.kafka.brokers", reason));
    }
    if kafka.brokers.iter().any(|broker| !is_address(broker)) {
        let reason = "a broker is a host and a port, as in kafka-1.acme.example:9092";
        return Some(("log.kafka.brokers", reason));
    }
    if !is_prefix(&kafka.topic_prefix) {
        let reason = "topics are named by letters, digits, `.`, `_` and `-`, 200 at the most here";
        return Some(("log.kafka.topic_prefix", reason));
    }
    if kafka.min_insync_replicas > kafka.replication_factor {
        let reason = "there are only `log.kafka.replication_factor` copies to confirm";
        return Some(("log.kafka.min_insync_replicas", reason));
    }
    if kafka.cert_file.is_some() != kafka.key_file.is_some() {
        let reason = "a certificate and its key go together: set `cert_file` and `key_file`";
        return Some(("log.kafka.cert_file", reason));
    }
    user(kafka)
}

fn user(kafka: &KafkaConfig) -> Option<Wrong> {
    if !kafka.security.names_a_user() {
        let reason = "a user is named only with `security = \"sasl_ssl\"` or \"sasl_plaintext\"";
        return kafka
            .username
            .is_some()
            .then_some(("log.kafka.username", reason));
    }
    if kafka.sasl_mechanism == Mechanism::OauthBearer {
        let reason = "OAUTHBEARER needs a file with a token; write its path here";
        return kafka
            .token_file
            .is_none()
            .then_some(("log.kafka.token_file", reason));
    }
    if kafka.username.is_none() {
        return Some(("log.kafka.username", "PLAIN and SCRAM need a user"));
    }
    let reason = "PLAIN and SCRAM need a password; write the path of its file here";
    kafka
        .password_file
        .is_none()
        .then_some(("log.kafka.password_file", reason))
}

fn is_address(broker: &str) -> bool {
    let apart = broker.rsplit_once(':');
    apart.is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains(',') && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

/// Kafka takes 249 characters; the longest of the three names has ten.
fn is_prefix(prefix: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    prefix.len() <= 200 && prefix.bytes().all(known)
}

fn bad(loaded: &Loaded, key: &str, reason: String) -> ConfigError {
    let value = keys::values(&loaded.config).remove(key);
    let value = value.map(|value| value.to_string()).unwrap_or_default();
    ConfigError::BadValue {
        origin: loaded.origins.get(key).cloned().unwrap_or(Origin::Default),
        key: key.to_owned(),
        value: value.trim_matches('"').to_owned(),
        reason,
    }
}
