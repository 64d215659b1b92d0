//! What is done to a data folder while no server owns it.

use super::log;
use super::open::check_secrets;
use super::tables;
use crate::clock;
use crate::config::Config;
use crate::keyring::Keyring;
use crate::log::EventLog;
#[cfg(test)]
use crate::log::embedded::EmbeddedLog;
pub use crate::log::embedded::OfflineLog;
use crate::log::embedded::OpenError;
use crate::metrics::Metrics;
use crate::project::{self, Listing, Order, Progress, ProjectionStore, ProjectorParts, Rebuilt};
use anyhow::{Context as _, bail};
use hooklog_projections::configuration::Configuration;
use hooklog_schemas::{Event, Topic};
use prometheus_client::registry::Registry;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file of the tables in the data folder, where they are kept there.
#[must_use]
pub fn file_of_tables(data: &Path) -> PathBuf {
    data.join("tables.sqlite")
}

/// Rebuilds what `order` says, from the log.
///
/// # Errors
/// When there is no log, a server owns the folder, a name is unknown, or log or tables fail.
pub async fn rebuild(
    config: &Config,
    order: &Order,
    progress: impl FnMut(Progress) + Send,
) -> anyhow::Result<Rebuilt> {
    Ok(project::rebuild(parts(config).await?, order, progress).await?)
}

/// Switches back to the set `name` of tables that were replaced, or to the last that were.
///
/// # Errors
/// As for [`rebuild`], and when there is no such set.
pub async fn switch_back(
    config: &Config,
    name: Option<&str>,
    order: &Order,
    progress: impl FnMut(Progress) + Send,
) -> anyhow::Result<Rebuilt> {
    Ok(project::switch_back(parts(config).await?, name, order, progress).await?)
}

/// The sets of tables that there are; the log is not touched.
///
/// # Errors
/// When there are no tables, or they cannot be read.
pub async fn sets(config: &Config) -> anyhow::Result<Listing> {
    let mut store = existing(config).await?;
    Ok(Listing::of(store.as_mut()).await?)
}

/// Drops a set of tables that is kept, or a build that was given up; the log is not touched.
///
/// # Errors
/// When there is no such set, or it is worked on.
pub async fn drop_set(config: &Config, name: &str) -> anyhow::Result<()> {
    let mut store = existing(config).await?;
    let writer = tables::writer(clock::event_id());
    Ok(project::drop_set(store.as_mut(), name, &writer, &config.project).await?)
}

async fn parts(config: &Config) -> anyhow::Result<ProjectorParts> {
    let metrics = Metrics::register(&mut Registry::default());
    Ok(ProjectorParts {
        log: existing_log(config, &metrics).await?,
        store: tables::writing(config).await?,
        metrics,
        config: config.project.clone(),
        writer: tables::writer(clock::event_id()),
    })
}

/// The log of `data`, for looking only.
///
/// # Errors
/// There is none, or a server has it open.
pub fn look(data: &Path) -> anyhow::Result<OfflineLog> {
    let folder = data.join("log");
    let is_there = |topic: Topic| folder.join(topic.as_str()).is_dir();
    if folder.is_dir() && !Topic::ALL.into_iter().any(is_there) {
        bail!(
            "there is no log in {}: its configuration keeps the log elsewhere (log.kind)",
            data.display()
        );
    }
    match OfflineLog::open(data) {
        Err(OpenError::Io { path, error }) if error.kind() == io::ErrorKind::NotFound => {
            bail!("there is no log: {path} does not exist; name its folder with --data")
        }
        Err(error @ OpenError::InUse { .. }) => Err(error).context(
            "a server has this log open; this command works while none does \
             (`hooklog status` and `hooklog tail` ask the server)",
        ),
        opened => Ok(opened?),
    }
}

/// A key file that was tried.
pub struct TriedKeys {
    /// The ids of its keys, the one that seals first.
    pub ids: Vec<String>,
    /// Secrets of the log that it opened; none if there is no log yet.
    pub secrets: Option<usize>,
}

