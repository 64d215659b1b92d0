//! What a rebuild begins with: a set that an earlier run left, or a new one.

use super::RebuildError;
use super::building::Building;
use crate::log::EventLog;
use crate::project::feed;
use crate::project::runner::ProjectError;
use crate::project::store::{Holder, ProjectionStore, SetKind, TableSet};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::projection::{PROJECTIONS, Projection};
use hooklog_schemas::EventId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The set that is to be filled.
pub(super) struct Plan<'a> {
    pub(super) log: &'a Arc<dyn EventLog>,
    pub(super) id: EventId,
    pub(super) chosen: &'a [&'static Projection],
    /// Where the live tables are; none if they do not matter.
    pub(super) live: Option<&'a Checkpoint>,
    /// Nothing of an earlier run counts.
    pub(super) restart: bool,
    pub(super) holder: Holder<'a>,
}

impl Plan<'_> {
    /// Goes on with what an earlier run left, if it is the same, or begins anew. Other builds go:
    /// nobody will go on with them.
    pub(super) async fn open(
        &self,
        store: &mut dyn ProjectionStore,
    ) -> Result<Building, RebuildError> {
        let mut left = None;
        let sets = store.sets().await.map_err(ProjectError::from)?;
        for set in sets.into_iter().filter(|s| s.kind == SetKind::Building) {
            if left.is_none() && self.fits(&set).await? {
                left = Some(set.name);
            } else {
                tracing::info!(set = set.name, "a build that was given up is dropped");
                let dropped = store.drop_set(&set.name, self.holder).await;
                dropped.map_err(RebuildError::of)?;
            }
        }
        let beside = match &left {
            Some(name) => store.reopen(name, self.holder).await,
            None => {
                let start = Checkpoint::start(self.id);
                store.build(self.chosen, &start, self.holder).await
            }
        };
        let beside = beside.map_err(RebuildError::of)?;
        let name = match left {
            Some(name) => name,
            None => begun(store).await?,
        };
        let opened = Building::open(Arc::clone(self.log), self.id, name, beside).await;
        Ok(opened?)
    }

    async fn fits(&self, set: &TableSet) -> Result<bool, ProjectError> {
        let wanted: BTreeMap<_, _> = self
            .chosen
            .iter()
            .map(|p| (p.name.to_owned(), p.version))
            .collect();
        let at = &set.stored.checkpoint;
        let whole = self.chosen.len() == PROJECTIONS.len();
        // Tables that answer together stand at one checkpoint, and no fold goes back.
        let beyond = |live: &Checkpoint| {
            at.positions()
                .any(|p| live.next(p.topic, p.partition).offset < p.offset)
        };
        Ok(!self.restart
            && set.stored.versions == wanted
            && at.log == self.id
            && (whole || !self.live.is_some_and(beyond))
            && feed::is_within(self.log.as_ref(), at).await?.is_none())
    }
}

/// The name of the only build that there is.
async fn begun(store: &mut dyn ProjectionStore) -> Result<String, ProjectError> {
    let sets = store.sets().await?;
    let build = sets.into_iter().find(|s| s.kind == SetKind::Building);
    Ok(build.map(|set| set.name).unwrap_or_default())
}
