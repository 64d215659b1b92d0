//! `hooklog serve`: the flags of the server.

use crate::config;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What the command line says about the server. What is not given comes from the environment, the
/// file, or the defaults, in this order.
#[derive(Args, Clone, Debug, Default)]
pub struct ServeArgs {
    /// What says which configuration is in force.
    #[command(flatten)]
    pub configuration: ConfigurationArgs,
    /// Show everything at work, in a temporary folder, with webhooks that hooklog sends to itself
    #[arg(long, conflicts_with = "data")]
    pub demo: bool,
}

/// Flags that say which configuration is in force.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigurationArgs {
    /// What this process does: receive, append, work, project, api, or all that apply [default: all]
    #[arg(
        long = "role",
        visible_alias = "roles",
        value_name = "ROLE",
        value_delimiter = ','
    )]
    pub roles: Vec<String>,
    /// Folder of the log, the tables and the key file; made when it does not exist
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where webhooks come in [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Where API, health and metrics are served [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDRESS")]
    pub api_listen: Option<SocketAddr>,
    /// Configuration file (TOML); unknown keys are refused
    #[arg(long, env = "HOOKLOG_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl ConfigurationArgs {
    /// Everything that has a say in the configuration: file, environment, these flags.
    #[must_use]
    pub fn sources(&self) -> config::Sources<Vec<(String, String)>> {
        let data = self.data.as_ref().map(|path| path.display().to_string());
        let roles = (!self.roles.is_empty()).then(|| self.roles.join(","));
        let flags = [
            ("roles", roles),
            ("data", data),
            ("listen", self.listen.map(|address| address.to_string())),
            (
                "api_listen",
                self.api_listen.map(|address| address.to_string()),
            ),
        ];
        let given = flags
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)));
        config::Sources {
            file: self.config.clone(),
            environment: config::environment().collect(),
            flags: given.collect(),
        }
    }
}

pub(super) const EXAMPLES: &str = "\
Examples:
  hooklog serve --demo
  hooklog serve --data /var/lib/hooklog
  hooklog serve --data /var/lib/hooklog \\
      --listen 0.0.0.0:8080 --api-listen 127.0.0.1:8081 --config hooklog.toml
  hooklog serve --role receive --config hooklog.toml
  hooklog serve --role work,project,api --config hooklog.toml

HOOKLOG_ADMIN_TOKEN, if set, is an admin token until the first named admin token exists. Without it
the first start writes one to DIR/admin-token (mode 0600), and says so.
`hooklog config show` prints the values in force, with the origin of each.";
