use super::past::Destinations;
use super::plan::{Course, Fate, Passing, Routing, settle};
use crate::clock;
use crate::control::Control;
use crate::log::memory::MemoryLog;
use crate::route::Index;
use hooklog_projections::configuration::{Configuration, Replay};
use hooklog_schemas::control::{
    By, ConfigurationVersion, ErasedReceipt, ErasureRequested, ReplayFilter, ReplayMode,
    ReplaySpec, SubscriptionChanged, SubscriptionCreated, SubscriptionDeleted, SubscriptionSpec,
};
use hooklog_schemas::deliveries::{
    LIVE, Match, MatchOutcome, RepeatKind, Repeats, Routed, Summary,
};
use hooklog_schemas::webhook::{Facts, Received};
use hooklog_schemas::{
    DeliveryId, EventId, Offset, Partition, ReceiptId, ReplayId, SecretId, SourceId,
    SubscriptionId, Timestamp,
};
use std::sync::Arc;
use uuid::Uuid;

const A: SubscriptionId = SubscriptionId(Uuid::from_u128(1));
const RECEIPT: ReceiptId = ReceiptId(Uuid::from_u128(7));
const REPLAY: ReplayId = ReplayId(Uuid::from_u128(9));
const P0: Partition = Partition(0);

fn by() -> By {
    By {
        actor: "ann".into(),
        from: "local".into(),
        at: Timestamp(1),
        why: None,
    }
}

fn spec(to: &str) -> SubscriptionSpec {
    SubscriptionSpec {
        name: "a".into(),
        team: "default".into(),
        filter: Default::default(),
        to: to.into(),
        sign: hooklog_schemas::control::Signing::None,
        policy: Default::default(),
    }
}

/// A subscription that went to `/old`, and goes to `/new` since the event at offset 1.
async fn moved() -> (Arc<MemoryLog>, Arc<Control>) {
    let log = Arc::new(MemoryLog::new(1));
    let control = Control::open(log.clone(), Arc::new(clock::System))
        .await
        .unwrap();
    let created = SubscriptionCreated {
        id: A,
        spec: spec("https://a.example/old"),
        secret: None,
        by: by(),
    };
    let expected = control.record(created).await.unwrap().event;
    let changed = SubscriptionChanged {
        id: A,
        expected,
        spec: spec("https://a.example/new"),
        by: by(),
    };
    control.record(changed).await.unwrap();
    (log, control)
}

fn asked(mode: ReplayMode) -> Replay {
    Replay {
        id: REPLAY,
        version: EventId(Uuid::nil()),
        offset: Offset(2),
        spec: ReplaySpec {
            mode,
            subscription: None,
            to: None,
            filter: ReplayFilter::default(),
            range: Vec::new(),
            rate_per_second: 1,
            counted: None,
        },
        by: by(),
        paused: false,
        cancelled: false,
    }
}

/// The decision by the configuration that ends with the event at `version`.
fn original(version: u64) -> Routed {
    Routed {
        receipt: RECEIPT,
        webhook: Offset(3),
        cause: LIVE.into(),
        at: Timestamp(5),
        received_at: Timestamp(4),
        source: SourceId(Uuid::nil()),
        source_name: "main".into(),
        summary: Summary {
            guid: "g".into(),
            event: "pull_request".into(),
            action: Some("opened".into()),
            host: "github.com".into(),
            repository: Some("acme/api".into()),
            ..Summary::default()
        },
        configuration: ConfigurationVersion {
            offset: Offset(version),
            event: EventId(Uuid::nil()),
        },
        matcher: 1,
        matches: vec![Match {
            subscription: A,
            name: "a".into(),
            team: "default".into(),
            destination: "https://a.example/old".into(),
            set_by: None,
            delivery: DeliveryId::derive(RECEIPT, A, LIVE),
            outcome: MatchOutcome::Owed,
        }],
        repeats: None,
        error: None,
    }
}

