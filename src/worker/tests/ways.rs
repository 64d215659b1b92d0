//! The whole way: log in memory, real HTTP.

use super::subscriber::{Reply, Subscriber};
use super::world::{World, quick, verify};
use crate::clock::Clock as _;
use hooklog_schemas::Event;
use hooklog_schemas::deliveries::{Attempted, DeadReason, Outcome, Verdict};
use std::time::Duration;

fn attempts(events: &[Event]) -> Vec<Attempted> {
    let attempted = events.iter().filter_map(|event| match event {
        Event::Attempted(attempted) => Some((**attempted).clone()),
        _ => None,
    });
    attempted.collect()
}

fn ended(events: &[Event]) -> usize {
    let done =
        |a: &&Attempted| matches!(a.verdict, Verdict::Delivered | Verdict::DeadLettered { .. });
    attempts(events).iter().filter(done).count()
}

#[tokio::test]
async fn a_webhook_is_delivered_signed_and_byte_for_byte() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[], Reply::Status(200)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    let running = world.start().await;
    world.receive("g1").await;
    let events = world.until(|events| ended(events) == 1).await;
    assert_eq!(attempts(&events)[0].verdict, Verdict::Delivered);
    let (headers, body) = subscriber.requests().remove(0);
    assert_eq!(&body[..], br#"{"zen":"Keep it simple."}"#);
    let header = |name: &str| headers[name].to_str().unwrap();
    assert_eq!(header("x-github-delivery"), "g1");
    assert_eq!(header("content-type"), "application/json");
    assert!(header("user-agent").starts_with("hooklog/"));
    let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
    verify(
        id,
        at,
        header("webhook-signature"),
        &body,
        world.clock.now(),
    );
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_failure_is_tried_again_when_the_recorded_time_has_come() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[Reply::Status(500)], Reply::Status(204)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    let running = world.start().await;
    world.receive("g1").await;
    let events = world.until(|events| attempts(events).len() == 1).await;
    let due = world.clock.now().plus(Duration::from_secs(1));
    assert_eq!(attempts(&events)[0].verdict, Verdict::Retry { at: due });
    assert_eq!(subscriber.requests().len(), 1);
    world.clock.advance(Duration::from_secs(1));
    let events = world.until(|events| ended(events) == 1).await;
    assert_eq!(attempts(&events)[1].number, 2);
    assert_eq!(attempts(&events)[1].outcome, Outcome::Status(204));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn what_always_fails_becomes_a_dead_letter_with_its_excerpts() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[], Reply::Status(500)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    let running = world.start().await;
    world.receive("g1").await;
    for tries in 1..=3 {
        world.until(|events| attempts(events).len() == tries).await;
        world.clock.advance(Duration::from_secs(10));
    }
    let events = world.until(|events| ended(events) == 1).await;
    let reason = DeadReason::AttemptsExhausted;
    assert_eq!(
        attempts(&events)[2].verdict,
        Verdict::DeadLettered { reason }
    );
    let excerpts = events.iter().filter_map(|event| match event {
        Event::Answered(answered) => Some(answered.excerpt.as_str()),
        _ => None,
    });
    assert_eq!(excerpts.collect::<Vec<_>>(), ["so it is"; 3]);
    running.stop().await.unwrap();
}
