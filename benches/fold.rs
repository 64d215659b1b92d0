//! Fold and rebuild against SQLite's own bulk insert of the same finished rows.
//!
//! `HOOKLOG_BENCH_EVENTS=300000 cargo bench --bench fold`. It prints one line a measure, and the
//! ratio of the speeds: from the log to switched tables, from the log to the tables that
//! `hooklog as-of --sql` asks, and from finished rows to the same tables with the same indexes. Between
//! them it asks the tables as of two points of the past. With `HOOKLOG_BENCH_ONLY=1` it stops after
//! the rebuild, for a profiler.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that fails should stop with the error, and prints what it measured"
)]

#[path = "../src/project/tests/history.rs"]
mod written;

use hooklog::config::ProjectConfig;
use hooklog::history::{self, Prefix};
use hooklog::log::memory::MemoryLog;
use hooklog::log::{EventLog, ReadLimit};
use hooklog::metrics::Metrics;
use hooklog::project::stores::sqlite::{self, SqliteStore, SqliteTables};
use hooklog::project::{Order, ProjectorParts};
use hooklog::query::{CountsFilter, Filter, Page, Queries};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::configuration::Configuration;
use hooklog_projections::folding::{Decoded, Folding};
use hooklog_schemas::{Event, EventId, Offset, Partition, Point, Position, Topic};
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use written::History;

/// The server's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PARTITIONS: u32 = 12;

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
    let log: Arc<dyn EventLog> = Arc::new(written(events).await);
    let folded = fold_only(log.as_ref()).await;
    tell("decode and fold, no store", events, &folded);

    let folder = tempfile::tempdir().unwrap();
    let built = folder.path().join("built.db");
    let rebuilt = rebuild(&log, &built).await;
    tell("rebuild, from the log to switched tables", events, &rebuilt);
    if std::env::var_os("HOOKLOG_BENCH_ONLY").is_some() {
        return;
    }
    for part in [100, 2] {
        ask_as_of(log.as_ref(), &built, part).await;
    }
    let then = tables_as_of(&log, &folder.path().join("then.db")).await;
    tell("tables as of a point, for --sql", events, &then);

    let late = bulk_insert(&built, &folder.path().join("late.db"), true).await;
    tell(
        "SQLite's insert of the finished rows, indexes last",
        events,
        &late,
    );
    let early = bulk_insert(&built, &folder.path().join("early.db"), false).await;
    tell(
        "SQLite's insert of the finished rows, indexes first",
        events,
        &early,
    );
    for (name, other) in [("last", late), ("first", early)] {
        for (what, ours) in [("rebuild", &rebuilt), ("as of", &then)] {
            let speed = other.wall.as_secs_f64() / ours.wall.as_secs_f64();
            let work = other.cpu.as_secs_f64() / ours.cpu.as_secs_f64();
            println!(
                "{what:<7} to indexes {name:<5}  {speed:.2} of the speed  {work:.2} by processor time"
            );
        }
    }
}

fn tell(what: &str, events: usize, took: &Took) {
    let (wall, cpu) = (took.wall.as_secs_f64(), took.cpu.as_secs_f64());
    let rate = events as f64 / wall;
    println!("{what:<52} {wall:>8.3} s {cpu:>8.2} s cpu {rate:>9.0} events/s");
}

/// Times by the clock and by the processor, of this process with all its threads. On a machine
/// that does other work too, the second is the one to compare.
struct Took {
    wall: Duration,
    cpu: Duration,
}

struct Timer {
    wall: Instant,
    cpu: Duration,
}

impl Timer {
    fn start() -> Self {
        let wall = Instant::now();
        Self { wall, cpu: cpu() }
    }

    fn stop(self) -> Took {
        Took {
            wall: self.wall.elapsed(),
            cpu: cpu() - self.cpu,
        }
    }
}

/// User and system time, in ticks of a hundredth of a second. Zero where there is no `/proc`.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

async fn written(events: usize) -> MemoryLog {
    let mut history = History::calm(1, PARTITIONS);
    history.write(events);
    let log = MemoryLog::new(PARTITIONS);
    for (topic, append) in history.appends {
        log.append(topic, vec![append]).await.unwrap();
    }
    log
}

async fn fold_only(log: &dyn EventLog) -> Took {
    let timer = Timer::start();
    let start = Checkpoint::start(EventId(uuid::Uuid::nil()));
    let mut folding = Folding::resume(start, Configuration::default(), &[], 100_000).unwrap();
    let control = [(Topic::Control, Partition(0))];
    let deliveries = (0..PARTITIONS).map(|n| (Topic::Deliveries, Partition(n)));
    for (topic, partition) in control.into_iter().chain(deliveries) {
        loop {
            let next: Position = folding.checkpoint().next(topic, partition);
            let records = log.read(next, ReadLimit::default()).await.unwrap();
            if records.is_empty() {
                break;
            }
            for record in records {
                folding.fold(&Decoded::of(&record).unwrap());
            }
            folding.take();
        }
    }
    timer.stop()
}

