//! One batch after the other, into each set of tables.

use super::sizes::Sizes;
use super::{Keeper, LOOK};
use crate::project::own::batch::Batch;
use crate::project::own::definition::Definition;
use crate::project::own::events;
use crate::project::own::place::Place;
use crate::project::own::reading::{self, Reading};
use crate::project::own::sets::Sets;
use crate::project::own::store::{Advance, OwnError, OwnStored, Set};
use hooklog_schemas::{Position, Topic};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::project::own) enum Step {
    /// There is nothing to fold.
    Idle,
    /// A batch is in the tables, or is tried again in smaller ones.
    Folded,
}

impl Keeper {
    /// Folds a batch into each of its sets, and switches when the built one is where the log ends.
    ///
    /// # Errors
    /// When its files are not in order, or a statement, the store or the log fails.
    pub(in crate::project::own) async fn step(&mut self) -> Result<Step, OwnError> {
        let definition = self.look()?;
        if let Ok(order) = self.orders.try_recv() {
            self.carry_out(order).await;
        }
        self.erasures.catch_up(self.parts.log.as_ref()).await?;
        self.open(&definition).await?;
        let live = self.fold_live(&definition).await;
        let next = self.fold(Set::Next, &definition).await?;
        let live = match next {
            // Whatever was wrong with those that answered, they do so no more.
            Some(next) if next.is_at_the_end() => {
                self.switch(&definition).await?;
                live.unwrap_or_default()
            }
            Some(_) => self.rest_live(live)?,
            None => live?,
        };
        let busy = [live, next].into_iter().flatten().any(Ending::is_busy);
        self.tell(&definition, !busy).await?;
        if self.rests.is_none() {
            self.failures = 0;
        }
        Ok(if busy { Step::Folded } else { Step::Idle })
    }

    /// Folds a batch into the tables that answer, unless they stand still while others are built.
    async fn fold_live(&mut self, definition: &Definition) -> Result<Option<Ending>, OwnError> {
        let builds = self.sets.as_ref().is_some_and(|sets| sets.next.is_some());
        let rests = self.rests.is_some_and(|until| Instant::now() < until);
        if builds && rests {
            return Ok(None);
        }
        let folded = self.fold(Set::Live, definition).await;
        if folded.is_ok() {
            self.rests = None;
        }
        folded
    }

    /// Those that answer and failed stand still for a while, and what is built is gone on with.
    fn rest_live(
        &mut self,
        live: Result<Option<Ending>, OwnError>,
    ) -> Result<Option<Ending>, OwnError> {
        if matches!(&live, Err(error) if !matches!(error, OwnError::Moved)) {
            self.rests = Some(self.pause());
        }
        live
    }

    /// Its files as they are, read now and then.
    fn look(&mut self) -> Result<Arc<Definition>, OwnError> {
        if let Some(definition) = &self.definition
            && self.looked.is_some_and(|looked| looked.elapsed() < LOOK)
        {
            return Ok(Arc::clone(definition));
        }
        let read = Definition::read(&self.parts.folder, self.parts.flavour);
        self.looked = Some(Instant::now());
        let read = match read {
            Ok(read) => Arc::new(read),
            Err(error) => {
                (self.definition, self.sets, self.rests) = (None, None, None);
                return Err(OwnError::Refused(error.to_string()));
            }
        };
        if self.definition.as_ref() != Some(&read) {
            self.definition = Some(Arc::clone(&read));
            self.sizes = Sizes::new(self.parts.config.own.batch_events_max);
            (self.sets, self.rests) = (None, None);
        }
        Ok(read)
    }

    /// Looks what is stored, and begins new tables where those that are there cannot be gone on with,
    /// or may hold what was ordered to be erased.
    async fn open(&mut self, definition: &Definition) -> Result<(), OwnError> {
        let sets = match self.sets.take() {
            Some(sets) => sets,
            None => {
                let (log, store) = (self.parts.log.as_ref(), self.parts.store.as_mut());
                Sets::open(log, store, definition, self.anew).await?
            }
        };
        let concerned =
            |stored: &OwnStored| self.erasures.concern(&definition.events, stored.begun);
        let begin = self.anew
            || match (&sets.live, &sets.next) {
                // What was ordered since it began is not in what it read after that. It is finished: if
                // every order began another, none might ever be.
                (_, Some(_)) => false,
                (Some(live), None) => concerned(live),
                (None, None) => true,
            };
        self.sets = Some(sets);
        if begin { self.build().await } else { Ok(()) }
    }