/// Reads the key file `path`, and opens every secret in the log of `data` with it. A server may
/// have the log open.
///
/// # Errors
/// When the key file is not in order or not the log's, or the log cannot be read.
pub fn try_keys(data: &Path, path: &Path) -> anyhow::Result<TriedKeys> {
    let keyring = Keyring::read(path)?;
    let secrets = match data.join("log").is_dir() {
        true => Some(check_secrets(&keyring, &control_beside(data)?)?),
        false => None,
    };
    let ids = keyring.ids().map(str::to_owned).collect();
    Ok(TriedKeys { ids, secrets })
}

/// The configuration at the end of the log.
///
/// # Errors
/// When `control` is damaged, or holds an event that this release does not know.
pub fn configuration(log: &OfflineLog) -> anyhow::Result<Configuration> {
    let mut configuration = Configuration::default();
    let mut unknown = None;
    log.records(
        Topic::Control,
        &mut |record, _| match Event::decode(&record) {
            Ok(event) => {
                configuration.fold(record.position.offset, record.event_id, &event);
                ControlFlow::Continue(())
            }
            Err(error) => {
                unknown = Some(error);
                ControlFlow::Break(())
            }
        },
    )?;
    match unknown {
        Some(error) => Err(error.into()),
        None => Ok(configuration),
    }
}

/// Times that `control` is read while a server writes it.
const TRIES: usize = 3;

fn control_beside(data: &Path) -> anyhow::Result<Configuration> {
    match OfflineLog::open(data) {
        Err(OpenError::InUse { .. }) => {}
        opened => return configuration(&opened?),
    }
    // What is being written may look torn in the middle; a moment later it does not.
    let mut read = configuration(&OfflineLog::beside(data));
    for _ in 1..TRIES {
        if read.is_ok() {
            break;
        }
        read = configuration(&OfflineLog::beside(data));
    }
    read
}

/// Hands the canonical dump of the tables to `each`, line by line; the log is not touched.
///
/// # Errors
/// When there are no tables, or they cannot be read.
pub async fn dump(config: &Config, each: impl FnMut(&str)) -> anyhow::Result<()> {
    let mut store = existing(config).await?;
    Ok(project::dump(store.as_mut(), each).await?)
}

/// SHA-256 of the canonical dump of the tables, in hex.
///
/// # Errors
/// When there are no tables, or they cannot be read.
pub async fn hash(config: &Config) -> anyhow::Result<String> {
    let mut store = existing(config).await?;
    Ok(project::hash(store.as_mut()).await?)
}

/// Opens the tables that are there; it makes none.
async fn existing(config: &Config) -> anyhow::Result<Box<dyn ProjectionStore>> {
    let data = config.data.display();
    if tables::are_in_the_folder(config) && !file_of_tables(&config.data).is_file() {
        bail!("there are no tables in {data}; name the folder of a server with --data");
    }
    let mut store = tables::writing(config).await?;
    if store.stored().await?.is_none() {
        bail!("there are no tables yet; a server makes them, or `hooklog rebuild`");
    }
    Ok(store)
}

/// Opens the log that is there; it makes none.
pub(super) async fn existing_log(
    config: &Config,
    metrics: &Metrics,
) -> anyhow::Result<Arc<dyn EventLog>> {
    let data = config.data.display();
    if log::is_in_the_folder(&config.log) && !config.data.join("log").is_dir() {
        bail!("there is no log in {data}; name the folder of a server with --data");
    }
    let opened = log::open(config, metrics).await;
    match opened {
        Err(error) if log::is_in_use(&error) => Err(error.context(format!(
            "a server owns {data}: stop it, or have it done by the server while it runs: give \
             --server URL instead of --data and --config"
        ))),
        opened => Ok(opened?.log),
    }
}

/// A log of one partition in `data`, for tests that need one on disk.
#[cfg(test)]
pub(crate) fn empty(data: &Path) -> Arc<dyn crate::log::EventLog> {
    let config = crate::config::LogConfig {
        partitions: 1,
        reserve_bytes: 0,
        ..Default::default()
    };
    let metrics = Metrics::register(&mut Registry::default());
    Arc::new(EmbeddedLog::open(data, &config, metrics).unwrap())
}