async fn rebuild(log: &Arc<dyn EventLog>, path: &Path) -> Took {
    let timer = Timer::start();
    fold_into(log, path).await;
    timer.stop()
}

async fn fold_into(log: &Arc<dyn EventLog>, path: &Path) {
    let store = SqliteStore::open(path).await.unwrap();
    let parts = ProjectorParts {
        log: Arc::clone(log),
        store: Box::new(store),
        metrics: Metrics::register(&mut Default::default()),
        config: ProjectConfig::default(),
        writer: "a bench".to_owned(),
    };
    hooklog::project::rebuild(parts, &Order::default(), |_| {})
        .await
        .unwrap();
}

/// The tables of the whole log, as of its end: what `hooklog as-of --sql` folds.
async fn tables_as_of(log: &Arc<dyn EventLog>, path: &Path) -> Took {
    let timer = Timer::start();
    let control = log.bounds(Topic::Control, Partition(0)).await.unwrap().tail;
    let configuration = history::configuration(log.as_ref(), control).await.unwrap();
    let point = history::end(log.as_ref(), &configuration).await.unwrap();
    let prefix: Arc<dyn EventLog> = Arc::new(Prefix::new(Arc::clone(log), point));
    fold_into(&prefix, path).await;
    sqlite::publish(path).await.unwrap();
    timer.stop()
}

/// Asks a few questions as of the point that holds the first `1/part` of each partition.
async fn ask_as_of(log: &dyn EventLog, path: &Path, part: u64) {
    let mut deliveries = Vec::new();
    for number in 0..PARTITIONS {
        let bounds = log.bounds(Topic::Deliveries, Partition(number)).await;
        deliveries.push(Offset(bounds.unwrap().tail.0 / part));
    }
    let start = Position::new(Topic::Control, Partition(0), Offset(0));
    let first = log.read(start, ReadLimit::default()).await.unwrap();
    let Event::LogCreated(created) = Event::decode(&first[0]).unwrap() else {
        return;
    };
    let point = Point {
        log: created.log_id,
        webhooks: Vec::new(),
        deliveries,
        control: Offset(1),
    };
    let metrics = Metrics::register(&mut Default::default());
    let queries = Queries::new(Arc::new(SqliteTables::new(path)), metrics);
    let queries = queries.at(Arc::new(point));
    let (page, all) = (Page::first(), Filter::default());
    let in_state = |state: &str| Filter {
        state: Some(state.to_owned()),
        ..Filter::default()
    };
    // The first question opens the file.
    let rows = queries.deliveries(&all, &page).await.unwrap().items;
    let guid = &rows[0].guid;
    for name in [
        "deliveries",
        "open",
        "dead",
        "webhooks",
        "counts",
        "timeline",
    ] {
        let started = Instant::now();
        match name {
            "webhooks" => drop(queries.webhooks(&all, &page).await.unwrap()),
            "counts" => drop(queries.counts(&CountsFilter::default()).await.unwrap()),
            "timeline" => drop(queries.timeline(guid).await.unwrap()),
            "deliveries" => drop(queries.deliveries(&all, &page).await.unwrap()),
            state => drop(queries.deliveries(&in_state(state), &page).await.unwrap()),
        }
        let took = started.elapsed().as_secs_f64() * 1_000.0;
        println!("as of 1/{part:<3} of the log: {name:<12} {took:>8.1} ms");
    }
}

/// The same tables and indexes in a fresh file, filled by `INSERT … SELECT` in one transaction.
async fn bulk_insert(from: &Path, to: &Path, indexes_last: bool) -> Took {
    let url = format!("sqlite://{}?mode=rwc", to.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let from = from.display();
    let prepare = format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -131072; \
         PRAGMA temp_store = MEMORY; ATTACH '{from}' AS built"
    );
    execute(&mut connection, &prepare).await;
    let objects = sqlx::query(
        "SELECT type, name, sql FROM built.sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC",
    );
    let objects = objects.fetch_all(&mut connection).await.unwrap();
    let of = |wanted: &str| -> Vec<(String, String)> {
        let rows = objects
            .iter()
            .filter(|row| row.get::<String, _>(0) == wanted);
        rows.map(|row| (row.get(1), row.get(2))).collect()
    };
    let timer = Timer::start();
    execute(&mut connection, "BEGIN IMMEDIATE").await;
    for (_, sql) in of("table") {
        execute(&mut connection, &sql).await;
    }
    let fill = of("table")
        .into_iter()
        .map(|(name, _)| format!("INSERT INTO main.{name} SELECT * FROM built.{name}"));
    let index = of("index").into_iter().map(|(_, sql)| sql);
    let steps: Vec<_> = if indexes_last {
        fill.chain(index).collect()
    } else {
        index.chain(fill).collect()
    };
    for sql in steps {
        execute(&mut connection, &sql).await;
    }
    execute(&mut connection, "COMMIT").await;
    // As at the end of a rebuild: the rows are in the file, not in the journal alone.
    connection.close().await.unwrap();
    timer.stop()
}

async fn execute(connection: &mut SqliteConnection, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}
