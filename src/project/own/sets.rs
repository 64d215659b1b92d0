//! Which sets of tables a projection of somebody's own goes on with.

use super::definition::Definition;
use super::place::Place;
use super::store::{OwnError, OwnStore, OwnStored, Set};
use crate::log::EventLog;
use crate::project::feed::{self, FeedError};
use hooklog_schemas::{EventId, Offset};

/// The sets of tables that are written.
#[derive(Clone, Debug)]
pub(super) struct Sets {
    /// The log that they are of.
    log: EventId,
    /// Those that answer, if this definition goes on with them.
    pub(super) live: Option<OwnStored>,
    /// Those that are built.
    pub(super) next: Option<OwnStored>,
    /// What answers, whether it is gone on with or not.
    pub(super) answers: Option<OwnStored>,
}

impl Sets {
    /// Looks what is there of `definition`. What cannot be read is as good as not there where others
    /// are built, or are to be built `anew`, in its place.
    pub(super) async fn open(
        log: &dyn EventLog,
        store: &mut dyn OwnStore,
        definition: &Definition,
        anew: bool,
    ) -> Result<Self, OwnError> {
        let id = feed::log_id(log).await.map_err(read)?;
        let id = id.ok_or(OwnError::Empty)?;
        let next = match store.stored(Set::Next).await {
            Err(OwnError::Damaged(_)) => None,
            next => next?,
        };
        let next = usable(log, id, next, definition).await?;
        let answers = match store.stored(Set::Live).await {
            Err(OwnError::Damaged(_)) if anew || next.is_some() => None,
            answers => answers?,
        };
        if let Some(stored) = &answers {
            check(stored, definition)?;
        }
        Ok(Self {
            log: id,
            live: usable(log, id, answers.clone(), definition).await?,
            next,
            answers,
        })
    }

    /// What new tables begin with, when `control` ends at `begun`.
    pub(super) fn beginning(&self, definition: &Definition, begun: Offset) -> OwnStored {
        OwnStored {
            version: definition.version,
            digest: definition.digest.clone(),
            begun,
            place: Place::start(self.log),
        }
    }

    /// The tables of a set, if it is written.
    pub(super) const fn of(&self, set: Set) -> Option<&OwnStored> {
        match set {
            Set::Live => self.live.as_ref(),
            Set::Next => self.next.as_ref(),
        }
    }

    /// Notes where the tables of a set are.
    pub(super) fn reached(&mut self, set: Set, place: Place) {
        let noted = match set {
            Set::Live => &mut self.live,
            Set::Next => &mut self.next,
        };
        if let Some(stored) = noted {
            stored.place = place;
        }
        if set == Set::Live {
            self.answers.clone_from(&self.live);
        }
    }

    /// Notes that those that were built answer.
    pub(super) fn switched(&mut self) {
        self.live = self.next.take();
        self.answers.clone_from(&self.live);
    }
}

/// Files of an earlier version, or other ones of the same, do not touch what answers.
fn check(stored: &OwnStored, definition: &Definition) -> Result<(), OwnError> {
    let version = definition.version;
    if stored.version > version {
        return Err(OwnError::Refused(format!(
            "its tables have version {}, and projection.toml says {version}: a version never goes back; \
             to go back to earlier files, give them version {}",
            stored.version,
            stored.version.saturating_add(1)
        )));
    }
    if stored.version == version && stored.digest != definition.digest {
        return Err(OwnError::Refused(format!(
            "its files changed, and its version is still {version}: raise `version` in projection.toml, \
             so that its tables are built again"
        )));
    }
    Ok(())
}

/// What this definition made of this log, and no more of it than there is.
async fn usable(
    log: &dyn EventLog,
    id: EventId,
    stored: Option<OwnStored>,
    definition: &Definition,
) -> Result<Option<OwnStored>, OwnError> {
    let Some(stored) = stored else {
        return Ok(None);
    };
    let checkpoint = &stored.place.checkpoint;
    let same = stored.version == definition.version
        && stored.digest == definition.digest
        && checkpoint.log == id;
    let within = same && feed::is_within(log, checkpoint).await?.is_none();
    Ok(within.then_some(stored))
}

fn read(error: FeedError) -> OwnError {
    match error {
        FeedError::Read(error) => error.into(),
        FeedError::Decode(error) => error.into(),
        FeedError::Store(error) => OwnError::Refused(error.to_string()),
        FeedError::Row(error) => OwnError::Refused(error.to_string()),
    }
}
