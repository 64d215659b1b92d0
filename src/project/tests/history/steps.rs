//! What happens in a history, one step a function.

use super::{History, Owed, REPLAYS, SOURCE, dead, error, spec_of};
use hooklog_schemas::control::{
    ErasedReceipt, ErasureRequested, ReplayCancelled, ReplayFilter, ReplayMode, ReplayPaused,
    ReplayRange, ReplayRequested, ReplayResumed, ReplaySpec, SourcePaused, SubscriptionChanged,
};
use hooklog_schemas::deliveries::{
    Acquired, Answered, Attempted, Because, BodyRead, Cancelled, Match, MatchOutcome, Outcome,
    Passed, Repeats, ReplayFinished, ReplayProgressed, ReplayStarted, Requeued, Routed, Summary,
    Verdict,
};
use hooklog_schemas::{
    Append, DeliveryId, Event, EventId, EventType, Key, Offset, Partition, ReceiptId, ReplayId,
    SourceId, Timestamp, Topic,
};
use rand::RngExt;
use uuid::Uuid;

impl History {
    /// An operator asks for a replay, or does something to it; or a partition tells how far it is.
    pub(super) fn replay(&mut self) {
        let place = self.rng.random_range(0..REPLAYS.len());
        match self.chance(40) {
            true => self.order_replay(place),
            false => self.go_on_with(ReplayId(Uuid::from_u128(REPLAYS[place]))),
        }
    }

    fn order_replay(&mut self, place: usize) {
        let id = ReplayId(Uuid::from_u128(REPLAYS[place]));
        let by = self.by();
        let conflict = self.chance(20);
        let expected = match conflict {
            true => EventId(self.id()),
            false => self.replays[place],
        };
        let event = match self.rng.random_range(0..20) {
            _ if self.replays[place].0.is_nil() => {
                let spec = replayed(self.partitions);
                self.replays[place] = self.control(ReplayRequested { id, spec, by });
                return;
            }
            0..9 => self.control(ReplayPaused { id, expected, by }),
            9..18 => self.control(ReplayResumed { id, expected, by }),
            _ => self.control(ReplayCancelled { id, expected, by }),
        };
        if !conflict {
            self.replays[place] = event;
        }
    }

    fn go_on_with(&mut self, replay: ReplayId) {
        let partition = self.partition();
        let epoch = self.epoch(partition);
        let at = Timestamp(self.now);
        let next = self.rng.random_range(0..50);
        let passed = Passed {
            filtered: next,
            unmatched: next / 2,
            repeats: next / 3,
        };
        let event = match self.rng.random_range(0..6) {
            0 => Event::from(ReplayStarted {
                replay,
                from: Offset(0),
                to: Offset(50),
                at,
            }),
            1 => ReplayFinished { replay, passed, at }.into(),
            _ => ReplayProgressed {
                replay,
                next: Offset(next),
                passed,
                at,
            }
            .into(),
        };
        self.deliveries(partition, epoch, event);
    }

    pub(super) fn route(&mut self) {
        let partition = self.partition();
        let webhook = self.webhooks[partition as usize];
        let skipped = u64::from(self.odd && self.chance(5));
        self.webhooks[partition as usize] += 1 + skipped;
        let receipt = ReceiptId(Uuid::from_u128(
            (self.now as u128) << 64 | self.id().as_u128() & 0xffff_ffff,
        ));
        let repeats = (self.odd && self.chance(10))
            .then(|| self.earlier())
            .flatten();
        let routed = self.routed(receipt, webhook + skipped, repeats);
        let epoch = self.epoch(partition);
        for owed in routed
            .matches
            .iter()
            .filter(|m| m.outcome == MatchOutcome::Owed)
        {
            self.owed.push(Owed {
                delivery: owed.delivery,
                receipt,
                subscription: owed.subscription,
                partition,
                attempts: 0,
            });
        }
        self.receipts.push((receipt, partition, webhook));
        self.deliveries(partition, epoch, routed.clone());
        if self.odd && skipped > 0 && self.chance(50) {
            // What was skipped is decided after what came behind it.
            let receipt = ReceiptId(self.id());
            let late = self.routed(receipt, webhook, None);
            self.deliveries(partition, epoch, late);
        }
        if self.odd && self.chance(5) {
            // Another owner decided the same, differently.
            let again = self.routed(receipt, routed.webhook.0, None);
            self.deliveries(partition, epoch, again);
        }
    }

