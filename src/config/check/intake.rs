//! What must fit together in `[intake]`.

mod queues;

use super::Wrong;
use crate::config::{ClaimCheckConfig, Config, IntakeKind, RedisConfig};
use url::Url;

pub(super) fn check(config: &Config) -> Option<Wrong> {
    let intake = &config.intake;
    if intake.kind == IntakeKind::None {
        return None;
    }
    if intake.waiting_bytes_max < config.receive.form_bytes_max {
        let reason = "one body of `receive.form_bytes_max` must fit in it";
        return Some(("intake.waiting_bytes_max", reason));
    }
    let missing = "this hooklog was built without that queue; build it with the feature intake-amqp, \
                   intake-eventhubs, intake-redis or intake-sqs, or take one that was built with \
                   `--features full`";
    if !is_built(intake.kind) {
        return Some(("intake.kind", missing));
    }
    let back_end = match intake.kind {
        IntakeKind::None => None,
        IntakeKind::Amqp => queues::amqp(&intake.amqp),
        IntakeKind::EventHubs => queues::eventhubs(&intake.eventhubs),
        IntakeKind::Redis => redis(&intake.redis),
        IntakeKind::Sqs => queues::sqs(&intake.sqs),
    };
    back_end.or_else(|| claim_check(&intake.claim_check))
}

const fn is_built(kind: IntakeKind) -> bool {
    match kind {
        IntakeKind::None => true,
        IntakeKind::Amqp => cfg!(feature = "intake-amqp"),
        IntakeKind::EventHubs => cfg!(feature = "intake-eventhubs"),
        IntakeKind::Redis => cfg!(feature = "intake-redis"),
        IntakeKind::Sqs => cfg!(feature = "intake-sqs"),
    }
}

fn redis(redis: &RedisConfig) -> Option<Wrong> {
    let url = match Url::parse(&redis.url) {
        Ok(url) if matches!(url.scheme(), "redis" | "rediss") && url.has_host() => url,
        _ => {
            let reason = "it names a server, as in redis://redis.acme.example:6379/0, or \
                          rediss:// for TLS";
            return Some(("intake.redis.url", reason));
        }
    };
    if url.password().is_some() || !url.username().is_empty() {
        let reason = "a URL is shown in many places; name the user in `username`, and the file of \
                      the password in `password_file`";
        return Some(("intake.redis.url", reason));
    }
    if redis.cert_file.is_some() != redis.key_file.is_some() {
        let reason = "a certificate and its key go together: set `cert_file` and `key_file`";
        return Some(("intake.redis.cert_file", reason));
    }
    if url.scheme() == "redis" && (redis.ca_file.is_some() || redis.cert_file.is_some()) {
        let reason = "certificates are for TLS; write rediss://";
        return Some(("intake.redis.url", reason));
    }
    names(redis)
}

fn names(redis: &RedisConfig) -> Option<Wrong> {
    let empty = "it needs a name";
    for (key, name) in [
        ("intake.redis.stream", &redis.stream),
        ("intake.redis.group", &redis.group),
        ("intake.redis.consumer", &redis.consumer),
    ] {
        if name.is_empty() {
            return Some((key, empty));
        }
    }
    let named = |one: &String| {
        let name = one.split_once('=').map(|(name, _)| name);
        name.is_some_and(|name| RedisConfig::ACCEPTABLE.contains(&name))
    };
    let reason = "each is `name=value`, as the message that refuses a server writes it; the names \
                  are appendonly, appendfsync, maxmemory-policy and settings";
    (!redis.accept.iter().all(named)).then_some(("intake.redis.accept", reason))
}

fn claim_check(store: &ClaimCheckConfig) -> Option<Wrong> {
    let url = store.url.as_ref()?;
    if cfg!(not(feature = "claim-check")) {
        let reason = "this hooklog was built without object stores; build it with `--features \
                      claim-check`, or take one that was built with `--features full`";
        return Some(("intake.claim_check.url", reason));
    }
    let scheme = Url::parse(url).ok().map(|url| url.scheme().to_owned());
    match scheme.as_deref() {
        Some("file") => None,
        Some("s3") if store.access_key_id.is_some() != store.access_key_file.is_some() => {
            let reason = "an access key has an id and a secret: set `access_key_id` and \
                          `access_key_file`, or neither";
            Some(("intake.claim_check.access_key_id", reason))
        }
        Some("s3") => None,
        Some("azure") if store.account.is_none() => {
            let reason = "Azure needs the name of the storage account";
            Some(("intake.claim_check.account", reason))
        }
        Some("azure") => None,
        _ => {
            let reason = "it is file:///folder, s3://bucket/prefix or azure://container/prefix";
            Some(("intake.claim_check.url", reason))
        }
    }
}
