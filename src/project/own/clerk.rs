//! Keeps every projection of somebody's own that has a folder, each on a task of its own.

use super::desk::OwnDesk;
use super::keeper::{Keeper, KeeperParts};
use super::manifest;
use super::sql::Flavour;
use super::store::{OwnError, OwnStore};
use crate::config::ProjectConfig;
use crate::log::EventLog;
use crate::metrics::{Metrics, OwnLabel};
use crate::project::{ProjectError, Status};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Opens the tables of the projection with this name.
pub type OpenOwn = Arc<dyn Fn(&str) -> Result<Box<dyn OwnStore>, OwnError> + Send + Sync>;

/// What a clerk is made of.
#[derive(Clone)]
pub struct OwnClerkParts {
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

/// Keeps what a desk tells of.
pub struct OwnClerk {
    parts: OwnClerkParts,
    desk: OwnDesk,
    tasks: JoinSet<()>,
    stops: BTreeMap<String, CancellationToken>,
}

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 5_000 });

impl OwnClerk {
    /// A clerk, and its desk.
    #[must_use]
    pub fn new(parts: OwnClerkParts) -> (Self, OwnDesk) {
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
        let checked = manifest::check_folder(&name).map_err(|error| error.to_string());
        let open = || (self.parts.open)(&name).map_err(|error| error.to_string());
        let store = match checked.and_then(|()| open()) {
            Ok(store) => store,
            Err(told) => {
                self.desk.kept().failed.insert(name, told);
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
        if path.join(manifest::FILE).is_file() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            found.insert(name.into_owned(), path);
        }
    }
    Ok(found)
}
