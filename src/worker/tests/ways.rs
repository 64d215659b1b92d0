//! The whole way: log in memory, real HTTP.

use super::subscriber::{Reply, Subscriber};
use super::world::{SECRET, World, attempts, by, ended, quick, routed, verify};
use crate::clock::Clock as _;
use crate::deliver::sign;
use crate::secret::Secret;
use hooklog_schemas::Event;
use hooklog_schemas::control::{Policy, Signing, SubscriptionResumed};
use hooklog_schemas::deliveries::{DeadReason, ErrorClass, Outcome, Verdict};
use std::time::Duration;

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

#[tokio::test]
async fn retry_after_puts_the_next_attempt_off() {
    let world = World::new().await;
    let later = Reply::With(503, "retry-after", "60".into());
    let subscriber = Subscriber::start(&[], later).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    let running = world.start().await;
    world.receive("g1").await;
    let events = world.until(|events| attempts(events).len() == 1).await;
    let at = world.clock.now().plus(Duration::from_secs(60));
    assert_eq!(attempts(&events)[0].verdict, Verdict::Retry { at });
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_never_followed() {
    let world = World::new().await;
    let elsewhere = Subscriber::start(&[], Reply::Status(200)).await;
    let to = Reply::With(307, "location", elsewhere.url.clone());
    let subscriber = Subscriber::start(&[], to).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    let running = world.start().await;
    world.receive("g1").await;
    let events = world.until(|events| attempts(events).len() == 1).await;
    assert_eq!(attempts(&events)[0].outcome, Outcome::Status(307));
    assert!(matches!(
        attempts(&events)[0].verdict,
        Verdict::Retry { .. }
    ));
    assert!(elsewhere.requests().is_empty());
    running.stop().await.unwrap();
}

#[tokio::test]
async fn an_answer_of_410_pauses_the_subscription_and_the_delivery_waits() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[Reply::Status(410)], Reply::Status(200)).await;
    let id = world.subscribe("one", &subscriber.url, quick()).await;
    let running = world.start().await;
    world.receive("g1").await;
    world.until(|events| attempts(events).len() == 1).await;
    let mut control = world.control.watch();
    while !world.control.current().subscriptions[&id].paused {
        control.changed().await.unwrap();
    }
    world.receive("g2").await;
    world.until(|events| routed(events).len() == 2).await;
    assert_eq!(subscriber.requests().len(), 1);
    let expected = world.control.current().subscriptions[&id].version;
    world
        .control
        .submit(SubscriptionResumed {
            id,
            expected,
            by: by(),
        })
        .await
        .unwrap();
    // The first is due when its attempt ended, a moment after the clock stood still.
    world.clock.advance(Duration::from_secs(1));
    world.until(|events| ended(events) == 2).await;
    running.stop().await.unwrap();
}

#[tokio::test]
async fn silence_hits_the_deadline() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[], Reply::Silence).await;
    let policy = Policy {
        deadline_ms: 200,
        ..quick()
    };
    world.subscribe("one", &subscriber.url, policy).await;
    let running = world.start().await;
    world.receive("g1").await;
    let events = world.until(|events| attempts(events).len() == 1).await;
    let class = ErrorClass::Timeout;
    assert!(
        matches!(&attempts(&events)[0].outcome, Outcome::Error { class: c, .. } if *c == class)
    );
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_body_that_never_ends_hits_the_deadline_and_the_status_counts() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[Reply::Stall(500)], Reply::Stall(200)).await;
    let policy = Policy {
        deadline_ms: 200,
        ..quick()
    };
    world.subscribe("one", &subscriber.url, policy).await;
    let running = world.start().await;
    world.receive("g1").await;
    world.until(|events| attempts(events).len() == 1).await;
    world.clock.advance(Duration::from_secs(1));
    let events = world.until(|events| attempts(events).len() == 2).await;
    let outcomes: Vec<_> = attempts(&events).into_iter().map(|a| a.outcome).collect();
    assert_eq!(outcomes, [Outcome::Status(500), Outcome::Status(200)]);
    assert!(attempts(&events)[0].duration_us >= 190_000);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_slow_subscriber_does_not_slow_another() {
    let mut world = World::new().await;
    world.config.in_flight_max = 8;
    let slow = Subscriber::start(&[], Reply::Silence).await;
    let fast = Subscriber::start(&[], Reply::Status(200)).await;
    let policy = Policy {
        concurrency_max: 300,
        deadline_ms: 60_000,
        ..quick()
    };
    world.subscribe("slow", &slow.url, policy).await;
    world.subscribe("fast", &fast.url, quick()).await;
    let running = world.start().await;
    for number in 0..50 {
        world.receive(&format!("g{number}")).await;
    }
    world.until(|events| ended(events) == 50).await;
    assert_eq!(fast.requests().len(), 50);
    // Half of the slots, whatever its policy asks for.
    assert!((1..=4).contains(&slow.requests().len()));
    running.kill().await;
}

#[tokio::test]
async fn a_target_that_the_rules_refuse_is_a_dead_letter_at_once() {
    let world = World::new().await;
    world.subscribe("one", "https://10.0.0.1/", quick()).await;
    let running = world.start().await;
    world.receive("g1").await;
    let events = world.until(|events| ended(events) == 1).await;
    let reason = DeadReason::Undeliverable;
    assert_eq!(
        attempts(&events)[0].verdict,
        Verdict::DeadLettered { reason }
    );
    running.stop().await.unwrap();
}

#[tokio::test]
async fn an_existing_github_receiver_works_unchanged() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[], Reply::Status(200)).await;
    let policy = Policy {
        sha1: true,
        form: true,
        ..quick()
    };
    world
        .subscribe_signed("form", &subscriber.url, policy, Signing::Github)
        .await;
    let running = world.start().await;
    world.receive("g1").await;
    world.until(|events| ended(events) == 1).await;
    let (headers, body) = subscriber.requests().remove(0);
    assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(headers["x-github-event"], "push");
    assert_eq!(headers["user-agent"], "GitHub-Hookshot/044aadd");
    let signature = headers["x-hub-signature-256"].to_str().unwrap();
    let secret = Secret::new(SECRET.into());
    sign::verify_github(&secret, signature, &body).unwrap();
    assert!(
        headers["x-hub-signature"]
            .to_str()
            .unwrap()
            .starts_with("sha1=")
    );
    let (name, payload) = url::form_urlencoded::parse(&body).next().unwrap();
    assert_eq!(
        (&*name, &*payload),
        ("payload", r#"{"zen":"Keep it simple."}"#)
    );
    running.stop().await.unwrap();
}
