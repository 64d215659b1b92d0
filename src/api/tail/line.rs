//! One event as one object: what a person who watches wants to know, and never a secret.

use hooklog_projections::configuration::Configuration;
use hooklog_schemas::control::By;
use hooklog_schemas::deliveries::{Attempted, Outcome, Routed};
use hooklog_schemas::webhook::{RECEIVED, Received};
use hooklog_schemas::{DeliveryId, Event, ReceiptId, Record, SourceId, SubscriptionId, Topic};
use serde_json::{Map, Value, json};

/// An event, and what it is about.
pub(super) struct Line {
    pub(super) json: Value,
    pub(super) guid: Option<String>,
    pub(super) receipt: Option<ReceiptId>,
    pub(super) subscriptions: Vec<SubscriptionId>,
}

/// What `record` says. Names come from the configuration in force. What this release does not
/// understand is shown by its type and its place.
pub(super) fn line(record: &Record, configuration: &Configuration) -> Line {
    let mut line = Building {
        configuration,
        fields: Map::new(),
        guid: None,
        receipt: None,
        subscriptions: Vec::new(),
    };
    line.put("position", json!(record.position.to_string()));
    line.put("at", json!(record.appended_at));
    line.put("type", json!(record.event_type.as_str()));
    if record.event_type == RECEIVED && record.value.is_some() {
        if let Ok(received) = Received::decode(record) {
            line.received(&received);
        }
    } else if let Ok(event) = Event::decode(record) {
        match record.position.topic {
            Topic::Control => line.control(&event),
            _ => line.delivery(&event),
        }
    }
    Line {
        json: Value::Object(line.fields),
        guid: line.guid,
        receipt: line.receipt,
        subscriptions: line.subscriptions,
    }
}

struct Building<'a> {
    configuration: &'a Configuration,
    fields: Map<String, Value>,
    guid: Option<String>,
    receipt: Option<ReceiptId>,
    subscriptions: Vec<SubscriptionId>,
}