    /// Begins new tables beside those that answer.
    async fn build(&mut self) -> Result<(), OwnError> {
        let (Some(sets), Some(definition)) = (&mut self.sets, &self.definition) else {
            return Ok(());
        };
        let stored = sets.beginning(definition, self.erasures.read_up_to());
        self.parts.store.begin(definition, &stored).await?;
        sets.next = Some(stored);
        self.sizes.begun();
        (self.anew, self.asked) = (false, None);
        Ok(())
    }

    async fn switch(&mut self, definition: &Definition) -> Result<(), OwnError> {
        self.parts.store.switch().await?;
        let Definition { name, version, .. } = definition;
        tracing::info!(projection = %name, version, "new tables of a projection of your own answer");
        self.sets.iter_mut().for_each(Sets::switched);
        self.sizes.switched();
        (self.asked, self.rests) = (None, None);
        Ok(())
    }

    /// Folds the next batch into a set; nothing if the set is not written.
    async fn fold(
        &mut self,
        set: Set,
        definition: &Definition,
    ) -> Result<Option<Ending>, OwnError> {
        let Some(stored) = self.sets.as_ref().and_then(|sets| sets.of(set)) else {
            return Ok(None);
        };
        let from = stored.place.clone();
        let topics = events::topics(&definition.events);
        self.turn = self.turn.wrapping_add(1);
        let log = self.parts.log.as_ref();
        let (most, events_max) = (self.parts.config.batch_events_max, self.sizes.of(set));
        let reading = Reading {
            topics: &topics,
            turn: self.turn,
            records_max: events_max.saturating_mul(UNWANTED).min(most),
            to_the_end: set == Set::Next,
        };
        let read = reading::read(log, &reading, &from).await?;
        if read.records.is_empty() {
            return Ok(Some(Ending::Reached));
        }
        // What was ordered before these were read must be known before they are handed over.
        self.erasures.catch_up(log).await?;
        let limit = (&from, events_max);
        let batch = Batch::of(&read.records, &definition.events, &self.erasures, limit).await?;
        let done = self.apply(set, definition, &batch, &from).await?;
        let end = done && !read.more && !batch.left;
        Ok(Some(if end { Ending::Some } else { Ending::More }))
    }

    /// Tells whether it is in the tables; else the next one is smaller, to find which event it is.
    async fn apply(
        &mut self,
        set: Set,
        definition: &Definition,
        batch: &Batch,
        from: &Place,
    ) -> Result<bool, OwnError> {
        let to = &batch.to;
        let text = batch.text();
        let store = &mut self.parts.store;
        let applied = store.apply(set, definition, text.as_deref(), Advance { from, to });
        match applied.await {
            Ok(()) => {
                self.sizes.grow(set);
                let sets = self.sets.iter_mut();
                sets.for_each(|sets| sets.reached(set, to.clone()));
                Ok(true)
            }
            Err(OwnError::Statement { .. }) if batch.count() > 1 => {
                self.sizes.halve(set, batch.count());
                Ok(false)
            }
            Err(error) => {
                if matches!(error, OwnError::Moved) {
                    self.sets = None;
                }
                Err(at(error, batch.first))
            }
        }
    }

    /// The next positions to read.
    pub(super) fn positions(&self) -> Vec<Position> {
        let (Some(sets), Some(definition)) = (&self.sets, &self.definition) else {
            return Vec::new();
        };
        let Some(live) = &sets.live else {
            return Vec::new();
        };
        let topics: BTreeSet<Topic> = events::topics(&definition.events);
        let partitions = reading::partitions(self.parts.log.as_ref(), &topics).into_iter();
        let next = partitions.map(|(topic, n)| live.place.checkpoint.next(topic, n));
        next.collect()
    }
}

/// Records read for an event that is wanted, at the most: others stand between.
const UNWANTED: usize = 8;

/// Where a set is after a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// There was nothing to read.
    Reached,
    /// It is about where the log ends.
    Some,
    /// There is more to read.
    More,
}

impl Ending {
    fn is_busy(self) -> bool {
        self != Self::Reached
    }

    fn is_at_the_end(self) -> bool {
        self != Self::More
    }
}

/// Says at which event a statement failed.
fn at(error: OwnError, position: Option<Position>) -> OwnError {
    match (error, position) {
        (OwnError::Statement { file, line, reason }, Some(position)) => OwnError::Statement {
            file,
            line,
            reason: format!("of the event {position} the database says: {reason}"),
        },
        (error, _) => error,
    }
}
