//! Events for tests, with what is not the point of the test filled in.

use hooklog_schemas::control::{
    By, ConfigurationVersion, ErasedReceipt, ErasureRequested, Policy, Signing,
    SubscriptionChanged, SubscriptionCreated, SubscriptionSpec,
};
use hooklog_schemas::deliveries::{
    Acquired, Answered, Attempted, Because, Cancelled, DeadReason, Match, MatchOutcome, Outcome,
    Requeued, Routed, Summary, Verdict,
};
use hooklog_schemas::{
    Append, DeliveryId, Event, EventId, Key, Offset, Partition, ReceiptId, SourceId,
    SubscriptionId, Timestamp, Topic,
};
use uuid::Uuid;

/// The first minute of the tests; it is a whole minute.
pub(crate) const START: i64 = 1_790_000_040_000_000;
/// One second.
pub(crate) const SECOND: i64 = 1_000_000;
/// The subscription that everything is owed to, unless said otherwise.
pub(crate) const SUBSCRIPTION: SubscriptionId = SubscriptionId(Uuid::from_u128(500));
/// The command of requeues and cancellations.
pub(crate) const COMMAND: EventId = EventId(Uuid::from_u128(600));

/// Events in the order of their appends, all of partition 0.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) appends: Vec<(Topic, Append)>,
    /// The epoch of what comes next.
    pub(crate) epoch: Option<Offset>,
    ids: u128,
}

pub(crate) fn receipt(number: u128) -> ReceiptId {
    ReceiptId(Uuid::from_u128(1_000 + number))
}

/// The delivery of receipt `number` to [`SUBSCRIPTION`].
pub(crate) fn delivery(number: u128) -> DeliveryId {
    DeliveryId::derive(receipt(number), SUBSCRIPTION, "live")
}

impl Given {
    /// Receipt `number` is routed and owed to [`SUBSCRIPTION`]; it stands at that offset.
    pub(crate) fn owed(&mut self, number: u64) -> DeliveryId {
        self.routed(number, |_| {});
        delivery(number.into())
    }

    /// Receipt `number` is routed, with what `change` makes of the decision.
    pub(crate) fn routed(&mut self, number: u64, change: impl FnOnce(&mut Routed)) {
        let at = START + number as i64 * SECOND;
        let mut routed = Routed {
            receipt: receipt(number.into()),
            webhook: Offset(number),
            cause: "live".into(),
            at: Timestamp(at + 500),
            received_at: Timestamp(at),
            source: SourceId(Uuid::from_u128(400)),
            source_name: "acme".into(),
            summary: Summary {
                guid: format!("guid-{number}"),
                event: "push".into(),
                host: "github.com".into(),
                repository_id: Some(7),
                repository: Some("acme/site".into()),
                sender_id: Some(8),
                body_bytes: 9_000,
                ..Summary::default()
            },
            configuration: configuration(),
            matcher: 1,
            matches: Vec::new(),
            repeats: None,
            error: None,
        };
        routed.matches = vec![matched(routed.receipt, SUBSCRIPTION, MatchOutcome::Owed)];
        change(&mut routed);
        self.deliveries(routed);
    }

    /// An attempt of `delivery` that starts `second` seconds after the start and takes a tenth.
    pub(crate) fn attempted(
        &mut self,
        delivery: DeliveryId,
        number: u32,
        second: i64,
        verdict: Verdict,
    ) {
        let outcome = match verdict {
            Verdict::Delivered => Outcome::Status(204),
            Verdict::Paused => Outcome::Status(410),
            _ => Outcome::Status(503),
        };
        self.deliveries(Attempted {
            delivery,
            receipt: receipt(0),
            subscription: SUBSCRIPTION,
            number,
            started_at: Timestamp(START + second * SECOND),
            duration_us: 100_000,
            resolve_us: None,
            connect_us: None,
            headers_us: None,
            headers_sha256: None,
            target: "https://subscriber.example/".into(),
            address: None,
            outcome,
            verdict,
            configuration: configuration(),
        });
    }

    /// The excerpt of the answer to that attempt; its key is told.
    pub(crate) fn answered(&mut self, delivery: DeliveryId, number: u32, second: i64) -> Key {
        self.deliveries(Answered {
            delivery,
            receipt: receipt(0),
            number,
            started_at: Timestamp(START + second * SECOND),
            excerpt: "busy".into(),
            truncated: false,
        })
    }

    pub(crate) fn requeued(&mut self, delivery: DeliveryId, second: i64) {
        self.deliveries(Requeued {
            delivery,
            receipt: receipt(0),
            subscription: SUBSCRIPTION,
            because: Because::Command(COMMAND),
            at: Timestamp(START + second * SECOND),
        });
    }

