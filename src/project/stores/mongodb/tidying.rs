//! Removes what is replaced and read by nobody any more.

use super::state::{LIVE, State};
use super::{MongodbStore, Place, schema, write};
use crate::project::store::StoreError;
use crate::project::stores::patience::within;
use mongodb::bson::DateTime;

/// Writes that never counted and are remembered, so that what their writers may still bring does not
/// count either. When there are more, what the oldest half left is looked for in all tables.
pub(super) const UNSETTLED_MAX: usize = if cfg!(test) { 4 } else { 512 };

impl MongodbStore {
    /// Removes what is replaced and read by nobody, now and then. What fails is done another time.
    pub(super) async fn forget(&mut self, place: &Place) {
        let Some(number) = self.forgetting.look() else {
            return;
        };
        let forgetting = self.forget_up_to(place, number);
        if let Err(error) = within(self.connector.limit, "tidying up", forgetting).await {
            tracing::debug!(%error, "what was replaced in the tables stays for now");
        }
    }

    async fn forget_up_to(&self, place: &Place, number: i64) -> Result<(), StoreError> {
        let renewed = place.states.renewed(&self.set, self.lease.as_ref());
        let (state, now) = renewed.await?;
        let names = state.names(&self.set);
        let unsettled = state.moment(&self.set).unwrap_or_default().unsettled;
        write::forget_replaced(&place.database, &names, number, &unsettled).await?;
        match self.set.as_str() {
            LIVE => self.forget_left(place, &state, now).await,
            _ => Ok(()),
        }
    }

    /// Removes what writes left that never counted, if there is much of it, and tables of no set.
    async fn forget_left(
        &self,
        Place { database, states }: &Place,
        state: &State,
        now: DateTime,
    ) -> Result<(), StoreError> {
        let unsettled = state.oldest_unsettled(UNSETTLED_MAX);
        if !unsettled.is_empty() {
            write::forget_unsettled(database, &state.names(LIVE), unsettled).await?;
        }
        let replaced: Vec<_> = state.replaced_before(now).collect();
        for table in &replaced {
            schema::drop_table(database, table).await?;
        }
        if unsettled.is_empty() && replaced.is_empty() {
            return Ok(());
        }
        let forgotten = states.advance(|next, _| {
            next.lease(LIVE).fence(self.lease.as_ref(), now)?;
            next.forget(unsettled, now);
            Ok(())
        });
        forgotten.await.map(|_| ())
    }
}
