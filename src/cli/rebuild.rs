//! `hooklog rebuild`: the tables, folded from the log anew.

use super::args::Format;
use super::out::Out;
use super::row::counted;
use super::session::Answer;
use super::time::lasting;
use crate::config;
use crate::project::Progress;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

/// `hooklog rebuild`: what, and where.
#[derive(Args, Debug)]
pub(crate) struct RebuildArgs {
    /// The projections, by name; those that they read are rebuilt too [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The server's configuration file
    #[arg(long, env = "HOOKLOG_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
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

pub(super) const EXAMPLES: &str = "\
New tables are made beside the old ones, and switched to when they are complete; until then, and
when it fails, the old ones stay as they are. No server may own the folder meanwhile.

Examples:
  hooklog rebuild --data /var/lib/hooklog
  hooklog rebuild --data /var/lib/hooklog attempts counts";

pub(super) fn run(args: &RebuildArgs, out: &mut Out<'_>) -> anyhow::Result<Answer> {
    let loaded = config::load(config::Sources {
        file: args.config.clone(),
        environment: config::environment().collect::<Vec<_>>(),
        flags: vec![("data".to_owned(), args.data.display().to_string())],
    })?;
    let bar = bar()?;
    let mut last = None;
    let show = |progress: Progress| {
        draw(&bar, progress);
        last = Some(progress);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(crate::app::offline::rebuild(
        &loaded.config,
        &args.names,
        show,
    ));
    bar.finish_and_clear();
    done?;
    let text = match args.output {
        Format::Table => sentence(last),
        Format::Json => json!({
            "records": last.map(|progress| progress.folded),
            "seconds": last.map(|progress| progress.elapsed.as_secs_f64()),
        })
        .to_string(),
    };
    out.line(text)?;
    Ok(Answer::Yes)
}

/// It is drawn on standard error, and only on a terminal.
fn bar() -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}")?;
    Ok(ProgressBar::new(0).with_style(style))
}

fn draw(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.total);
    bar.set_position(progress.folded);
    bar.set_message(message(progress));
}

fn message(progress: Progress) -> String {
    if progress.finishing {
        return "all are folded; making indexes, then switching".to_owned();
    }
    let left = progress
        .left()
        .map_or_else(String::new, |left| format!(", {} left", lasting(left)));
    let (folded, total) = (
        progress.folded,
        counted(progress.total, "record", "records"),
    );
    format!("{folded} of {total}, {} a second{left}", progress.rate())
}

fn sentence(last: Option<Progress>) -> String {
    let Some(progress) = last else {
        return "rebuilt and switched".to_owned();
    };
    let records = counted(progress.folded, "record", "records");
    let took = lasting(progress.elapsed.max(Duration::from_millis(1)));
    format!(
        "rebuilt from {records} in {took} ({} a second), and switched",
        progress.rate()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_tells_how_much_how_fast_and_how_long() {
        let progress = Progress {
            folded: 50_000,
            total: 150_000,
            elapsed: Duration::from_secs(2),
            finishing: false,
        };
        assert_eq!(
            message(progress),
            "50000 of 150000 records, 25000 a second, 4 s left"
        );
        let done = Progress {
            folded: 150_000,
            elapsed: Duration::from_secs(6),
            finishing: true,
            ..progress
        };
        assert_eq!(
            sentence(Some(done)),
            "rebuilt from 150000 records in 6 s (25000 a second), and switched"
        );
    }

    #[test]
    fn a_folder_without_a_log_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let args = RebuildArgs {
            names: Vec::new(),
            data: dir.path().to_owned(),
            config: None,
            output: Format::Table,
        };
        let mut sink = Vec::new();
        let error = run(&args, &mut Out::new(&mut sink, false))
            .unwrap_err()
            .to_string();
        assert!(error.contains("there is no log"), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn while_a_server_owns_the_folder_the_error_names_it_and_the_flag() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        std::fs::create_dir(&log).unwrap();
        std::fs::write(log.join("lock"), "4711").unwrap();
        let held = std::fs::File::open(log.join("lock")).unwrap();
        held.lock().unwrap();
        let args = RebuildArgs {
            names: vec!["counts".to_owned()],
            data: dir.path().to_owned(),
            config: None,
            output: Format::Table,
        };
        let mut sink = Vec::new();
        let error = run(&args, &mut Out::new(&mut sink, false)).unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.contains("--server") && error.contains("4711"),
            "{error}"
        );
    }
}
