//! Opens the spool that the configuration names.

use super::open::Opened;
use crate::config::Config;
use crate::log::embedded::EmbeddedBuffer;
use crate::metrics::Metrics;
use crate::receive::Inlet;
use crate::spool::{Spool, SpoolParts};
use anyhow::Context as _;
use hooklog_schemas::Topic;
use std::sync::Arc;

/// The spool of `config` before `inlet`, if there is to be one.
///
/// # Errors
/// When its folder is missing, in use, damaged, or of another log.
pub fn open(
    config: &Config,
    opened: &Opened,
    inlet: &Arc<dyn Inlet>,
    metrics: &Metrics,
) -> anyhow::Result<Option<Arc<Spool>>> {
    let Some(folder) = &config.spool.folder else {
        return Ok(None);
    };
    let (log, _) = opened.control.current().log.context("the log has no id")?;
    let buffer = EmbeddedBuffer::open(folder, log, &config.spool);
    let buffer = buffer.with_context(|| format!("opening the spool in {}", folder.display()))?;
    Ok(Some(Spool::new(SpoolParts {
        inlet: Arc::clone(inlet),
        buffer: Arc::new(buffer),
        partitions: opened.log.partitions(Topic::Webhooks),
        fresh: Arc::new(|| Ok(())),
        clock: Arc::clone(&opened.clock),
        config: config.spool.clone(),
        metrics: metrics.clone(),
    })))
}
