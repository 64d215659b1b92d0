//! Answers as of a point equal those of a fold of exactly that prefix, with today's erasures.

use super::queries;
use crate::history::Prefix;
use crate::log::EventLog;
use crate::log::memory::MemoryLog;
use crate::project::conformance::Place;
use crate::project::dump;
use crate::project::tests::history::History;
use crate::project::tests::{On, catch_up, on_stores, place};
use crate::query::{Between, CountsFilter, Filter, Page, Queries, QueryError, ReadsFilter};
use hooklog_projections::counts;
use hooklog_schemas::{
    Append, DeliveryId, Event, EventId, Offset, Partition, Point, Position, Record, SourceId,
    SubscriptionId, Timestamp, Topic,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

on_stores!(
    Sqlite, Postgres, Mongodb;
    an_answer_as_of_a_point_is_that_of_the_fold_of_its_prefix,
    tables_that_have_not_read_all_of_a_point_say_so,
    a_point_of_another_log_is_refused,
    a_prefix_folds_into_the_tables_of_then_and_holds_every_erasure,
);

const PARTITIONS: u32 = 3;
const EVENTS: usize = 700;

/// Histories, events and points of each: 200 points in all where a fold is cheap.
const fn amounts(on: On) -> (u64, usize, usize) {
    match on {
        On::Sqlite => (4, EVENTS, 50),
        #[cfg(feature = "store-postgres")]
        On::Postgres => (4, EVENTS, 50),
        #[cfg(feature = "store-mongodb")]
        On::Mongodb => (1, EVENTS / 4, 3),
    }
}

async fn an_answer_as_of_a_point_is_that_of_the_fold_of_its_prefix(on: On) {
    let (histories, events, points) = amounts(on);
    for seed in 1..=histories {
        let mut history = History::begin(seed, PARTITIONS);
        history.write(events);
        let appends = history.appends;
        let (log, tables) = folded(on, &appends).await;
        let now = queries(tables.as_ref());
        let mut rng = StdRng::seed_from_u64(seed);
        for _ in 0..points {
            let point = random_point(&log, &mut rng).await;
            let (_prefix, fresh) = folded(On::Sqlite, &prefix(&appends, &point, &Topic::ALL)).await;
            let then = queries(fresh.as_ref());
            let asked = Asked::random(&now, &mut rng).await;
            let expected = asked.answers(&then).await;
            let answered = asked.answers(&now.at(Arc::new(point.clone()))).await;
            for (question, expected) in expected {
                let answer = &answered[&question];
                assert_eq!(*answer, expected, "seed {seed}, {point:?}, {question}");
            }
        }
    }
}

/// Points before, in and behind the middle of the slices that counts are summed in.
#[tokio::test]
async fn counts_as_of_any_place_in_a_slice_are_those_of_the_fold_of_the_prefix() {
    let mut history = History::begin(3, PARTITIONS);
    history.write(6 * counts::SLICE as usize);
    let appends = history.appends;
    let (log, tables) = folded(On::Sqlite, &appends).await;
    let now = queries(tables.as_ref());
    let mut rng = StdRng::seed_from_u64(3);
    for filter in [CountsFilter::default(), some_minutes(&now).await] {
        for _ in 0..8 {
            let point = random_point(&log, &mut rng).await;
            let (_prefix, fresh) = folded(On::Sqlite, &prefix(&appends, &point, &Topic::ALL)).await;
            let expected = queries(fresh.as_ref()).counts(&filter).await.unwrap();
            let answered = now.at(Arc::new(point.clone())).counts(&filter).await;
            assert_eq!(answered.unwrap(), expected, "{point:?}, {filter:?}");
        }
    }
}

async fn some_minutes(now: &Queries) -> CountsFilter {
    let all = now.counts(&CountsFilter::default()).await.unwrap();
    CountsFilter {
        from: Some(Timestamp(all[all.len() * 2 / 3].minute_at)),
        to: Some(Timestamp(all[all.len() / 3].minute_at)),
        source: None,
    }
}

async fn tables_that_have_not_read_all_of_a_point_say_so(on: On) {
    let (tables, mut point) = some(on).await;
    point.deliveries[2] = point.deliveries[2].next();
    let asked = queries(tables.as_ref()).at(Arc::new(point));
    let error = asked.counts(&CountsFilter::default()).await.unwrap_err();
    assert!(matches!(error, QueryError::Behind { .. }), "{error}");
    assert!(error.to_string().contains("deliveries/2@"), "{error}");
}

async fn a_point_of_another_log_is_refused(on: On) {
    let (tables, mut point) = some(on).await;
    point.log = EventId(Uuid::max());
    let asked = queries(tables.as_ref()).at(Arc::new(point));
    let error = asked.counts(&CountsFilter::default()).await.unwrap_err();
    assert!(matches!(error, QueryError::OtherLog { .. }), "{error}");
}

async fn a_prefix_folds_into_the_tables_of_then_and_holds_every_erasure(on: On) {
    let mut history = History::begin(5, PARTITIONS);
    history.write(EVENTS);
    let (log, _tables) = folded(On::Sqlite, &history.appends).await;
    let point = random_point(&log, &mut StdRng::seed_from_u64(5)).await;
    let orders = prefix(&history.appends, &point, &[Topic::Control]);
    let (_expected, expected) = folded(On::Sqlite, &orders).await;
    let cut: Arc<dyn EventLog> = Arc::new(Prefix::new(log, point));
    let then = place(on).await;
    catch_up(&cut, then.as_ref(), 100).await;
    assert_eq!(rows(then.as_ref()).await, rows(expected.as_ref()).await);
}

/// The dump of all tables, without the offsets of orders to erase.
async fn rows(tables: &dyn Place) -> Vec<String> {
    let mut text = String::new();
    let mut store = tables.open().await;
    dump(store.as_mut(), |piece| text.push_str(piece))
        .await
        .unwrap();
    let erasures = text.find("# erasures").unwrap();
    let (others, erasures) = text.split_at(erasures);
    let receipts = erasures
        .lines()
        .map(|line| line.split('\t').next().unwrap());
    others.lines().chain(receipts).map(str::to_owned).collect()
}

/// Tables of a short history, and the point at its end.
async fn some(on: On) -> (Arc<dyn Place>, Point) {
    let mut history = History::begin(9, PARTITIONS);
    history.write(60);
    let (log, tables) = folded(on, &history.appends).await;
    let mut point = random_point(&log, &mut StdRng::seed_from_u64(1)).await;
    for (number, end) in point.deliveries.iter_mut().enumerate() {
        let partition = Partition(number as u32);
        *end = log.bounds(Topic::Deliveries, partition).await.unwrap().tail;
    }
    (tables, point)
}

async fn folded(on: On, appends: &[(Topic, Append)]) -> (Arc<dyn EventLog>, Arc<dyn Place>) {
    let log = MemoryLog::new(PARTITIONS);
    for (topic, append) in appends {
        log.append(*topic, vec![append.clone()]).await.unwrap();
    }
    let log: Arc<dyn EventLog> = Arc::new(log);
    let tables = place(on).await;
    catch_up(&log, tables.as_ref(), 1_000).await;
    (log, tables)
}

async fn random_point(log: &Arc<dyn EventLog>, rng: &mut StdRng) -> Point {
    let mut deliveries = Vec::new();
    for partition in 0..PARTITIONS {
        let bounds = log.bounds(Topic::Deliveries, Partition(partition));
        let tail = bounds.await.unwrap().tail.0;
        deliveries.push(Offset(rng.random_range(0..=tail)));
    }
    let control = log
        .bounds(Topic::Control, Partition(0))
        .await
        .unwrap()
        .tail
        .0;
    let start = Position::new(Topic::Control, Partition(0), Offset(0));
    let first = log.read(start, Default::default()).await.unwrap().remove(0);
    let Event::LogCreated(created) = Event::decode(&first).unwrap() else {
        panic!("the log begins with something else");
    };
    Point {
        log: created.log_id,
        webhooks: vec![Offset(0); PARTITIONS as usize],
        deliveries,
        control: Offset(rng.random_range(1..=control)),
    }
}

/// What lies inside, and behind it what erases in these topics until today.
fn prefix(appends: &[(Topic, Append)], point: &Point, erasing: &[Topic]) -> Vec<(Topic, Append)> {
    let mut ends: BTreeMap<(Topic, Partition), u64> = BTreeMap::new();
    let (mut inside, mut erased) = (Vec::new(), Vec::new());
    for (topic, append) in appends {
        let end = ends.entry((*topic, append.partition)).or_default();
        let position = Position::new(*topic, append.partition, Offset(*end));
        *end += 1;
        if point.holds(position) {
            inside.push((*topic, append.clone()));
        } else if erasing.contains(topic) && erases(append, position) {
            erased.push((*topic, append.clone()));
        }
    }
    inside.extend(erased);
    inside
}

fn erases(append: &Append, position: Position) -> bool {
    let record = Record::placed(append.clone(), position.topic, position.offset, append.at);
    matches!(
        Event::decode(&record).unwrap(),
        Event::ErasureRequested(_) | Event::Tombstone
    )
}

/// Questions about one history.
struct Asked {
    filters: Vec<Filter>,
    deliveries: Vec<DeliveryId>,
    guids: Vec<String>,
    subscription: SubscriptionId,
    limit: u32,
}

impl Asked {
    async fn random(now: &Queries, rng: &mut StdRng) -> Self {
        let all = Page {
            limit: 500,
            cursor: None,
        };
        let rows = now
            .deliveries(&Filter::default(), &all)
            .await
            .unwrap()
            .items;
        let webhooks = now.webhooks(&Filter::default(), &all).await.unwrap().items;
        let deliveries = (0..6).map(|_| rows[rng.random_range(0..rows.len())].id);
        let deliveries = deliveries.collect();
        let guids = (0..4).map(|_| webhooks[rng.random_range(0..webhooks.len())].guid.clone());
        let guids = guids.collect();
        let subscription = rows[rng.random_range(0..rows.len())].subscription_id;
        let from = Timestamp(webhooks[rng.random_range(0..webhooks.len())].received_at);
        let between = Between {
            from: Some(Timestamp(from.0 - 120_000_000)),
            to: Some(Timestamp(from.0 + 60_000_000)),
        };
        let state = |state: &str| Filter {
            state: Some(state.to_owned()),
            ..Filter::default()
        };
        let mut filters: Vec<_> = ["open", "dead", "delivered", "cancelled"].map(state).into();
        filters.extend([
            Filter::default(),
            Filter {
                subscription: Some(subscription),
                ..state("open")
            },
            Filter {
                subscription: Some(subscription),
                ..Filter::default()
            },
            Filter {
                from: Some(from),
                event: Some("push".into()),
                ..Filter::default()
            },
            Filter {
                happened: between,
                appended: between,
                ..Filter::default()
            },
            Filter {
                attempted: between,
                ..Filter::default()
            },
            Filter {
                repository: Some("acme/repository-1*".into()),
                ..Filter::default()
            },
        ]);
        Self {
            filters,
            deliveries,
            guids,
            subscription,
            limit: rng.random_range(5..60),
        }
    }

    /// Every answer, as text, by what was asked.
    async fn answers(&self, of: &Queries) -> BTreeMap<String, String> {
        let mut answers = BTreeMap::new();
        let mut tell = |question: String, answer: String| answers.insert(question, answer);
        for filter in &self.filters {
            let asked = format!("{filter:?}");
            tell(
                format!("deliveries {asked}"),
                self.deliveries(of, filter).await,
            );
            let page = self.page(None);
            let webhooks = of.webhooks(&filter.clone().of_webhooks(), &page).await;
            tell(format!("webhooks {asked}"), format!("{webhooks:?}"));
            let dead = Filter {
                state: None,
                attempted: Between::default(),
                ..filter.clone()
            };
            let dead = of.dead_letters(&dead, &page).await;
            tell(format!("dead letters {asked}"), format!("{dead:?}"));
        }
        for id in &self.deliveries {
            let detail = of.delivery(*id).await;
            tell(format!("delivery {id}"), format!("{detail:?}"));
        }
        for guid in &self.guids {
            let timeline = of.timeline(guid).await.unwrap();
            let told = (timeline.receipts, timeline.deliveries);
            tell(format!("timeline {guid}"), format!("{told:?}"));
        }
        let page = self.page(None);
        let recipients = of.recipients(&Filter::default(), &page).await;
        tell("recipients".into(), format!("{recipients:?}"));
        let received = of.received(&Filter::default(), &page).await;
        tell("received".into(), format!("{received:?}"));
        let reads = of.body_reads(&ReadsFilter::default(), &page).await;
        tell("reads".into(), format!("{reads:?}"));
        let counts = of.counts(&CountsFilter::default()).await;
        tell("counts".into(), format!("{counts:?}"));
        let page = Page::first();
        let replays = of.replays(&page).await;
        tell("replays".into(), format!("{replays:?}"));
        let history = of.subscription_history(self.subscription, &page).await;
        tell("subscription".into(), format!("{history:?}"));
        let source = SourceId(Uuid::from_u128(77));
        let history = of.source_history(source, &page).await;
        tell("source".into(), format!("{history:?}"));
        answers
    }

    /// All pages of a list.
    async fn deliveries(&self, of: &Queries, filter: &Filter) -> String {
        let mut told = String::new();
        let mut cursor = None;
        loop {
            let page = of.deliveries(filter, &self.page(cursor)).await.unwrap();
            // Where a page ends is nobody's business: at a point of the past it may be shorter.
            told.extend(page.items.iter().map(|row| format!("{row:?}")));
            cursor = page.next;
            if cursor.is_none() {
                return told;
            }
        }
    }

    fn page(&self, cursor: Option<String>) -> Page {
        Page {
            limit: self.limit,
            cursor,
        }
    }
}

impl Filter {
    /// The same filter with a state of webhooks.
    fn of_webhooks(mut self) -> Self {
        self.state = self.state.map(|state| match state.as_str() {
            "open" => "matched".to_owned(),
            "dead" => "error".to_owned(),
            _ => "unmatched".to_owned(),
        });
        self
    }
}
