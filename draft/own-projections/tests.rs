//! The worked examples, and projections that fail, on every store.

use super::*;
use crate::config::ProjectConfig;
use crate::log::EventLog;
use crate::metrics::Metrics;
use crate::project::tests::history::History;
use crate::project::tests::{On, catch_up, log_of, on_every_store, place};
use hooklog_projections::table::{Row, Value};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const PARTITIONS: u32 = 3;

on_every_store!(
    the_worked_examples_hold_what_happened,
    what_is_rebuilt_equals_what_lived,
    files_that_changed_need_a_new_version_and_get_new_tables,
    a_statement_that_fails_stops_only_its_own_projection_and_is_told,
    a_statement_that_takes_too_long_is_ended,
    what_is_not_its_own_is_out_of_reach,
);

/// Somewhere for tables of somebody's own.
enum Room {
    Sqlite(tempfile::TempDir),
    #[cfg(feature = "store-postgres")]
    Postgres(Box<crate::project::stores::postgres::tests::OwnRoom>),
}

impl Room {
    async fn new(on: On) -> Self {
        match on {
            On::Sqlite => Self::Sqlite(tempfile::tempdir().unwrap()),
            #[cfg(feature = "store-postgres")]
            On::Postgres => {
                let room = crate::project::stores::postgres::tests::OwnRoom::new().await;
                Self::Postgres(Box::new(room))
            }
        }
    }

    const fn file(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite.sql",
            #[cfg(feature = "store-postgres")]
            Self::Postgres(_) => "postgres.sql",
        }
    }

    /// A name that no other test has.
    fn name(&self, name: &str) -> String {
        match self {
            Self::Sqlite(_) => name.to_owned(),
            #[cfg(feature = "store-postgres")]
            Self::Postgres(room) => room.name(name),
        }
    }

    fn store(&self, name: &str, timeout: Duration) -> Box<dyn OwnStore> {
        let name = self.name(name);
        match self {
            Self::Sqlite(folder) => {
                use crate::project::stores::sqlite::SqliteOwn;
                Box::new(SqliteOwn::new(folder.path(), &name, timeout))
            }
            #[cfg(feature = "store-postgres")]
            Self::Postgres(room) => room.store(&name, timeout),
        }
    }

    /// What a question about the tables of `name` answers, as text.
    async fn ask(&self, name: &str, question: &str) -> String {
        let name = self.name(name);
        match self {
            Self::Sqlite(folder) => {
                let path = folder.path().join(format!("{name}.sqlite"));
                crate::project::stores::sqlite::tests::ask(&path, question).await
            }
            #[cfg(feature = "store-postgres")]
            Self::Postgres(room) => room.ask(&name, question).await,
        }
    }

    fn example(&self, name: &str) -> Definition {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/projections");
        let all = read_all(&folder, self.file()).unwrap();
        all.into_iter().find(|d| d.name == name).unwrap()
    }

    fn keeper(&self, log: &Arc<dyn EventLog>, definition: Definition) -> (Keeper, OwnHandle) {
        let timeout = Duration::from_secs(30);
        let store = self.store(&definition.name, timeout);
        keeper(log, definition, store)
    }
}

fn keeper(
    log: &Arc<dyn EventLog>,
    definition: Definition,
    store: Box<dyn OwnStore>,
) -> (Keeper, OwnHandle) {
    Keeper::new(OwnParts {
        log: Arc::clone(log),
        store,
        definition,
        config: ProjectConfig {
            batch_events_max: 200,
            batch_wait_ms: 0,
            ..ProjectConfig::default()
        },
        metrics: Metrics::register(&mut Default::default()),
    })
}

async fn caught_up(keeper: &mut Keeper) {
    while keeper.step().await.unwrap() {}
}

/// A projection with these statements.
fn of(tables: &str, fold: &str, version: u32) -> Definition {
    let text = format!("-- hooklog: tables\n{tables};\n-- hooklog: fold\n{fold};");
    Definition {
        name: "mine".to_owned(),
        version,
        events: ["webhook.routed".to_owned()].into(),
        sql: Sql::read(&text).unwrap(),
        digest: format!("{text} {version}"),
    }
}

const TABLE: &str = "CREATE TABLE seen (n BIGINT NOT NULL)";
const COUNT: &str = "INSERT INTO seen SELECT length($1)";

async fn the_worked_examples_hold_what_happened(on: On) {
    let mut history = History::calm(110, PARTITIONS);
    history.write(1_000);
    let log = log_of(&history.appends).await;
    let room = Room::new(on).await;
    for name in ["team_days", "secret_alerts"] {
        let (mut keeper, handle) = room.keeper(&log, room.example(name));
        caught_up(&mut keeper).await;
        assert_eq!((handle.status().lag, handle.status().error), (Some(0), None));
    }
    // The same, counted by hooklog's own tables.
    let ours = place(on).await;
    catch_up(&log, ours.as_ref(), 1_000).await;
    let mut store = ours.open().await;
    let table = &hooklog_projections::deliveries::TABLE;
    let rows: Vec<Row> = store.scan(table, None, 100_000).await.unwrap();
    let state = table.place("state").unwrap();
    let delivered = rows.iter().filter(|row| row[state] == Value::text("delivered"));
    let expected = format!("{}|{}", rows.len(), delivered.count());
    let question = "SELECT CAST(sum(deliveries) AS TEXT) || '|' || CAST(sum(delivered) AS TEXT) FROM team_days";
    assert_eq!(room.ask("team_days", question).await, expected);
    let alerts = rows.iter().filter(|row| {
        let event = row[table.place("event").unwrap()].as_text().unwrap();
        event.starts_with("secret_scanning_alert")
    });
    let question = "SELECT CAST(count(*) AS TEXT) FROM received";
    assert_eq!(room.ask("secret_alerts", question).await, alerts.count().to_string());
}

