//! What is done to a data folder while no server owns it.

use super::log;
use crate::config::Config;
use crate::log::EventLog;
use crate::metrics::Metrics;
use crate::project::stores::sqlite::SqliteStore;
use crate::project::{self, Progress, ProjectorParts};
use anyhow::bail;
use prometheus_client::registry::Registry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file of the tables in the data folder.
#[must_use]
pub fn tables(data: &Path) -> PathBuf {
    data.join("tables.sqlite")
}

/// Rebuilds the projections `names`, all of them for none, from the log.
///
/// # Errors
/// When there is no log, a server owns the folder, a name is unknown, or log or tables fail.
pub async fn rebuild(
    config: &Config,
    names: &[String],
    progress: impl FnMut(Progress) + Send,
) -> anyhow::Result<()> {
    let metrics = Metrics::register(&mut Registry::default());
    let parts = ProjectorParts {
        log: existing_log(config, &metrics).await?,
        store: Box::new(SqliteStore::open(&tables(&config.data)).await?),
        metrics,
        config: config.project.clone(),
    };
    Ok(project::rebuild(parts, names, progress).await?)
}

/// Hands the canonical dump of the tables to `each`, line by line; the log is not touched.
///
/// # Errors
/// When there are no tables, or they cannot be read.
pub async fn dump(data: &Path, each: impl FnMut(&str)) -> anyhow::Result<()> {
    let mut store = existing(data).await?;
    Ok(project::dump(&mut store, each).await?)
}

/// SHA-256 of the canonical dump of the tables, in hex.
///
/// # Errors
/// When there are no tables, or they cannot be read.
pub async fn hash(data: &Path) -> anyhow::Result<String> {
    let mut store = existing(data).await?;
    Ok(project::hash(&mut store).await?)
}

/// Opens the tables that are there; it makes none.
async fn existing(data: &Path) -> anyhow::Result<SqliteStore> {
    let file = tables(data);
    if !file.is_file() {
        bail!(
            "there are no tables in {}; name the folder of a server with --data",
            data.display()
        );
    }
    Ok(SqliteStore::open(&file).await?)
}

/// Opens the log that is there; it makes none.
async fn existing_log(config: &Config, metrics: &Metrics) -> anyhow::Result<Arc<dyn EventLog>> {
    let data = config.data.display();
    if log::is_in_the_folder(&config.log) && !config.data.join("log").is_dir() {
        bail!("there is no log in {data}; name the folder of a server with --data");
    }
    let opened = log::open(config, metrics).await;
    match opened {
        Err(error) if log::is_in_use(&error) => Err(error.context(format!(
            "a server owns {data}: stop it to rebuild offline; while it runs, ask it with \
             --server URL, as in `hooklog status --server URL`"
        ))),
        opened => Ok(opened?.0),
    }
}
