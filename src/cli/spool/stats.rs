//! `hooklog spool stats`.

use super::Place;
use crate::app::spool::{self, Held};
use crate::cli::args::{Format, Shown};
use crate::cli::out::{self, Out};
use crate::cli::session::Answer;
use crate::cli::table::facts;
use crate::cli::time::{exact, relative};
use crate::clock::{Clock as _, System};
use hooklog_schemas::Timestamp;
use hooklog_schemas::webhook::Received;
use serde_json::json;
use std::io::Write;

/// The arguments of `hooklog spool stats`.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Stats {
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    pub(super) shown: Shown,
}

pub(in crate::cli) const EXAMPLES: &str = "\
It looks at the files and changes nothing, beside a server too; the server tells the same by the
metrics hooklog_spool_webhooks, hooklog_spool_bytes and hooklog_spool_oldest_age_seconds.

Examples:
  hooklog spool stats --config /etc/hooklog.toml
  hooklog spool stats --folder /mnt/volume-of-receiver-3 --output json";

impl Stats {
    /// Shows what is in the spool.
    ///
    /// # Errors
    /// When there is no spool, or it cannot be read.
    pub(super) fn run(&self, sink: &mut dyn Write) -> anyhow::Result<Answer> {
        let (_, folder) = self.place.load()?;
        let held = spool::look(&folder)?;
        let oldest = held.oldest.as_ref().map(Received::decode).transpose()?;
        let oldest = oldest.map(|received| received.received_at);
        match self.shown.output {
            Format::Json => writeln!(sink, "{}", as_json(&held, oldest))?,
            Format::Table => {
                let mut out = Out::new(sink, out::wants_colours());
                show(&mut out, &held, oldest)?;
                out.flush()?;
            }
        }
        Ok(Answer::Yes)
    }
}

fn as_json(held: &Held, oldest: Option<Timestamp>) -> serde_json::Value {
    let now = System.now();
    json!({
        "folder": held.folder,
        "log": held.log,
        "webhooks": held.depth,
        "bytes": held.bytes,
        "oldest_received_at": oldest.map(|at| at.to_string()),
        "oldest_age_seconds": oldest.map(|at| (now.as_secs() - at.as_secs()).max(0)),
        "process": held.in_use_by,
    })
}

fn show(out: &mut Out<'_>, held: &Held, oldest: Option<Timestamp>) -> std::io::Result<()> {
    let now = System.now();
    let oldest = oldest.map(|at| format!("{} ({})", exact(at), relative(at, now)));
    let by = held.in_use_by.as_ref();
    let by = by.map(|process| format!("process {process}, which drains it"));
    facts(
        out,
        &[
            ("folder", Some(held.folder.display().to_string())),
            ("log", Some(held.log.to_string())),
            ("webhooks", Some(held.depth.to_string())),
            ("bytes", Some(held.bytes.to_string())),
            ("oldest", oldest),
            ("open by", by),
        ],
    )
}
