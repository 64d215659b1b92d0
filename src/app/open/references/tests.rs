use super::*;
use crate::clock;
use crate::log::memory::MemoryLog;
use hooklog_schemas::control::ConfigurationVersion;
use hooklog_schemas::deliveries::{Acquired, Summary};
use hooklog_schemas::{Append, EventId, ReceiptId, SourceId, Timestamp};
use uuid::Uuid;

const P1: Partition = Partition(1);

fn append(event: impl Into<Event>) -> Append {
    let (event_type, version, value) = event.into().encode().unwrap();
    Append {
        partition: P1,
        event_id: clock::event_id(),
        key: clock::key(),
        event_type,
        version,
        epoch: Some(Offset(0)),
        at: Timestamp(1),
        headers: Vec::new(),
        value: Some(value),
    }
}

fn acquired() -> Append {
    append(Acquired {
        process: EventId(Uuid::nil()),
        at: Timestamp(1),
    })
}

fn routed(webhook: u64, configuration: u64) -> Append {
    append(Routed {
        receipt: ReceiptId(Uuid::now_v7()),
        webhook: Offset(webhook),
        cause: "live".into(),
        at: Timestamp(1),
        received_at: Timestamp(1),
        source: SourceId(Uuid::nil()),
        source_name: "main".into(),
        summary: Summary::default(),
        configuration: ConfigurationVersion {
            offset: Offset(configuration),
            event: EventId(Uuid::nil()),
        },
        matcher: 1,
        matches: Vec::new(),
        repeats: None,
        error: None,
    })
}

/// A log with two webhooks in partition 1, one event of `control`, and a decision.
async fn log(decision: Append, after_it: usize) -> MemoryLog {
    let log = MemoryLog::new(2);
    let blank = || Append {
        value: None,
        ..acquired()
    };
    log.append(Topic::Webhooks, vec![blank(), blank()])
        .await
        .unwrap();
    let control = Append {
        partition: Partition(0),
        ..acquired()
    };
    log.append(Topic::Control, vec![control]).await.unwrap();
    let mut batch = vec![decision];
    batch.extend((0..after_it).map(|_| acquired()));
    log.append(Topic::Deliveries, batch).await.unwrap();
    log
}

#[tokio::test]
async fn a_decision_about_what_is_there_is_in_order() {
    check(&log(routed(1, 0), 3).await).await.unwrap();
    check(&MemoryLog::new(2)).await.unwrap();
}

#[tokio::test]
async fn a_decision_about_a_webhook_beyond_the_end_is_refused_however_far_back_it_stands() {
    for after_it in [0, 3, 1300] {
        let refused = check(&log(routed(2, 0), after_it).await).await.unwrap_err();
        let said = refused.to_string();
        assert!(said.contains("a decision names webhooks/1@2"), "{said}");
    }
}

#[tokio::test]
async fn a_decision_under_a_configuration_beyond_the_end_is_refused() {
    let refused = check(&log(routed(1, 1), 0).await).await.unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("control/0 ends before 1"), "{said}");
}
