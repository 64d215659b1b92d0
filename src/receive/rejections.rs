//! What was rejected, as an auditor will read it: summed up, so that an attack cannot fill the log.

use crate::clock::{self, Clock};
use crate::log::EventLog;
use hooklog_schemas::control::WebhooksRejected;
use hooklog_schemas::{Append, Event, Partition, Timestamp, Topic};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// One event per source and reason is written this often.
const INTERVAL: Duration = Duration::from_secs(60);

/// How many claimed GUIDs an event holds.
const GUIDS_MAX: usize = 20;

/// Rejections that are not written yet.
pub(super) struct Rejections {
    log: Arc<dyn EventLog>,
    clock: Arc<dyn Clock>,
    /// How long one append may take.
    deadline: Duration,
    sums: Mutex<Sums>,
}

/// By source and reason. Sources are those that exist, and `unknown`, so there are few.
type Sums = BTreeMap<(String, &'static str), Sum>;

#[derive(Default)]
struct Sum {
    count: u64,
    guids: Vec<String>,
    from: Option<Timestamp>,
    to: Timestamp,
}

/// One rejected request.
pub(super) struct Rejection<'a> {
    /// The source's name, or `unknown`.
    pub(super) source: &'a str,
    /// Why.
    pub(super) reason: &'static str,
    /// The GUID that it claimed; empty if none.
    pub(super) guid: &'a str,
}

impl Rejections {
    pub(super) fn new(log: Arc<dyn EventLog>, clock: Arc<dyn Clock>, deadline: Duration) -> Self {
        Self {
            log,
            clock,
            deadline,
            sums: Mutex::default(),
        }
    }

    /// Adds one to its sum.
    pub(super) fn add(&self, rejection: Rejection<'_>) {
        let now = self.clock.now();
        let Rejection {
            source,
            reason,
            guid,
        } = rejection;
        self.with(|sums| {
            let sum = sums.entry((source.to_owned(), reason)).or_default();
            let guids = (!guid.is_empty()).then(|| guid.to_owned());
            sum.merge(Sum {
                count: 1,
                guids: guids.into_iter().collect(),
                from: Some(now),
                to: now,
            });
        });
    }

    /// Writes what there is, once a minute and when `stop` is cancelled.
    pub(super) async fn write_until(&self, stop: &CancellationToken) {
        while stop
            .run_until_cancelled(tokio::time::sleep(INTERVAL))
            .await
            .is_some()
        {
            self.write().await;
        }
        self.write().await;
    }

    /// Writes what there is. What the log does not take is kept for the next time; when nobody
    /// knows whether it took it, too: evidence that is there twice is better than none.
    pub(super) async fn write(&self) {
        let sums = self.with(std::mem::take);
        if sums.is_empty() {
            return;
        }
        let now = self.clock.now();
        let batch = sums.iter().filter_map(|((source, reason), sum)| {
            let event = sum.event(source, reason);
            append(event, now)
        });
        let appending = self.log.append(Topic::Control, batch.collect());
        let error = match tokio::time::timeout(self.deadline, appending).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the append took too long".to_owned(),
        };
        tracing::error!(error, "the log did not take the last minute's rejections");
        self.with(|kept| merge(kept, sums));
    }

    fn with<T>(&self, work: impl FnOnce(&mut Sums) -> T) -> T {
        // Adding does not panic half-way, so a poisoned sum is still right.
        work(&mut self.sums.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sum {
    fn merge(&mut self, later: Self) {
        self.count += later.count;
        self.from = self.from.or(later.from);
        self.to = self.to.max(later.to);
        let room = GUIDS_MAX.saturating_sub(self.guids.len());
        self.guids.extend(later.guids.into_iter().take(room));
    }

    fn event(&self, source: &str, reason: &str) -> Event {
        Event::from(WebhooksRejected {
            source: source.to_owned(),
            reason: reason.to_owned(),
            count: self.count,
            claimed_guids: self.guids.clone(),
            from: self.from.unwrap_or(self.to),
            to: self.to,
        })
    }
}

fn merge(into: &mut Sums, sums: Sums) {
    for (key, sum) in sums {
        let newer = into.remove(&key);
        let merged = into.entry(key).or_insert(sum);
        if let Some(newer) = newer {
            merged.merge(newer);
        }
    }
}

fn append(event: Event, at: Timestamp) -> Option<Append> {
    let (event_type, version, value) = event.encode()?;
    Some(Append {
        partition: Partition(0),
        event_id: clock::event_id(),
        key: clock::key(),
        event_type,
        version,
        epoch: None,
        at,
        headers: Vec::new(),
        value: Some(value),
    })
}
