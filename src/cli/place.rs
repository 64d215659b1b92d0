//! Where tables are: in a folder or on a server of tables, which is asked directly, or behind a
//! server of ours, which does it while it runs.

use super::args::Connect;
use crate::config::{self, Config};
use clap::Args;
use std::path::PathBuf;

/// The folder or the configuration that says where tables are.
#[derive(Args, Clone, Debug)]
pub(crate) struct Place {
    /// The data folder, which no server may own meanwhile
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The server's configuration file, which may name another store of tables
    #[arg(long, env = "HOOKLOG_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    /// Whether the tables are asked directly: a folder or a configuration is named, and no server.
    pub(crate) const fn is_here(&self, connect: &Connect) -> bool {
        self.is_named() && !connect.names_a_server()
    }

    /// Whether a folder or a configuration is named.
    pub(crate) const fn is_named(&self) -> bool {
        self.data.is_some() || self.config.is_some()
    }

    /// The configuration that applies.
    ///
    /// # Errors
    /// When it cannot be read, or is not in order.
    pub(crate) fn configuration(&self) -> anyhow::Result<Config> {
        let data = self.data.iter();
        let loaded = config::load(config::Sources {
            file: self.config.clone(),
            environment: config::environment().collect::<Vec<_>>(),
            flags: data
                .map(|data| ("data".to_owned(), data.display().to_string()))
                .collect(),
        })?;
        Ok(loaded.config)
    }
}
