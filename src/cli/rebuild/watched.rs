//! How far it is, while it is done: here, or by a server.

use super::told::{answer, sentences};
use crate::cli::row::{Row, counted};
use crate::cli::session::{Answer, Session};
use crate::cli::time::lasting;
use crate::project::{Order, Phase, Progress, Rebuilt};
use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A bar. It is drawn on standard error, and only on a terminal.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar on standard error, where that is a terminal.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}")?;
        Ok(Self(ProgressBar::new(0).with_style(style)))
    }

    /// Shows how far it is.
    pub(crate) fn draw(&self, progress: Progress) {
        self.0.set_length(progress.total);
        self.0.set_position(progress.folded);
        self.0.set_message(message(progress));
    }

    /// Takes it away.
    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }

    fn draw_told(&self, work: Row<'_>) {
        let number = |name| work.number(name).unwrap_or_default();
        self.0.set_length(number("total"));
        self.0.set_position(number("folded"));
        let left = work.number("seconds_left").map(Duration::from_secs);
        let phase = work.maybe("phase").unwrap_or_default();
        self.0.set_message(match phase_message(&phase) {
            Some(message) => message.to_owned(),
            None => counts(number("folded"), number("total"), number("rate"), left),
        });
    }
}

/// Does it in this process, and shows how far it is. A first Ctrl-C, or SIGTERM, ends it between two
/// batches.
pub(crate) fn here(
    order: &Order,
    work: impl AsyncFnOnce(&Bar) -> anyhow::Result<Rebuilt>,
) -> anyhow::Result<Rebuilt> {
    let bar = Bar::new()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(async {
        tokio::spawn(stopping(order.stop.clone()));
        work(&bar).await
    });
    bar.clear();
    done
}

async fn stopping(stop: CancellationToken) {
    if let Ok(told) = crate::app::told_to_stop() {
        told.await;
        stop.cancel();
    }
}

/// How often a server is asked how far it is.
const PAUSE: Duration = Duration::from_millis(300);

/// Shows how far the server is until it is done, then what came of it.
pub(crate) async fn watch(session: &mut Session<'_>, detached: bool) -> anyhow::Result<Answer> {
    if detached {
        session.note("the server is at work; `hooklog projection list` shows how far it is");
        return Ok(Answer::Yes);
    }
    let bar = Bar::new()?;
    let reply = loop {
        let reply = session.api.get(&["projections"], &Vec::new()).await?;
        if reply.value["work"].is_null() {
            break reply;
        }
        bar.draw_told(reply.row().inner("work"));
        tokio::time::sleep(PAUSE).await;
    };
    bar.clear();
    let last = reply.row().inner("last");
    if let Some(error) = last.maybe("error") {
        bail!("{error}");
    }
    if session.json() {
        session.out.line(last.0.to_string())?;
    } else {
        for sentence in sentences(last) {
            session.out.line(sentence)?;
        }
    }
    Ok(answer(last))
}

/// What stands beside the bar.
pub(super) fn message(progress: Progress) -> String {
    match phase_message(progress.phase.as_str()) {
        Some(message) => message.to_owned(),
        None => counts(
            progress.folded,
            progress.total,
            progress.rate(),
            progress.left(),
        ),
    }
}

fn phase_message(phase: &str) -> Option<&'static str> {
    let is = |known: Phase| known.as_str() == phase;
    if is(Phase::Indexing) {
        return Some("all are folded; making indexes");
    }
    if is(Phase::Comparing) {
        return Some("comparing with the tables that answer now");
    }
    is(Phase::Switching).then_some("switching")
}

fn counts(folded: u64, total: u64, rate: u64, left: Option<Duration>) -> String {
    let left = left.map_or_else(String::new, |left| format!(", {} left", lasting(left)));
    let total = counted(total, "record", "records");
    format!("{folded} of {total}, {rate} a second{left}")
}
