//! `hooklog log copy`.

use crate::app;
use crate::cli::args::{Format, Shown};
use crate::cli::row::counted;
use crate::cli::session::Answer;
use crate::cli::time::lasting;
use crate::log::copy::{Copied, Progress};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The arguments of `hooklog log copy`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CopyArgs {
    /// The log to copy: a data folder, or the configuration file of its server (`….toml`).
    #[arg(value_name = "FROM")]
    from: PathBuf,
    /// The log to make: a data folder, or a configuration file. It must be empty, or hold the
    /// beginning of the same log from a copy that was interrupted.
    #[arg(value_name = "TO")]
    to: PathBuf,
    #[command(flatten)]
    shown: Shown,
}

const EXAMPLES: &str = "\
Offsets, keys, times and bytes stay what they were; what was erased is erased in the copy. Then both
are compared, record by record. The key file is not copied: secrets in the copy stay sealed.

Examples:
  hooklog log copy /var/lib/hooklog /srv/audit/2026-11
  hooklog log copy /etc/hooklog.toml /srv/audit/2026-11";

impl CopyArgs {
    /// Copies, compares, and says what the copy holds.
    ///
    /// # Errors
    /// When there is no whole copy.
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(
            "{msg} {bar:30} {pos}/{len} records {per_sec} {eta}",
        )?);
        let started = Instant::now();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let show = |progress: Progress| draw(&bar, progress);
        let done = runtime.block_on(app::copy::between(&self.from, &self.to, show));
        bar.finish_and_clear();
        let copied = done?;
        match self.shown.output {
            Format::Table => writeln!(out, "{}", sentence(copied, started.elapsed()))?,
            Format::Json => writeln!(
                out,
                "{}",
                json!({
                    "records": copied.records,
                    "fillers": copied.fillers,
                    "erased": copied.erased,
                    "resumed": copied.resumed,
                })
            )?,
        }
        Ok(Answer::Yes)
    }
}

fn draw(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.total);
    bar.set_position(progress.done);
    bar.set_message(if progress.comparing {
        "comparing"
    } else {
        "copying"
    });
}

fn sentence(copied: Copied, took: Duration) -> String {
    let records = counted(copied.records, "record", "records");
    let took = lasting(took.max(Duration::from_millis(1)));
    let mut text = format!("copied in {took}, and compared: {records}, equal in both");
    if copied.resumed > 0 {
        let resumed = counted(copied.resumed, "record", "records");
        text.push_str(&format!("; {resumed} from an earlier copy"));
    }
    if copied.fillers > 0 {
        let fillers = counted(copied.fillers, "filler", "fillers");
        text.push_str(&format!(
            "; {fillers} for records that the source has no more"
        ));
    }
    if copied.erased > 0 {
        let erased = counted(copied.erased, "erased record", "erased records");
        text.push_str(&format!("; {erased} whose place only one of the two has"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_says_what_the_copy_holds() {
        let copied = Copied {
            records: 2,
            fillers: 1,
            erased: 2,
            resumed: 0,
        };
        assert_eq!(
            sentence(copied, Duration::from_secs(3)),
            "copied in 3 s, and compared: 2 records, equal in both; \
             1 filler for records that the source has no more; \
             2 erased records whose place only one of the two has"
        );
    }
}
