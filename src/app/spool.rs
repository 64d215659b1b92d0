//! Opens the spool that the configuration names, and keeps what a start without the log needs.

use super::open::Opened;
use crate::config::{Config, SpoolConfig};
use crate::control::last_known::{LastKnown, LastKnownParts};
use crate::log::embedded::EmbeddedBuffer;
use crate::metrics::Metrics;
use crate::receive::Inlet;
use crate::spool::{Spool, SpoolParts};
use anyhow::Context as _;
use hooklog_schemas::Topic;
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
        buffer: Arc::new(buffer(folder, opened, &config.spool)?),
        partitions: opened.log.partitions(Topic::Webhooks),
        fresh: Arc::new(move || asked.check()),
        clock: Arc::clone(&opened.clock),
        config: config.spool.clone(),
        metrics: metrics.clone(),
    });
    Ok(Some(Spooling { spool, last_known }))
}

/// The spool's files in `folder`, whose webhooks are for the log of `opened`.
pub(super) fn buffer(
    folder: &Path,
    opened: &Opened,
    config: &SpoolConfig,
) -> anyhow::Result<EmbeddedBuffer> {
    let (log, _) = opened.control.current().log.context("the log has no id")?;
    let buffer = EmbeddedBuffer::open(folder, log, config);
    buffer.with_context(|| format!("opening the spool in {}", folder.display()))
}
