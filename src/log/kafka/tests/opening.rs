//! What is wrong is said at the start, with what to change.

use super::broker::{Topics, nobodys, variable};
use crate::config::{LogConfig, Mechanism, Security};
use crate::log::kafka::{KafkaLog, Made, OpenError, make_topics};
use crate::log::{EventLog, ReadLimit, conformance};
use crate::metrics::Metrics;
use hooklog_schemas::Topic;
use std::io::Write as _;
use std::path::PathBuf;
use tempfile::NamedTempFile;

async fn refused(config: &LogConfig) -> OpenError {
    let metrics = Metrics::register(&mut Default::default());
    let folder = tempfile::tempdir().unwrap();
    let opened = KafkaLog::open(folder.path(), config, metrics).await;
    opened.err().unwrap()
}

fn password(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "{text}").unwrap();
    file
}

fn as_user(topics: &Topics, mechanism: Mechanism, user: &str, file: &NamedTempFile) -> LogConfig {
    let mut config = topics.config.clone();
    config.kafka.brokers = vec![variable("HOOKLOG_TEST_KAFKA_SASL")];
    config.kafka.security = Security::SaslPlaintext;
    config.kafka.sasl_mechanism = mechanism;
    config.kafka.username = Some(user.to_owned());
    config.kafka.password_file = Some(file.path().to_owned());
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_made_once_and_looked_at_afterwards() {
    let topics = nobodys();
    let made = make_topics(&topics.config).await.unwrap();
    assert_eq!(
        made[2],
        Made::New {
            topic: topics.name(Topic::Control),
            partitions: 1,
            replicas: 1
        }
    );
    let again = make_topics(&topics.config).await.unwrap();
    let names = ["webhooks", "deliveries", "control", "snapshots"];
    let fits = |name| Made::Fits {
        topic: format!("{}{name}", topics.config.kafka.topic_prefix),
    };
    assert_eq!(again, names.map(fits));
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_are_not_there_are_named() {
    let mut topics = nobodys();
    // The discard port of this machine, where nobody listens.
    topics.config.kafka.brokers = vec!["127.0.0.1:9".into()];
    let told = refused(&topics.config).await.to_string();
    for part in [
        "127.0.0.1:9",
        "log.kafka.brokers",
        "refused",
        "is Kafka running",
    ] {
        assert!(told.contains(part), "{told} lacks {part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_topic_is_named_with_the_command_that_makes_it() {
    let topics = nobodys();
    let told = refused(&topics.config).await.to_string();
    assert!(told.contains(&topics.name(Topic::Webhooks)), "{told}");
    assert!(told.contains("hooklog log init"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_number_of_partitions_is_refused_and_the_right_one_named() {
    let mut topics = Topics::make().await;
    topics.config.partitions = 5;
    let told = refused(&topics.config).await.to_string();
    assert!(
        told.contains("has 3 partitions, and 5 are expected"),
        "{told}"
    );
    assert!(told.contains("set log.partitions = 3"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unsafe_settings_are_read_back_and_refused_all_at_once() {
    let topics = Topics::make().await;
    let webhooks = [
        ("cleanup.policy", "delete"),
        ("max.message.bytes", "1000000"),
    ];
    topics.set(Topic::Webhooks, &webhooks).await;
    let deliveries = [("min.insync.replicas", "2")];
    topics.set(Topic::Deliveries, &deliveries).await;
    let told = refused(&topics.config).await.to_string();
    for part in [
        "webhooks: cleanup.policy is delete, and must be compact",
        "webhooks: max.message.bytes is 1000000, and must be at least 46137344",
        "deliveries: min.insync.replicas is 2, and must be at most 1",
        "--add-config max.message.bytes=46137344",
    ] {
        assert!(told.contains(part), "{told} lacks {part}");
    }
    let again = make_topics(&topics.config).await;
    assert!(matches!(again, Err(OpenError::Unsafe(_))), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_get_in_by_password_and_by_challenge() {
    let topics = Topics::make().await;
    let file = password("secret of a test");
    for (mechanism, user) in [
        (Mechanism::Plain, "hooklog"),
        (Mechanism::Plain, "$ConnectionString"),
        (Mechanism::ScramSha256, "hooklog"),
        (Mechanism::ScramSha512, "hooklog"),
    ] {
        let config = as_user(&topics, mechanism, user, &file);
        let metrics = Metrics::register(&mut Default::default());
        let folder = tempfile::tempdir().unwrap();
        let log = KafkaLog::open(folder.path(), &config, metrics)
            .await
            .unwrap();
        let sent = conformance::append(0, user);
        log.append(Topic::Control, vec![sent]).await.unwrap();
    }
    let log: conformance::Log = std::sync::Arc::new(topics.open().await);
    let read = conformance::everything(&log, Topic::Control, 0, ReadLimit::default()).await;
    assert_eq!(read.len(), 4);
}

/// A file with a token that the broker takes, and a configuration that names it.
fn by_token(topics: &Topics) -> (LogConfig, NamedTempFile) {
    use base64::Engine as _;
    let now = jiff::Timestamp::now().as_second();
    let claims = serde_json::json!({"sub": "hooklog", "iat": now, "exp": now + 600});
    let encode = |text: String| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(text);
    let head = encode(r#"{"alg":"none"}"#.to_owned());
    let file = password(&format!("{head}.{}.", encode(claims.to_string())));
    let mut config = as_user(topics, Mechanism::OauthBearer, "", &file);
    config.kafka.username = None;
    config.kafka.token_file = config.kafka.password_file.take();
    (config, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_from_a_file_gets_in_too() {
    let topics = Topics::make().await;
    let (config, _file) = by_token(&topics);
    let metrics = Metrics::register(&mut Default::default());
    let folder = tempfile::tempdir().unwrap();
    let log = KafkaLog::open(folder.path(), &config, metrics)
        .await
        .unwrap();
    let sent = conformance::append(0, "by token");
    log.append(Topic::Control, vec![sent]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_a_token_only_is_told_how_to_make_the_topics_and_to_look_at_them() {
    let topics = nobodys();
    let (config, _file) = by_token(&topics);
    let told = make_topics(&config).await.unwrap_err().to_string();
    for part in [
        "OAUTHBEARER",
        "kafka-topics.sh",
        &topics.name(Topic::Deliveries),
        "--partitions 3 --replication-factor 1",
        "--config cleanup.policy=compact",
        "--config max.message.bytes=46137344",
    ] {
        assert!(told.contains(part), "{told} lacks {part}");
    }
    make_topics(&topics.config).await.unwrap();
    let made = make_topics(&config).await.unwrap();
    let unread = |made: &Made| matches!(made, Made::Unread { shown_by, .. } if shown_by.contains("--describe"));
    assert!(made.iter().all(unread), "{made:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_show_a_certificate() {
    let topics = Topics::make().await;
    let mut config = topics.config.clone();
    config.kafka.brokers = vec![variable("HOOKLOG_TEST_KAFKA_TLS")];
    config.kafka.security = Security::Ssl;
    let folder = PathBuf::from(variable("HOOKLOG_TEST_KAFKA_CERTIFICATES"));
    let stranger = refused(&config).await.to_string();
    assert!(stranger.contains("log.kafka.ca_file"), "{stranger}");
    config.kafka.ca_file = Some(folder.join("ca.pem"));
    config.kafka.cert_file = Some(folder.join("client.pem"));
    config.kafka.key_file = Some(folder.join("client-key.pem"));
    let metrics = Metrics::register(&mut Default::default());
    let data = tempfile::tempdir().unwrap();
    let log = KafkaLog::open(data.path(), &config, metrics).await.unwrap();
    let sent = conformance::append(0, "in secret");
    log.append(Topic::Control, vec![sent]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_at_once_and_never_shown() {
    let topics = nobodys();
    let file = password("canary-of-a-password");
    let config = as_user(&topics, Mechanism::Plain, "hooklog", &file);
    let told = refused(&config).await;
    assert!(matches!(told, OpenError::Refused(_)), "{told}");
    let told = told.to_string();
    assert!(
        told.contains("password_file") && !told.contains("canary"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_has_one_owner_wherever_the_log_is() {
    let topics = Topics::make().await;
    let folder = tempfile::tempdir().unwrap();
    let metrics = Metrics::register(&mut Default::default());
    let open = || KafkaLog::open(folder.path(), &topics.config, metrics.clone());
    let first = open().await.unwrap();
    let told = open().await.err().unwrap().to_string();
    assert!(told.contains(&std::process::id().to_string()), "{told}");
    drop(first);
    assert!(open().await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_missing_is_named_with_its_key() {
    let topics = nobodys();
    let mut config = topics.config.clone();
    config.kafka.ca_file = Some("/nowhere/ca.pem".into());
    let told = refused(&config).await.to_string();
    assert!(
        told.starts_with("log.kafka.ca_file = /nowhere/ca.pem: "),
        "{told}"
    );
}