    pub(super) fn routed(
        &mut self,
        receipt: ReceiptId,
        webhook: u64,
        repeats: Option<Repeats>,
    ) -> Routed {
        let cause = match self.odd && self.chance(5) {
            true => Uuid::from_u128(REPLAYS[self.rng.random_range(0..REPLAYS.len())]).to_string(),
            false => "live".to_owned(),
        };
        let count = if self.odd {
            self.rng.random_range(0..4)
        } else {
            1
        };
        let matches = (0..count).map(|n| {
            let (subscription, _) = self.subscriptions[n];
            Match {
                subscription,
                name: format!("subscription-{n}"),
                team: "default".into(),
                destination: format!("https://subscriber-{n}.example/hooks"),
                set_by: None,
                delivery: DeliveryId::derive(receipt, subscription, &cause),
                outcome: match n {
                    2 => MatchOutcome::AlreadyDelivered,
                    _ => MatchOutcome::Owed,
                },
            }
        });
        let matches = matches.collect();
        let number = self.rng.random_range(0..50);
        Routed {
            receipt,
            webhook: Offset(webhook),
            cause,
            at: Timestamp(self.now),
            received_at: Timestamp(self.now - 1_500),
            source: SourceId(Uuid::from_u128(SOURCE)),
            source_name: "acme".into(),
            summary: Summary {
                guid: self.id().to_string(),
                event: ["push", "pull_request", "workflow_run"][number % 3].into(),
                action: (number % 3 == 1).then(|| "opened".into()),
                host: "github.com".into(),
                hook_id: Some("4711".into()),
                git_ref: (number % 3 == 0).then(|| "refs/heads/main".into()),
                repository_id: Some(number as i64),
                repository: Some(format!("acme/repository-{number}")),
                organization_id: Some(9),
                sender_id: Some(1_000 + (number % 7) as i64),
                event_at: (number % 4 > 0).then_some(Timestamp(self.now - 60_000_000)),
                appended_at: Some(Timestamp(self.now - 1_000)),
                body_bytes: 9_000,
                unparsed: false,
            },
            configuration: self.configuration(),
            matcher: 1,
            matches,
            repeats,
            error: (self.odd && self.chance(2)).then(|| "it broke\u{0}".into()),
        }
    }

    pub(super) fn attempt(&mut self) {
        let Some(place) = self.any_owed() else {
            return self.route();
        };
        let owed = self.owed[place];
        let number = owed.attempts + 1;
        self.owed[place].attempts = number;
        let started_at = Timestamp(self.now);
        let retry = Verdict::Retry {
            at: Timestamp(self.now + 5_000_000),
        };
        let (outcome, verdict) = match self.rng.random_range(0..20) {
            _ if number > 5 => (Outcome::Status(500), dead()),
            0..13 => (Outcome::Status(204), Verdict::Delivered),
            13..16 => (Outcome::Status(503), retry),
            16 => (Outcome::Status(410), Verdict::Paused),
            17 => (Outcome::Status(500), dead()),
            _ => (error(), retry),
        };
        let ended = verdict == Verdict::Delivered || !self.odd && verdict == dead();
        let answered = matches!(outcome, Outcome::Status(500..));
        let attempted = Attempted {
            delivery: owed.delivery,
            receipt: owed.receipt,
            subscription: owed.subscription,
            number,
            started_at,
            duration_us: self.rng.random_range(1_000..90_000),
            resolve_us: Some(200),
            connect_us: Some(500),
            headers_us: Some(900),
            headers_sha256: Some("5a".repeat(32)),
            target: "https://subscriber-0.example/hooks".into(),
            address: Some("192.0.2.7:443".into()),
            outcome,
            verdict,
            configuration: self.configuration(),
        };
        let epoch = self.epoch(owed.partition);
        self.deliveries(owed.partition, epoch, attempted);
        if answered {
            let key = self.deliveries(
                owed.partition,
                epoch,
                Answered {
                    delivery: owed.delivery,
                    receipt: owed.receipt,
                    number,
                    started_at,
                    excerpt: "no".into(),
                    truncated: false,
                },
            );
            self.keys.push((owed.partition, key));
        }
        // In an odd history some are tried again after their end.
        if ended && !(self.odd && self.chance(20)) {
            self.owed.swap_remove(place);
        }
    }