async fn course(log: &MemoryLog) -> Course {
    let read = Destinations::read(log, Offset(2)).await.unwrap();
    Course {
        replay: Arc::new(asked(ReplayMode::OriginalTargets)),
        routing: Routing::Original(Arc::new(read)),
    }
}

fn decided(fate: Fate) -> Routed {
    match fate {
        Fate::Decided(decision) => *decision,
        Fate::Passed(passing) => panic!("{passing:?}"),
    }
}

fn passed(fate: Fate) -> Passing {
    match fate {
        Fate::Passed(passing) => passing,
        Fate::Decided(decision) => panic!("{decision:?}"),
    }
}

fn settled(course: &Course, original: &Routed, configuration: &Configuration) -> Routed {
    let mut decision = decided(course.plan(original, None));
    settle(course, configuration, P0, Timestamp(99), &mut decision);
    decision
}

#[tokio::test]
async fn original_targets_are_those_of_the_time_at_their_destination_of_the_time() {
    let (log, control) = moved().await;
    let course = course(&log).await;
    let configuration = control.current();
    for (version, set_by, destination) in [
        (0, Some(Offset(0)), "https://a.example/old"),
        (1, None, "https://a.example/new"),
    ] {
        let decision = settled(&course, &original(version), &configuration);
        assert_eq!(decision.cause, REPLAY.to_string());
        assert_eq!(decision.at, Timestamp(99));
        let found = &decision.matches[0];
        assert_eq!(found.set_by, set_by);
        assert_eq!(found.destination, destination);
        assert_eq!(
            found.delivery,
            DeliveryId::derive(RECEIPT, A, &decision.cause)
        );
    }
    let destinations = course.destinations().unwrap();
    let former = destinations.set_by(A, Offset(0));
    assert_eq!(former, Some("https://a.example/old"));
}

#[tokio::test]
async fn what_an_earlier_delivery_stood_for_is_passed_over() {
    let (log, _control) = moved().await;
    let course = course(&log).await;
    let mut again = original(0);
    again.matches[0].outcome = MatchOutcome::AlreadyDelivered;
    assert_eq!(passed(course.plan(&again, None)), Passing::Unmatched);
    again.repeats = Some(Repeats {
        kind: RepeatKind::Redelivery,
        receipt: ReceiptId(Uuid::from_u128(6)),
    });
    assert_eq!(passed(course.plan(&again, None)), Passing::Repeats);
}

#[tokio::test]
async fn a_deleted_subscription_gets_nothing_and_the_record_says_so() {
    let (log, control) = moved().await;
    let course = course(&log).await;
    let expected = control.current().subscriptions[&A].version;
    let deleted = SubscriptionDeleted {
        id: A,
        expected,
        by: by(),
    };
    control.record(deleted).await.unwrap();
    let decision = settled(&course, &original(0), &control.current());
    assert_eq!(
        decision.matches[0].outcome,
        MatchOutcome::SubscriptionDeleted
    );
}

#[tokio::test]
async fn an_erased_body_is_skipped_with_the_reason() {
    let (log, control) = moved().await;
    let course = course(&log).await;
    let order = ErasureRequested {
        receipts: vec![ErasedReceipt {
            receipt: RECEIPT,
            partition: 0,
            offset: Offset(3),
        }],
        repository_id: None,
        sender_id: None,
        by: by(),
    };
    control.record(order).await.unwrap();
    let decision = settled(&course, &original(0), &control.current());
    assert!(decision.matches.is_empty());
    assert_eq!(decision.error.as_deref(), Some("erased"));
}

#[tokio::test]
async fn to_another_url_everything_goes_there_in_the_name_of_its_subscription() {
    let (log, control) = moved().await;
    let mut course = course(&log).await;
    let mut replay = asked(ReplayMode::OriginalTargets);
    replay.spec.to = Some("https://debug.example/in?token=x".into());
    course.replay = Arc::new(replay);
    let decision = settled(&course, &original(0), &control.current());
    let found = &decision.matches[0];
    assert_eq!((found.subscription, found.set_by), (A, None));
    assert_eq!(found.destination, "https://debug.example/in");
}

