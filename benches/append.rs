//! Appends through the embedded log, against a bare write and fdatasync of the same bytes in the
//! same groups. After Criterion's figures, the two run in turn, and the ratio is printed.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot run stops, and says its figures"
)]

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use hooklog::config::LogConfig;
use hooklog::log::EventLog;
use hooklog::log::embedded::EmbeddedLog;
use hooklog::metrics::Metrics;
use hooklog_schemas::{Append, EventId, EventType, Header, Key, Partition, Timestamp, Topic};
use prometheus_client::registry::Registry;
use rustix::fs::FallocateFlags;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use uuid::Uuid;

/// What GitHub's webhooks weigh.
const BODY: usize = 12_000;
const GROUP: u64 = 64;
/// One group is encoded while the other is written.
const IN_FLIGHT: u64 = 2;
const PARTITIONS: u32 = 12;
/// Space is taken from the disk in steps of this.
const STEP: u64 = 32 << 20;

fn record(number: u64, body: &Bytes) -> Append {
    Append {
        partition: Partition((number % u64::from(PARTITIONS)) as u32),
        event_id: EventId(Uuid::now_v7()),
        key: Key(Uuid::new_v4()),
        event_type: EventType::known("webhook.received"),
        version: 1,
        epoch: None,
        at: Timestamp(1_700_000_000_000_000),
        headers: vec![
            Header::new("x-github-event", "push"),
            Header::new("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        ],
        value: Some(body.clone()),
    }
}

/// Bytes that do not compress, in case the disk would.
fn body() -> Bytes {
    let mut state = 1_u64;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(BODY).collect()
}

fn folder() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder takes files")
}

fn log_in(dir: &TempDir) -> Arc<EmbeddedLog> {
    counted_log_in(dir, &mut Registry::default())
}

fn counted_log_in(dir: &TempDir, registry: &mut Registry) -> Arc<EmbeddedLog> {
    let metrics = Metrics::register(registry);
    let config = LogConfig {
        partitions: PARTITIONS,
        ..LogConfig::default()
    };
    Arc::new(EmbeddedLog::open(dir.path(), &config, metrics).expect("the folder is empty"))
}

/// So many groups through the log: how long it takes, and how many syncs it really made.
fn through_the_log(runtime: &Runtime, groups: u64) -> (Duration, u64) {
    let dir = folder();
    let mut registry = Registry::default();
    let log = counted_log_in(&dir, &mut registry);
    let body = body();
    let left = Arc::new(AtomicU64::new(groups));
    let began = Instant::now();
    runtime.block_on(async {
        let writers = (0..IN_FLIGHT).map(|_| {
            let (log, left, body) = (Arc::clone(&log), Arc::clone(&left), body.clone());
            tokio::spawn(async move {
                let one_less = |left: u64| left.checked_sub(1);
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
                    .is_ok()
                {
                    let batch = (0..GROUP).map(|number| record(number, &body)).collect();
                    log.append(Topic::Webhooks, batch)
                        .await
                        .expect("there is space");
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.expect("no writer panics");
        }
    });
    let took = began.elapsed();
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("metrics are text");
    let count = |line: &str| {
        let of_webhooks = line.starts_with("hooklog_log_sync_seconds_count{topic=\"webhooks\"}");
        of_webhooks.then(|| line.rsplit(' ').next()?.parse().ok())?
    };
    (
        took,
        text.lines().find_map(count).expect("syncs are counted"),
    )
}

/// One record an append, so many at a time: groups form as they may.
fn one_by_one(runtime: &Runtime, records: u64, clients: u64) -> Duration {
    let dir = folder();
    let log = log_in(&dir);
    let body = body();
    let began = Instant::now();
    runtime.block_on(async {
        let clients = (0..clients).map(|_| {
            let (log, body) = (Arc::clone(&log), body.clone());
            tokio::spawn(async move {
                for number in 0..records / clients {
                    let batch = vec![record(number, &body)];
                    log.append(Topic::Webhooks, batch)
                        .await
                        .expect("there is space");
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.expect("no client panics");
        }
    });
    began.elapsed()
}

/// The same bytes in the same groups, as fast as the disk takes them: space is taken ahead, too.
fn bare(groups: u64) -> Duration {
    bare_in(groups * GROUP, groups)
}

/// So many records in so many groups.
fn bare_in(records: u64, groups: u64) -> Duration {
    let dir = folder();
    let file = File::create_new(dir.path().join("bare")).expect("the folder is empty");
    // As many bytes as the frames of the log have: fixed header, type, salt and headers.
    let frame = 136 + 16 + 16 + 78 + BODY;
    let bytes = frame * (records / groups) as usize + 64;
    let group: Vec<u8> = body().iter().copied().cycle().take(bytes).collect();
    let began = Instant::now();
    let mut taken = 0;
    for number in 0..groups {
        if (number + 1) * group.len() as u64 > taken {
            let flags = FallocateFlags::KEEP_SIZE;
            rustix::fs::fallocate(&file, flags, taken, STEP).expect("there is space");
            taken += STEP;
        }
        file.write_all_at(&group, number * group.len() as u64)
            .expect("there is space");
        file.sync_data().expect("the disk works");
    }
    began.elapsed()
}

fn main() {
    let runtime = Runtime::new().expect("threads can be started");
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let mut benches = criterion.benchmark_group("append 64 × 12 kB");
    benches.throughput(Throughput::Elements(GROUP));
    benches.bench_function("bare write and fdatasync", |b| b.iter_custom(bare));
    benches.bench_function("embedded log", |b| {
        b.iter_custom(|groups| through_the_log(&runtime, groups).0);
    });
    benches.finish();
    criterion.final_summary();
    if std::env::args().any(|argument| argument == "--bench") {
        compare(&runtime);
    }
}

/// Runs both in turn, so that what else the machine does meets both alike.
fn compare(runtime: &Runtime) {
    const ROUNDS: usize = 9;
    const GROUPS: u64 = 200;
    let rate = |took: Duration| (GROUP * GROUPS) as f64 / took.as_secs_f64();
    let (mut ratios, mut bares, mut logs, mut singles) = (vec![], vec![], vec![], vec![]);
    let mut per_sync = vec![];
    for _ in 0..ROUNDS {
        let (took, syncs) = through_the_log(runtime, GROUPS);
        let log = rate(took);
        // When the disk is slow the log makes larger groups: it is compared in its own.
        let bare = rate(bare_in(GROUP * GROUPS, syncs));
        per_sync.push((GROUP * GROUPS) as f64 / syncs as f64);
        ratios.push(log / bare);
        bares.push(bare);
        logs.push(log);
        singles.push(rate(one_by_one(runtime, GROUP * GROUPS, 128)));
    }
    let [bare, log, single, ratio] =
        [&mut bares, &mut logs, &mut singles, &mut ratios].map(|values| median(values));
    println!("bare write and fdatasync  {bare:>8.0} records/s");
    let group = median(&mut per_sync);
    println!("embedded log              {log:>8.0} records/s, {group:.0} a sync");
    println!("  one by one, 128 clients {single:>8.0} records/s");
    println!("ratio (median of {ROUNDS} pairs) {ratio:.2}");
    let (records, took) = reopen(runtime, GROUPS);
    println!("opening {records} records in one unsealed segment takes {took:?}");
}

/// How long the log takes to open when its last segment has so many groups.
fn reopen(runtime: &Runtime, groups: u64) -> (u64, Duration) {
    let dir = folder();
    let log = log_in(&dir);
    let body = body();
    runtime.block_on(async {
        for _ in 0..groups {
            let batch = (0..GROUP).map(|number| record(number, &body)).collect();
            log.append(Topic::Webhooks, batch)
                .await
                .expect("there is space");
        }
    });
    drop(log);
    let began = Instant::now();
    drop(log_in(&dir));
    (groups * GROUP, began.elapsed())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
