//! Work on a set of tables beside the live one: making it, going on with it, dropping it. All stand
//! in one database, so that one document can switch.

use super::forgetting::Forgetting;
use super::state::State;
use super::{MongodbStore, Place, restored, schema};
use crate::project::store::{Holder, StoreError};
use crate::project::stores::patience::within;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::projection::Projection;
use mongodb::bson::DateTime;

/// Begins a set of empty tables, without the indexes that can be made at the end.
pub(super) async fn begin(
    live: &mut MongodbStore,
    projections: &[&'static Projection],
    at: &Checkpoint,
    holder: Holder<'_>,
) -> Result<MongodbStore, StoreError> {
    let there = there(live).await?;
    let begin = |state: &mut State, now| {
        state.name_after(there);
        state.begin_build(projections, at, now)
    };
    let built = beside(live, holder, begin).await?;
    let making = make(&built);
    within(built.connector.limit, "beginning a build", making).await?;
    Ok(built)
}

/// The highest number in the name of a table.
async fn there(live: &mut MongodbStore) -> Result<i64, StoreError> {
    let database = live.place().await?.database;
    let there = schema::last_named(&database);
    let there = within(
        live.connector.limit,
        "looking which tables there are",
        there,
    )
    .await;
    live.heard(there)
}

/// Opens a set that is there. Whoever began it may have been stopped before all its tables were made.
pub(super) async fn reopen(
    live: &mut MongodbStore,
    set: &str,
    holder: Holder<'_>,
) -> Result<MongodbStore, StoreError> {
    let there = |state: &mut State, _| state.there(set).map(|()| set.to_owned());
    let opened = beside(live, holder, there).await?;
    let making = make(&opened);
    within(opened.connector.limit, "opening a build", making).await?;
    Ok(opened)
}

/// Drops a set. Its tables go later: somebody may read them, and nobody knows.
pub(super) async fn drop_set(
    live: &mut MongodbStore,
    set: &str,
    holder: Holder<'_>,
) -> Result<(), StoreError> {
    let place = live.place().await?;
    let dropped = place.states.advance(|state, now| {
        let beside = state.lease(set);
        beside.acquire(holder.writer, holder.lease, now)?;
        beside.release(now);
        state.drop_set(set, now)
    });
    let dropped = within(live.connector.limit, "dropping tables", dropped).await;
    live.heard(dropped).map(|_| ())
}

/// A writer of the set that `choose` names, under the lease for what is done beside the live one.
async fn beside(
    live: &mut MongodbStore,
    holder: Holder<'_>,
    choose: impl Fn(&mut State, DateTime) -> Result<String, StoreError> + Send + Sync,
) -> Result<MongodbStore, StoreError> {
    let place = live.place().await?;
    let chosen = place.states.advance(|state, now| {
        let set = choose(state, now)?;
        let lease = state
            .lease(&set)
            .acquire(holder.writer, holder.lease, now)?;
        Ok((set, lease))
    });
    let chosen = within(live.connector.limit, "acquiring its lease", chosen).await;
    let (_, (set, lease)) = live.heard(chosen)?;
    Ok(MongodbStore {
        connector: live.connector.building(),
        place: Some(place),
        set,
        lease: Some(lease),
        forgetting: Forgetting::of_build(),
    })
}

/// Makes the tables of the set that are not there yet.
async fn make(built: &MongodbStore) -> Result<(), StoreError> {
    let Some(place) = &built.place else {
        return Ok(());
    };
    let Place { database, states } = place;
    let (set, lease) = (&built.set, built.lease.as_ref());
    let (state, _) = states.renewed(set, lease).await?;
    let making = async {
        restored::look(place, set, &state).await?;
        // While the live ones are being created, no state speaks of them.
        if state.is_created() {
            schema::drop_dead(database, state.named(), &state.used()).await?;
        }
        schema::create(database, &state.names(set)).await
    };
    states.keep(set, lease, making).await
}

/// Makes the other indexes; those that are there stay.
pub(super) async fn finish(built: &MongodbStore, place: &Place) -> Result<(), StoreError> {
    let (set, lease) = (&built.set, built.lease.as_ref());
    let (state, _) = place.states.renewed(set, lease).await?;
    let names = state.names(set);
    let finishing = schema::finish(&place.database, &names);
    place.states.keep(set, lease, finishing).await
}
