//! Opens the spool that the configuration names, and keeps what a start without the log needs.

use super::log::{self, Log};
use super::open::Opened;
use crate::clock::{Clock, System};
use crate::config::{Config, Loaded, SpoolConfig};
use crate::control::Control;
use crate::control::last_known::{LastKnown, LastKnownParts};
use crate::log::embedded::EmbeddedBuffer;
pub use crate::log::embedded::Held;
use crate::metrics::Metrics;
use crate::receive::{Inlet, IntoLog};
use crate::spool::{Spool, SpoolParts, Step};
use anyhow::{Context as _, bail};
use hooklog_schemas::Topic;
use prometheus_client::registry::Registry;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A spool that runs, and what its receiver knows of the configuration.
pub struct Spooling {
    /// The spool.
    pub spool: Arc<Spool>,
    /// Tells how old the configuration is, and keeps it for the next start.
    pub last_known: Arc<LastKnown>,
}

/// The spool of `config` before `inlet`, if there is to be one.
///
/// # Errors
/// When its folder is missing, in use, damaged, or of another log.
pub fn open(
    config: &Config,
    opened: &Opened,
    inlet: &Arc<dyn Inlet>,
    metrics: &Metrics,
) -> anyhow::Result<Option<Spooling>> {
    let Some(folder) = &config.spool.folder else {
        return Ok(None);
    };
    let last_known = LastKnown::new(LastKnownParts {
        control: Arc::clone(&opened.control),
        keyring: Arc::clone(&opened.keyring),
        clock: Arc::clone(&opened.clock),
        data: config.data.clone(),
        age_max: Duration::from_hours(config.spool.configuration_age_max_hours.into()),
        as_of: opened.as_of,
    });
    let asked = Arc::clone(&last_known);
    let spool = Spool::new(SpoolParts {
        inlet: Arc::clone(inlet),
        buffer: Arc::new(buffer(folder, &opened.control, &config.spool)?),
        partitions: opened.log.partitions(Topic::Webhooks),
        fresh: Arc::new(move || asked.check()),
        clock: Arc::clone(&opened.clock),
        config: config.spool.clone(),
        metrics: metrics.clone(),
    });
    Ok(Some(Spooling { spool, last_known }))
}

/// The spool's files in `folder`, whose webhooks are for the log that `control` is of.
fn buffer(
    folder: &Path,
    control: &Control,
    config: &SpoolConfig,
) -> anyhow::Result<EmbeddedBuffer> {
    let (log, _) = control.current().log.context("the log has no id yet")?;
    let buffer = EmbeddedBuffer::open(folder, log, config);
    buffer.with_context(|| format!("opening the spool in {}", folder.display()))
}

/// What is in the spool in `folder`; a server may have it open.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn look(folder: &Path) -> anyhow::Result<Held> {
    match Held::look(folder)? {
        Some(held) => Ok(held),
        None => bail!(
            "there is no spool in {}: a receiver with spool.folder makes one at its first start",
            folder.display()
        ),
    }
}

/// How far a drain is.
#[derive(Clone, Copy, Debug)]
pub struct Drained {
    /// Webhooks that are in the log now.
    pub webhooks: u64,
    /// Webhooks that still wait.
    pub left: u64,
}

/// Empties the spool in `folder`, which no server may have open, into the log of the configuration,
/// and tells how many webhooks that were.
///
/// # Errors
/// When the spool or the log cannot be opened, or the log does not take all of it; what it took is
/// forgotten, and the rest stays.
pub async fn drain(
    loaded: &Loaded,
    folder: &Path,
    mut progress: impl FnMut(Drained),
) -> anyhow::Result<u64> {
    // Whether it is there is asked before anything is connected or made.
    look(folder)?;
    let metrics = Metrics::register(&mut Registry::default());
    let clock: Arc<dyn Clock> = Arc::new(System);
    let Log { log, .. } = log::open(&loaded.config, &metrics).await?;
    let control = Control::open(Arc::clone(&log), Arc::clone(&clock)).await?;
    let spool = Spool::new(SpoolParts {
        partitions: log.partitions(Topic::Webhooks),
        inlet: Arc::new(IntoLog(log)),
        buffer: Arc::new(buffer(folder, &control, &loaded.config.spool)?),
        fresh: Arc::new(|| Err("nothing is received here".to_owned())),
        clock,
        config: loaded.config.spool.clone(),
        metrics,
    });
    let mut webhooks = 0;
    loop {
        match spool.step().await? {
            Step::Drained(count) => webhooks += count as u64,
            Step::Empty => return Ok(webhooks),
            Step::Refused(error) => bail!(
                "{error}; {webhooks} webhooks are in the log, and {} wait in the spool: run it again",
                spool.depth()
            ),
        }
        let left = spool.depth();
        progress(Drained { webhooks, left });
    }
}
