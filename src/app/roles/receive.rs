//! The role `receive`: webhooks come in. It needs no tables, no worker and no state of its own, so
//! there may be many.

use super::{Parts, Started};
use crate::app::tasks::Stage;
use crate::config::Role;
use crate::health::Part;
use crate::receive::{self, Inlet, IntoLog, Receiver, ReceiverParts};
use std::sync::Arc;
use tokio::net::TcpListener;

pub(super) fn start(parts: &Parts<'_>, listener: TcpListener) -> Started {
    let opened = parts.opened;
    let receiver = Receiver::new(ReceiverParts {
        log: Arc::clone(&opened.log),
        inlet: inlet(parts),
        control: Arc::clone(&opened.control),
        keyring: Arc::clone(&opened.keyring),
        clock: Arc::clone(&opened.clock),
        config: parts.config.receive.clone(),
        shutdown: parts.grace,
        metrics: parts.metrics.clone(),
    });
    let asked = Arc::clone(&receiver);
    let part = Part::new(Role::Receive.as_str(), move || {
        let receiver = Arc::clone(&asked);
        async move { receiver.ready().await }
    });
    let mut stage = Stage::new("receiver");
    let stop = stage.token();
    stage.spawn(async move {
        receive::serve(listener, receiver, stop).await;
        anyhow::Ok(())
    });
    Started { stage, part }
}

/// Where verified webhooks go.
fn inlet(parts: &Parts<'_>) -> Arc<dyn Inlet> {
    Arc::new(IntoLog(Arc::clone(&parts.opened.log)))
}
