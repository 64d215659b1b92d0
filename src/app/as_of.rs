//! All tables as they were at a point of the past, folded from the log into a database of their own.

use super::offline::existing_log;
use super::tables;
use crate::clock;
use crate::config::{Config, StoreKind};
use crate::history::{self, PointSpec, Prefix};
use crate::metrics::Metrics;
use crate::project::stores::sqlite::{self, Rows, SqliteStore};
use crate::project::{self, Order, Progress, ProjectionStore, ProjectorParts};
use anyhow::bail;
use hooklog_schemas::{Partition, Point, Topic};
use prometheus_client::registry::Registry;
use serde_json::Value;
use std::sync::Arc;

/// Tables in a file of SQLite that goes when this is dropped.
pub struct Tables {
    folder: tempfile::TempDir,
}

/// Folds what lies inside `spec` into fresh tables.
///
/// # Errors
/// When there is no log, a server owns its folder, the log does not hold the point, or the disk for
/// temporary files fails.
pub async fn tables(
    config: &Config,
    spec: &PointSpec,
    progress: impl FnMut(Progress) + Send,
) -> anyhow::Result<Tables> {
    let folder = tempfile::tempdir()?;
    let tables = Tables { folder };
    let store = SqliteStore::open(&tables.file()).await?;
    fold(config, spec, Box::new(store), progress).await?;
    sqlite::publish(&tables.file()).await?;
    Ok(tables)
}

/// Folds what lies inside `spec` into the schema `schema` of the PostgreSQL server `url`, and leaves it
/// there. The schema must be there, and hold no tables of hooklog.
///
/// # Errors
/// As [`tables`], and when the server does not let us in.
pub async fn into(
    config: &Config,
    spec: &PointSpec,
    (url, schema): (&str, &str),
    progress: impl FnMut(Progress) + Send,
) -> anyhow::Result<()> {
    let mut there = config.clone();
    there.project.store = StoreKind::Postgres;
    there.project.postgres.url = Some(url.to_owned());
    there.project.postgres.read_url = None;
    there.project.postgres.schema = schema.to_owned();
    let mut store = tables::writing(&there).await?;
    if store.stored().await?.is_some() {
        bail!(
            "the schema {schema:?} holds tables of hooklog already; make an empty one, and name it \
             with --schema"
        );
    }
    fold(config, spec, store, progress).await?;
    tables::publish(&there).await
}

impl Tables {
    /// Hands the columns' names and the values of every row that `sql` asks for to `each`.
    ///
    /// # Errors
    /// What the database says of the statement, and what `each` says.
    pub async fn ask(
        &self,
        sql: &str,
        each: impl FnMut(&[&str], Vec<Value>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut rows = Rows::of(&self.file()).await?;
        rows.ask(sql, each).await
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join(sqlite::FILE)
    }
}

async fn fold(
    config: &Config,
    spec: &PointSpec,
    store: Box<dyn ProjectionStore>,
    progress: impl FnMut(Progress) + Send,
) -> anyhow::Result<Point> {
    let metrics = Metrics::register(&mut Registry::default());
    let log = existing_log(config, &metrics).await?;
    let end = log.bounds(Topic::Control, Partition(0)).await?.tail;
    let configuration = history::configuration(log.as_ref(), end).await?;
    let point = history::resolve(log.as_ref(), &configuration, spec).await?;
    let parts = ProjectorParts {
        log: Arc::new(Prefix::new(log, point.clone())),
        store,
        metrics,
        config: config.project.clone(),
        writer: tables::writer(clock::event_id()),
    };
    let order = Order {
        unseen: true,
        ..Order::default()
    };
    project::rebuild(parts, &order, progress).await?;
    Ok(point)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::offline;
    use crate::config::LogConfig;
    use crate::project::tests::history::History;
    use hooklog_schemas::{Append, EventId, EventType, Key, Timestamp};
    use serde_json::json;
    use std::path::Path;
    use uuid::Uuid;

    /// A record that holds a place in `webhooks`: the history writes decisions alone.
    fn place(number: u128) -> Append {
        Append {
            partition: Partition(0),
            event_id: EventId(Uuid::from_u128(number)),
            key: Key(Uuid::from_u128(number)),
            event_type: EventType::known("log.filler"),
            version: 1,
            epoch: None,
            at: Timestamp(0),
            headers: Vec::new(),
            value: Some("{}".into()),
        }
    }

    async fn written(data: &Path) -> Config {
        let log = offline::empty(data);
        let places = (0..400).map(place).collect();
        log.append(Topic::Webhooks, places).await.unwrap();
        let mut history = History::begin(3, 1);
        history.write(600);
        for (topic, append) in history.appends {
            log.append(topic, vec![append]).await.unwrap();
        }
        let log = LogConfig {
            partitions: 1,
            reserve_bytes: 0,
            ..LogConfig::default()
        };
        Config {
            data: data.to_owned(),
            log,
            ..Config::default()
        }
    }

    async fn number(tables: &Tables, sql: &str) -> i64 {
        let mut found = None;
        let each = |_: &[&str], values: Vec<Value>| {
            found = values[0].as_i64();
            Ok(())
        };
        tables.ask(sql, each).await.unwrap();
        found.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn tables_as_of_a_point_are_those_of_its_prefix_with_today_s_erasures() {
        let folder = tempfile::tempdir().unwrap();
        let config = written(folder.path()).await;
        let spec = "deliveries/0@200".parse().unwrap();
        let tables = tables(&config, &spec, |_| {}).await.unwrap();
        let last = number(&tables, "SELECT max(record_offset) FROM transitions").await;
        assert!((150..=200).contains(&last), "{last}");
        let erased = "FROM webhooks WHERE receipt IN (SELECT receipt FROM erasures)";
        let all = number(&tables, &format!("SELECT count(*) {erased}")).await;
        let shown = format!("SELECT count(*) {erased} AND git_ref IS NOT NULL");
        assert!(all > 0 && number(&tables, &shown).await == 0);
        let mut told = Vec::new();
        let sql = "SELECT id, NULL AS missing, 'a' AS text FROM deliveries LIMIT 1";
        let each = |names: &[&str], values: Vec<Value>| {
            told.push((names.join(" "), values));
            Ok(())
        };
        tables.ask(sql, each).await.unwrap();
        let (names, values) = told.remove(0);
        assert_eq!(names, "id missing text");
        assert_eq!(values[1..], [json!(null), json!("a")]);
        assert!(Uuid::parse_str(values[0].as_str().unwrap()).is_ok());
        let written = tables
            .ask("CREATE TABLE mine (a INTEGER)", |_, _| Ok(()))
            .await;
        assert!(written.is_err(), "the past is only read");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_statement_that_is_wrong_is_told_in_the_database_s_words() {
        let folder = tempfile::tempdir().unwrap();
        let config = written(folder.path()).await;
        let spec = "control/0@5".parse().unwrap();
        let tables = tables(&config, &spec, |_| {}).await.unwrap();
        let asked = tables.ask("SELECT colour FROM deliveries", |_, _| Ok(()));
        let error = asked.await.unwrap_err().to_string();
        assert!(error.contains("no such column: colour"), "{error}");
    }
}
