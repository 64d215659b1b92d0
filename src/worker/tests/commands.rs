//! What operators do to deliveries.

use super::subscriber::{Reply, Subscriber};
use super::world::{P0, World, attempts, by, ended, quick};
use crate::clock::{self, Clock as _};
use hooklog_schemas::control::{
    CancelRequested, DeliveriesPaused, DeliveriesResumed, ErasedReceipt, ErasureRequested, Policy,
    RedriveRequested, Scope,
};
use hooklog_schemas::deliveries::{
    Because, Cancelled, CommandApplied, ErrorClass, Outcome, Requeued,
};
use hooklog_schemas::{Append, Event, EventId, Offset, Topic};
use std::time::Duration;

fn applied(events: &[Event], command: EventId) -> Option<CommandApplied> {
    events.iter().find_map(|event| match event {
        Event::CommandApplied(applied) if applied.command == command => Some((**applied).clone()),
        _ => None,
    })
}

fn cancelled(events: &[Event]) -> Vec<Cancelled> {
    let cancelled = events.iter().filter_map(|event| match event {
        Event::Cancelled(cancelled) => Some((**cancelled).clone()),
        _ => None,
    });
    cancelled.collect()
}

fn once() -> Policy {
    Policy {
        attempts_max: 1,
        ..quick()
    }
}

fn everything() -> Scope {
    Scope {
        all: true,
        ..Scope::default()
    }
}

#[tokio::test]
async fn a_redrive_tries_dead_letters_again_from_the_first_attempt() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[Reply::Status(500)], Reply::Status(200)).await;
    world.subscribe("one", &subscriber.url, once()).await;
    let running = world.start().await;
    world.receive("g1").await;
    world.until(|events| ended(events) == 1).await;
    let redrive = RedriveRequested {
        scope: everything(),
        by: by(),
    };
    let command = world.control.submit(redrive).await.unwrap().event;
    let events = world.until(|events| ended(events) == 2).await;
    assert_eq!(applied(&events, command).unwrap().count, 1);
    let numbers: Vec<_> = attempts(&events).iter().map(|a| a.number).collect();
    assert_eq!(numbers, [1, 1]);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn an_empty_scope_touches_nothing() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[], Reply::Status(500)).await;
    world.subscribe("one", &subscriber.url, once()).await;
    let running = world.start().await;
    world.receive("g1").await;
    world.until(|events| ended(events) == 1).await;
    let redrive = RedriveRequested {
        scope: Scope::default(),
        by: by(),
    };
    let command = world.control.submit(redrive).await.unwrap().event;
    let events = world
        .until(|events| applied(events, command).is_some())
        .await;
    assert_eq!(applied(&events, command).unwrap().count, 0);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_cancelled_delivery_is_not_tried_again() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[], Reply::Status(500)).await;
    let id = world.subscribe("one", &subscriber.url, quick()).await;
    let running = world.start().await;
    world.receive("g1").await;
    world.until(|events| attempts(events).len() == 1).await;
    let scope = Scope {
        subscription: Some(id),
        ..Scope::default()
    };
    let command = world
        .control
        .submit(CancelRequested { scope, by: by() })
        .await
        .unwrap()
        .event;
    let events = world
        .until(|events| applied(events, command).is_some())
        .await;
    assert_eq!(cancelled(&events)[0].because, Because::Command(command));
    world.clock.advance(Duration::from_secs(3_600));
    world.receive("g2").await;
    world.until(|events| attempts(events).len() == 2).await;
    assert_eq!(subscriber.requests().len(), 2);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn deleting_a_subscription_cancels_what_is_open() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[], Reply::Status(500)).await;
    let id = world.subscribe("one", &subscriber.url, quick()).await;
    let running = world.start().await;
    world.receive("g1").await;
    world.until(|events| attempts(events).len() == 1).await;
    let event = world.delete(id).await;
    let events = world.until(|events| !cancelled(events).is_empty()).await;
    assert_eq!(
        cancelled(&events)[0].because,
        Because::SubscriptionDeleted(event)
    );
    running.stop().await.unwrap();
}

#[tokio::test]
async fn while_deliveries_are_paused_nothing_starts() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[], Reply::Status(200)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    world
        .control
        .submit(DeliveriesPaused { by: by() })
        .await
        .unwrap();
    let running = world.start().await;
    world.receive("g1").await;
    world.until(|events| events.len() == 2).await;
    assert!(subscriber.requests().is_empty());
    world
        .control
        .submit(DeliveriesResumed { by: by() })
        .await
        .unwrap();
    world.until(|events| ended(events) == 1).await;
    running.stop().await.unwrap();
}

