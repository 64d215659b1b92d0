//! Every line about the life of an event says which event, and from routing on which delivery.

use super::subscriber::{Reply, Subscriber};
use super::world::{World, attempts, by, ended, quick};
use hooklog_schemas::control::{CancelRequested, Scope};
use hooklog_schemas::{Event, SubscriptionId};
use serde_json::Value;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// What the program wrote, as JSON lines.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    /// Captures this thread's lines until the guard goes.
    fn at(level: &str) -> (Self, tracing::subscriber::DefaultGuard) {
        let written = Self::default();
        let lines = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_env_filter(EnvFilter::new(level))
            .with_writer(move || lines.clone())
            .finish();
        (written, tracing::subscriber::set_default(subscriber))
    }

    fn lives(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        let all = text.lines().map(|line| serde_json::from_str(line).unwrap());
        all.filter(|line: &Value| line["target"] == "hooklog::life")
            .collect()
    }

    async fn until(&self, message: &str) -> Vec<Value> {
        loop {
            let lines = self.lives();
            if lines.iter().any(|line| line["message"] == message) {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// One delivery that fails once, one that is cancelled, and a redelivery.
async fn life(world: &World) -> (String, SubscriptionId) {
    let failing = Subscriber::start(&[Reply::Status(500)], Reply::Status(200)).await;
    let dead = Subscriber::start(&[], Reply::Status(503)).await;
    world.subscribe("one", &failing.url, quick()).await;
    let id = world.subscribe("two", &dead.url, quick()).await;
    let running = world.start().await;
    world.receive("g1").await;
    let events = world.until(|events| attempts(events).len() == 2).await;
    let scope = Scope {
        subscription: Some(id),
        ..Scope::default()
    };
    let cancel = CancelRequested { scope, by: by() };
    world.control.submit(cancel).await.unwrap();
    let applied = |event: &Event| matches!(event, Event::CommandApplied(_));
    world.until(|events| events.iter().any(applied)).await;
    world.clock.advance(Duration::from_secs(2));
    world.until(|events| ended(events) == 1).await;
    world.receive("g1").await;
    let routed = |events: &[Event]| super::world::routed(events).len() == 2;
    world.until(routed).await;
    running.stop().await.unwrap();
    let of_one = attempts(&events)
        .into_iter()
        .find(|a| a.subscription != id)
        .unwrap();
    (of_one.delivery.to_string(), id)
}

#[tokio::test]
async fn every_line_carries_guid_receipt_and_delivery() {
    let (written, _guard) = Written::at("info,hooklog::life=debug");
    let world = World::new().await;
    let (delivery, _) = life(&world).await;
    let lines = written.until("cancelled").await;
    for line in &lines {
        assert_eq!(line["guid"], "g1", "{line}");
        assert!(line["receipt"].is_string(), "{line}");
        let routed = line["message"] == "routed";
        assert_eq!(line["delivery"].is_string(), !routed, "{line}");
    }
    let of_one = lines.iter().filter(|line| line["delivery"] == *delivery);
    let steps: Vec<_> = of_one
        .map(|line| line["message"].as_str().unwrap())
        .collect();
    assert_eq!(
        steps,
        [
            "owed",
            "an attempt failed",
            "delivered",
            "not owed again: it was delivered"
        ]
    );
    let failed = lines
        .iter()
        .find(|line| line["message"] == "an attempt failed" && line["subscription"] == "one")
        .unwrap();
    assert_eq!(
        (&failed["status"], &failed["verdict"]),
        (&500.into(), &"retry".into())
    );
    assert!(failed["due"].as_str().unwrap().ends_with('Z'), "{failed}");
    assert_eq!(failed["subscription"], "one");
    assert!(failed["error"].is_null());
}

#[tokio::test]
async fn by_default_only_failures_are_lines() {
    let (written, _guard) = Written::at("info");
    let world = World::new().await;
    life(&world).await;
    let lines = written.lives();
    assert!(!lines.is_empty());
    for line in lines {
        assert_eq!(line["message"], "an attempt failed");
    }
}
