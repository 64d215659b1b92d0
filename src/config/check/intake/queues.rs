//! What must fit together in `[intake.amqp]`, `[intake.sqs]` and `[intake.eventhubs]`.

use super::Wrong;
use crate::config::{AmqpConfig, EventHubsConfig, SqsConfig};
use url::Url;

const CERTIFICATE: &str = "a certificate and its key go together: set `cert_file` and `key_file`";
const ACCEPT: &str = "each is `name=value`, as the message that refuses a queue writes it";
const NAME: &str = "it needs a name";
const SAME: &str = "what is set aside needs a place of its own";

pub(super) fn amqp(amqp: &AmqpConfig) -> Option<Wrong> {
    if amqp.nodes.is_empty() {
        let reason = "name some nodes, as in [\"rabbit-1.acme.example:5671\"]";
        return Some(("intake.amqp.nodes", reason));
    }
    if amqp.cert_file.is_some() != amqp.key_file.is_some() {
        return Some(("intake.amqp.cert_file", CERTIFICATE));
    }
    if !amqp.tls && (amqp.ca_file.is_some() || amqp.cert_file.is_some()) {
        return Some((
            "intake.amqp.tls",
            "certificates are for TLS; set it to true",
        ));
    }
    if amqp.username.is_none() && amqp.cert_file.is_none() {
        let reason = "name the user, or the certificate that says who we are in `cert_file`";
        return Some(("intake.amqp.username", reason));
    }
    if amqp.username.is_some() != amqp.password_file.is_some() {
        let reason = "a user and a password go together: set `username` and `password_file`";
        return Some(("intake.amqp.password_file", reason));
    }
    let queues = [
        ("intake.amqp.queue", amqp.queue.as_str()),
        ("intake.amqp.aside_queue", amqp.aside_queue.as_str()),
    ];
    names(queues).or_else(|| {
        let wrong = !accepts(&amqp.accept, &AmqpConfig::ACCEPTABLE);
        wrong.then_some(("intake.amqp.accept", ACCEPT))
    })
}

pub(super) fn sqs(sqs: &SqsConfig) -> Option<Wrong> {
    if sqs.access_key_id.is_some() != sqs.access_key_file.is_some() {
        let reason = "an access key has an id and a secret: set `access_key_id` and \
                      `access_key_file`, or neither";
        return Some(("intake.sqs.access_key_id", reason));
    }
    let is_url = |url: &String| Url::parse(url).is_ok_and(|url| url.has_host());
    if sqs.endpoint.as_ref().is_some_and(|url| !is_url(url)) {
        return Some((
            "intake.sqs.endpoint",
            "it is a URL, as in https://sqs.acme.example",
        ));
    }
    let queues = [
        ("intake.sqs.queue", sqs.queue.as_str()),
        ("intake.sqs.aside_queue", sqs.aside_queue.as_str()),
    ];
    names(queues).or_else(|| {
        let wrong = !accepts(&sqs.accept, &SqsConfig::ACCEPTABLE);
        wrong.then_some(("intake.sqs.accept", ACCEPT))
    })
}

pub(super) fn eventhubs(hubs: &EventHubsConfig) -> Option<Wrong> {
    if hubs.connection_string_file.is_none() {
        let reason = "name the file that holds the connection string, as the portal shows it";
        return Some(("intake.eventhubs.connection_string_file", reason));
    }
    if hubs.group.is_empty() {
        return Some(("intake.eventhubs.group", NAME));
    }
    let names_ = [
        ("intake.eventhubs.hub", hubs.hub.as_str()),
        ("intake.eventhubs.aside_hub", hubs.aside_hub.as_str()),
    ];
    names(names_).or_else(|| {
        let wrong = !accepts(&hubs.accept, &EventHubsConfig::ACCEPTABLE);
        wrong.then_some(("intake.eventhubs.accept", ACCEPT))
    })
}

fn names(names: [(&'static str, &str); 2]) -> Option<Wrong> {
    let empty = names.iter().find(|(_, name)| name.is_empty());
    let empty = empty.map(|(key, _)| (*key, NAME));
    empty.or_else(|| (names[0].1 == names[1].1).then_some((names[1].0, SAME)))
}

fn accepts(accepted: &[String], acceptable: &[&str]) -> bool {
    accepted.iter().all(|one| {
        let name = one.split_once('=').map(|(name, _)| name);
        name.is_some_and(|name| acceptable.contains(&name))
    })
}