async fn what_is_rebuilt_equals_what_lived(on: On) {
    let mut history = History::begin(111, PARTITIONS);
    history.write(1_000);
    let half = history.appends.len() / 2;
    let room = Room::new(on).await;
    let shorter = log_of(&history.appends[..half]).await;
    let (mut keeper, _) = room.keeper(&shorter, room.example("team_days"));
    caught_up(&mut keeper).await;
    let log = log_of(&history.appends).await;
    let (mut keeper, handle) = room.keeper(&log, room.example("team_days"));
    caught_up(&mut keeper).await;
    let question = "SELECT CAST(count(*) AS TEXT) || '|' || CAST(sum(delivered) AS TEXT) || '|' || min(CAST(delivery AS TEXT)) FROM deliveries";
    let lived = room.ask("team_days", question).await;
    handle.rebuild();
    assert!(handle.status().building);
    // It is interrupted after a batch, and gone on with by the next process.
    keeper.step().await.unwrap();
    drop(keeper);
    let (mut keeper, handle) = room.keeper(&log, room.example("team_days"));
    keeper.step().await.unwrap();
    assert!(handle.status().building);
    assert_eq!(room.ask("team_days", question).await, lived);
    caught_up(&mut keeper).await;
    assert!(!handle.status().building);
    assert_eq!(room.ask("team_days", question).await, lived);
}

async fn files_that_changed_need_a_new_version_and_get_new_tables(on: On) {
    let mut history = History::calm(112, PARTITIONS);
    history.write(200);
    let log = log_of(&history.appends).await;
    let room = Room::new(on).await;
    let (mut keeper, _) = room.keeper(&log, of(TABLE, COUNT, 1));
    caught_up(&mut keeper).await;
    let (mut keeper, _) = room.keeper(&log, of(TABLE, "INSERT INTO seen SELECT -length($1)", 1));
    let refused = keeper.step().await.unwrap_err().to_string();
    assert!(refused.contains("raise `version`"), "{refused}");
    let (mut keeper, _) = room.keeper(&log, of(TABLE, "INSERT INTO seen SELECT -length($1)", 2));
    caught_up(&mut keeper).await;
    let question = "SELECT CAST(max(n) < 0 AS TEXT) FROM seen";
    let answer = room.ask("mine", question).await;
    assert!(["1", "true"].contains(&answer.as_str()), "{answer}");
    let (mut keeper, _) = room.keeper(&log, of(TABLE, COUNT, 1));
    let refused = keeper.step().await.unwrap_err().to_string();
    assert!(refused.contains("never goes back"), "{refused}");
}

async fn a_statement_that_fails_stops_only_its_own_projection_and_is_told(on: On) {
    let mut history = History::calm(113, PARTITIONS);
    history.write(200);
    let log = log_of(&history.appends).await;
    let room = Room::new(on).await;
    let failing = of(TABLE, "INSERT INTO nowhere SELECT length($1)", 1);
    let (keeper, failed) = room.keeper(&log, failing);
    let stop = CancellationToken::new();
    let running = tokio::spawn(keeper.run(stop.clone()));
    let (other, fine) = room.keeper(&log, room.example("team_days"));
    let beside = tokio::spawn(other.run(stop.clone()));
    failed.wait_for(|status| status.error.is_some()).await;
    fine.wait_for(|status| status.lag == Some(0) && !status.building).await;
    let told = failed.status().error.unwrap();
    assert!(told.contains("statement 1 under `-- hooklog: fold`"), "{told}");
    assert!(told.contains("nowhere"), "{told}");
    stop.cancel();
    running.await.unwrap().unwrap();
    beside.await.unwrap().unwrap();
}

async fn a_statement_that_takes_too_long_is_ended(on: On) {
    let mut history = History::calm(114, PARTITIONS);
    history.write(10);
    let log = log_of(&history.appends).await;
    let room = Room::new(on).await;
    let endless = "WITH RECURSIVE n(i) AS (SELECT length($1) UNION ALL SELECT i + 1 FROM n WHERE i < 100000000000) \
         INSERT INTO seen SELECT count(*) FROM n";
    let definition = of(TABLE, endless, 1);
    let store = room.store("mine", Duration::from_millis(300));
    let (mut keeper, _) = keeper(&log, definition, store);
    let error = keeper.step().await.unwrap_err();
    assert!(matches!(error, OwnError::Statement { .. }), "{error}");
}

async fn what_is_not_its_own_is_out_of_reach(on: On) {
    let mut history = History::calm(115, PARTITIONS);
    history.write(10);
    let log = log_of(&history.appends).await;
    let room = Room::new(on).await;
    let reach = match &room {
        Room::Sqlite(_) => "INSERT INTO seen SELECT length($1) FROM active".to_owned(),
        #[cfg(feature = "store-postgres")]
        Room::Postgres(room) => {
            let ours = room.ours();
            format!("INSERT INTO seen SELECT length($1) FROM {ours}.active")
        }
    };
    let (mut keeper, _) = room.keeper(&log, of(TABLE, &reach, 1));
    let error = keeper.step().await.unwrap_err().to_string();
    assert!(error.contains("active") || error.contains("permission denied"), "{error}");
    #[cfg(feature = "store-postgres")]
    if let Room::Postgres(room) = &room {
        let mut store = room.store_of_ours("mine");
        let error = store.stored(Set::Live).await.unwrap_err().to_string();
        assert!(error.contains("may use the schema"), "{error}");
    }
}