    pub(super) fn requeue(&mut self) {
        let Some(place) = self.any_owed() else {
            return self.route();
        };
        let owed = self.owed[place];
        self.owed[place].attempts = 0;
        let because = Because::Command(EventId(self.id()));
        let epoch = self.epoch(owed.partition);
        let requeued = Requeued {
            delivery: owed.delivery,
            receipt: owed.receipt,
            subscription: owed.subscription,
            because,
            at: Timestamp(self.now),
        };
        self.deliveries(owed.partition, epoch, requeued);
    }

    pub(super) fn cancel(&mut self) {
        let Some(place) = self.any_owed() else {
            return self.route();
        };
        let owed = self.owed[place];
        let because = Because::SubscriptionDeleted(EventId(self.id()));
        let epoch = self.epoch(owed.partition);
        let cancelled = Cancelled {
            delivery: owed.delivery,
            receipt: owed.receipt,
            subscription: owed.subscription,
            because,
            at: Timestamp(self.now),
        };
        self.deliveries(owed.partition, epoch, cancelled);
    }

    /// A record stands twice: its append was repeated.
    pub(super) fn repeat(&mut self) {
        let place = self.rng.random_range(0..self.appends.len());
        let (topic, mut append) = self.appends[place].clone();
        if topic == Topic::Deliveries && append.value.is_some() {
            append.key = Key(self.id());
            self.push(topic, append);
        }
    }

    pub(super) fn tombstone(&mut self) {
        if let Some((partition, key)) = self.keys.pop() {
            let append = Append {
                partition: Partition(partition),
                event_id: EventId(self.id()),
                key,
                event_type: EventType::known("delivery.answered"),
                version: 1,
                epoch: self.epoch(partition).map(Offset),
                at: Timestamp(self.now),
                headers: Vec::new(),
                value: None,
            };
            self.push(Topic::Deliveries, append);
        }
    }

    pub(super) fn change(&mut self) {
        let place = self.rng.random_range(0..self.subscriptions.len());
        let (id, seen) = self.subscriptions[place];
        let conflict = self.chance(30);
        let expected = if conflict { EventId(self.id()) } else { seen };
        let by = self.by();
        let spec = spec_of(place);
        let event = self.control(SubscriptionChanged {
            id,
            expected,
            spec,
            by,
        });
        if !conflict {
            self.subscriptions[place].1 = event;
        }
        if self.chance(20) {
            let (id, by) = (SourceId(Uuid::from_u128(SOURCE)), self.by());
            let expected = EventId(self.id());
            self.control(SourcePaused { id, expected, by });
        }
    }

    pub(super) fn erase(&mut self) {
        let Some(&(receipt, partition, offset)) = self.receipts.last() else {
            return;
        };
        let erased = ErasedReceipt {
            receipt,
            partition,
            offset: Offset(offset),
        };
        let order = ErasureRequested {
            receipts: vec![erased],
            repository_id: self.chance(50).then_some(4),
            sender_id: None,
            by: self.by(),
        };
        self.control(order);
    }

    /// Somebody looks at the payload of the last receipt.
    pub(super) fn read_body(&mut self) {
        let Some(&(receipt, partition, _)) = self.receipts.last() else {
            return;
        };
        let by = self.by();
        let read = BodyRead {
            receipt,
            actor: by.actor,
            from: by.from,
            at: by.at,
        };
        self.deliveries(partition, None, read);
    }

    pub(super) fn acquire_some(&mut self) {
        let partition = self.partition();
        self.acquire(partition);
    }

    pub(super) fn acquire(&mut self, partition: u32) {
        let acquired = Acquired {
            process: EventId(self.id()),
            at: Timestamp(self.now),
        };
        let tail = self.tail(Topic::Deliveries, partition);
        self.deliveries(partition, Some(tail), acquired);
        self.epochs[partition as usize].push(tail);
    }
}

fn replayed(partitions: u32) -> ReplaySpec {
    let range = ReplayRange {
        from: Offset(0),
        to: Offset(50),
    };
    ReplaySpec {
        mode: ReplayMode::AsOfRouting {
            control: Offset(3),
            point: "@before\u{0}".into(),
        },
        subscription: None,
        to: Some("https://debug.example/".into()),
        filter: ReplayFilter::default(),
        range: vec![range; partitions as usize],
        rate_per_second: 10,
        counted: Some(7),
    }
}
