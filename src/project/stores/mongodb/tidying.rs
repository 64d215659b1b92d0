//! Removes what is replaced and read by nobody any more.

use super::numbers::Numbers;
use super::state::{LIVE, State};
use super::{MongodbStore, Place, schema, write};
use crate::project::store::StoreError;
use crate::project::stores::patience::within;

/// With more ranges of writes that never counted than this, every question is a long one.
const RANGES_MAX: usize = 4_096;

impl MongodbStore {
    /// Removes what is replaced and read by nobody, now and then. What fails is done another time.
    pub(super) async fn forget(&mut self, place: &Place) {
        let Some(number) = self.forgetting.look() else {
            return;
        };
        let limit = self.connector.limit;
        let forgetting = self.forget_up_to(place, number);
        if let Err(error) = within(limit, "tidying up", forgetting).await {
            tracing::debug!(%error, "what was replaced in the tables stays for now");
        }
    }

    async fn forget_up_to(&mut self, place: &Place, number: i64) -> Result<(), StoreError> {
        let (set, lease) = (&self.set, self.lease.as_ref());
        // It is said before anything is gone, so that who reads still can tell.
        let said = place.states.advance(|state, now| {
            state.lease(set).fence(lease, now)?;
            Ok(match set.as_str() {
                LIVE => state.prune(number, now),
                _ => Vec::new(),
            })
        });
        let (state, tables) = said.await?;
        let removing = self.remove(place, &state, number, &tables);
        place.states.keep(set, lease, removing).await?;
        self.forgetting.swept = state.begun();
        Ok(())
    }

    /// Removes what was replaced up to the write `number`, what is left of writes that never
    /// counted, and these tables, which are of no set.
    async fn remove(
        &self,
        Place { database, .. }: &Place,
        state: &State,
        number: i64,
        tables: &[String],
    ) -> Result<(), StoreError> {
        let names = state.names(&self.set);
        let unsettled = state.moment(&self.set).unwrap_or_default().unsettled;
        write::forget_replaced(database, &names, number, &unsettled).await?;
        let left = unsettled.after(self.forgetting.swept);
        if !left.is_empty() {
            warn_of_many(&unsettled);
            write::forget_unsettled(database, &names, &left).await?;
        }
        for table in tables {
            schema::drop_table(database, table).await?;
        }
        Ok(())
    }
}

/// No number of a write that never counted is forgotten, so only new tables have none.
fn warn_of_many(unsettled: &Numbers) {
    if unsettled.ranges() > RANGES_MAX {
        tracing::warn!(
            ranges = unsettled.ranges(),
            "very many writes of the tables never came to their end, which makes every question \
             slow: run `hooklog rebuild`"
        );
    }
}
