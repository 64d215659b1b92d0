//! Given a history, the answers.

mod evidence;
#[path = "../../projections/src/folding/tests/given.rs"]
#[expect(dead_code, reason = "the folds' own tests use the rest")]
mod given;
mod lists;
mod past;

use super::*;
use crate::log::EventLog;
use crate::log::memory::MemoryLog;
use crate::project::conformance::Place;
use crate::project::tests::{On, catch_up, on_stores, place};
use given::{Given, SECOND, START, SUBSCRIPTION, dead, delivery, receipt, retry};
use hooklog_schemas::control::{LogCreated, Scope};
use hooklog_schemas::deliveries::{MatchOutcome, Verdict};
use hooklog_schemas::{EventId, SourceId, SubscriptionId, Timestamp, Topic};
use uuid::Uuid;

on_stores!(
    Sqlite, Postgres, Mongodb;
    before_there_are_tables_the_answer_says_so,
    a_timeline_tells_the_whole_life_of_an_event_and_up_to_where_it_knows,
    what_was_erased_is_blank_in_every_answer,
    counts_are_summed_and_cut_by_minutes,
    a_history_tells_who_changed_what_and_what_became_of_it,
    readers_follow_a_rebuild,
);

/// Tables of what was given, and questions to them.
struct Asked {
    queries: Queries,
    /// Keeps the tables.
    _place: Arc<dyn Place>,
}

fn given() -> Given {
    let mut given = Given::default();
    given.control(LogCreated {
        log_id: EventId(Uuid::from_u128(1)),
        partitions: 1,
        key: None,
        at: Timestamp(START),
    });
    given
}

async fn ask(on: On, given: &Given) -> Asked {
    let log = MemoryLog::new(1);
    for (topic, append) in &given.appends {
        log.append(*topic, vec![append.clone()]).await.unwrap();
    }
    let place = place(on).await;
    let log: Arc<dyn EventLog> = Arc::new(log);
    catch_up(&log, place.as_ref(), 1_000).await;
    Asked {
        queries: queries(place.as_ref()),
        _place: place,
    }
}

fn queries(place: &dyn Place) -> Queries {
    let metrics = Metrics::register(&mut Default::default());
    Queries::new(place.tables(), metrics)
}

async fn before_there_are_tables_the_answer_says_so(on: On) {
    let queries = queries(place(on).await.as_ref());
    let error = queries.as_of().await.unwrap_err();
    assert!(matches!(error, QueryError::Unavailable(_)), "{error}");
}

async fn a_timeline_tells_the_whole_life_of_an_event_and_up_to_where_it_knows(on: On) {
    let mut given = given();
    let id = given.owed(0);
    given.attempted(id, 1, 10, retry(20));
    given.answered(id, 1, 10);
    given.attempted(id, 2, 20, dead());
    given.requeued(id, 30);
    given.attempted(id, 1, 31, Verdict::Delivered);
    let asked = ask(on, &given).await;
    let timeline = asked.queries.timeline("guid-0").await.unwrap();
    assert_eq!(timeline.receipts.len(), 1);
    let detail = &timeline.deliveries[0];
    assert_eq!(
        (detail.delivery.state.as_str(), detail.delivery.due_at),
        ("delivered", None)
    );
    let attempts: Vec<_> = detail
        .attempts
        .iter()
        .map(|a| {
            (
                a.number,
                a.status,
                a.verdict.as_str(),
                a.answer_position.as_deref(),
            )
        })
        .collect();
    let expected = [
        (1, Some(503), "retry", Some("deliveries/0@2")),
        (2, Some(503), "dead_lettered", None),
        (1, Some(204), "delivered", None),
    ];
    assert_eq!(attempts, expected);
    let states: Vec<_> = detail
        .transitions
        .iter()
        .map(|t| t.state.as_str())
        .collect();
    assert_eq!(states, ["open", "open", "dead", "open", "delivered"]);
    let up_to = timeline
        .as_of
        .iter()
        .find(|at| at.topic == Topic::Deliveries.as_str());
    assert_eq!(up_to.unwrap().next, 6);
    assert_eq!(
        asked.queries.delivery(id).await.unwrap().as_ref(),
        Some(detail)
    );

    let unknown = asked.queries.timeline("guid-9").await.unwrap();
    assert!(unknown.receipts.is_empty() && unknown.deliveries.is_empty());
    assert_eq!(unknown.as_of, timeline.as_of);
    assert_eq!(asked.queries.delivery(delivery(9)).await.unwrap(), None);
    assert_eq!(asked.queries.webhook(receipt(9)).await.unwrap(), None);
}

