//! Who received what, who looked at it, and the history that others are explained by.

use super::given::{SECOND, START, SUBSCRIPTION, dead, receipt, retry};
use super::*;
use hooklog_schemas::deliveries::BodyRead;

on_stores!(
    Sqlite, Postgres, Mongodb;
    looks_at_bodies_come_latest_first_in_pages_and_say_at_what,
    a_webhook_names_its_recipients_the_deciding_attempt_and_who_looked,
    the_history_of_a_subscription_is_read_from_any_offset_on,
);

fn look(given: &mut Given, number: u128, actor: &str, second: i64) {
    given.deliveries(BodyRead {
        receipt: receipt(number),
        actor: actor.into(),
        from: "192.0.2.1".into(),
        at: Timestamp(START + second * SECOND),
    });
}

async fn looks_at_bodies_come_latest_first_in_pages_and_say_at_what(on: On) {
    let mut given = given();
    given.owed(0);
    given.owed(1);
    // Two in the same moment: their places tell them apart.
    for (number, actor, second) in [(0, "ann", 10), (1, "bo", 20), (0, "bo", 20), (1, "ann", 30)] {
        look(&mut given, number, actor, second);
    }
    let asked = ask(on, &given).await;
    let mut seen = Vec::new();
    let mut page = Page {
        limit: 1,
        cursor: None,
    };
    loop {
        let rows = asked
            .queries
            .body_reads(&ReadsFilter::default(), &page)
            .await;
        let rows = rows.unwrap();
        let told = rows.items.into_iter();
        seen.extend(told.map(|row| (row.actor, row.guid.unwrap())));
        match rows.next {
            Some(next) => page = Page::after(next, 1),
            None => break,
        }
    }
    let told = |actor: &str, guid: &str| (actor.to_owned(), guid.to_owned());
    assert_eq!(
        seen,
        [
            told("ann", "guid-1"),
            told("bo", "guid-0"),
            told("bo", "guid-1"),
            told("ann", "guid-0")
        ]
    );
    let count = async |filter: ReadsFilter| {
        let rows = asked.queries.body_reads(&filter, &Page::first()).await;
        rows.unwrap().items.len()
    };
    let at = |second| Some(Timestamp(START + second * SECOND));
    let by_ann = ReadsFilter {
        actor: Some("ann".into()),
        to: at(30),
        ..ReadsFilter::default()
    };
    assert_eq!(count(by_ann).await, 1);
    let of_one = ReadsFilter {
        receipts: Some(vec![receipt(0)]),
        from: at(11),
        ..ReadsFilter::default()
    };
    assert_eq!(count(of_one).await, 1);
    let of_none = ReadsFilter {
        receipts: Some(Vec::new()),
        ..ReadsFilter::default()
    };
    assert_eq!(count(of_none).await, 0);
}

async fn a_webhook_names_its_recipients_the_deciding_attempt_and_who_looked(on: On) {
    let mut given = given();
    let delivered = given.owed(0);
    given.attempted(delivered, 1, 10, retry(20));
    given.attempted(delivered, 2, 20, Verdict::Delivered);
    let gone = given.owed(1);
    given.attempted(gone, 1, 30, dead());
    look(&mut given, 1, "ann", 40);
    let asked = ask(on, &given).await;
    let rows = asked
        .queries
        .received(&Filter::default(), &Page::first())
        .await;
    let rows = rows.unwrap().items;
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            let last = row.recipients[0].last_attempt.as_ref().unwrap();
            (
                row.webhook.guid.as_str(),
                row.recipients[0].delivery.state.as_str(),
                last.number,
                row.reads.len(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [("guid-1", "dead", 1, 1), ("guid-0", "delivered", 2, 0)]
    );
    let only = Filter {
        state: Some("delivered".into()),
        subscription: Some(SUBSCRIPTION),
        ..Filter::default()
    };
    let rows = asked.queries.recipients(&only, &Page::first()).await;
    assert_eq!(rows.unwrap().items[0].delivery.id, delivered);
    let owed = asked.queries.owed_to(SUBSCRIPTION, &[receipt(1)]).await;
    assert_eq!(owed.unwrap()[0].delivery.id, gone);
}

async fn the_history_of_a_subscription_is_read_from_any_offset_on(on: On) {
    let mut given = given();
    given.subscription_created();
    let asked = ask(on, &given).await;
    let from = async |offset| {
        let rows = asked
            .queries
            .subscription_changes(SUBSCRIPTION, offset, 10)
            .await;
        let rows = rows.unwrap();
        rows.into_iter().map(|row| row.offset).collect::<Vec<_>>()
    };
    assert_eq!(from(0).await, [1]);
    assert_eq!(from(2).await, [0; 0]);
}
