//! What operators do to deliveries.

use super::subscriber::{Reply, Subscriber};
use super::world::{P0, World, attempts, by, ended, quick};
use hooklog_schemas::control::{
    CancelRequested, DeliveriesPaused, DeliveriesResumed, ErasedReceipt, ErasureRequested, Policy,
    RedriveRequested, Scope, SubscriptionDeleted,
};
use hooklog_schemas::deliveries::{Because, Cancelled, CommandApplied, ErrorClass, Outcome};
use hooklog_schemas::{Event, EventId, Offset, Topic};
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
    let expected = world.control.current().subscriptions[&id].version;
    let deleted = SubscriptionDeleted {
        id,
        expected,
        by: by(),
    };
    let event = world.control.submit(deleted).await.unwrap().event;
    let events = world.until(|events| !cancelled(events).is_empty()).await;
    assert_eq!(
        cancelled(&events)[0].because,
        Because::SubscriptionDeleted(event)
    );
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_dead_letter_of_a_deleted_subscription_is_not_redriven() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[], Reply::Status(500)).await;
    let id = world.subscribe("one", &subscriber.url, once()).await;
    let running = world.start().await;
    world.receive("g1").await;
    world.until(|events| ended(events) == 1).await;
    let expected = world.control.current().subscriptions[&id].version;
    let deleted = SubscriptionDeleted {
        id,
        expected,
        by: by(),
    };
    world.control.submit(deleted).await.unwrap();
    let redrive = RedriveRequested {
        scope: everything(),
        by: by(),
    };
    let command = world.control.submit(redrive).await.unwrap().event;
    let events = world
        .until(|events| applied(events, command).is_some())
        .await;
    let requeued = |event: &Event| matches!(event, Event::Requeued(_));
    assert!(!events.iter().any(requeued));
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
