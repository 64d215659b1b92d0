use super::*;
use hooklog_schemas::control::ConfigurationVersion;
use hooklog_schemas::deliveries::{Match, Summary};
use hooklog_schemas::{Offset, ReceiptId, SourceId, SubscriptionId};
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
        set_by: None,
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

#[test]
fn it_knows_how_far_it_is_and_one_of_a_shorter_window_is_emptied() {
    let folder = tempfile::tempdir().unwrap();
    let first = routed(1, "g1", 100);
    let mut identities = Identities::open(folder.path(), 4, LOG).unwrap();
    assert_eq!(identities.reached(Partition(0)).unwrap(), Offset(0));
    remember(&mut identities, &first);
    identities.marker().mark(Partition(0), Offset(7)).unwrap();
    drop(identities);
    let identities = Identities::open(folder.path(), 4, LOG).unwrap();
    assert_eq!(identities.reached(Partition(0)).unwrap(), Offset(7));
    assert_eq!(identities.reached(Partition(1)).unwrap(), Offset(0));
    assert_eq!(kind(&identities, &first), Some(RepeatKind::Redelivery));
    drop(identities);
    let identities = Identities::open(folder.path(), 8, LOG).unwrap();
    assert_eq!(identities.reached(Partition(0)).unwrap(), Offset(0));
    assert_eq!(kind(&identities, &first), None);
}

#[test]
fn what_was_noted_and_not_recorded_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let mut identities = Identities::open(folder.path(), 8, LOG).unwrap();
    let first = routed(1, "g1", 100);
    identities.note(&marks(&first), &first, None);
    identities.discard();
    identities.commit().unwrap();
    assert_eq!(kind(&identities, &first), None);
}

#[test]
fn another_signature_asks_for_the_bodies_and_the_latest_one_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let mut identities = Identities::open(folder.path(), 8, LOG).unwrap();
    let first = routed(1, "g1", 100);
    remember(&mut identities, &first);
    let rotated = Marks::new(Partition(0), &first, Some(b"sha256=bb"));
    let earlier = identities.earlier(&rotated).unwrap().unwrap();
    assert_eq!(earlier.compare, Some(first.webhook));
    let again = routed(2, "g1", 100);
    identities.note(&rotated, &again, Some(&earlier));
    let earlier = identities.earlier(&rotated).unwrap().unwrap();
    assert_eq!(earlier.compare, None);
}

#[test]
fn a_replayed_decision_gets_its_signature_from_the_webhook() {
    let folder = tempfile::tempdir().unwrap();
    let mut identities = Identities::open(folder.path(), 8, LOG).unwrap();
    let first = routed(1, "g1", 100);
    assert!(identities.replay(Partition(0), &first).unwrap());
    let at = first.received_at;
    identities.replay_signature(&marks(&first), at).unwrap();
    let capture = routed(2, "g2", 100);
    assert_eq!(kind(&identities, &capture), Some(RepeatKind::ReplaySuspect));
    let earlier = identities.earlier(&marks(&first)).unwrap().unwrap();
    assert_eq!(earlier.compare, None);
}

#[test]
fn what_was_cancelled_and_then_delivered_late_counts_as_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let mut identities = Identities::open(folder.path(), 8, LOG).unwrap();
    let first = routed(1, "g1", 100);
    let delivery = first.matches[0].delivery;
    identities
        .delivered_late(delivery, first.received_at)
        .unwrap();
    identities.cancelled(delivery, first.received_at);
    assert!(identities.was_cancelled(delivery).unwrap());
    identities
        .delivered_late(delivery, first.received_at)
        .unwrap();
    identities.commit().unwrap();
    assert!(!identities.was_cancelled(delivery).unwrap());
}
