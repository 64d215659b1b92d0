//! History that is delivered again.

mod history;

use super::subscriber::{Reply, Subscriber};
use super::world::{Running, World, attempts, by, ended, quick, routed};
use axum::body::Bytes;
use axum::http::HeaderMap;
use hooklog_schemas::control::{
    DeliveriesPaused, ReplayCancelled, ReplayFilter, ReplayMode, ReplayPaused, ReplayRange,
    ReplayRequested, ReplayResumed, ReplaySpec, SubscriptionPaused,
};
use hooklog_schemas::deliveries::{Because, Cancelled, LIVE, MatchOutcome, Verdict};
use hooklog_schemas::{DeliveryId, Event, Offset, ReplayId, Topic};
use std::time::Duration;
use uuid::Uuid;

/// All of history, as fast as it goes.
async fn everything(world: &World, mode: ReplayMode) -> ReplaySpec {
    let webhooks = world.records(Topic::Webhooks).await.len() as u64;
    ReplaySpec {
        mode,
        subscription: None,
        to: None,
        filter: ReplayFilter::default(),
        range: vec![ReplayRange {
            from: Offset(0),
            to: Offset(webhooks),
        }],
        rate_per_second: 10_000,
        counted: None,
    }
}

async fn ask(world: &World, spec: ReplaySpec) -> ReplayId {
    let id = ReplayId(Uuid::now_v7());
    let by = by();
    let asked = ReplayRequested { id, spec, by };
    world.control.submit(asked).await.unwrap();
    id
}

fn finished(events: &[Event], replay: ReplayId) -> bool {
    let is = |event: &Event| matches!(event, Event::ReplayFinished(e) if e.replay == replay);
    events.iter().any(is)
}

