//! A spool that is looked at, and one that is emptied.

use super::*;
use crate::app::open::open;
use crate::cli::args::{Format, Shown};
use crate::clock::System;
use crate::config::SpoolConfig;
use crate::log::EventLog;
use crate::log::embedded::{EmbeddedBuffer, EmbeddedLog};
use crate::metrics::Metrics;
use crate::receive::Inlet as _;
use crate::spool::tests::support::{Flaky, Way, over, webhook};
use hooklog_schemas::{EventId, Offset, Partition, Topic};
use prometheus_client::registry::Registry;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

const WEBHOOKS: u64 = 30;

struct Given {
    data: TempDir,
    folder: TempDir,
}

/// A log in a data folder, and a spool in another with webhooks for it.
fn given() -> Given {
    let given = Given {
        data: tempfile::tempdir().unwrap(),
        folder: tempfile::tempdir().unwrap(),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let id = made_log(given.data.path()).await;
        let config = SpoolConfig {
            reserve_bytes: 0,
            ..SpoolConfig::default()
        };
        let buffer = EmbeddedBuffer::open(given.folder.path(), id, &config).unwrap();
        let way = Flaky::before(&Arc::new(crate::log::memory::MemoryLog::new(3)));
        way.set(Way::Refuses);
        let spool = over(Arc::new(buffer), &way);
        for number in 0..WEBHOOKS {
            spool.put(webhook(number)).await.unwrap();
        }
    });
    given
}

fn log(data: &Path) -> EmbeddedLog {
    let config = crate::config::LogConfig {
        reserve_bytes: 0,
        partitions: 3,
        ..Default::default()
    };
    EmbeddedLog::open(data, &config, Metrics::register(&mut Registry::default())).unwrap()
}

async fn made_log(data: &Path) -> EventId {
    let mut loaded = config::load(config::Sources::<Vec<_>>::default()).unwrap();
    loaded.config.data = data.to_owned();
    loaded.config.log.partitions = 3;
    let opened = open(Arc::new(log(data)), Arc::new(System), &loaded).await;
    opened.unwrap().control.current().log.unwrap().0
}

impl Given {
    fn place(&self) -> Place {
        let file = self.data.path().join("hooklog.toml");
        let text = "[log]\npartitions = 3\n";
        std::fs::write(&file, text).unwrap();
        Place {
            configuration: ConfigurationArgs {
                data: Some(self.data.path().to_owned()),
                config: Some(file),
                ..ConfigurationArgs::default()
            },
            folder: Some(self.folder.path().to_owned()),
        }
    }

    fn stats(&self) -> serde_json::Value {
        let stats = stats::Stats {
            place: self.place(),
            shown: Shown {
                output: Format::Json,
            },
        };
        let mut out = Vec::new();
        stats.run(&mut out).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    fn drain(&self) -> anyhow::Result<String> {
        let drain = drain::Drain {
            place: self.place(),
            shown: Shown::default(),
        };
        let mut out = Vec::new();
        drain.run(&mut out, false)?;
        Ok(String::from_utf8(out)?)
    }
}

#[test]
fn a_stopped_receiver_s_spool_is_emptied_into_the_log_and_the_stats_tell_how_much_waits() {
    let given = given();
    let stats = given.stats();
    assert_eq!(stats["webhooks"], WEBHOOKS);
    assert!(stats["bytes"].as_u64().unwrap() > 0);
    assert_eq!(stats["oldest_received_at"], "2026-11-01T12:00:00.000000Z");
    assert!(stats["process"].is_null());
    let said = given.drain().unwrap();
    assert!(said.starts_with("30 webhooks are in the log now"), "{said}");
    assert_eq!(given.stats()["webhooks"], 0);
    assert_eq!(given.drain().unwrap(), "the spool is empty\n");
    let log = log(given.data.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tail = |partition| {
        let bounds = log.bounds(Topic::Webhooks, Partition(partition));
        runtime.block_on(bounds).unwrap().tail
    };
    let all: u64 = (0..3).map(|partition| tail(partition).0).sum();
    assert_eq!(Offset(all), Offset(WEBHOOKS));
}

#[test]
fn a_server_that_has_the_log_or_no_spool_at_all_is_told() {
    let given = given();
    let server = log(given.data.path());
    let said = format!("{:#}", given.drain().unwrap_err());
    assert!(said.contains("stop it first"), "{said}");
    drop(server);
    let nothing = Given {
        data: tempfile::tempdir().unwrap(),
        folder: tempfile::tempdir().unwrap(),
    };
    let said = nothing.drain().unwrap_err().to_string();
    assert!(said.contains("there is no spool"), "{said}");
    assert!(!nothing.data.path().join("log").exists());
}