#[tokio::test]
async fn routing_anew_goes_by_the_configuration_and_leaves_repeats_to_those_who_want_them() {
    let (_log, control) = moved().await;
    let course = |duplicates: bool| {
        let mut configuration = Configuration::clone(&control.current());
        let subscription = configuration.subscriptions.get_mut(&A).unwrap();
        Arc::make_mut(subscription).spec.policy.duplicates = duplicates;
        Course {
            replay: Arc::new(asked(ReplayMode::CurrentRouting)),
            routing: Routing::By {
                version: configuration.version.unwrap(),
                index: Index::new(&configuration),
            },
        }
    };
    let mut nobody = original(0);
    nobody.matches.clear();
    let received = received();
    let found = decided(course(false).plan(&nobody, Some(&received)));
    assert_eq!(found.matches[0].subscription, A);
    assert_eq!(found.configuration.offset, Offset(1));
    nobody.repeats = Some(Repeats {
        kind: RepeatKind::OtherHook,
        receipt: ReceiptId(Uuid::from_u128(6)),
    });
    let fate = course(false).plan(&nobody, Some(&received));
    assert_eq!(passed(fate), Passing::Repeats);
    let found = decided(course(true).plan(&nobody, Some(&received)));
    assert_eq!(found.matches.len(), 1);
    // A receipt that was handed over twice is one receipt, whoever wants duplicates.
    nobody.repeats = Some(Repeats {
        kind: RepeatKind::Redelivery,
        receipt: RECEIPT,
    });
    let fate = course(true).plan(&nobody, Some(&received));
    assert_eq!(passed(fate), Passing::Repeats);
}

fn received() -> Received {
    Received {
        receipt: RECEIPT,
        received_at: Timestamp(4),
        source: SourceId(Uuid::nil()),
        source_name: "main".into(),
        secret: SecretId(Uuid::nil()),
        configuration: ConfigurationVersion::START,
        client: "127.0.0.1".into(),
        facts: Facts::default(),
    }
}

#[tokio::test]
async fn filters_are_those_of_lists() {
    let (log, _control) = moved().await;
    let mut course = course(&log).await;
    let text = |text: &str| Some(text.to_owned());
    let table = [
        (
            ReplayFilter {
                event: text("pull_request"),
                ..Default::default()
            },
            true,
        ),
        (
            ReplayFilter {
                event: text("pull_request.opened"),
                ..Default::default()
            },
            true,
        ),
        (
            ReplayFilter {
                event: text("pull_request.closed"),
                ..Default::default()
            },
            false,
        ),
        (
            ReplayFilter {
                repository: text("acme/*"),
                ..Default::default()
            },
            true,
        ),
        (
            ReplayFilter {
                repository: text("acme/web"),
                ..Default::default()
            },
            false,
        ),
        (
            ReplayFilter {
                source: text("other"),
                ..Default::default()
            },
            false,
        ),
        (
            ReplayFilter {
                host: text("github.com"),
                guid: text("g"),
                ..Default::default()
            },
            true,
        ),
        (
            ReplayFilter {
                from: Some(Timestamp(4)),
                to: Some(Timestamp(5)),
                ..Default::default()
            },
            true,
        ),
        (
            ReplayFilter {
                from: Some(Timestamp(5)),
                ..Default::default()
            },
            false,
        ),
        (
            ReplayFilter {
                to: Some(Timestamp(4)),
                ..Default::default()
            },
            false,
        ),
    ];
    for (filter, wanted) in table {
        let mut replay = asked(ReplayMode::OriginalTargets);
        replay.spec.filter = filter.clone();
        course.replay = Arc::new(replay);
        assert_eq!(course.wants(&original(0)), wanted, "{filter:?}");
    }
}
