//! Lists, their filters and their pages.

use super::given::{SECOND, START, SUBSCRIPTION, dead, delivery, matched, receipt};
use super::*;

on_stores!(
    Sqlite, Postgres, Mongodb;
    webhooks_come_newest_first_in_pages_that_miss_and_repeat_nothing,
    filters_of_webhooks_hold_together,
    deliveries_are_listed_by_state_and_subscription,
    dead_letters_and_commands_count_alike,
);

async fn webhooks_come_newest_first_in_pages_that_miss_and_repeat_nothing(on: On) {
    let mut given = given();
    for number in 0..7 {
        given.owed(number);
    }
    let asked = ask(on, &given).await;
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

async fn filters_of_webhooks_hold_together(on: On) {
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
    let asked = ask(on, &given).await;
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
                repository: text("acme/docs,acme/site,acme/none"),
                ..all.clone()
            },
            vec![2, 1, 0],
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

async fn deliveries_are_listed_by_state_and_subscription(on: On) {
    let other = SubscriptionId(Uuid::from_u128(501));
    let mut given = given();
    let first = given.owed(0);
    given.routed(1, |routed| {
        routed.matches = vec![matched(routed.receipt, other, MatchOutcome::Owed)];
    });
    given.attempted(first, 1, 5, Verdict::Delivered);
    given.owed(2);
    let asked = ask(on, &given).await;
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

async fn dead_letters_and_commands_count_alike(on: On) {
    let mut given = given();
    for number in 0..4 {
        given.owed(number);
    }
    given.attempted(delivery(0), 1, 10, dead());
    given.attempted(delivery(1), 1, 11, dead());
    let asked = ask(on, &given).await;
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
        let count = async |which| {
            asked
                .queries
                .count_in_scope(&scope, which, &[])
                .await
                .unwrap()
        };
        assert_eq!(count(Changeable::Dead).await, dead, "{scope:?}");
        assert_eq!(count(Changeable::Open).await, open, "{scope:?}");
        let gone = asked
            .queries
            .count_in_scope(&scope, Changeable::Dead, &[SUBSCRIPTION]);
        assert_eq!(gone.await.unwrap(), 0, "{scope:?}");
    }
}
