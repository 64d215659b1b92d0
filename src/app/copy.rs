//! `hooklog log copy`: which logs.

use super::log;
use super::open::data_folder;
use crate::clock::{Clock as _, System};
use crate::config::{self, Config, LogConfig};
use crate::log::copy::{Copied, Progress, copy};
use crate::log::embedded::{EmbeddedLog, OpenError};
use crate::log::{EventLog, ReadLimit};
use crate::metrics::Metrics;
use anyhow::{Context as _, ensure};
use hooklog_schemas::{Event, EventId, Offset, Partition, Position, Topic};
use prometheus_client::registry::Registry;
use std::path::Path;
use std::sync::Arc;

/// Copies one log to another. Each is named by a data folder, or by the configuration file of the
/// server that uses it, which ends in `.toml`.
///
/// # Errors
/// When there is no log to copy, a server owns one of the folders, or the logs do not fit or fail.
pub async fn between(
    from: &Path,
    to: &Path,
    progress: impl FnMut(Progress) + Send,
) -> anyhow::Result<Copied> {
    ensure!(from != to, "a log cannot be copied to itself");
    let source = source(from).await;
    let source = source.with_context(|| format!("opening {}", from.display()))?;
    let partitions = source.partitions(Topic::Webhooks);
    let id = log_id(source.as_ref()).await?;
    let target = target(to, partitions, id).await;
    let target = target.with_context(|| format!("opening {}", to.display()))?;
    Ok(copy(source.as_ref(), target.as_ref(), System.now(), progress).await?)
}

async fn source(place: &Path) -> anyhow::Result<Arc<dyn EventLog>> {
    let mut config = configuration(place)?;
    if log::is_in_the_folder(&config.log) {
        let data = config.data.display();
        ensure!(
            config.data.join("log").is_dir(),
            "there is no log in {data}"
        );
        // Nobody knows by heart how many partitions a folder has; the folder itself does.
        if let Err(OpenError::Partitions { found, .. }) = embedded(&config) {
            config.log.partitions = found;
        }
    }
    Ok(log::open(&config, &metrics()).await?.log)
}

/// The id that `log.created` names; none while the log is empty.
async fn log_id(log: &dyn EventLog) -> anyhow::Result<Option<EventId>> {
    let start = Position::new(Topic::Control, Partition(0), Offset(0));
    let records = log.read(start, ReadLimit::default()).await?;
    let first = records.first().map(|record| Event::decode(record));
    Ok(match first.transpose()? {
        Some(Event::LogCreated(created)) => Some(created.log_id),
        _ => None,
    })
}

async fn target(
    place: &Path,
    partitions: u32,
    of: Option<EventId>,
) -> anyhow::Result<Arc<dyn EventLog>> {
    let mut config = configuration(place)?;
    data_folder(&config.data)?;
    if log::is_in_the_folder(&config.log) {
        config.log.partitions = partitions;
    }
    if let (true, Some(of)) = (log::is_in_the_folder(&config.log), of) {
        let copy = EmbeddedLog::open_copy(&config.data, &config.log, metrics(), of);
        return Ok(Arc::new(copy?));
    }
    Ok(log::open(&config, &metrics()).await?.log)
}

fn configuration(place: &Path) -> anyhow::Result<Config> {
    if place
        .extension()
        .is_none_or(|extension| extension != "toml")
    {
        return Ok(Config {
            data: place.to_owned(),
            log: LogConfig {
                // Nothing is received here, so nothing needs a reserve.
                reserve_bytes: 0,
                ..LogConfig::default()
            },
            ..Config::default()
        });
    }
    let sources = config::Sources {
        file: Some(place.to_owned()),
        environment: Vec::<(String, String)>::new(),
        flags: Vec::new(),
    };
    Ok(config::load(sources)?.config)
}

fn embedded(config: &Config) -> Result<EmbeddedLog, OpenError> {
    EmbeddedLog::open(&config.data, &config.log, metrics())
}

fn metrics() -> Metrics {
    Metrics::register(&mut Registry::default())
}
