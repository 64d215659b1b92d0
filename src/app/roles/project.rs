//! The role `project`: folds the log into tables.

use super::{Parts, Started};
use crate::app::tasks::Stage;
use crate::app::{offline, tables};
use crate::config::Role;
use crate::health::Part;
use crate::project::stores::sqlite::SqliteStore;
use crate::project::{Projector, ProjectorParts};
use std::sync::Arc;

/// It is ready once its tables are open. How far they are behind the log is a metric: a projector
/// that catches up would not do so sooner if somebody ended it.
pub(super) async fn start(parts: &Parts<'_>) -> anyhow::Result<Started> {
    let projector = Projector::open(ProjectorParts {
        log: Arc::clone(&parts.opened.log),
        store: Box::new(SqliteStore::open(&offline::tables(&parts.config.data)).await?),
        metrics: parts.metrics.clone(),
        config: parts.config.project.clone(),
        writer: tables::writer(parts.opened.process),
    })
    .await?;
    let mut stage = Stage::new("projector");
    let stop = stage.token();
    stage.spawn(projector.run(stop));
    let part = Part::new(Role::Project.as_str(), || std::future::ready(Ok(())));
    Ok(Started { stage, part })
}
