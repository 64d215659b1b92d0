//! A log in a format that this release does not read: every process of it says so, and stops.

use crate::harness::process::{Process, hooklog};
use hooklog::app::log;
use hooklog::config::Config;
use hooklog::metrics::Metrics;
use hooklog_schemas::control::{By, FormatRaised};
use hooklog_schemas::{Append, Event, EventId, FORMAT, Key, Partition, Timestamp, Topic};
use uuid::Uuid;

/// Raises the log as the next release would.
pub(crate) async fn raise(config: &Config) {
    let raised = FormatRaised {
        format: FORMAT + 1,
        by: By {
            actor: "ann".into(),
            from: "local".into(),
            at: Timestamp(0),
            why: None,
        },
    };
    let (event_type, version, value) = Event::from(raised).encode().unwrap();
    let append = Append {
        partition: Partition(0),
        event_id: EventId(Uuid::new_v4()),
        key: Key(Uuid::new_v4()),
        event_type,
        version,
        epoch: None,
        at: Timestamp(0),
        headers: Vec::new(),
        value: Some(value),
    };
    let metrics = Metrics::register(&mut Default::default());
    let log = log::open(config, &metrics).await.unwrap().log;
    log.append(Topic::Control, vec![append]).await.unwrap();
}

/// Whether the command did well, and what it said on standard error.
fn told(arguments: &[&str]) -> (bool, String) {
    let output = hooklog(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_outgrew_this_release_is_refused_with_what_to_do_and_can_be_verified() {
    let mut server = Process::start(tempfile::tempdir().unwrap(), "").await;
    server.guard.signal("TERM");
    assert!(server.ended().await.success());
    let data = server.folder.path().join("data");
    raise(&Config {
        data: data.clone(),
        ..Config::default()
    })
    .await;
    let data = data.display().to_string();
    let any = "127.0.0.1:0";
    for command in [
        &[
            "serve",
            "--listen",
            any,
            "--api-listen",
            any,
            "--data",
            &data,
        ][..],
        &["rebuild", "--data", &data],
        &["key", "check", "--data", &data],
        &["log", "dump", "--data", &data],
    ] {
        let (well, said) = told(command);
        assert!(!well, "{command:?}");
        let what_to_do = "run the release that raised it, or a newer one";
        assert!(said.contains(what_to_do), "{command:?}: {said}");
    }
    let (whole, said) = told(&["log", "verify", "--data", &data]);
    assert!(whole, "{said}");
}
