//! The files of SQL and the declarations of tables say the same.

use super::*;
use crate::project::conformance::{self, Aged, Place};
use crate::query::Tables;
use hooklog_schemas::EventId;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// A file of its own.
struct InFolder(tempfile::TempDir);

#[async_trait]
impl Place for InFolder {
    async fn open(&self) -> Box<dyn ProjectionStore> {
        Box::new(SqliteStore::open(&self.0.path().join(FILE)).await.unwrap())
    }

    fn tables(&self) -> Arc<dyn Tables> {
        Arc::new(SqliteTables::new(&self.0.path().join(FILE)))
    }

    fn keeps_leases(&self) -> bool {
        false
    }

    async fn age(&self, how: Aged) {
        let path = self.0.path().join(FILE);
        let mut connection = connect(&path, CACHE_LIVE, JOURNAL_LIVE).await.unwrap();
        let suffix: String = sqlx::query_scalar("SELECT suffix FROM active LIMIT 1")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        let sql = AssertSqlSafe(how.sql(&suffix));
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }
}

/// A place for tables in SQLite.
pub(crate) async fn place() -> Arc<dyn Place> {
    Arc::new(InFolder(tempfile::tempdir().unwrap()))
}

/// What a question about a database answers, as text.
pub(crate) async fn ask(path: &Path, question: &str) -> String {
    let mut connection = options(path).connect().await.unwrap();
    let answer = sqlx::query_scalar(AssertSqlSafe(question.to_owned())).fetch_one(&mut connection);
    answer.await.unwrap()
}

conformance::suite!(place);

async fn created() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    let mut store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(store.stored().await.unwrap(), None);
    let start = Checkpoint::start(EventId(Uuid::nil()));
    store.acquire("a test", Duration::ZERO).await.unwrap();
    store.create(&start).await.unwrap();
    assert_eq!(store.stored().await.unwrap().unwrap().checkpoint, start);
    (folder, store)
}

#[tokio::test]
async fn every_table_has_the_columns_and_the_key_that_its_projection_declares() {
    let (_folder, mut store) = created().await;
    for table in PROJECTIONS.iter().flat_map(|p| p.tables) {
        let name = store.names.get(table).unwrap().to_owned();
        let sql = format!("SELECT name, type, \"notnull\", pk FROM pragma_table_info('{name}')");
        let rows: Vec<(String, String, bool, u32)> = sqlx::query_as(AssertSqlSafe(sql))
            .fetch_all(&mut store.connection)
            .await
            .unwrap();
        let declared: Vec<_> = table
            .columns
            .iter()
            .enumerate()
            .map(|(place, column)| {
                let kind = match column.kind {
                    hooklog_projections::table::Kind::Integer => "INTEGER",
                    hooklog_projections::table::Kind::Id => "BLOB",
                    _ => "TEXT",
                };
                let key = if place < table.key {
                    place as u32 + 1
                } else {
                    0
                };
                (
                    column.name.to_owned(),
                    kind.to_owned(),
                    !column.optional,
                    key,
                )
            })
            .collect();
        assert_eq!(rows, declared, "{name}");
    }
}

#[tokio::test]
async fn every_projection_says_what_question_it_answers() {
    for projection in PROJECTIONS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("projections")
            .join(projection.name);
        let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
        let version = format!("Version: {}", projection.version);
        assert!(readme.contains(&version), "{}: {version}", projection.name);
        for table in projection.tables {
            assert!(
                readme.contains(&format!("`{}`", table.name)),
                "{}",
                table.name
            );
        }
    }
}

/// The lists that people look at must not walk whole tables, nor sort them.
#[tokio::test]
async fn common_questions_use_an_index() {
    let (_folder, mut store) = created().await;
    let table: BTreeMap<&str, String> = PROJECTIONS
        .iter()
        .flat_map(|p| p.tables)
        .map(|table| (table.name, store.names.get(table).unwrap().to_owned()))
        .collect();
    let (webhooks, deliveries) = (&table["webhooks"], &table["deliveries"]);
    let newest = "ORDER BY received_at DESC, id DESC LIMIT 51";
    let by_receipt = "ORDER BY received_at DESC, receipt DESC, webhook_offset DESC LIMIT 51";
    let questions = [
        format!("SELECT * FROM {webhooks} {by_receipt}"),
        format!("SELECT * FROM {webhooks} WHERE repository = 'a' {by_receipt}"),
        format!("SELECT * FROM {webhooks} WHERE guid = 'a'"),
        format!("SELECT * FROM {deliveries} {newest}"),
        format!("SELECT * FROM {deliveries} WHERE (received_at, id) < (1, x'00') {newest}"),
        format!("SELECT * FROM {deliveries} WHERE state = 'open' {newest}"),
        format!("SELECT * FROM {deliveries} WHERE subscription_id = x'00' {newest}"),
        format!("SELECT * FROM {deliveries} WHERE receipt IN (x'00')"),
        format!(
            "SELECT * FROM {} WHERE delivery IN (x'00')",
            table["attempts"]
        ),
        format!(
            "SELECT * FROM {} WHERE delivery IN (x'00')",
            table["transitions"]
        ),
        format!(
            "SELECT * FROM {} WHERE receipt IN (x'00')",
            table["erasures"]
        ),
        format!(
            "SELECT * FROM {} WHERE receipt IN (x'00')",
            table["body_reads"]
        ),
        format!(
            "SELECT * FROM {} ORDER BY at DESC, partition DESC, record_offset DESC LIMIT 51",
            table["body_reads"]
        ),
    ];
    for question in questions {
        let sql = format!("EXPLAIN QUERY PLAN {question}");
        let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(AssertSqlSafe(sql))
            .fetch_all(&mut store.connection)
            .await
            .unwrap();
        let plan: Vec<_> = steps.into_iter().map(|step| step.3).collect();
        let plan = plan.join("; ");
        let indexed = plan.contains("INDEX") || plan.contains("PRIMARY KEY");
        assert!(
            indexed && !plan.contains("TEMP B-TREE"),
            "{question}: {plan}"
        );
    }
}
