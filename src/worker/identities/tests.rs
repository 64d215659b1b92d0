use super::*;
use hooklog_schemas::control::ConfigurationVersion;
use hooklog_schemas::deliveries::{Match, Summary};
use hooklog_schemas::{Offset, SourceId, SubscriptionId};
use uuid::Uuid;

const SUBSCRIPTION: SubscriptionId = SubscriptionId(Uuid::from_u128(12));
const LOG: EventId = EventId(Uuid::from_u128(1));

fn routed(receipt: u128, guid: &str, day: i64) -> Routed {
    let receipt = ReceiptId(Uuid::from_u128(receipt));
    let found = Match {
        subscription: SUBSCRIPTION,
        name: "one".into(),
        team: "default".into(),
        destination: String::new(),
        delivery: DeliveryId::derive(receipt, SUBSCRIPTION, "live"),
        outcome: MatchOutcome::Owed,
    };
    Routed {
        receipt,
        webhook: Offset(0),
        cause: "live".into(),
        at: Timestamp(0),
        received_at: Timestamp(day * DAY_MICROS),
        source: SourceId(Uuid::nil()),
        source_name: "main".into(),
        summary: Summary {
            guid: guid.into(),
            host: "github.com".into(),
            ..Summary::default()
        },
        configuration: ConfigurationVersion {
            offset: Offset(0),
            event: LOG,
        },
        matcher: 1,
        matches: vec![found],
        repeats: None,
        error: None,
    }
}

fn marks(routed: &Routed) -> Marks {
    Marks::new(Partition(0), routed, Some(b"sha256=aa"))
}

fn remember(identities: &mut Identities, routed: &Routed) {
    identities.note(&marks(routed), routed, None);
    identities.commit().unwrap();
}

fn kind(identities: &Identities, routed: &Routed) -> Option<RepeatKind> {
    let earlier = identities.earlier(&marks(routed)).unwrap();
    earlier.map(|earlier| earlier.repeats.kind)
}

#[test]
fn it_remembers_over_a_restart_and_forgets_another_log() {
    let folder = tempfile::tempdir().unwrap();
    let first = routed(1, "g1", 100);
    let mut identities = Identities::open(folder.path(), 8, LOG).unwrap();
    remember(&mut identities, &first);
    drop(identities);
    let identities = Identities::open(folder.path(), 8, LOG).unwrap();
    assert_eq!(kind(&identities, &first), Some(RepeatKind::Redelivery));
    let earlier = identities.earlier(&marks(&first)).unwrap().unwrap();
    assert_eq!(
        earlier.delivery(SUBSCRIPTION),
        Some(first.matches[0].delivery)
    );
    drop(identities);
    let other = EventId(Uuid::from_u128(2));
    let identities = Identities::open(folder.path(), 8, other).unwrap();
    assert_eq!(kind(&identities, &first), None);
}

#[test]
fn it_forgets_days_out_of_the_window_of_receipt_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut identities = Identities::open(folder.path(), 8, LOG).unwrap();
    let old = routed(1, "old", 100);
    remember(&mut identities, &old);
    remember(&mut identities, &routed(2, "within", 108));
    assert_eq!(kind(&identities, &old), Some(RepeatKind::Redelivery));
    remember(&mut identities, &routed(3, "beyond", 109));
    // Its signature is still known from a later day.
    assert_eq!(kind(&identities, &old), Some(RepeatKind::ReplaySuspect));
}

#[test]
fn a_replayed_decision_adds_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut identities = Identities::open(folder.path(), 8, LOG).unwrap();
    let first = routed(1, "g1", 100);
    remember(&mut identities, &first);
    let before = identities.get(&marks(&first).event).unwrap();
    identities.replay(Partition(0), &first).unwrap();
    identities.replay(Partition(0), &first).unwrap();
    identities.commit().unwrap();
    assert_eq!(identities.get(&marks(&first).event).unwrap(), before);
}

#[test]
fn a_rebuilt_index_still_knows_redeliveries() {
    let folder = tempfile::tempdir().unwrap();
    let mut identities = Identities::open(folder.path(), 8, LOG).unwrap();
    let first = routed(1, "g1", 100);
    identities.replay(Partition(0), &first).unwrap();
    identities.commit().unwrap();
    assert_eq!(kind(&identities, &first), Some(RepeatKind::Redelivery));
}
