//! A receiver that starts while the log is away: it verifies by what an earlier process knew, takes
//! webhooks into its spool, and catches up when the log comes.

use super::{Opened, check_log, check_secrets, key_file, references, started};
use crate::app::log::{self, Log};
use crate::clock::Clock;
use crate::config::{Config, Loaded, Role, Roles};
use crate::control::Control;
use crate::control::last_known::Known;
use crate::keyring::Keyring;
use crate::log::late::LateLog;
use crate::log::{EventLog, ReadLimit};
use crate::metrics::Metrics;
use anyhow::{Context as _, bail};
use hooklog_schemas::{Event, EventId, Offset, Partition, Position, Topic};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often it is looked whether the log has come.
const LOOK: Duration = Duration::from_secs(5);

/// A log that did not come yet.
pub struct Awaited {
    id: EventId,
    late: Arc<LateLog>,
    opened: Opened,
    loaded: Loaded,
    metrics: Metrics,
}

/// Whether a process with this configuration can do its work for a while without the log.
#[must_use]
pub fn is_possible(config: &Config) -> bool {
    let roles = Roles::of(config);
    let only_receives = Role::EACH
        .into_iter()
        .all(|role| roles.has(role) == (role == Role::Receive));
    only_receives && config.spool.folder.is_some()
}

/// What a receiver needs, as an earlier process knew it.
///
/// # Errors
/// When nothing is known, the key file is not the one, or the configuration of this process does not
/// fit the log. Its age is nothing against it here: webhooks that nobody may verify get 503.
pub fn go_by_what_is_known(
    loaded: &Loaded,
    clock: Arc<dyn Clock>,
    metrics: &Metrics,
) -> anyhow::Result<Awaited> {
    let config = &loaded.config;
    let keyring = Keyring::read(&key_file(config))?;
    let known = Known::read(&config.data, &keyring)
        .context("the log is away, and no configuration is known from earlier")?;
    let configuration = known.configuration();
    check_secrets(&keyring, &configuration)?;
    let late = Arc::new(LateLog::new(known.log, known.partitions));
    tracing::warn!(
        as_of = %known.as_of,
        sources = known.sources.len(),
        "starting without the log: webhooks are verified by what is known and go into the spool"
    );
    let opened = Opened {
        control: Control::going_by(configuration, late.clone(), Arc::clone(&clock)),
        log: late.clone(),
        keyring: Arc::new(keyring),
        clock,
        process: None,
        as_of: Some(known.as_of),
    };
    Ok(Awaited {
        id: known.log,
        late,
        opened,
        loaded: loaded.clone(),
        metrics: metrics.clone(),
    })
}

impl Awaited {
    /// What the roles are made of meanwhile.
    #[must_use]
    pub fn opened(&self) -> Opened {
        self.opened.clone()
    }

    /// Resolves when the log has come, was found to be the one that was expected, and the
    /// configuration was read; tells then why the log stopped, once it does.
    ///
    /// # Errors
    /// When what comes is not that log, or cannot be read.
    pub async fn come(self) -> anyhow::Result<watch::Receiver<Option<String>>> {
        let Log { log, poisoned, .. } = self.open().await;
        check_same(log.as_ref(), self.id).await?;
        self.late.came(Arc::clone(&log));
        let opened = &self.opened;
        opened.control.catch_up().await?;
        check_secrets(&opened.keyring, &opened.control.current())?;
        check_log(log.as_ref(), &opened.control.current())?;
        references::check(log.as_ref()).await?;
        let start = started(&self.loaded, opened.clock.now());
        opened.control.record(start).await?;
        tracing::info!("the log has come");
        Ok(poisoned)
    }

    /// A log that does not open for another reason than that nobody answers is waited for, too:
    /// brokers that are starting know no topics yet, and webhooks come in meanwhile.
    async fn open(&self) -> Log {
        loop {
            match log::open(&self.loaded.config, &self.metrics).await {
                Ok(log) => return log,
                Err(error) if log::is_away(&error) => {
                    tracing::debug!(error = format!("{error:#}"), "the log is still away");
                }
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::warn!(error, "the log does not open; webhooks go into the spool");
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Nothing may be drained into a log that is not the one for which it was taken.
async fn check_same(log: &dyn EventLog, known: EventId) -> anyhow::Result<()> {
    let first = Position::new(Topic::Control, Partition(0), Offset(0));
    let records = log.read(first, ReadLimit::default()).await?;
    let found = match records.first().map(|first| Event::decode(first)) {
        Some(Ok(Event::LogCreated(created))) => Some(created.log_id),
        _ => None,
    };
    if found == Some(known) {
        return Ok(());
    }
    let found = found.map_or_else(|| "an empty one".to_owned(), |id| format!("log {id}"));
    bail!(
        "this receiver has webhooks for log {known}, and what came is {found}: \
         give it its log back, or another data folder and another spool.folder"
    )
}
