//! What is wrong is said at the start, with what to change.

use super::server::{Server, Stream, file, variable};
use crate::intake::Intake;
use crate::intake::redis::{OpenError, RedisIntake};
use bytes::Bytes;
use std::path::PathBuf;

async fn refused(stream: &Stream) -> String {
    let opened = RedisIntake::open(&stream.config).await;
    opened.err().unwrap().to_string()
}

fn all_of(told: &str, parts: &[&str]) {
    for part in parts {
        assert!(told.contains(part), "{told} lacks {part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_named() {
    // The discard port of this machine, where nobody listens.
    let told = refused(&Stream::at("redis://127.0.0.1:9".to_owned())).await;
    all_of(
        &told,
        &[
            "redis://127.0.0.1:9",
            "intake.redis.url",
            "refused",
            "is it running",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn unsafe_settings_are_refused_all_at_once_unless_each_is_accepted_by_name() {
    let mut stream = Stream::at(variable("HOOKLOG_TEST_REDIS_VOLATILE"));
    let told = refused(&stream).await;
    all_of(
        &told,
        &[
            "appendonly is no, and must be yes",
            "appendfsync is everysec, and must be always",
            "maxmemory-policy is allkeys-lru, and must be noeviction",
            "intake.redis.accept = [\"appendonly=no\"]",
        ],
    );
    stream.config.accept = vec!["appendonly=no".into(), "appendfsync=everysec".into()];
    let told = refused(&stream).await;
    assert!(
        told.contains("maxmemory-policy") && !told.contains("appendonly"),
        "{told}"
    );
    stream
        .config
        .accept
        .push("maxmemory-policy=allkeys-lru".into());
    stream.open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_and_never_shown() {
    let mut stream = Stream::new();
    stream.config.password_file = Some(file("canary-of-a-password"));
    let told = refused(&stream).await;
    all_of(&told, &["intake.redis.username", "password_file"]);
    assert!(!told.contains("canary"), "{told}");
    stream.config.password_file = None;
    all_of(&refused(&stream).await, &["password_file"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_missing_is_named_with_its_key() {
    let mut stream = Stream::new();
    stream.config.password_file = Some("/nowhere/password".into());
    let told = refused(&stream).await;
    assert!(
        told.starts_with("intake.redis.password_file = /nowhere/password: "),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_kind_is_refused() {
    let stream = Stream::new();
    let queue = stream.clone().open().await;
    let mut other = stream.clone();
    other.config.stream = format!("{}.other", stream.config.stream);
    let mut set = redis::cmd("SET");
    set.arg(&other.config.stream).arg("a text");
    queue.asking.ask::<()>(&set).await.unwrap();
    all_of(
        &refused(&other).await,
        &["WRONGTYPE", "intake.redis.stream"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_refused_with_the_word_primary() {
    let server = Server::start(&[]);
    let primary = server.port().to_string();
    let replica = Server::start(&["--replicaof", "127.0.0.1", &primary]);
    let told = refused(&replica.stream()).await;
    all_of(&told, &["read only replica", "names the primary"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_that_are_documented_are_enough_for_a_user() {
    let server = Server::start(&[]);
    let admin = server.stream().open().await;
    let mut user = redis::cmd("ACL");
    user.arg("SETUSER")
        .arg("hooklog")
        .arg("on")
        .arg(">secret of a test")
        .arg("~hooklog.*");
    let documented = include_str!("../../../../docs/intake.md");
    let line = documented
        .lines()
        .find_map(|line| line.trim().strip_prefix("ACL SETUSER hooklog "));
    let rules = line.expect("docs/intake.md has the line");
    for rule in rules.split(' ').filter(|rule| rule.starts_with('+')) {
        user.arg(rule);
    }
    admin.asking.ask::<()>(&user).await.unwrap();
    let mut stream = server.stream();
    stream.config.stream = "hooklog.intake".to_owned();
    stream.config.username = Some("hooklog".to_owned());
    stream.config.password_file = Some(file("secret of a test"));
    let queue = stream.clone().open().await;
    queue
        .enqueue(vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")])
        .await
        .unwrap();
    let received = queue.receive(2).await.unwrap();
    queue.set_aside(received[0].clone()).await.unwrap();
    queue
        .acknowledge(vec![received[1].token.clone()])
        .await
        .unwrap();
    assert_eq!(queue.bring_back().await.unwrap(), 1);
    assert_eq!(queue.depth().await.unwrap().waiting, Some(1));
    let mut without = stream;
    admin
        .asking
        .ask::<()>(redis::cmd("ACL").arg(&["SETUSER", "hooklog", "-config|get"]))
        .await
        .unwrap();
    all_of(
        &refused(&without).await,
        &["CONFIG|GET", "settings=unknown"],
    );
    without.config.accept = vec!["settings=unknown".to_owned()];
    without.open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_show_a_certificate() {
    let folder = PathBuf::from(variable("HOOKLOG_TEST_REDIS_CERTIFICATES"));
    let url = variable("HOOKLOG_TEST_REDIS_TLS");
    let address = url.rsplit_once('@').unwrap().1;
    let mut stream = Stream::new();
    stream.config.url = format!("rediss://{address}");
    all_of(&refused(&stream).await, &["intake.redis.ca_file"]);
    stream.config.ca_file = Some(folder.join("ca.pem"));
    stream.config.cert_file = Some(folder.join("client.pem"));
    stream.config.key_file = Some(folder.join("client-key.pem"));
    let queue = stream.open().await;
    queue
        .enqueue(vec![Bytes::from_static(b"in secret")])
        .await
        .unwrap();
    assert_eq!(queue.receive(1).await.unwrap()[0].bytes, &b"in secret"[..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_no_outage() {
    let mut stream = Stream::new();
    stream.config.password_file = Some(file("wrong"));
    let opened = RedisIntake::open(&stream.config).await;
    assert!(matches!(opened, Err(OpenError::Refused { .. })));
    let absent = RedisIntake::open(&Stream::at("redis://127.0.0.1:9".to_owned()).config).await;
    assert!(matches!(absent, Err(OpenError::Unreachable { .. })));
}
