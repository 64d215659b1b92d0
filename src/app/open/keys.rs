//! The key file: made with the log, and the same for every process of it.

use crate::keyring::Keyring;
use anyhow::{Context as _, bail};
use hooklog_projections::configuration::{Configuration, Secret};
use std::path::Path;

/// Reads the key file, or makes it together with a new log. Of processes that make one each, all but
/// one are refused by [`check`].
///
/// # Errors
/// When it is missing, cannot be read, or cannot be made.
pub(super) fn open(path: &Path, new_log: bool) -> anyhow::Result<Keyring> {
    if !new_log || path.exists() {
        return Ok(Keyring::read(path)?);
    }
    tracing::info!(path = %path.display(), "made a key file; back it up apart from the data");
    Ok(Keyring::create(path)?)
}

/// A wrong key file is found at the start, not at the first webhook.
///
/// # Errors
/// When it has not the key with which the log began, or does not open a secret.
pub(super) fn check(
    keyring: &Keyring,
    path: &Path,
    configuration: &Configuration,
) -> anyhow::Result<()> {
    if let Some(first) = &configuration.key
        && !keyring.ids().any(|id| id == first)
    {
        bail!(
            "this log began with the key {first}, which is not in {}: every process of a log has \
             the same key file; copy it from one that runs, or set key_file",
            path.display()
        );
    }
    check_secrets(keyring, configuration).map(|_| ())
}

/// Opens every secret once, and tells how many there are.
///
/// # Errors
/// When one does not open.
pub(in crate::app) fn check_secrets(
    keyring: &Keyring,
    configuration: &Configuration,
) -> anyhow::Result<usize> {
    let sources = configuration.sources.values();
    let subscriptions = configuration.subscriptions.values();
    let sources = sources.flat_map(|source| &source.secrets);
    let all: Vec<&Secret> = sources
        .chain(subscriptions.flat_map(|subscription| &subscription.secrets))
        .collect();
    for secret in &all {
        let opened = keyring.open(secret.id, &secret.sealed);
        opened.context("checking the key file")?;
    }
    Ok(all.len())
}
