//! `hooklog spool drain`.

use super::Place;
use crate::app::spool::{self, Drained};
use crate::cli::args::{Format, Shown};
use crate::cli::row::counted;
use crate::cli::session::Answer;
use crate::cli::time::lasting;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::io::Write;
use std::time::{Duration, Instant};

/// The arguments of `hooklog spool drain`.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Drain {
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    pub(super) shown: Shown,
}

pub(in crate::cli) const EXAMPLES: &str = "\
For a receiver that will not start again, or whose volume is now on another machine. Receipts keep
their times and their order. It may be interrupted and run again: what is in the log is forgotten
batch by batch. No server may have the spool open; with a log in the data folder, none may run.

Examples:
  hooklog spool drain --config /etc/hooklog.toml
  hooklog spool drain --config /etc/hooklog.toml --folder /mnt/volume-of-receiver-3";

impl Drain {
    /// Drains, and says how much that was.
    ///
    /// # Errors
    /// When the spool cannot be opened, or the log did not take all of it.
    pub(super) fn run(&self, out: &mut dyn Write, terminal: bool) -> anyhow::Result<Answer> {
        let (loaded, folder) = self.place.load()?;
        let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(
            "draining {bar:30} {pos}/{len} webhooks {per_sec} {eta}",
        )?);
        if !terminal {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let show = |drained: Drained| {
            bar.set_length(drained.webhooks + drained.left);
            bar.set_position(drained.webhooks);
        };
        let began = Instant::now();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let done = runtime.block_on(spool::drain(&loaded, &folder, show));
        bar.finish_and_clear();
        let webhooks = done?;
        match self.shown.output {
            Format::Table => writeln!(out, "{}", sentence(webhooks, began.elapsed()))?,
            Format::Json => writeln!(out, "{}", json!({"webhooks": webhooks}))?,
        }
        Ok(Answer::Yes)
    }
}

fn sentence(webhooks: u64, took: Duration) -> String {
    if webhooks == 0 {
        return "the spool is empty".to_owned();
    }
    let webhooks = counted(webhooks, "webhook is", "webhooks are");
    let took = lasting(took.max(Duration::from_millis(1)));
    format!("{webhooks} in the log now, after {took}; the spool is empty")
}
