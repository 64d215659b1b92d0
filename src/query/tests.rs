//! Given a history, the answers.

#[path = "../../projections/src/folding/tests/given.rs"]
#[expect(dead_code, reason = "the folds' own tests use the rest")]
mod given;

use super::*;
use crate::log::EventLog;
use crate::log::memory::MemoryLog;
use crate::project::stores::sqlite::SqliteTables;
use crate::project::tests::catch_up;
use given::{Given, SECOND, START, SUBSCRIPTION, dead, delivery, matched, receipt, retry};
use hooklog_schemas::control::{LogCreated, Scope};
use hooklog_schemas::deliveries::{MatchOutcome, Verdict};
use hooklog_schemas::{EventId, SourceId, SubscriptionId, Timestamp, Topic};
use uuid::Uuid;

/// Tables of what was given, and questions to them.
struct Asked {
    queries: Queries,
    _folder: tempfile::TempDir,
}

fn given() -> Given {
    let mut given = Given::default();
    given.control(LogCreated {
        log_id: EventId(Uuid::from_u128(1)),
        partitions: 1,
        at: Timestamp(START),
    });
    given
}

async fn ask(given: &Given) -> Asked {
    let log = MemoryLog::new(1);
    for (topic, append) in &given.appends {
        log.append(*topic, vec![append.clone()]).await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(crate::project::stores::sqlite::FILE);
    let log: std::sync::Arc<dyn EventLog> = std::sync::Arc::new(log);
    catch_up(&log, &path, 1_000).await;
    Asked {
        queries: queries(&path),
        _folder: folder,
    }
}

fn queries(path: &std::path::Path) -> Queries {
    let metrics = Metrics::register(&mut Default::default());
    Queries::new(Arc::new(SqliteTables::new(path)), metrics)
}

#[tokio::test]
async fn before_there_are_tables_the_answer_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let queries = queries(&folder.path().join(crate::project::stores::sqlite::FILE));
    let error = queries.as_of().await.unwrap_err();
    assert!(matches!(error, QueryError::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn webhooks_come_newest_first_in_pages_that_miss_and_repeat_nothing() {
    let mut given = given();
    for number in 0..7 {
        given.owed(number);
    }
    let asked = ask(&given).await;
    let mut seen = Vec::new();
    let mut page = Page {
        limit: 3,
        cursor: None,
    };
    loop {
        let rows = asked.queries.webhooks(&Filter::default(), &page).await;
        let rows = rows.unwrap();
        seen.extend(rows.items.iter().map(|row| row.offset));
        match rows.next {
            Some(next) => page = Page::after(next, 3),
            None => break,
        }
    }
    assert_eq!(seen, [6, 5, 4, 3, 2, 1, 0]);
}

#[tokio::test]
async fn filters_of_webhooks_hold_together() {
    let mut given = given();
    given.owed(0);
    given.routed(1, |routed| {
        routed.matches.clear();
        routed.summary.event = "pull_request".into();
        routed.summary.action = Some("opened".into());
        routed.summary.repository = Some("acme/docs".into());
    });
    given.routed(2, |routed| {
        routed.matches.clear();
        routed.error = Some("it broke".into());
        routed.summary.host = "github.acme.example".into();
        routed.source_name = "server".into();
    });
    let asked = ask(&given).await;
    let offsets = async |filter: Filter| -> Vec<i64> {
        let rows = asked.queries.webhooks(&filter, &Page::first()).await;
        rows.unwrap().items.iter().map(|row| row.offset).collect()
    };
    let text = |text: &str| Some(text.to_owned());
    let all = Filter::default();
    assert_eq!(offsets(all.clone()).await, [2, 1, 0]);
    let table = [
        (
            Filter {
                event: text("push"),
                ..all.clone()
            },
            vec![2, 0],
        ),
        (
            Filter {
                event: text("pull_request.opened"),
                ..all.clone()
            },
            vec![1],
        ),
        (
            Filter {
                event: text("pull_request.closed"),
                ..all.clone()
            },
            vec![],
        ),
        (
            Filter {
                repository: text("acme/docs"),
                ..all.clone()
            },
            vec![1],
        ),
        (
            Filter {
                repository: text("acme/*"),
                ..all.clone()
            },
            vec![2, 1, 0],
        ),
        (
            Filter {
                host: text("github.acme.example"),
                ..all.clone()
            },
            vec![2],
        ),
        (
            Filter {
                source: text("server"),
                ..all.clone()
            },
            vec![2],
        ),
        (
            Filter {
                guid: text("guid-1"),
                ..all.clone()
            },
            vec![1],
        ),
        (
            Filter {
                state: text("matched"),
                ..all.clone()
            },
            vec![0],
        ),
        (
            Filter {
                state: text("unmatched"),
                ..all.clone()
            },
            vec![1],
        ),
        (
            Filter {
                state: text("error"),
                ..all.clone()
            },
            vec![2],
        ),
        (
            Filter {
                from: Some(Timestamp(START + SECOND)),
                ..all.clone()
            },
            vec![2, 1],
        ),
        (
            Filter {
                to: Some(Timestamp(START + SECOND)),
                ..all.clone()
            },
            vec![0],
        ),
        (
            Filter {
                event: text("push"),
                source: text("acme"),
                ..all
            },
            vec![0],
        ),
    ];
    for (filter, expected) in table {
        assert_eq!(offsets(filter.clone()).await, expected, "{filter:?}");
    }
}

#[tokio::test]
async fn deliveries_are_listed_by_state_and_subscription() {
    let other = SubscriptionId(Uuid::from_u128(501));
    let mut given = given();
    let first = given.owed(0);
    given.routed(1, |routed| {
        routed.matches = vec![matched(routed.receipt, other, MatchOutcome::Owed)];
    });
    given.attempted(first, 1, 5, Verdict::Delivered);
    given.owed(2);
    let asked = ask(&given).await;
    let receipts = async |filter: Filter| -> Vec<_> {
        let rows = asked.queries.deliveries(&filter, &Page::first()).await;
        rows.unwrap().items.iter().map(|row| row.receipt).collect()
    };
    let state = |state: &str| Filter {
        state: Some(state.to_owned()),
        ..Filter::default()
    };
    let of = |subscription| Filter {
        subscription: Some(subscription),
        ..Filter::default()
    };
    assert_eq!(receipts(state("open")).await, [receipt(2), receipt(1)]);
    assert_eq!(receipts(state("delivered")).await, [receipt(0)]);
    assert_eq!(receipts(state("no such state' OR 1=1")).await, []);
    assert_eq!(receipts(of(other)).await, [receipt(1)]);
    assert_eq!(receipts(of(SUBSCRIPTION)).await, [receipt(2), receipt(0)]);
    assert_eq!(
        asked.queries.deliveries_of(receipt(1)).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_timeline_tells_the_whole_life_of_an_event_and_up_to_where_it_knows() {
    let mut given = given();
    let id = given.owed(0);
    given.attempted(id, 1, 10, retry(20));
    given.answered(id, 1, 10);
    given.attempted(id, 2, 20, dead());
    given.requeued(id, 30);
    given.attempted(id, 1, 31, Verdict::Delivered);
    let asked = ask(&given).await;
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

#[tokio::test]
async fn dead_letters_and_commands_count_alike() {
    let mut given = given();
    for number in 0..4 {
        given.owed(number);
    }
    given.attempted(delivery(0), 1, 10, dead());
    given.attempted(delivery(1), 1, 11, dead());
    let asked = ask(&given).await;
    let letters = asked
        .queries
        .dead_letters(&Filter::default(), &Page::first())
        .await;
    let letters = letters.unwrap().items;
    let died = letters
        .iter()
        .map(|row| (row.delivery.receipt, row.died_at));
    let ended = |second| START + second * SECOND + 100_000;
    let expected = [(receipt(1), ended(11)), (receipt(0), ended(10))];
    assert_eq!(died.collect::<Vec<_>>(), expected);

    let all = Scope {
        all: true,
        ..Scope::default()
    };
    let one = Scope {
        deliveries: vec![delivery(0), delivery(2)],
        ..Scope::default()
    };
    let late = Scope {
        from: Some(Timestamp(START + 3 * SECOND)),
        ..Scope::default()
    };
    let of = Scope {
        subscription: Some(SUBSCRIPTION),
        ..Scope::default()
    };
    let table = [
        (all, 2, 2),
        (one, 1, 1),
        (late, 0, 1),
        (of, 2, 2),
        (Scope::default(), 0, 0),
    ];
    for (scope, dead, open) in table {
        let count = async |which| asked.queries.count_in_scope(&scope, which).await.unwrap();
        assert_eq!(count(Changeable::Dead).await, dead, "{scope:?}");
        assert_eq!(count(Changeable::Open).await, open, "{scope:?}");
    }
}

#[tokio::test]
async fn what_was_erased_is_blank_in_every_answer() {
    let mut given = given();
    given.owed(0);
    given.erasure(0, None, None);
    given.erasure(1, Some(7), None);
    given.erasure(2, None, Some(8));
    (1..4).for_each(|number| {
        given.owed(number);
    });
    let asked = ask(&given).await;
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

#[tokio::test]
async fn counts_are_summed_and_cut_by_minutes() {
    let mut given = given();
    given.owed(0);
    given.owed(1);
    given.owed(60);
    let asked = ask(&given).await;
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

#[tokio::test]
async fn a_history_tells_who_changed_what_and_what_became_of_it() {
    let mut given = given();
    let created = given.subscription_created();
    given.subscription_renamed(created, "second");
    given.subscription_renamed(created, "third");
    let asked = ask(&given).await;
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

#[tokio::test]
async fn readers_follow_a_rebuild() {
    let mut given = given();
    given.owed(0);
    let log = MemoryLog::new(1);
    for (topic, append) in &given.appends {
        log.append(*topic, vec![append.clone()]).await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(crate::project::stores::sqlite::FILE);
    let log: Arc<dyn EventLog> = Arc::new(log);
    catch_up(&log, &path, 1_000).await;
    let queries = queries(&path);
    let before = queries.timeline("guid-0").await.unwrap();
    crate::project::tests::rebuild_at(&log, &path, &[]).await;
    assert_eq!(queries.timeline("guid-0").await.unwrap(), before);
}
