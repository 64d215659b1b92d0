//! All projections of somebody's own: looks which folders there are, keeps each on a task of its own,
//! and takes orders about them.

use super::keeper::{Keeper, KeeperParts, OwnHandle};
use super::sql::Flavour;
use super::status::OwnStatus;
use super::store::{OwnError, OwnStore};
use crate::config::ProjectConfig;
use crate::log::EventLog;
use crate::metrics::{Metrics, OwnLabel};
use crate::project::{ProjectError, Status};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Opens the tables of the projection with this name.
pub type OpenOwn = Arc<dyn Fn(&str) -> Result<Box<dyn OwnStore>, OwnError> + Send + Sync>;

/// What a desk is made of.
#[derive(Clone)]
pub struct OwnDeskParts {
    /// The folder with their folders.
    pub folder: PathBuf,
    /// Which file of SQL is the store's.
    pub flavour: Flavour,
    /// Opens tables.
    pub open: OpenOwn,
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// Their pace.
    pub config: ProjectConfig,
    /// Where lags are told.
    pub metrics: Metrics,
    /// The projector of this process: who writes hooklog's tables writes theirs.
    pub projector: Option<Status>,
}

/// Why an order was not taken.
#[derive(Debug, thiserror::Error)]
pub enum OwnDeskError {
    /// There is no such projection.
    #[error("there is no projection {0} of your own; `hooklog projection list` shows them")]
    NoSuch(String),
    /// Nothing is kept of this version.
    #[error(
        "{name} keeps no tables of version {version}; `hooklog projection list` shows what it keeps"
    )]
    NotKept {
        /// The projection.
        name: String,
        /// The version.
        version: u32,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] OwnError),
}

/// Tells how they are, and takes orders. Clones share them. The default one has none.
#[derive(Clone, Default)]
pub struct OwnDesk(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    handles: BTreeMap<String, OwnHandle>,
    /// What cannot be kept, and why.
    failed: BTreeMap<String, String>,
}

impl OwnDesk {
    /// How each of them is, by name.
    #[must_use]
    pub fn statuses(&self) -> Vec<OwnStatus> {
        let kept = self.kept();
        let failed = kept.failed.iter();
        let failed = failed.map(|(name, error)| OwnStatus::failed(name, error.clone()));
        let kept = kept.handles.values().map(OwnHandle::status);
        kept.chain(failed).collect()
    }

    /// Whether there is one with this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.kept().handles.contains_key(name)
    }

    /// Has new tables built from the start of the log, beside the ones that answer.
    ///
    /// # Errors
    /// When there is none with this name.
    pub fn rebuild(&self, name: &str) -> Result<(), OwnDeskError> {
        self.handle(name)?.rebuild();
        Ok(())
    }

    /// Drops the tables that are kept of a version.
    ///
    /// # Errors
    /// When there are none, or the store fails.
    pub async fn drop_kept(&self, name: &str, version: u32) -> Result<(), OwnDeskError> {
        let handle = self.handle(name)?;
        match handle.drop_kept(version).await? {
            true => Ok(()),
            false => Err(OwnDeskError::NotKept {
                name: name.to_owned(),
                version,
            }),
        }
    }

    fn handle(&self, name: &str) -> Result<OwnHandle, OwnDeskError> {
        let handle = self.kept().handles.get(name).cloned();
        handle.ok_or_else(|| OwnDeskError::NoSuch(name.to_owned()))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps what a desk tells of.
pub struct OwnClerk {
    parts: OwnDeskParts,
    desk: OwnDesk,
    tasks: JoinSet<()>,
    stops: BTreeMap<String, CancellationToken>,
}

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 5_000 });

impl OwnClerk {
    /// A clerk, and its desk.
    #[must_use]
    pub fn new(parts: OwnDeskParts) -> (Self, OwnDesk) {
        let desk = OwnDesk::default();
        let clerk = Self {
            parts,
            desk: desk.clone(),
            tasks: JoinSet::new(),
            stops: BTreeMap::new(),
        };
        (clerk, desk)
    }

    /// Keeps every projection that has a folder, until `shutdown`.
    ///
    /// # Errors
    /// None: what fails is told by [`OwnDesk::statuses`], and nothing else depends on it.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), ProjectError> {
        while !shutdown.is_cancelled() {
            self.look();
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
                Some(ended) = self.tasks.join_next() => self.note(ended.is_err()),
            }
        }
        self.stops.values().for_each(CancellationToken::cancel);
        while self.tasks.join_next().await.is_some() {}
        Ok(())
    }

    /// Begins what has a folder, and ends what has none any more.
    fn look(&mut self) {
        let found = match folders(&self.parts.folder) {
            Ok(found) => found,
            Err(error) => {
                let folder = self.parts.folder.display().to_string();
                let told = format!("project.own.folder cannot be read: {error}");
                self.desk.kept().failed.insert(folder, told);
                return;
            }
        };
        self.desk.kept().failed.clear();
        let gone = self.stops.keys().filter(|name| !found.contains_key(*name));
        for name in gone.cloned().collect::<Vec<_>>() {
            self.end(&name);
        }
        for (name, folder) in found {
            if !self.stops.contains_key(&name) {
                self.begin(name, folder);
            }
        }
    }

    fn begin(&mut self, name: String, folder: PathBuf) {
        let store = match (self.parts.open)(&name) {
            Ok(store) => store,
            Err(error) => {
                self.desk.kept().failed.insert(name, error.to_string());
                return;
            }
        };
        let (keeper, handle) = Keeper::new(KeeperParts {
            log: Arc::clone(&self.parts.log),
            store,
            folder,
            flavour: self.parts.flavour,
            config: self.parts.config.clone(),
            metrics: self.parts.metrics.clone(),
            projector: self.parts.projector.clone(),
        });
        let stop = CancellationToken::new();
        self.tasks.spawn(keeper.run(stop.clone()));
        self.desk.kept().handles.insert(name.clone(), handle);
        self.stops.insert(name, stop);
    }

    fn end(&mut self, name: &str) {
        if let Some(stop) = self.stops.remove(name) {
            stop.cancel();
        }
        self.desk.kept().handles.remove(name);
        let label = OwnLabel {
            projection: name.to_owned(),
        };
        self.parts.metrics.own_projection_lag.remove(&label);
        self.parts.metrics.own_projection_failing.remove(&label);
    }

    /// One that panicked is begun again, with what is stored; the others go on.
    fn note(&mut self, panicked: bool) {
        if !panicked {
            return;
        }
        tracing::error!("a projection of your own panicked; it is begun again");
        let kept = self.desk.kept().handles.clone();
        let ended = kept.iter().filter(|(_, handle)| handle.has_ended());
        for (name, _) in ended {
            self.end(name);
        }
    }
}

/// The folders with a description, by name. Others are none of ours.
fn folders(folder: &Path) -> std::io::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.join(super::manifest::FILE).is_file() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            found.insert(name.into_owned(), path);
        }
    }
    Ok(found)
}
