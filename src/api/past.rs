//! Configurations of the past: folds of `control` up to an offset.

use super::Api;
use super::problem::Problem;
use crate::log::ReadLimit;
use hooklog_projections::configuration::Configuration;
use hooklog_schemas::{Event, Offset, Partition, Position, Topic};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Configurations that are kept at the most: pages of one question ask for the same ones.
const KEPT_MAX: usize = 64;

/// The configurations of the past that were asked for lately, by the offset of their last event.
#[derive(Default)]
pub(super) struct Past(Mutex<BTreeMap<Offset, Arc<Configuration>>>);

impl Past {
    fn known(&self, offset: Offset) -> Option<Arc<Configuration>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&offset).cloned()
    }

    /// The latest configuration before `offset` that is kept; else the one before everything.
    fn before(&self, offset: Offset) -> Configuration {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = kept.range(..offset).next_back();
        latest.map_or_else(Configuration::default, |(_, known)| (**known).clone())
    }

    fn keep(&self, found: &BTreeMap<Offset, Arc<Configuration>>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(found.iter().map(|(at, known)| (*at, Arc::clone(known))));
        // Lists go back in time, so the latest are the first that nobody asks for any more.
        while kept.len() > KEPT_MAX {
            kept.pop_last();
        }
    }
}

impl Api {
    /// The configuration as `control` before `end` says.
    pub(super) async fn configuration_before(&self, end: Offset) -> Result<Configuration, Problem> {
        let mut configuration = self.past.before(end);
        while configuration.next < end {
            let from = Position::new(Topic::Control, Partition(0), configuration.next);
            let records = self.parts.log.read(from, ReadLimit::default()).await?;
            let before = records.iter().filter(|record| record.position.offset < end);
            let mut folded = 0;
            for record in before {
                let event = Event::decode(record).map_err(Problem::internal)?;
                configuration.fold(record.position.offset, record.event_id, &event);
                folded += 1;
            }
            if folded == 0 {
                break;
            }
        }
        Ok(configuration)
    }

    /// The configurations as they were after the events at these offsets, in one walk over `control`.
    pub(super) async fn configurations_at(
        &self,
        offsets: BTreeSet<Offset>,
    ) -> Result<BTreeMap<Offset, Arc<Configuration>>, Problem> {
        let known = |offset: &Offset| Some((*offset, self.past.known(*offset)?));
        let mut found: BTreeMap<_, _> = offsets.iter().filter_map(known).collect();
        let mut missing: BTreeSet<_> = offsets
            .into_iter()
            .filter(|offset| !found.contains_key(offset))
            .collect();
        let Some(first) = missing.first() else {
            return Ok(found);
        };
        let mut configuration = self.past.before(*first);
        while !missing.is_empty() {
            let from = Position::new(Topic::Control, Partition(0), configuration.next);
            let records = self.parts.log.read(from, ReadLimit::default()).await?;
            if records.is_empty() {
                break;
            }
            for record in &records {
                let offset = record.position.offset;
                let event = Event::decode(record).map_err(Problem::internal)?;
                configuration.fold(offset, record.event_id, &event);
                if missing.remove(&offset) {
                    found.insert(offset, Arc::new(configuration.clone()));
                }
            }
        }
        self.past.keep(&found);
        Ok(found)
    }
}
