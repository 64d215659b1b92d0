//! The chain of states, of which the newest is in force.
//!
//! A state is never changed: one that follows is inserted under the next number. Of two who go on
//! from the same one the server takes one, whatever it is and whether it has transactions; the other
//! finds its number taken, and looks again.

use super::errors::{failed, is_duplicate};
use super::state::{Lease, State};
use super::unreadable;
use crate::project::store::StoreError;
use mongodb::bson::{DateTime, doc};
use mongodb::error::Error;
use mongodb::{Collection, Database};
use std::future::Future;
use std::time::Duration;

/// The collection that holds them.
pub(super) const NAME: &str = "states";

/// How many former states stay.
const KEPT: i64 = if cfg!(test) { 8 } else { 256 };

/// How many states come before old ones are removed.
const FORGET_EVERY: i64 = if cfg!(test) { 4 } else { 64 };

/// Others may go on from the same state at the same moment, but not for ever.
const TRIES: usize = 16;

/// The shortest pause between two renewals beside something long.
const RENEWAL_MIN: Duration = Duration::from_millis(100);

/// The states of one database.
#[derive(Clone, Debug)]
pub(super) struct States {
    database: Database,
    collection: Collection<State>,
}

impl States {
    pub(super) fn of(database: &Database) -> Self {
        Self {
            database: database.clone(),
            collection: database.collection(NAME),
        }
    }

    /// The state that is in force; none if nobody has written anything.
    pub(super) async fn newest(&self) -> Result<Option<State>, StoreError> {
        let newest = self.collection.find_one(doc! {}).sort(doc! {"_id": -1});
        newest.await.map_err(failed("reading its state"))
    }

    /// Whether we may read it at all.
    pub(super) async fn look(&self) -> Result<(), Error> {
        self.collection.find_one(doc! {}).await?;
        Ok(())
    }

    /// Renews the lease; tells the state and the time.
    pub(super) async fn renewed(
        &self,
        set: &str,
        lease: Option<&Lease>,
    ) -> Result<(State, DateTime), StoreError> {
        self.advance(|state, now| {
            state.lease(set).fence(lease, now)?;
            Ok(now)
        })
        .await
    }

    /// Gives the lease back, if it is still there.
    pub(super) async fn release(&self, set: &str, lease: &Lease) -> Result<(), StoreError> {
        let newest = self.newest().await?;
        if newest.is_some_and(|state| state.is_held(set, lease)) {
            let released = self.advance(|state, now| {
                if state.is_held(set, lease) {
                    state.lease(set).release(now);
                }
                Ok(())
            });
            released.await?;
        }
        Ok(())
    }

    /// Does something long, while the lease is renewed beside it.
    pub(super) async fn keep<T>(
        &self,
        set: &str,
        lease: Option<&Lease>,
        making: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        tokio::select! {
            made = making => made,
            lost = self.renew_until_lost(set, lease) => Err(lost),
        }
    }

    /// What fails otherwise is tried again: the state that follows compares the lease once more.
    async fn renew_until_lost(&self, set: &str, lease: Option<&Lease>) -> StoreError {
        let length = lease.map_or(Duration::ZERO, |lease| lease.length);
        loop {
            tokio::time::sleep((length / 3).max(RENEWAL_MIN)).await;
            match self.renewed(set, lease).await {
                Err(lost @ StoreError::Superseded { .. }) => return lost,
                Err(error) => tracing::warn!(%error, "the lease of the tables was not renewed"),
                Ok(_) => {}
            }
        }
    }

    /// Goes on to the state that `change` makes of the one in force, at the time that it is told.
    /// What it says besides is handed on with the state.
    pub(super) async fn advance<T>(
        &self,
        change: impl Fn(&mut State, DateTime) -> Result<T, StoreError>,
    ) -> Result<(State, T), StoreError> {
        for _ in 0..TRIES {
            let now = self.now().await?;
            let mut state = self.newest().await?.unwrap_or_else(State::fresh);
            let said = change(&mut state, now)?;
            state.number += 1;
            match self.collection.insert_one(&state).await {
                Ok(_) => {
                    if self.is_passed(&state).await? {
                        return Err(stood_still("this process stood still meanwhile"));
                    }
                    self.forget(state.number).await;
                    return Ok((state, said));
                }
                Err(error) if is_duplicate(&error) => {}
                Err(error) => return Err(failed(DOING)(error)),
            }
        }
        Err(stood_still("others change it again and again"))
    }

    /// The time by the clock of the server.
    async fn now(&self) -> Result<DateTime, StoreError> {
        let said = self.database.run_command(doc! {"hello": 1}).await;
        let said = said.map_err(failed("telling the time"))?;
        let now = said.get_datetime("localTime").copied();
        now.map_err(|_| unreadable("no time"))
    }

    /// Whether so many states are newer that this one may have come after its successors were gone: a
    /// process may stand still between reading a state and inserting the next one, and a command may
    /// be on its way for long, whatever the clock of the process says.
    async fn is_passed(&self, state: &State) -> Result<bool, StoreError> {
        let newest = self.newest().await?.map_or(0, |newest| newest.number);
        Ok(newest - state.number > KEPT / 2)
    }

    /// Removes states that nobody looks at any more. What fails here is done another time.
    async fn forget(&self, newest: i64) {
        if newest % FORGET_EVERY == 0 {
            let old = doc! {"_id": {"$lt": newest - KEPT}};
            if let Err(error) = self.collection.delete_many(old).await {
                tracing::debug!(%error, "former states of the tables stay for now");
            }
        }
    }
}

const DOING: &str = "writing its state";

fn stood_still(reason: &str) -> StoreError {
    StoreError::Failed {
        doing: DOING,
        reason: reason.to_owned(),
    }
}