#[tokio::test]
async fn an_erasure_takes_the_body_and_the_answers_and_leaves_a_dead_letter() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[], Reply::Status(500)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    let running = world.start().await;
    let receipt = world.receive("g1").await;
    world.until(|events| attempts(events).len() == 1).await;
    let erased = ErasedReceipt {
        receipt,
        partition: P0.0,
        offset: Offset(0),
    };
    let order = ErasureRequested {
        receipts: vec![erased],
        repository_id: None,
        sender_id: None,
        by: by(),
    };
    let command = world.control.submit(order).await.unwrap().event;
    let events = world
        .until(|events| applied(events, command).is_some())
        .await;
    assert_eq!(applied(&events, command).unwrap().count, 1);
    assert!(
        world
            .records(Topic::Webhooks)
            .await
            .iter()
            .all(|record| record.value.is_none())
    );
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, Event::Answered(_)))
    );
    world.clock.advance(Duration::from_secs(1));
    let events = world.until(|events| ended(events) == 1).await;
    let last = attempts(&events).pop().unwrap();
    assert!(matches!(
        last.outcome,
        Outcome::Error {
            class: ErrorClass::Erased,
            ..
        }
    ));
    running.stop().await.unwrap();
    // A later start passes the tombstone, and routes what comes after it.
    let running = world.start().await;
    world.receive("g2").await;
    world.until(|events| attempts(events).len() == 3).await;
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_redrive_leaves_the_dead_letters_of_a_deleted_subscription_and_counts_them() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[], Reply::Status(500)).await;
    let id = world.subscribe("one", &subscriber.url, once()).await;
    world.subscribe("two", &subscriber.url, once()).await;
    let running = world.start().await;
    world.receive("g1").await;
    world.until(|events| ended(events) == 2).await;
    world.delete(id).await;
    let redrive = RedriveRequested {
        scope: everything(),
        by: by(),
    };
    let command = world.control.submit(redrive).await.unwrap().event;
    let events = world.until(|events| ended(events) == 3).await;
    let applied = applied(&events, command).unwrap();
    assert_eq!((applied.count, applied.left), (1, 1));
    let requeued = events.iter().filter_map(|event| match event {
        Event::Requeued(requeued) => Some(requeued.subscription),
        _ => None,
    });
    assert!(!requeued.collect::<Vec<_>>().contains(&id));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn what_becomes_open_for_a_deleted_subscription_is_cancelled() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[], Reply::Status(500)).await;
    let id = world.subscribe("one", &subscriber.url, once()).await;
    let running = world.start().await;
    world.receive("g1").await;
    let events = world.until(|events| ended(events) == 1).await;
    let deletion = world.delete(id).await;
    // An owner that knew less requeued it: as a race of a redrive and a deletion would.
    let dead = attempts(&events).remove(0);
    let requeued = Requeued {
        delivery: dead.delivery,
        receipt: dead.receipt,
        subscription: id,
        because: Because::Command(crate::clock::event_id()),
        at: world.clock.now(),
    };
    world.append(requeued, Some(Offset(0))).await;
    // The owner reads what others wrote when it records something itself.
    let kept = Subscriber::start(&[], Reply::Status(200)).await;
    world.subscribe("two", &kept.url, quick()).await;
    world.receive("g2").await;
    let events = world.until(|events| !cancelled(events).is_empty()).await;
    assert_eq!(cancelled(&events)[0].delivery, dead.delivery);
    assert_eq!(
        cancelled(&events)[0].because,
        Because::SubscriptionDeleted(deletion)
    );
    running.stop().await.unwrap();
}

#[tokio::test]
async fn one_record_gets_one_tombstone_however_often_its_erasure_is_ordered_or_begun() {
    let world = World::new().await;
    world.subscribe("one", "https://192.0.2.1/", quick()).await;
    let receipts = [world.receive("g1").await, world.receive("g2").await];
    let webhooks = world.records(Topic::Webhooks).await;
    // A process that ended half way has left the tombstone of the first.
    let begun = Append {
        partition: P0,
        event_id: clock::event_id(),
        key: webhooks[0].key,
        event_type: webhooks[0].event_type.clone(),
        version: webhooks[0].version,
        epoch: None,
        at: world.clock.now(),
        headers: Vec::new(),
        value: None,
    };
    world
        .log
        .append(Topic::Webhooks, vec![begun])
        .await
        .unwrap();
    let mut commands = Vec::new();
    for _ in 0..3 {
        let named = receipts.iter().zip([Offset(0), Offset(1)]);
        let named = named.map(|(receipt, offset)| ErasedReceipt {
            receipt: *receipt,
            partition: P0.0,
            offset,
        });
        let order = ErasureRequested {
            receipts: named.collect(),
            repository_id: None,
            sender_id: None,
            by: by(),
        };
        commands.push(world.control.submit(order).await.unwrap().event);
    }
    let running = world.start().await;
    world
        .until(|events| {
            let mut commands = commands.iter();
            commands.all(|command| applied(events, *command).is_some())
        })
        .await;
    let webhooks = world.records(Topic::Webhooks).await;
    assert_eq!(webhooks.len(), 4, "two webhooks, two tombstones");
    assert!(webhooks.iter().all(|record| record.value.is_none()));
    running.stop().await.unwrap();
}
