//! Reads for queries: one state of the tables an answer.

mod joining;

use super::Place;
use super::connect::Connector;
use super::errors::failed;
use super::filter;
use super::forgetting::ANSWER;
use super::state::{LIVE, State};
use super::states::States;
use super::unreadable;
use super::versions::{Moment, all, read};
use crate::config::MongodbConfig;
use crate::project::store::StoreError;
use crate::project::stores::names::Names;
use crate::project::stores::patience::within;
use crate::query::{QueryError, Select, Snapshot, Tables};
use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::table::{Row, Table};
use mongodb::bson::Document;
use mongodb::options::FindOptions;
use mongodb::{Collection, Cursor};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The tables of a database, for reading.
pub struct MongodbTables {
    connector: Connector,
    /// None before the first question, and after the server did not let us in.
    place: Mutex<Option<Place>>,
}

impl MongodbTables {
    /// The tables that `config` names. They need not be there yet: until then questions fail.
    #[must_use]
    pub fn new(config: &MongodbConfig) -> Self {
        Self {
            connector: Connector::reading(config),
            place: Mutex::new(None),
        }
    }

    async fn place(&self) -> Result<Place, StoreError> {
        let kept = self.kept().clone();
        if let Some(place) = kept {
            return Ok(place);
        }
        // Those who ask meanwhile connect too, rather than wait for one another.
        let database = self.connector.connect().await?;
        let states = States::of(&database);
        let place = Place { database, states };
        *self.kept() = Some(place.clone());
        Ok(place)
    }

    fn kept(&self) -> MutexGuard<'_, Option<Place>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn begin(&self) -> Result<Option<Reading>, StoreError> {
        let begun = Instant::now();
        let place = self.place().await?;
        let newest = place.states.newest();
        let newest = within(self.connector.limit, "beginning to answer", newest).await;
        let newest = newest.map_err(|error| self.connector.named(error))?;
        let reading = |state: State| {
            let moment = state.moment(LIVE)?;
            let connector = self.connector.clone();
            let names = state.names(LIVE);
            Some(Reading {
                connector,
                place,
                state,
                names,
                moment,
                begun,
            })
        };
        Ok(newest.and_then(reading))
    }
}

#[async_trait]
impl Tables for MongodbTables {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, QueryError> {
        let begun = match self.begin().await {
            // A password may have been changed.
            Err(StoreError::Refused(_)) => {
                *self.kept() = None;
                self.begin().await
            }
            begun => begun,
        };
        match begun.map_err(from_store)? {
            Some(reading) => Ok(Box::new(reading)),
            None => Err(not_there()),
        }
    }
}

/// One state of the tables.
struct Reading {
    connector: Connector,
    place: Place,
    state: State,
    names: Names,
    moment: Moment,
    begun: Instant,
}

const DOING: &str = "answering a query";

#[async_trait]
impl Snapshot for Reading {
    async fn select(&mut self, select: &Select) -> Result<Vec<Row>, QueryError> {
        let documents = match filter::joined(select) {
            None => self.within(self.rows(select, Vec::new())).await?,
            Some(joined) => self.within(self.rows_joined(select, &joined)).await?,
        };
        let rows = documents.iter().map(|row| read(select.table, row));
        rows.collect::<Result<_, _>>().map_err(from_store)
    }

    async fn count(&mut self, select: &Select) -> Result<u64, QueryError> {
        match filter::joined(select) {
            None => self.within(self.number(select, Vec::new())).await,
            Some(joined) => self.within(self.number_joined(select, &joined)).await,
        }
    }

    fn versions(&self) -> &BTreeMap<String, u32> {
        self.names.versions()
    }

    async fn checkpoint(&mut self) -> Result<Checkpoint, QueryError> {
        let checkpoint = self.state.checkpoint(LIVE).map_err(from_store)?;
        checkpoint.ok_or_else(not_there)
    }
}

impl Reading {
    /// An answer that came while everything that this state needs was there.
    async fn within<T>(
        &self,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, QueryError> {
        let answer = async {
            let answer = answer.await?;
            let newest = self.place.states.newest().await?;
            Ok((answer, newest))
        };
        let answer = within(self.connector.limit, DOING, answer).await;
        if self.begun.elapsed() > ANSWER {
            let reason = format!("the answer took longer than {} s", ANSWER.as_secs());
            return Err(QueryError::Unavailable(reason));
        }
        let (answer, newest) = answer.map_err(|error| from_store(self.connector.named(error)))?;
        // The clocks of who reads and of who removes are two: what was removed is in the state.
        if newest.is_some_and(|newest| newest.has_all_of(&self.moment, &self.names)) {
            return Ok(answer);
        }
        let reason = "what was read is replaced, and was removed meanwhile";
        Err(QueryError::Unavailable(reason.to_owned()))
    }

    fn collection(&self, table: &Table) -> Result<Collection<Document>, StoreError> {
        let name = self.names.get(table)?;
        Ok(self.place.database.collection(name))
    }

    /// What holds for the rows of `select` in this state, with `more` that must hold.
    fn filter(&self, select: &Select, more: Vec<Document>) -> Result<Document, StoreError> {
        for (table, column) in filter::compared(select) {
            self.has(table, column)?;
        }
        let mut clauses = self.moment.filter();
        clauses.extend(filter::filter(select));
        clauses.extend(more);
        Ok(all(clauses))
    }

    /// Tables of an earlier version may lack what is asked for. The server would not say so: to it
    /// the column is empty, and the answer would be a guess.
    fn has(&self, table: &Table, column: &str) -> Result<(), StoreError> {
        match self.names.stored(table)?.place(column) {
            Some(_) => Ok(()),
            None => Err(unreadable(format!(
                "{} of an earlier version, without {column}",
                table.name
            ))),
        }
    }

    async fn rows(
        &self,
        select: &Select,
        more: Vec<Document>,
    ) -> Result<Vec<Document>, StoreError> {
        let limit = select.limit.map(|l| i64::try_from(l).unwrap_or(i64::MAX));
        let options = FindOptions::builder().limit(limit).build();
        let rows = self.found(select, more, options).await?;
        rows.try_collect().await.map_err(failed(DOING))
    }

    async fn found(
        &self,
        select: &Select,
        more: Vec<Document>,
        options: FindOptions,
    ) -> Result<Cursor<Document>, StoreError> {
        let collection = self.collection(select.table)?;
        let found = collection
            .find(self.filter(select, more)?)
            .with_options(options)
            .sort(filter::order(select))
            // Servers before 6.0 give up rather than sort much, unless they are told.
            .allow_disk_use(true)
            .max_time(self.connector.limit);
        found.await.map_err(failed(DOING))
    }

    async fn number(&self, select: &Select, more: Vec<Document>) -> Result<u64, StoreError> {
        let collection = self.collection(select.table)?;
        let counted = collection
            .count_documents(self.filter(select, more)?)
            .max_time(self.connector.limit);
        counted.await.map_err(failed(DOING))
    }
}

fn not_there() -> QueryError {
    QueryError::Unavailable("they are not there yet".to_owned())
}

fn from_store(error: StoreError) -> QueryError {
    QueryError::Unavailable(error.to_string())
}
