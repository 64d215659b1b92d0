//! `/tail`: new events as they are appended, one JSON object a line.

mod line;

use super::auth::Reader;
use super::extract::Query;
use super::problem::Problem;
use super::subscriptions::find_any;
use super::{Api, Shared};
use crate::log::{EventLog, ReadError, ReadLimit};
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use hooklog_schemas::{Offset, Partition, Position, ReceiptId, Record, SubscriptionId, Topic};
use line::Line;
use serde::Deserialize;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Streams at once: each holds a connection and reads the log.
pub(super) const STREAMS_MAX: usize = 64;

/// An empty line is sent this often when nothing happens, so that a dead client is noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Records read at once from one partition.
const LIMIT: ReadLimit = ReadLimit {
    records: 256,
    bytes: 4 << 20,
};

/// Receipts of one GUID that are remembered.
const RECEIPTS_MAX: usize = 1_000;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(tail))
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct TailQuery {
    /// Those about the event with this id.
    guid: Option<String>,
    /// Those about this subscription, by name or id.
    subscription: Option<String>,
}

/// Streams the events that are appended from now on, one JSON object a line
/// (`application/x-ndjson`). An empty line says that nothing happened.
#[utoipa::path(get, path = "/tail", tag = "server", params(TailQuery),
    responses((status = 200, body = String, content_type = "application/x-ndjson"), (status = 503, body = Problem)))]
async fn tail(
    _: Reader,
    State(api): State<Shared>,
    Query(query): Query<TailQuery>,
) -> Result<Response, Problem> {
    let seat = Arc::clone(&api.tails).try_acquire_owned();
    let busy = |_| Problem::unavailable(format!("{STREAMS_MAX} clients follow the log already"));
    let seat = seat.map_err(busy)?;
    let subscription = query.subscription.as_deref();
    let subscription = subscription.map(|name| find_any(&api, name)).transpose()?;
    let mut follower = Follower {
        log: Arc::clone(&api.parts.log),
        next: positions(&api).await?,
        wanted: Wanted {
            receipts: VecDeque::new(),
            guid: query.guid,
            subscription: subscription.map(|one| one.id),
        },
        api,
        _seat: seat,
    };
    follower.know_earlier_receipts().await;
    let lines = stream::unfold(follower, |mut follower| async {
        let bytes = follower.more().await?;
        Some((Ok::<_, Infallible>(bytes), follower))
    });
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((StatusCode::OK, kind, Body::from_stream(lines)).into_response())
}

/// One client that follows the log.
struct Follower {
    api: Shared,
    log: Arc<dyn EventLog>,
    next: Vec<Position>,
    wanted: Wanted,
    _seat: OwnedSemaphorePermit,
}

/// What a client wants to see.
struct Wanted {
    guid: Option<String>,
    subscription: Option<SubscriptionId>,
    /// Receipts of `guid`: most events name the receipt alone.
    receipts: VecDeque<ReceiptId>,
}

impl Follower {
    /// The next lines; none when the server stops, or the log cannot be followed any more.
    async fn more(&mut self) -> Option<Bytes> {
        loop {
            let waiting = tokio::time::timeout(HEARTBEAT, self.log.wait(&self.next));
            let waited = self.api.parts.stop.run_until_cancelled(waiting).await;
            if waited?.is_err() {
                return Some(Bytes::from_static(b"\n"));
            }
            let lines = match self.read().await {
                Ok(lines) => lines,
                Err(error) => {
                    tracing::warn!(%error, "a client's tail ends");
                    return None;
                }
            };
            if !lines.is_empty() {
                return Some(lines.into());
            }
        }
    }

    async fn read(&mut self) -> Result<Vec<u8>, ReadError> {
        let mut records = Vec::new();
        for next in &mut self.next {
            let read = self.log.read(*next, LIMIT).await?;
            if let Some(last) = read.last() {
                next.offset = last.position.offset.next();
            }
            records.extend(read);
        }
        if records.is_empty() {
            // A poisoned log wakes its waiters for ever, and has nothing more to say.
            return Err(ReadError::Unavailable("the log stopped".to_owned()));
        }
        records.sort_by_key(|record| (record.appended_at, record.position));
        let mut text = Vec::new();
        for record in &records {
            self.write(record, &mut text);
        }
        Ok(text)
    }

    fn write(&mut self, record: &Record, text: &mut Vec<u8>) {
        let configuration = self.api.parts.control.current();
        let line = line::line(record, &configuration);
        if self.wanted.wants(&line) && serde_json::to_writer(&mut *text, &line.json).is_ok() {
            text.push(b'\n');
        }
    }

    /// Events about receipts from before this request are wanted too. Without tables they are
    /// not recognised.
    async fn know_earlier_receipts(&mut self) {
        let Some(guid) = &self.wanted.guid else {
            return;
        };
        if let Ok(timeline) = self.api.parts.queries.timeline(guid).await {
            for row in timeline.receipts {
                self.wanted.remember(row.receipt);
            }
        }
    }
}

impl Wanted {
    fn wants(&mut self, line: &Line) -> bool {
        self.is_about_guid(line) && self.is_about_subscription(line)
    }

    fn is_about_guid(&mut self, line: &Line) -> bool {
        let Some(guid) = &self.guid else { return true };
        if line.guid.as_ref() == Some(guid) {
            if let Some(receipt) = line.receipt {
                self.remember(receipt);
            }
            return true;
        }
        line.receipt
            .is_some_and(|receipt| self.receipts.contains(&receipt))
    }

    fn is_about_subscription(&self, line: &Line) -> bool {
        self.subscription
            .is_none_or(|one| line.subscriptions.contains(&one))
    }

    fn remember(&mut self, receipt: ReceiptId) {
        if !self.receipts.contains(&receipt) {
            self.receipts.truncate(RECEIPTS_MAX - 1);
            self.receipts.push_front(receipt);
        }
    }
}

/// The end of every partition.
async fn positions(api: &Api) -> Result<Vec<Position>, Problem> {
    let tails = api.tails(&Topic::ALL).await?;
    let topic = |name: &str| Topic::ALL.into_iter().find(|topic| topic.as_str() == name);
    let position = |tail: crate::query::ReadUpTo| {
        let partition = Partition(tail.partition);
        topic(&tail.topic).map(|topic| Position::new(topic, partition, Offset(tail.next)))
    };
    Ok(tails.into_iter().filter_map(position).collect())
}
