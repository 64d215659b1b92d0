//! Projections of somebody's own on every store: the worked examples, and what goes wrong.

mod building;
mod examples;
mod failing;
mod standing;
mod versions;

use super::*;
use crate::config::ProjectConfig;
use crate::log::EventLog;
use crate::metrics::Metrics;
use crate::project::Status;
use crate::project::tests::history::History;
use crate::project::tests::{self, log_of, on_stores};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const PARTITIONS: u32 = 3;

/// What keeps the tables of a test.
#[derive(Clone, Copy, Debug)]
pub(crate) enum On {
    Sqlite,
    #[cfg(feature = "store-postgres")]
    Postgres,
}

impl On {
    /// Where hooklog's own tables are beside them.
    const fn ours(self) -> tests::On {
        match self {
            Self::Sqlite => tests::On::Sqlite,
            #[cfg(feature = "store-postgres")]
            Self::Postgres => tests::On::Postgres,
        }
    }
}

/// Somewhere for folders and tables.
struct Room {
    folder: tempfile::TempDir,
    config: ProjectConfig,
    metrics: Metrics,
    on: On,
}

impl Room {
    async fn new(on: On) -> Self {
        let mut config = match on {
            On::Sqlite => ProjectConfig::default(),
            #[cfg(feature = "store-postgres")]
            On::Postgres => crate::project::stores::postgres::tests::own::config().await,
        };
        config.batch_events_max = 400;
        config.own.batch_events_max = 200;
        config.batch_wait_ms = 0;
        Self {
            folder: tempfile::tempdir().unwrap(),
            config,
            metrics: Metrics::register(&mut Default::default()),
            on,
        }
    }

    fn flavour(&self) -> Flavour {
        match self.on {
            On::Sqlite => crate::project::stores::sqlite::OWN,
            #[cfg(feature = "store-postgres")]
            On::Postgres => crate::project::stores::postgres::OWN,
        }
    }

    /// A name that no other test has: schemas of all tests are in one database.
    fn name(&self, name: &str) -> String {
        match self.on {
            On::Sqlite => name.to_owned(),
            #[cfg(feature = "store-postgres")]
            On::Postgres => format!("{name}_{}", &self.config.postgres.schema[18..]),
        }
    }

    fn tables(&self) -> PathBuf {
        self.folder.path().join("tables")
    }

    fn store(&self, name: &str) -> Box<dyn OwnStore> {
        match self.on {
            On::Sqlite => {
                use crate::project::stores::sqlite::SqliteOwn;
                Box::new(SqliteOwn::new(&self.tables(), name, &self.config.own))
            }
            #[cfg(feature = "store-postgres")]
            On::Postgres => {
                use crate::project::stores::postgres::PostgresOwn;
                Box::new(PostgresOwn::new(&self.config, name).unwrap())
            }
        }
    }

    /// What a question about the tables of `name` answers, as text.
    async fn ask(&self, name: &str, question: &str) -> String {
        let name = self.name(name);
        match self.on {
            On::Sqlite => {
                let path = self.tables().join(format!("{name}.sqlite"));
                crate::project::stores::sqlite::tests::ask(&path, question).await
            }
            #[cfg(feature = "store-postgres")]
            On::Postgres => {
                use crate::project::stores::postgres::tests::own::ask;
                ask(&self.config, &format!("own_{name}"), question).await
            }
        }
    }

    /// Writes the folder of a projection.
    fn write(&self, name: &str, version: u32, events: &str, sql: &str) {
        let name = self.name(name);
        let folder = self.folder.path().join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        let manifest = format!("name = \"{name}\"\nversion = {version}\nevents = {events}\n");
        std::fs::write(folder.join("projection.toml"), manifest).unwrap();
        std::fs::write(folder.join(self.flavour().file), sql).unwrap();
    }

    /// Writes the folder of one that counts the routed webhooks by `fold`.
    fn write_count(&self, version: u32, fold: &str) {
        let sql = format!(
            "-- hooklog: tables\nCREATE TABLE seen (n BIGINT NOT NULL);\n-- hooklog: events\n{fold};\n"
        );
        self.write("mine", version, "[\"webhook.routed\"]", &sql);
    }

    /// How many events are in the batch, in this store's words.
    fn count(&self) -> &'static str {
        match self.on {
            On::Sqlite => "json_array_length($1)",
            #[cfg(feature = "store-postgres")]
            On::Postgres => "jsonb_array_length($1::jsonb)",
        }
    }

    /// Puts a worked example there.
    fn write_example(&self, example: &str) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("examples")
            .join(example);
        let sql = std::fs::read_to_string(from.join(self.flavour().file)).unwrap();
        let manifest = std::fs::read_to_string(from.join("projection.toml")).unwrap();
        let name = self.name(example);
        let manifest = manifest.replace(&format!("\"{example}\""), &format!("\"{name}\""));
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("projection.toml"), manifest).unwrap();
        std::fs::write(folder.join(self.flavour().file), sql).unwrap();
    }

    fn keeper(&self, log: &Arc<dyn EventLog>, name: &str) -> (Keeper, OwnHandle) {
        self.keeper_beside(log, name, None)
    }

    fn keeper_beside(
        &self,
        log: &Arc<dyn EventLog>,
        name: &str,
        projector: Option<Status>,
    ) -> (Keeper, OwnHandle) {
        let name = self.name(name);
        Keeper::new(KeeperParts {
            log: Arc::clone(log),
            store: self.store(&name),
            folder: self.folder.path().join(&name),
            flavour: self.flavour(),
            config: self.config.clone(),
            metrics: self.metrics.clone(),
            projector,
        })
    }
}

/// Folds until the end of the log.
async fn catch_up(keeper: &mut Keeper) {
    while keeper.step().await.unwrap() == keeper::Step::Folded {}
}

async fn history_of(seed: u64, events: usize) -> (History, Arc<dyn EventLog>) {
    let mut history = History::begin(seed, PARTITIONS);
    history.write(events);
    let log = log_of(&history.appends).await;
    (history, log)
}

/// How many decisions count in what was written: by who owned the partition then, and the first about
/// each receipt.
fn routed(history: &History) -> u64 {
    let (mut owners, mut tails) = (BTreeMap::new(), BTreeMap::new());
    let (mut decided, mut count) = (BTreeSet::new(), 0);
    for (topic, append) in &history.appends {
        let offset: &mut u64 = tails.entry((*topic, append.partition)).or_default();
        match append.event_type.as_str() {
            "partition.acquired" => drop(owners.insert(append.partition, *offset)),
            "webhook.routed" => {
                let body = append.value.as_ref().unwrap();
                let body: serde_json::Value = serde_json::from_slice(body).unwrap();
                let epoch = append.epoch.map(|epoch| epoch.0);
                let owned = epoch >= owners.get(&append.partition).copied();
                let about = (append.partition, body["webhook"].as_u64());
                let counts = body["cause"] != "live" || (owned && decided.insert(about));
                count += u64::from(owned && counts);
            }
            _ => {}
        }
        *offset += 1;
    }
    count
}
