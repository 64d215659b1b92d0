//! Rebuild into PostgreSQL against `COPY` of the same finished rows into the same tables.
//!
//! `HOOKLOG_BENCH_EVENTS=300000 tools/services run postgres -- cargo bench --bench postgres --features
//! store-postgres`. It prints one line a measure, and the ratio of the speeds: from the log to
//! switched tables, and from finished rows to the same tables with the same indexes, made last. The log
//! is a folder, so the memory that it tells is that of the rebuild.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that fails should stop with the error, and prints what it measured"
)]

#[path = "../src/project/tests/history.rs"]
mod history;

use history::History;
use hooklog::config::{LogConfig, PostgresConfig, ProjectConfig, StoreKind};
use hooklog::log::EventLog;
use hooklog::log::embedded::EmbeddedLog;
use hooklog::metrics::Metrics;
use hooklog::project::stores::postgres::PostgresStore;
use hooklog::project::{Order, ProjectorParts};
use hooklog_schemas::{Append, Topic};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The server's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PARTITIONS: u32 = 12;

/// Events that are written at once.
const SLICE: usize = 10_000;

/// The schema that is rebuilt into, and the one that is copied into.
const SCHEMAS: [&str; 2] = ["bench", "bench_copied"];

fn main() {
    let wanted = std::env::var("HOOKLOG_BENCH_EVENTS").ok();
    let events = wanted.and_then(|text| text.parse().ok()).unwrap_or(20_000);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run(events));
}

async fn run(events: usize) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let log: Arc<dyn EventLog> = Arc::new(written(folder.path(), events).await);
    let mut connection = connection().await;
    for schema in SCHEMAS {
        execute(
            &mut connection,
            format!("DROP SCHEMA IF EXISTS {schema} CASCADE"),
        )
        .await;
        execute(&mut connection, format!("CREATE SCHEMA {schema}")).await;
    }
    // What was the most so far is forgotten: from here on it is counted anew.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = megabytes("VmRSS:");
    let rebuilt = rebuild(&log).await;
    tell("rebuild, from the log to switched tables", events, rebuilt);
    let most = megabytes("VmHWM:");
    println!("memory: {before:.0} MB before, {most:.0} MB at the most");
    let copied = copy(&mut connection).await;
    tell("COPY of the finished rows, indexes last", events, copied);
    let ratio = copied.as_secs_f64() / rebuilt.as_secs_f64();
    println!("ratio {ratio:.2} of the speed");
}

/// A history in a folder, of which nothing stays in memory.
async fn written(folder: &Path, events: usize) -> EmbeddedLog {
    let config = LogConfig {
        partitions: PARTITIONS,
        ..LogConfig::default()
    };
    let metrics = Metrics::register(&mut Default::default());
    let log = EmbeddedLog::open(folder, &config, metrics).unwrap();
    let mut history = History::calm(1, PARTITIONS);
    let mut left = events;
    while left > 0 {
        let some = left.min(SLICE);
        history.write(some);
        left -= some;
        for (topic, appends) in by_topic(std::mem::take(&mut history.appends)) {
            log.append(topic, appends).await.unwrap();
        }
    }
    log
}

/// Records of one topic after the other: no partition has records of two.
fn by_topic(appends: Vec<(Topic, Append)>) -> BTreeMap<Topic, Vec<Append>> {
    let mut topics: BTreeMap<Topic, Vec<Append>> = BTreeMap::new();
    for (topic, append) in appends {
        topics.entry(topic).or_default().push(append);
    }
    topics
}

/// What the kernel says that this process uses.
fn megabytes(what: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    let kilobytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes / 1_000.0
}

fn tell(what: &str, events: usize, took: Duration) {
    let seconds = took.as_secs_f64();
    let rate = events as f64 / seconds;
    println!("{what:<44} {seconds:>8.3} s {rate:>9.0} events/s");
}

fn file(name: &str) -> PathBuf {
    let folder = std::env::var("HOOKLOG_TEST_POSTGRES_FILES").unwrap();
    PathBuf::from(folder).join(name)
}

fn url() -> String {
    std::env::var("HOOKLOG_TEST_POSTGRES").unwrap()
}

async fn connection() -> PgConnection {
    let options: PgConnectOptions = url().parse().unwrap();
    let password = std::fs::read_to_string(file("password")).unwrap();
    let options = options
        .password(password.trim())
        .ssl_mode(PgSslMode::VerifyFull)
        .ssl_root_cert(file("ca.pem"));
    options.connect().await.unwrap()
}

async fn rebuild(log: &Arc<dyn EventLog>) -> Duration {
    let config = ProjectConfig {
        store: StoreKind::Postgres,
        postgres: PostgresConfig {
            url: Some(url()),
            password_file: Some(file("password")),
            ca_file: Some(file("ca.pem")),
            schema: SCHEMAS[0].to_owned(),
            ..PostgresConfig::default()
        },
        ..ProjectConfig::default()
    };
    let parts = ProjectorParts {
        log: Arc::clone(log),
        store: Box::new(PostgresStore::new(&config).unwrap()),
        metrics: Metrics::register(&mut Default::default()),
        config,
        writer: "a bench".to_owned(),
    };
    let started = Instant::now();
    hooklog::project::rebuild(parts, &Order::default(), |_| {})
        .await
        .unwrap();
    started.elapsed()
}

/// Tables and rows are read before the clock starts; what is timed is what `psql` would do.
async fn copy(connection: &mut PgConnection) -> Duration {
    let [from, to] = SCHEMAS;
    let tables: Vec<String> = sqlx::query_scalar("SELECT tables FROM bench.active")
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    let tables: Vec<&str> = tables.iter().flat_map(|names| names.split(' ')).collect();
    let mut rows = Vec::new();
    for table in &tables {
        rows.push(read(connection, &format!("{from}.{table}")).await);
    }
    let indexes: Vec<String> = sqlx::query_scalar(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = $1 AND tablename = ANY($2)",
    )
    .bind(from)
    .bind(tables.iter().map(ToString::to_string).collect::<Vec<_>>())
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    let started = Instant::now();
    for (table, rows) in tables.iter().zip(rows) {
        let make = format!("CREATE TABLE {to}.{table} (LIKE {from}.{table})");
        execute(connection, make).await;
        let statement = format!("COPY {to}.{table} FROM STDIN (FORMAT binary)");
        let mut copy = connection.copy_in_raw(&statement).await.unwrap();
        for piece in rows.chunks(1 << 20) {
            copy.send(piece).await.unwrap();
        }
        copy.finish().await.unwrap();
    }
    for index in indexes {
        let index = index.replace(&format!(" {from}."), &format!(" {to}."));
        execute(connection, index).await;
    }
    for table in &tables {
        execute(connection, format!("ANALYZE {to}.{table}")).await;
    }
    started.elapsed()
}

async fn read(connection: &mut PgConnection, table: &str) -> Vec<u8> {
    use futures_util::TryStreamExt as _;
    let statement = format!("COPY {table} TO STDOUT (FORMAT binary)");
    let rows = connection.copy_out_raw(&statement).await.unwrap();
    rows.try_fold(Vec::new(), |mut all, piece| async move {
        all.extend_from_slice(&piece);
        Ok(all)
    })
    .await
    .unwrap()
}

async fn execute(connection: &mut PgConnection, sql: String) {
    let sql = AssertSqlSafe(sql);
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}
