//! Where log lines go: standard error, as text for people or JSON for machines.

use anyhow::Context as _;
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// The environment variable that filters log lines, such as `hooklog::deliver=debug`.
pub const VARIABLE: &str = "HOOKLOG_LOG";

/// The index of identities is a library's; its own lines at info are of no use to an operator.
const DEFAULT: &str = "info,fjall=warn,lsm_tree=warn";

/// The filter from the environment; a demo tells its own story, so only warnings go beside it.
#[must_use]
pub fn filter(demo: bool) -> Option<String> {
    let given = std::env::var(VARIABLE).ok();
    given.or_else(|| demo.then(|| "warn".to_owned()))
}

/// Starts writing log lines: text on a terminal, one JSON object a line elsewhere.
///
/// # Errors
/// When `filter` does not parse, or lines are written already.
pub fn start(filter: Option<&str>) -> anyhow::Result<()> {
    let directives = filter.unwrap_or(DEFAULT);
    let filter = EnvFilter::try_new(directives).with_context(|| {
        format!(
            "{VARIABLE}={directives:?} is not a filter; one looks like info,hooklog::deliver=debug"
        )
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = if std::io::stderr().is_terminal() {
        lines.try_init()
    } else {
        lines.json().flatten_event(true).try_init()
    };
    started.map_err(|error| anyhow::anyhow!("log lines: {error}"))
}