    pub(crate) fn cancelled(&mut self, delivery: DeliveryId, second: i64) {
        self.deliveries(Cancelled {
            delivery,
            receipt: receipt(0),
            subscription: SUBSCRIPTION,
            because: Because::Command(COMMAND),
            at: Timestamp(START + second * SECOND),
        });
    }

    /// A new owner: what comes next has its epoch.
    pub(crate) fn acquired(&mut self) -> Offset {
        let of_deliveries = |(topic, _): &&(Topic, Append)| *topic == Topic::Deliveries;
        let epoch = Offset(self.appends.iter().filter(of_deliveries).count() as u64);
        self.epoch = Some(epoch);
        let process = EventId(self.id());
        let at = Timestamp(START);
        self.deliveries(Acquired { process, at });
        epoch
    }

    /// [`SUBSCRIPTION`] is created; the event is told.
    pub(crate) fn subscription_created(&mut self) -> EventId {
        let (id, spec, by) = (SUBSCRIPTION, spec("first"), by("ann"));
        self.control(SubscriptionCreated {
            id,
            spec,
            secret: None,
            by,
        })
    }

    /// [`SUBSCRIPTION`] gets another name, by somebody who has seen `expected`.
    pub(crate) fn subscription_renamed(&mut self, expected: EventId, name: &str) -> EventId {
        let (id, spec, by) = (SUBSCRIPTION, spec(name), by("bob"));
        self.control(SubscriptionChanged {
            id,
            expected,
            spec,
            by,
        })
    }

    /// Receipt `number` is to be erased: what names it, unless a repository or a sender is given.
    pub(crate) fn erasure(&mut self, number: u64, repository: Option<i64>, sender: Option<i64>) {
        self.control(ErasureRequested {
            receipts: vec![ErasedReceipt {
                receipt: receipt(number.into()),
                partition: 0,
                offset: Offset(number),
            }],
            repository_id: repository,
            sender_id: sender,
            by: by("ann"),
        });
    }

    /// The record with `key` is erased.
    pub(crate) fn tombstone(&mut self, key: Key) {
        self.deliveries(Acquired {
            process: EventId(Uuid::nil()),
            at: Timestamp(START),
        });
        if let Some((_, append)) = self.appends.last_mut() {
            append.key = key;
            append.value = None;
        }
    }

    pub(crate) fn deliveries(&mut self, event: impl Into<Event>) -> Key {
        let epoch = self.epoch;
        let append = self.append(epoch, event.into());
        let key = append.key;
        self.appends.push((Topic::Deliveries, append));
        key
    }

    pub(crate) fn control(&mut self, event: impl Into<Event>) -> EventId {
        let append = self.append(None, event.into());
        let id = append.event_id;
        self.appends.push((Topic::Control, append));
        id
    }

    fn append(&mut self, epoch: Option<Offset>, event: Event) -> Append {
        let (event_type, version, value) = event.encode().unwrap();
        Append {
            partition: Partition(0),
            event_id: EventId(self.id()),
            key: Key(self.id()),
            event_type,
            version,
            epoch,
            at: Timestamp(START),
            headers: Vec::new(),
            value: Some(value),
        }
    }

    fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(10_000 + self.ids)
    }
}

pub(crate) fn matched(
    receipt: ReceiptId,
    subscription: SubscriptionId,
    outcome: MatchOutcome,
) -> Match {
    Match {
        subscription,
        name: "first".into(),
        team: "default".into(),
        destination: "https://subscriber.example/".into(),
        set_by: None,
        delivery: DeliveryId::derive(receipt, subscription, "live"),
        outcome,
    }
}

/// Another attempt is due `second` seconds after the start.
pub(crate) fn retry(second: i64) -> Verdict {
    Verdict::Retry {
        at: Timestamp(START + second * SECOND),
    }
}

pub(crate) fn dead() -> Verdict {
    Verdict::DeadLettered {
        reason: DeadReason::AttemptsExhausted,
    }
}

fn configuration() -> ConfigurationVersion {
    ConfigurationVersion {
        offset: Offset(5),
        event: EventId(Uuid::from_u128(5)),
    }
}

fn spec(name: &str) -> SubscriptionSpec {
    SubscriptionSpec {
        name: name.into(),
        team: "default".into(),
        filter: Default::default(),
        to: "https://subscriber.example/".into(),
        sign: Signing::Standard,
        policy: Policy::default(),
    }
}

fn by(actor: &str) -> By {
    By {
        actor: actor.into(),
        from: "192.0.2.1".into(),
        at: Timestamp(START),
        why: Some("asked".into()),
    }
}
