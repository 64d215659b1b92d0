//! The role `receive`: webhooks come in. It needs no tables, no worker and no state of its own but
//! a spool, if it has one, so there may be many.

use super::{Parts, Started};
use crate::app::intake::Queue;
use crate::app::spool::{self, Spooling};
use crate::app::tasks::Stage;
use crate::config::Role;
use crate::health::Part;
use crate::intake::IntoQueue;
use crate::receive::{self, Inlet, IntoLog, Receiver, ReceiverParts};
use crate::spool::Spool;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Starts the receiver, and the drain of its spool, which stops after it.
///
/// # Errors
/// When there is to be a spool, and it cannot be opened.
pub(super) fn start(
    parts: &Parts<'_>,
    listener: TcpListener,
    queue: Option<Queue>,
) -> anyhow::Result<(Started, Option<Stage>)> {
    let opened = parts.opened;
    let log = inlet(parts, queue);
    let spooling = spool::open(parts.config, opened, &log, &parts.metrics)?;
    let spool = spooling.as_ref().map(|own| Arc::clone(&own.spool));
    let inlet = spool.clone().map_or(log, |spool| spool);
    let receiver = Receiver::new(ReceiverParts {
        log: Arc::clone(&opened.log),
        inlet,
        control: Arc::clone(&opened.control),
        keyring: Arc::clone(&opened.keyring),
        clock: Arc::clone(&opened.clock),
        config: parts.config.receive.clone(),
        shutdown: parts.grace,
        metrics: parts.metrics.clone(),
    });
    let part = part(&receiver, spool);
    let mut stage = Stage::new("receiver");
    let stop = stage.token();
    stage.spawn(async move {
        receive::serve(listener, receiver, stop).await;
        anyhow::Ok(())
    });
    let draining = spooling.map(|own| draining(parts, own));
    Ok((Started { stage, part }, draining))
}

/// The queue, if there is one in front of the log.
fn inlet(parts: &Parts<'_>, queue: Option<Queue>) -> Arc<dyn Inlet> {
    let Some(Queue { intake, bodies }) = queue else {
        return Arc::new(IntoLog(Arc::clone(&parts.opened.log)));
    };
    let waiting = parts.config.intake.waiting_bytes_max;
    Arc::new(IntoQueue::new(
        intake,
        bodies,
        waiting,
        parts.metrics.clone(),
    ))
}

fn part(receiver: &Arc<Receiver>, spool: Option<Arc<Spool>>) -> Part {
    let receiver = Arc::clone(receiver);
    let part = Part::new(Role::Receive.as_str(), move || {
        let receiver = Arc::clone(&receiver);
        async move { receiver.ready().await }
    });
    part.noting(move || spool.as_ref()?.note())
}

fn draining(parts: &Parts<'_>, own: Spooling) -> Stage {
    let mut stage = Stage::new("spool");
    stage.spawn(own.spool.run(stage.token(), parts.grace));
    let knowing = own.last_known.run(stage.token());
    stage.spawn(async {
        knowing.await;
        anyhow::Ok(())
    });
    stage
}
