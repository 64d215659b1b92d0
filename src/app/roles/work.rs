//! The role `work`: routes and delivers. Its index of identities is in the data folder, its snapshots are there
//! or beside the log; both can be thrown away.

use super::{Parts, Started};
use crate::app::tasks::Stage;
use crate::config::Role;
use crate::deliver::https::Https;
use crate::health::Part;
use crate::worker::{Worker, WorkerParts};
use anyhow::Context as _;
use std::sync::Arc;
use tokio::sync::watch;

pub(super) fn start(parts: &Parts<'_>) -> anyhow::Result<Started> {
    let opened = parts.opened;
    let excerpt = parts.config.deliver.excerpt_bytes_max;
    let worker = WorkerParts {
        log: Arc::clone(&opened.log),
        control: Arc::clone(&opened.control),
        keyring: Arc::clone(&opened.keyring),
        clock: Arc::clone(&opened.clock),
        config: parts.config.deliver.clone(),
        metrics: parts.metrics.clone(),
        transport: Arc::new(Https::new(Arc::clone(&parts.egress), excerpt)?),
        egress: Arc::clone(&parts.egress),
        snapshots: Arc::clone(&parts.snapshots),
        data: parts.config.data.clone(),
        process: opened.process.context("a worker needs the log")?,
    };
    let (restored, ready) = watch::channel(false);
    let mut stage = Stage::new("worker");
    let stop = stage.token();
    stage.spawn(Worker::run(worker, restored, stop));
    let part = Part::watching(Role::Work.as_str(), ready);
    Ok(Started { stage, part })
}
