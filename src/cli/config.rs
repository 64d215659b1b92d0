//! `hooklog config`: which values are in force, and where each comes from.

use super::args::Format;
use super::out::Out;
use super::serve::ConfigurationArgs;
use super::session::Answer;
use crate::config;
use clap::{Args, Subcommand};

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the values that `serve` with the same flags would use, each with its origin; secrets are masked
    #[command(after_help = EXAMPLES)]
    Show(Show),
}

const EXAMPLES: &str = "\
A later one wins: defaults, file, environment, flags. The environment names a key so:
HOOKLOG_RECEIVE__BODY_BYTES_MAX is body_bytes_max of [receive]. The output could be a configuration file.

Examples:
  hooklog config show
  hooklog config show --config hooklog.toml --output json";

/// `config show`.
#[derive(Args, Debug)]
pub(crate) struct Show {
    #[command(flatten)]
    configuration: ConfigurationArgs,
    /// How the answer is shown
    #[arg(
        long,
        short,
        env = "HOOKLOG_OUTPUT",
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    output: Format,
}

pub(super) fn run(command: ConfigCommand, out: &mut Out<'_>) -> anyhow::Result<Answer> {
    let ConfigCommand::Show(args) = command;
    let loaded = config::load(args.configuration.sources())?;
    match args.output {
        Format::Json => out.line(loaded.to_json().to_string())?,
        Format::Table => out.bytes(loaded.to_text().as_bytes())?,
    }
    Ok(Answer::Yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_shown_with_its_origin() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hooklog.toml");
        std::fs::write(&file, "[deliver]\nin_flight_max = 7\n").unwrap();
        let configuration = ConfigurationArgs {
            config: Some(file),
            listen: Some("127.0.0.1:9".parse().unwrap()),
            ..ConfigurationArgs::default()
        };
        let mut sink = Vec::new();
        let show = Show {
            configuration,
            output: Format::Table,
        };
        run(ConfigCommand::Show(show), &mut Out::new(&mut sink, false)).unwrap();
        let text = String::from_utf8(sink).unwrap();
        let line = |key: &str| text.lines().find(|line| line.starts_with(key)).unwrap();
        assert!(line("in_flight_max").contains("hooklog.toml:2"), "{text}");
        assert!(line("listen").contains("--listen"), "{text}");
        assert!(line("body_bytes_max").contains("default"), "{text}");
    }
}
