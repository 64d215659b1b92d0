//! The role `project`: folds the log into tables.

use super::{Parts, Started};
use crate::app::tasks::Stage;
use crate::app::{own, tables};
use crate::config::Role;
use crate::health::Part;
use crate::project::own::{OwnDesk, OwnState, OwnStatus};
use crate::project::{Desk, DeskParts, Projector, ProjectorParts, Standing, Status};
use anyhow::Context as _;
use std::future::ready;
use std::sync::Arc;

/// It is ready once its tables are open, or their store or the log is away: then it waits, and nobody
/// else could do better. How far they are behind the log is a metric: a projector that catches up would
/// not do so sooner if somebody ended it. A note says who writes the tables, if another process
/// does.
///
/// Beside it, tables of an earlier version are rebuilt, what the API orders is done, and projections of
/// the operator's own are kept.
pub(super) async fn start(parts: &Parts<'_>) -> anyhow::Result<(Started, Desks)> {
    let process = parts.opened.process;
    let writer = tables::writer(process.context("a projector needs the log")?);
    let projector = Projector::open(ProjectorParts {
        log: Arc::clone(&parts.opened.log),
        store: tables::writing(parts.config).await?,
        metrics: parts.metrics.clone(),
        config: parts.config.project.clone(),
        writer: writer.clone(),
    })
    .await?;
    let (desk, clerk) = Desk::new(DeskParts {
        log: Arc::clone(&parts.opened.log),
        open: tables::opening(parts.config),
        metrics: parts.metrics.clone(),
        config: parts.config.project.clone(),
        writer: format!("{writer}, which rebuilds"),
    });
    let status = projector.status();
    let mut stage = Stage::new("projector");
    let stop = stage.token();
    stage.spawn(projector.run(stop));
    let stop = stage.token();
    stage.spawn(clerk.run(stop));
    let own = keep_own(parts, &mut stage, status.clone());
    let part = Part::new(Role::Project.as_str(), || ready(Ok(())));
    let noted = own.clone();
    let part = part.noting(move || note(&status).or_else(|| note_own(&noted)));
    Ok((Started { stage, part }, Desks { desk, own }))
}

/// What takes orders about tables.
pub(super) struct Desks {
    /// About hooklog's.
    pub(super) desk: Desk,
    /// About those of projections of the operator's own.
    pub(super) own: OwnDesk,
}

fn keep_own(parts: &Parts<'_>, stage: &mut Stage, projector: Status) -> OwnDesk {
    let kept = own::keeping(parts.config, &parts.opened.log, &parts.metrics, projector);
    let Some((clerk, desk)) = kept else {
        return OwnDesk::default();
    };
    let stop = stage.token();
    stage.spawn(clerk.run(stop));
    desk
}

fn note_own(own: &OwnDesk) -> Option<String> {
    let fails = |status: &OwnStatus| status.state == OwnState::Fails;
    let failing: Vec<_> = own.statuses().into_iter().filter(fails).collect();
    let names: Vec<_> = failing.iter().map(|status| status.name.as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "projections of your own stand still: {} (`hooklog projection list` says why)",
            names.join(", ")
        )
    })
}

fn note(status: &Status) -> Option<String> {
    match status.standing() {
        Standing::Writes => None,
        Standing::StandsBy { writer } => Some(format!("stands by: {writer} writes the tables")),
        Standing::Waits { reason } => Some(format!("the tables stand still: {reason}")),
    }
}