impl Building<'_> {
    fn put(&mut self, name: &str, value: Value) {
        if !value.is_null() {
            self.fields.insert(name.to_owned(), value);
        }
    }

    fn about(&mut self, receipt: ReceiptId) {
        self.receipt = Some(receipt);
        self.put("receipt", json!(receipt));
    }

    fn received(&mut self, received: &Received) {
        let facts = &received.facts;
        self.guid = Some(facts.guid.clone());
        self.about(received.receipt);
        self.put("guid", json!(facts.guid));
        self.put("event", json!(facts.event));
        self.put("action", json!(facts.action));
        self.put("repository", json!(facts.repository));
        self.put("source", json!(received.source_name));
        self.put("host", json!(facts.host));
        self.put("body_bytes", json!(facts.body_bytes));
    }

    fn delivery(&mut self, event: &Event) {
        match event {
            Event::Routed(routed) => self.routed(routed),
            Event::Attempted(attempted) => self.attempted(attempted),
            Event::Answered(e) => {
                self.about(e.receipt);
                self.put("delivery", json!(e.delivery));
                self.put("number", json!(e.number));
            }
            Event::Requeued(e) => {
                self.one_of(e.receipt, e.delivery, e.subscription);
                self.put("because", json!(e.because));
            }
            Event::Cancelled(e) => {
                self.one_of(e.receipt, e.delivery, e.subscription);
                self.put("because", json!(e.because));
            }
            Event::CommandApplied(e) => {
                self.put("command", json!(e.command));
                self.put("count", json!(e.count));
            }
            Event::BodyRead(e) => {
                self.about(e.receipt);
                self.put("actor", json!(e.actor));
                self.put("from", json!(e.from));
            }
            Event::Acquired(e) => self.put("process", json!(e.process)),
            _ => {}
        }
    }

    fn routed(&mut self, routed: &Routed) {
        let summary = &routed.summary;
        self.guid = Some(summary.guid.clone());
        self.about(routed.receipt);
        self.put("guid", json!(summary.guid));
        self.put("event", json!(summary.event));
        self.put("action", json!(summary.action));
        self.put("repository", json!(summary.repository));
        self.put("source", json!(routed.source_name));
        self.put("repeats", json!(routed.repeats));
        self.put("error", json!(routed.error));
        let brief = routed.matches.iter().map(|one| {
            json!({"subscription": one.name, "delivery": one.delivery, "outcome": one.outcome})
        });
        self.put("matches", brief.collect());
        self.subscriptions = routed.matches.iter().map(|one| one.subscription).collect();
    }

    fn attempted(&mut self, attempted: &Attempted) {
        self.one_of(
            attempted.receipt,
            attempted.delivery,
            attempted.subscription,
        );
        self.put("number", json!(attempted.number));
        self.put("duration_us", json!(attempted.duration_us));
        self.put("target", json!(attempted.target));
        match &attempted.outcome {
            Outcome::Status(status) => self.put("status", json!(status)),
            Outcome::Error { class, detail } => {
                self.put("error", json!(class));
                self.put("detail", json!(detail));
            }
        }
        self.put("verdict", json!(attempted.verdict));
    }

    fn one_of(&mut self, receipt: ReceiptId, delivery: DeliveryId, subscription: SubscriptionId) {
        self.about(receipt);
        self.put("delivery", json!(delivery));
        self.subscription(subscription);
    }

    fn subscription(&mut self, id: SubscriptionId) {
        self.subscriptions.push(id);
        let known = self.configuration.subscriptions.get(&id);
        let name = known.map(|subscription| json!(subscription.spec.name));
        self.put("subscription", name.unwrap_or(Value::Null));
        self.put("subscription_id", json!(id));
    }

    fn source(&mut self, id: SourceId) {
        let known = self.configuration.sources.get(&id);
        let name = known.map(|source| json!(source.spec.name));
        self.put("source", name.unwrap_or(Value::Null));
    }

    fn by(&mut self, by: &By) {
        self.put("actor", json!(by.actor));
        self.put("from", json!(by.from));
        self.put("reason", json!(by.why));
    }

    fn control(&mut self, event: &Event) {
        match event {
            Event::SourceCreated(_)
            | Event::SourceChanged(_)
            | Event::SourcePaused(_)
            | Event::SourceResumed(_)
            | Event::SourceDeleted(_)
            | Event::SubscriptionCreated(_)
            | Event::SubscriptionChanged(_)
            | Event::SubscriptionPaused(_)
            | Event::SubscriptionResumed(_)
            | Event::SubscriptionDeleted(_)
            | Event::SecretRotated(_) => self.object(event),
            Event::TokenCreated(e) => {
                self.put("name", json!(e.name));
                self.put("role", json!(e.role));
                self.by(&e.by);
            }
            Event::TokenRevoked(e) => {
                let token = self.configuration.tokens.get(&e.id);
                self.put("name", json!(token.map(|token| &token.name)));
                self.by(&e.by);
            }
            Event::DeliveriesPaused(e) => self.by(&e.by),
            Event::DeliveriesResumed(e) => self.by(&e.by),
            Event::CancelRequested(e) => self.command(&json!(e.scope), &e.by),
            Event::RedriveRequested(e) => self.command(&json!(e.scope), &e.by),
            Event::ErasureRequested(e) => {
                self.put("count", json!(e.receipts.len()));
                self.by(&e.by);
            }
            Event::WebhooksRejected(e) => {
                self.put("source", json!(e.source));
                self.put("reason", json!(e.reason));
                self.put("count", json!(e.count));
            }
            Event::ProcessStarted(e) => {
                self.put("role", json!(e.role));
                self.put("build", json!(e.build));
            }
            Event::FormatRaised(e) => {
                self.put("format", json!(e.format));
                self.by(&e.by);
            }
            _ => {}
        }
    }

    fn command(&mut self, scope: &Value, by: &By) {
        self.put("scope", scope.clone());
        self.by(by);
    }

    /// A change of a source or a subscription: which, and by whom.
    fn object(&mut self, event: &Event) {
        use hooklog_schemas::control::SecretOwner;
        let (owner, by) = match event {
            Event::SourceCreated(e) => (SecretOwner::Source(e.id), &e.by),
            Event::SourceChanged(e) => (SecretOwner::Source(e.id), &e.by),
            Event::SourcePaused(e) => (SecretOwner::Source(e.id), &e.by),
            Event::SourceResumed(e) => (SecretOwner::Source(e.id), &e.by),
            Event::SourceDeleted(e) => (SecretOwner::Source(e.id), &e.by),
            Event::SubscriptionCreated(e) => (SecretOwner::Subscription(e.id), &e.by),
            Event::SubscriptionChanged(e) => (SecretOwner::Subscription(e.id), &e.by),
            Event::SubscriptionPaused(e) => (SecretOwner::Subscription(e.id), &e.by),
            Event::SubscriptionResumed(e) => (SecretOwner::Subscription(e.id), &e.by),
            Event::SubscriptionDeleted(e) => (SecretOwner::Subscription(e.id), &e.by),
            Event::SecretRotated(e) => (e.owner, &e.by),
            _ => return,
        };
        match owner {
            SecretOwner::Source(id) => self.source(id),
            SecretOwner::Subscription(id) => self.subscription(id),
        }
        self.by(by);
    }
}