/// A world in which `count` webhooks were delivered to one subscriber, which answers as told then.
async fn delivered(count: usize, then: &[Reply]) -> (World, Subscriber, Running) {
    let world = World::new().await;
    world.clock.step(Duration::from_millis(1));
    let script: Vec<Reply> = (0..count)
        .map(|_| Reply::Status(200))
        .chain(then.iter().cloned())
        .collect();
    let subscriber = Subscriber::start(&script, Reply::Status(200)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    let running = world.start().await;
    for number in 0..count {
        world.receive(&format!("g{number}")).await;
    }
    world.until(|events| ended(events) == count).await;
    (world, subscriber, running)
}

#[tokio::test]
async fn a_replay_makes_deliveries_of_its_own_which_say_what_they_are() {
    let (world, subscriber, running) = delivered(3, &[]).await;
    let before = world.events().await;
    let spec = everything(&world, ReplayMode::OriginalTargets).await;
    let replay = ask(&world, spec).await;
    let events = world
        .until(|events| finished(events, replay) && ended(events) == 6)
        .await;
    let again: Vec<_> = routed(&events)
        .into_iter()
        .filter(|routed| routed.cause == replay.to_string())
        .collect();
    let original: Vec<_> = routed(&before).into_iter().collect();
    assert_eq!(again.len(), 3);
    let requests = subscriber.requests();
    for (again, original) in again.iter().zip(&original) {
        assert_eq!(again.receipt, original.receipt);
        let (own, first) = (again.matches[0].delivery, original.matches[0].delivery);
        assert_ne!(own, first);
        let is = |(headers, _): &&(HeaderMap, Bytes)| headers["webhook-id"] == own.to_string();
        let (headers, _) = requests.iter().find(is).unwrap();
        assert_eq!(headers["hooklog-replay"], replay.to_string());
        assert_eq!(headers["hooklog-receipt"], original.receipt.to_string());
        assert_eq!(headers["hooklog-original-delivery"], first.to_string());
    }
    let live = requests[..3].iter();
    assert!(
        live.into_iter()
            .all(|(headers, _)| !headers.contains_key("hooklog-replay"))
    );
    running.stop().await.unwrap();
}

#[tokio::test]
async fn the_state_of_live_deliveries_does_not_change_through_a_replay() {
    let (world, _subscriber, running) = delivered(1, &[Reply::Status(500)]).await;
    let spec = everything(&world, ReplayMode::OriginalTargets).await;
    let replay = ask(&world, spec).await;
    let events = world.until(|events| attempts(events).len() == 2).await;
    let live: Vec<_> = routed(&events)
        .into_iter()
        .filter(|routed| routed.cause == LIVE)
        .collect();
    let first = live[0].matches[0].delivery;
    let of_first: Vec<_> = attempts(&events)
        .into_iter()
        .filter(|attempted| attempted.delivery == first)
        .collect();
    assert_eq!(of_first.len(), 1);
    assert_eq!(of_first[0].verdict, Verdict::Delivered);
    world.clock.advance(Duration::from_secs(60));
    world
        .until(|events| finished(events, replay) && ended(events) == 2)
        .await;
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_replay_that_is_paused_waits_and_one_that_is_cancelled_owes_nothing_more() {
    let (world, subscriber, running) = delivered(4, &[Reply::Status(500)]).await;
    let mut spec = everything(&world, ReplayMode::OriginalTargets).await;
    // One delivery goes at once, and the next one when the clock has moved on.
    spec.rate_per_second = 1;
    world.clock.step(Duration::ZERO);
    let id = ask(&world, spec).await;
    world.until(|events| attempts(events).len() == 5).await;
    let expected = world.control.current().replays[&id].version;
    let pause = ReplayPaused {
        id,
        expected,
        by: by(),
    };
    world.control.submit(pause).await.unwrap();
    world.clock.advance(Duration::from_secs(3_600));
    // What is live goes on meanwhile, past everything that the replay might do.
    world.receive("g9").await;
    world.until(|events| attempts(events).len() == 6).await;
    assert_eq!(subscriber.requests().len(), 6, "nothing of the replay");
    let expected = world.control.current().replays[&id].version;
    let resume = ReplayResumed {
        id,
        expected,
        by: by(),
    };
    world.control.submit(resume).await.unwrap();
    world.until(|events| attempts(events).len() == 8).await;
    world
        .control
        .submit(DeliveriesPaused { by: by() })
        .await
        .unwrap();
    world.clock.advance(Duration::from_secs(1));
    let cause = id.to_string();
    let decided = |events: &[Event]| {
        let decided = routed(events);
        decided
            .iter()
            .filter(|routed| routed.cause == cause)
            .count()
            == 3
    };
    world.until(decided).await;
    let expected = world.control.current().replays[&id].version;
    let cancel = ReplayCancelled {
        id,
        expected,
        by: by(),
    };
    let command = world.control.submit(cancel).await.unwrap().event;
    let applied = |events: &[Event]| {
        let is = |event: &Event| matches!(event, Event::CommandApplied(e) if e.command == command);
        events.iter().any(is)
    };
    let events = world.until(applied).await;
    let cancelled = cancelled(&events);
    assert_eq!(cancelled.len(), 1);
    assert_eq!(cancelled[0].because, Because::Command(command));
    assert!(!finished(&events, id));
    running.stop().await.unwrap();
}

fn cancelled(events: &[Event]) -> Vec<Cancelled> {
    let cancelled = events.iter().filter_map(|event| match event {
        Event::Cancelled(cancelled) => Some((**cancelled).clone()),
        _ => None,
    });
    cancelled.collect()
}

#[tokio::test]
async fn what_a_deleted_subscription_would_have_got_is_left_out() {
    let (world, subscriber, running) = delivered(2, &[]).await;
    let id = *world.control.current().subscriptions.keys().next().unwrap();
    world.delete(id).await;
    let spec = everything(&world, ReplayMode::OriginalTargets).await;
    let replay = ask(&world, spec).await;
    let events = world.until(|events| finished(events, replay)).await;
    let decisions: Vec<_> = routed(&events)
        .into_iter()
        .filter(|routed| routed.cause == replay.to_string())
        .collect();
    assert_eq!(decisions.len(), 2);
    for decision in decisions {
        assert_eq!(
            decision.matches[0].outcome,
            MatchOutcome::SubscriptionDeleted
        );
    }
    assert_eq!(subscriber.requests().len(), 2);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_paused_subscription_s_replayed_deliveries_wait_but_not_those_to_another_url() {
    let (world, subscriber, running) = delivered(1, &[]).await;
    let elsewhere = Subscriber::start(&[], Reply::Status(200)).await;
    let configuration = world.control.current();
    let subscription = configuration.subscriptions.values().next().unwrap();
    let pause = SubscriptionPaused {
        id: subscription.id,
        expected: subscription.version,
        by: by(),
    };
    world.control.submit(pause).await.unwrap();
    let spec = everything(&world, ReplayMode::OriginalTargets).await;
    let waiting = ask(&world, spec.clone()).await;
    world.until(|events| finished(events, waiting)).await;
    let other = ask(
        &world,
        ReplaySpec {
            to: Some(elsewhere.url.clone()),
            ..spec
        },
    )
    .await;
    world
        .until(|events| finished(events, other) && ended(events) == 2)
        .await;
    assert_eq!(elsewhere.requests().len(), 1);
    assert_eq!(subscriber.requests().len(), 1);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn who_is_gone_elsewhere_pauses_no_subscription() {
    let (world, _subscriber, running) = delivered(1, &[]).await;
    let gone = Subscriber::start(&[], Reply::Status(410)).await;
    let mut spec = everything(&world, ReplayMode::OriginalTargets).await;
    spec.to = Some(gone.url.clone());
    ask(&world, spec).await;
    let events = world.until(|events| ended(events) == 2).await;
    let last = attempts(&events).pop().unwrap();
    assert!(matches!(last.verdict, Verdict::DeadLettered { .. }));
    world.receive("g9").await;
    world.until(|events| ended(events) == 3).await;
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_replay_that_is_killed_again_and_again_owes_everything_once() {
    const WEBHOOKS: usize = 600;
    let (world, _subscriber, running) = delivered(WEBHOOKS, &[]).await;
    let spec = everything(&world, ReplayMode::OriginalTargets).await;
    let replay = ask(&world, spec).await;
    let mut running = running;
    for part in 1..5 {
        let decided = WEBHOOKS * part / 5;
        world
            .until(|events| {
                let of = events.iter().filter(|event| match event {
                    Event::Routed(routed) => routed.cause != LIVE,
                    _ => false,
                });
                of.count() >= decided
            })
            .await;
        running.kill().await;
        running = world.start().await;
    }
    let events = world.until(|events| finished(events, replay)).await;
    let cause = replay.to_string();
    let decided: Vec<DeliveryId> = routed(&events)
        .iter()
        .filter(|routed| routed.cause == cause)
        .map(|routed| routed.matches[0].delivery)
        .collect();
    let once: std::collections::BTreeSet<_> = decided.iter().collect();
    assert_eq!((decided.len(), once.len()), (WEBHOOKS, WEBHOOKS));
    // A killed worker may repeat what was under way, and nothing else.
    let all_delivered = |events: &[Event]| {
        let delivered = attempts(events);
        let delivered = delivered
            .iter()
            .filter(|attempted| attempted.verdict == Verdict::Delivered)
            .map(|attempted| attempted.delivery);
        delivered.collect::<std::collections::BTreeSet<_>>().len() == 2 * WEBHOOKS
    };
    world.until(all_delivered).await;
    running.stop().await.unwrap();
}
