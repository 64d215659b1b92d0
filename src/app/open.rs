//! From a data folder to an open log, its keys and its configuration.

pub mod away;
mod keys;
mod references;

pub(super) use keys::check_secrets;

use super::log;
use crate::clock::{self, Clock, System};
use crate::config::{Config, Loaded, Roles};
use crate::control::Control;
use crate::keyring::Keyring;
use crate::log::EventLog;
use crate::metrics::Metrics;
use crate::worker::{SnapshotFiles, SnapshotStore};
use anyhow::{Context as _, bail};
use away::Awaited;
use hooklog_projections::configuration::Configuration;
use hooklog_schemas::control::{LogCreated, ProcessStarted};
use hooklog_schemas::{EventId, FORMAT, Offset, Timestamp, Topic};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// What every part needs.
#[derive(Clone)]
pub struct Opened {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// The configuration in force.
    pub control: Arc<Control>,
    /// The keys that open its secrets.
    pub keyring: Arc<Keyring>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// This process's `process.started`, if the log was there to record it.
    pub process: Option<EventId>,
    /// When the configuration was last known to be in force.
    pub as_of: Option<Timestamp>,
}

/// Makes the data folder, mode 0700, if it is not there.
///
/// # Errors
/// When it cannot be made.
pub fn data_folder(data: &Path) -> anyhow::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(data)
        .with_context(|| format!("making the data folder {}", data.display()))
}

/// Where the key file is.
#[must_use]
pub fn key_file(config: &Config) -> PathBuf {
    config
        .key_file
        .clone()
        .unwrap_or_else(|| config.data.join("key"))
}

/// A log that is there, with why it stopped once it did, or one that must come.
pub enum Reached {
    /// It is there.
    There(watch::Receiver<Option<String>>),
    /// It was away.
    Awaited(Box<Awaited>),
}

/// What a process begins with.
pub struct Begun {
    /// What every part needs.
    pub opened: Opened,
    /// How the log was found.
    pub reached: Reached,
    /// Where workers keep their folds.
    pub snapshots: Arc<dyn SnapshotStore>,
}

/// Opens the log of the configuration and what is in it. A process that only receives, and has a
/// spool, begins without a log that is away, by what it knew earlier.
///
/// # Errors
/// When the log cannot be opened, or [`open`] says no.
pub async fn reach(loaded: &Loaded, metrics: &Metrics) -> anyhow::Result<Begun> {
    match log::open(&loaded.config, metrics).await {
        Ok(found) => begin(found, loaded).await,
        Err(error) if log::is_away(&error) && away::is_possible(&loaded.config) => {
            tracing::warn!(error = format!("{error:#}"), "the log is away");
            let awaited = away::go_by_what_is_known(loaded, Arc::new(System), metrics)?;
            Ok(Begun {
                opened: awaited.opened(),
                reached: Reached::Awaited(Box::new(awaited)),
                // Nobody works here.
                snapshots: Arc::new(SnapshotFiles::new(loaded.config.data.join("snapshots"))),
            })
        }
        Err(error) => Err(error),
    }
}

/// Begins on a log that is there.
///
/// # Errors
/// When [`open`] says no.
pub async fn begin(found: log::Log, loaded: &Loaded) -> anyhow::Result<Begun> {
    Ok(Begun {
        opened: open(found.log, Arc::new(System), loaded).await?,
        reached: Reached::There(found.poisoned),
        snapshots: found.snapshots,
    })
}

/// Reads the configuration of `log`, makes what a new log needs, and records the start. Several
/// processes may do so at the same time: the first `log.created` counts.
///
/// # Errors
/// When the key file is missing or wrong, or the log was made with other partitions.
pub async fn open(
    log: Arc<dyn EventLog>,
    clock: Arc<dyn Clock>,
    loaded: &Loaded,
) -> anyhow::Result<Opened> {
    let config = &loaded.config;
    let control = Control::open(Arc::clone(&log), Arc::clone(&clock)).await?;
    let path = key_file(config);
    let keyring = keys::open(&path, control.current().next == Offset(0))?;
    keys::check(&keyring, &path, &control.current())?;
    // The follower is not running yet, so the first events are folded by hand.
    if control.current().log.is_none() {
        let created = LogCreated {
            log_id: log.id().unwrap_or_else(clock::event_id),
            partitions: log.partitions(Topic::Webhooks),
            key: Some(keyring.current().to_owned()),
            at: clock.now(),
        };
        control.record(created).await?;
        // Another process may have been first.
        keys::check(&keyring, &path, &control.current())?;
    }
    check_log(log.as_ref(), &control.current())?;
    references::check(log.as_ref()).await?;
    let process = control.record(started(loaded, clock.now())).await?.event;
    Ok(Opened {
        log,
        control,
        keyring: Arc::new(keyring),
        as_of: Some(clock.now()),
        clock,
        process: Some(process),
    })
}

fn started(loaded: &Loaded, at: Timestamp) -> ProcessStarted {
    ProcessStarted {
        role: Roles::of(&loaded.config).to_string(),
        build: env!("CARGO_PKG_VERSION").into(),
        format: FORMAT,
        host: host_name(),
        configuration: loaded.effective(),
        at,
    }
}

/// The name of this machine, or of the container, by which an operator knows the process.
fn host_name() -> Option<String> {
    let system = rustix::system::uname();
    let name = system.nodename().to_str().ok()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// What `log.created` says must be true of the log in which it stands.
fn check_log(log: &dyn EventLog, configuration: &Configuration) -> anyhow::Result<()> {
    let Some((id, partitions)) = configuration.log else {
        return Ok(());
    };
    let actual = log.partitions(Topic::Webhooks);
    if partitions != actual {
        bail!(
            "this log was made with {partitions} partitions, but log.partitions is {actual}; \
             the number is fixed for life: set log.partitions = {partitions}"
        );
    }
    match log.id() {
        Some(found) if found != id => bail!(
            "the topic control is of log {id}, but it stands in log {found}: \
             parts of two logs were mixed; bring back the folder that belongs here"
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
