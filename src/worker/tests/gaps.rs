//! Offsets that compaction took.

use super::subscriber::{Reply, Subscriber};
use super::world::{P0, World, by, ended, quick, routed};
use crate::clock;
use crate::log::memory::MemoryLog;
use hooklog_schemas::control::{ErasedReceipt, ErasureRequested};
use hooklog_schemas::{Append, Offset, Topic};

#[tokio::test]
async fn what_was_erased_before_it_was_routed_gets_its_decision_and_is_passed() {
    let world = World::on(MemoryLog::new(1).leaving_gaps()).await;
    let subscriber = Subscriber::start(&[], Reply::Status(200)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    world.receive("g1").await;
    let receipt = world.receive("g2").await;
    let erased = ErasedReceipt {
        receipt,
        partition: P0.0,
        offset: Offset(1),
    };
    let order = ErasureRequested {
        receipts: vec![erased],
        repository_id: None,
        sender_id: None,
        by: by(),
    };
    world.control.submit(order).await.unwrap();
    let record = world.records(Topic::Webhooks).await.remove(1);
    let stone = Append {
        partition: P0,
        event_id: clock::event_id(),
        key: record.key,
        event_type: record.event_type.clone(),
        version: record.version,
        epoch: None,
        at: record.appended_at,
        headers: Vec::new(),
        value: None,
    };
    let log = &world.log;
    log.append(Topic::Webhooks, vec![stone]).await.unwrap();
    assert_eq!(log.compact(Topic::Webhooks).await.unwrap(), 1);
    world.receive("g3").await;
    let running = world.start().await;
    let events = world.until(|events| ended(events) == 2).await;
    let decided: Vec<_> = routed(&events)
        .iter()
        .map(|routed| (routed.webhook.0, routed.error.clone()))
        .collect();
    let wanted = [(0, None), (1, Some("erased".to_owned())), (3, None)];
    assert_eq!(decided, wanted);
    running.stop().await.unwrap();
    // A later start does not begin at the gap again, and decides nothing twice.
    let running = world.start().await;
    world.receive("g4").await;
    let events = world.until(|events| ended(events) == 3).await;
    assert_eq!(routed(&events).len(), 4);
    running.stop().await.unwrap();
}
