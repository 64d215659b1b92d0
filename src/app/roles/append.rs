//! The role `append`: carries webhooks from the queue into the log. It has no state, so there may be
//! many.

use super::{Parts, Started};
use crate::app::intake::Queue;
use crate::app::tasks::Stage;
use crate::config::Role;
use crate::health::Part;
use crate::intake::{Mover, MoverParts};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

pub(super) fn start(parts: &Parts<'_>, queue: Queue) -> Started {
    let opened = parts.opened;
    let mover = MoverParts {
        intake: queue.intake,
        bodies: queue.bodies,
        log: Arc::clone(&opened.log),
        clock: Arc::clone(&opened.clock),
        batch_messages_max: parts.config.intake.batch_messages_max,
        metrics: parts.metrics.clone(),
    };
    let (state, told) = watch::channel(Err("the queue has not answered yet".to_owned()));
    let mut stage = Stage::new("mover");
    let stop = stage.token();
    stage.spawn(Mover::run(mover, state, stop));
    let part = part(told);
    Started { stage, part }
}

/// Ready when the queue has told how much it holds. What is away later is away for every mover: a
/// note tells it, and a process that also receives goes on receiving.
fn part(told: watch::Receiver<Result<(), String>>) -> Part {
    let answered = AtomicBool::new(false);
    let state = told.clone();
    let part = Part::new(Role::Append.as_str(), move || {
        let now = state.borrow().clone();
        answered.fetch_or(now.is_ok(), Ordering::Relaxed);
        let once = answered.load(Ordering::Relaxed);
        async move { if once { Ok(()) } else { now } }
    });
    part.noting(move || told.borrow().clone().err())
}