async fn what_was_erased_is_blank_in_every_answer(on: On) {
    let mut given = given();
    given.owed(0);
    given.erasure(0, None, None);
    given.erasure(1, Some(7), None);
    given.erasure(2, None, Some(8));
    (1..4).for_each(|number| {
        given.owed(number);
    });
    let asked = ask(on, &given).await;
    let rows = asked
        .queries
        .webhooks(&Filter::default(), &Page::first())
        .await;
    let rows = rows.unwrap().items;
    let shown: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.erased,
                row.repository.is_some(),
                row.sender_id.is_some(),
            )
        })
        .collect();
    let expected = [
        (false, true, true),
        (true, true, false),
        (true, false, true),
        (true, false, false),
    ];
    assert_eq!(shown, expected);
    let named = Filter {
        repository: Some("acme/site".into()),
        ..Filter::default()
    };
    let found = asked
        .queries
        .deliveries(&named, &Page::first())
        .await
        .unwrap();
    let found: Vec<_> = found.items.iter().map(|row| row.receipt).collect();
    assert_eq!(found, [receipt(3), receipt(2)]);
    let timeline = asked.queries.timeline("guid-0").await.unwrap();
    assert_eq!(timeline.deliveries[0].delivery.repository, None);

    let of_repository = asked
        .queries
        .erasable(Erasable::Repository(7))
        .await
        .unwrap();
    assert_eq!(of_repository.len(), 4);
    let one = asked
        .queries
        .erasable(Erasable::Receipt(receipt(2)))
        .await
        .unwrap();
    assert_eq!((one.len(), one[0].offset.0), (1, 2));
    assert!(
        asked
            .queries
            .erasable(Erasable::Sender(9))
            .await
            .unwrap()
            .is_empty()
    );
}

async fn counts_are_summed_and_cut_by_minutes(on: On) {
    let mut given = given();
    given.owed(0);
    given.owed(1);
    given.owed(60);
    let asked = ask(on, &given).await;
    let all = asked
        .queries
        .counts(&CountsFilter::default())
        .await
        .unwrap();
    let shown: Vec<_> = all
        .iter()
        .map(|row| (row.minute_at, row.received, row.owed))
        .collect();
    let next = START + 60 * SECOND;
    assert_eq!(shown, [(next, 1, 1), (START, 2, 2)]);
    let late = CountsFilter {
        from: Some(Timestamp(next)),
        ..CountsFilter::default()
    };
    assert_eq!(asked.queries.counts(&late).await.unwrap().len(), 1);
    let other = CountsFilter {
        source: Some("other".into()),
        ..CountsFilter::default()
    };
    assert!(asked.queries.counts(&other).await.unwrap().is_empty());
}

async fn a_history_tells_who_changed_what_and_what_became_of_it(on: On) {
    let mut given = given();
    let created = given.subscription_created();
    given.subscription_renamed(created, "second");
    given.subscription_renamed(created, "third");
    let asked = ask(on, &given).await;
    let page = Page {
        limit: 2,
        cursor: None,
    };
    let first = asked
        .queries
        .subscription_history(SUBSCRIPTION, &page)
        .await
        .unwrap();
    let shown: Vec<_> = first
        .items
        .iter()
        .map(|row| {
            (
                row.event_type.as_str(),
                row.actor.as_str(),
                row.outcome.as_str(),
            )
        })
        .collect();
    let changed = "subscription.changed";
    assert_eq!(
        shown,
        [(changed, "bob", "conflict"), (changed, "bob", "applied")]
    );
    let spec = first.items[1].spec.as_ref().unwrap();
    assert_eq!(spec["name"], "second");
    let page = Page::after(first.next.unwrap(), 2);
    let second = asked
        .queries
        .subscription_history(SUBSCRIPTION, &page)
        .await
        .unwrap();
    assert_eq!(second.items.len(), 1);
    assert_eq!(second.next, None);
    let source = SourceId(Uuid::from_u128(400));
    let none = asked
        .queries
        .source_history(source, &Page::first())
        .await
        .unwrap();
    assert!(none.items.is_empty());
}

async fn readers_follow_a_rebuild(on: On) {
    let mut given = given();
    given.owed(0);
    let log = MemoryLog::new(1);
    for (topic, append) in &given.appends {
        log.append(*topic, vec![append.clone()]).await.unwrap();
    }
    let place = place(on).await;
    let log: Arc<dyn EventLog> = Arc::new(log);
    catch_up(&log, place.as_ref(), 1_000).await;
    let queries = queries(place.as_ref());
    let before = queries.timeline("guid-0").await.unwrap();
    crate::project::tests::rebuild_at(&log, place.as_ref(), &[]).await;
    assert_eq!(queries.timeline("guid-0").await.unwrap(), before);
}
