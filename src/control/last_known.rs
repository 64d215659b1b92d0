//! What a receiver knew of the configuration last, encrypted in its data folder, so that it can
//! verify webhooks while the log is away: also after a restart, but only up to an age.

mod file;

pub use file::{Known, LastKnownError};

use super::Control;
use crate::clock::Clock;
use crate::keyring::Keyring;
use hooklog_schemas::Timestamp;
use hooklog_schemas::control::ConfigurationVersion;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How often it is asked whether the configuration is still the one in force.
const LOOK: Duration = Duration::from_secs(30);
/// How long the log may take to say so.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Changes that come soon after one another are written once.
const SETTLE: Duration = Duration::from_millis(500);
/// A file whose content did not change is written anew after this, for the time that it tells.
const WRITTEN_ANEW: Duration = Duration::from_secs(600);

/// What a [`LastKnown`] is made of.
pub struct LastKnownParts {
    /// The configuration in force.
    pub control: Arc<Control>,
    /// Seals the file.
    pub keyring: Arc<Keyring>,
    /// Tells the age.
    pub clock: Arc<dyn Clock>,
    /// The data folder.
    pub data: PathBuf,
    /// How old what is known may be.
    pub age_max: Duration,
    /// When it was last known to be in force, if an earlier process knew.
    pub as_of: Option<Timestamp>,
}

/// Keeps the file, and knows how old the configuration is.
pub struct LastKnown {
    parts: LastKnownParts,
    /// When the configuration was last known to be in force.
    as_of: Mutex<Option<Timestamp>>,
    written: Mutex<Option<(Option<ConfigurationVersion>, Timestamp)>>,
}

impl LastKnown {
    /// Puts it together; nothing is asked or written before [`LastKnown::run`].
    #[must_use]
    pub fn new(parts: LastKnownParts) -> Arc<Self> {
        Arc::new(Self {
            as_of: Mutex::new(parts.as_of),
            written: Mutex::default(),
            parts,
        })
    }

    /// Whether webhooks may still be verified by the configuration.
    ///
    /// # Errors
    /// Since when nobody could say whether it is in force, and what would allow more.
    pub fn check(&self) -> Result<(), String> {
        let Some(as_of) = *lock(&self.as_of) else {
            return Err("the log is away, and the configuration was never read to its end".into());
        };
        let (now, most) = (self.parts.clock.now(), self.parts.age_max);
        if as_of.plus(most) >= now {
            return Ok(());
        }
        let hours = most.as_secs() / 3600;
        Err(format!(
            "the log is away, and the configuration is known as of {as_of}, which is longer ago \
             than spool.configuration_age_max_hours = {hours}"
        ))
    }

    /// Looks again and again, and keeps the file, until `stop` is cancelled.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut changes = self.parts.control.watch();
        loop {
            self.look().await;
            let change = async {
                // An error means that nobody follows any more.
                let _ = timeout(LOOK, changes.changed()).await;
                tokio::time::sleep(SETTLE).await;
            };
            if stop.run_until_cancelled(change).await.is_none() {
                return;
            }
        }
    }

    /// Asks whether the configuration is in force, and writes the file if that tells more.
    pub async fn look(&self) {
        let asked_at = self.parts.clock.now();
        let current = timeout(ANSWER_MAX, self.parts.control.is_current()).await;
        if !matches!(current, Ok(Ok(true))) {
            return;
        }
        *lock(&self.as_of) = Some(asked_at);
        let configuration = self.parts.control.current();
        let version = configuration.version;
        let told = (*lock(&self.written))
            .is_some_and(|(written, at)| written == version && at.plus(WRITTEN_ANEW) > asked_at);
        let known = match Known::of(&configuration, asked_at) {
            Some(known) if !told => known,
            _ => return,
        };
        match known.write(&self.parts.data, &self.parts.keyring) {
            Ok(()) => *lock(&self.written) = Some((version, asked_at)),
            Err(error) => tracing::error!(
                %error, "a start while the log is away will not know the present configuration"
            ),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
