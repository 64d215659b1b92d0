//! What was ordered and configured, by the events of `control`: of two changes that name the same
//! version, the first counts.

use super::line::Line;
use anyhow::{Context as _, Result};
use hooklog_schemas::control::{By, ErasedReceipt, Scope, SealedSecret, SecretOwner};
use hooklog_schemas::{EventId, Position, ReceiptId, SecretId, SubscriptionId, Timestamp};
use hooklog_schemas::{Partition, Topic};
use serde::Deserialize;
use std::collections::HashMap;
use uuid::Uuid;

/// `control`, folded.
#[derive(Debug, Default)]
pub(crate) struct Control {
    /// Commands over deliveries and receipts, in their order.
    pub(crate) orders: HashMap<EventId, Order>,
    /// The reasons that were given, each with whether its event had an effect.
    pub(crate) reasons: Vec<(String, bool)>,
    /// When secrets of sources retire; none is never.
    pub(crate) secrets: HashMap<SecretId, Option<Timestamp>>,
    /// The receipts to erase, by their places.
    pub(crate) erasures: HashMap<Position, ReceiptId>,
    objects: HashMap<Uuid, Object>,
    held: Vec<Held>,
}

/// One command.
#[derive(Debug)]
pub(crate) struct Order {
    /// When it was given.
    pub(crate) at: Timestamp,
    /// What is asked.
    pub(crate) asked: Asked,
}

/// What a command asks.
#[derive(Debug)]
pub(crate) enum Asked {
    /// Cancel what is open.
    Cancel(Scope),
    /// Try again what is dead.
    Redrive(Scope),
    /// Erase receipts.
    Erase,
}

/// A time in which no attempt may start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    /// From here.
    pub(crate) from: Timestamp,
    /// To here; it is for ever if there is no end.
    pub(crate) to: Option<Timestamp>,
}

/// A source or a subscription.
#[derive(Debug, Default)]
struct Object {
    version: Option<EventId>,
    secrets: Vec<SecretId>,
    held: Vec<Held>,
    deleted: Option<(EventId, u64, Timestamp)>,
}

/// A change of an object.
struct Change<'a> {
    kind: &'a str,
    id: EventId,
    offset: u64,
    at: Timestamp,
}

/// As much of any event of `control` as matters here.
#[derive(Debug, Deserialize)]
struct Event {
    by: Option<By>,
    id: Option<Uuid>,
    owner: Option<SecretOwner>,
    expected: Option<EventId>,
    secret: Option<SealedSecret>,
    old_valid_until: Option<Timestamp>,
    scope: Option<Scope>,
    #[serde(default)]
    receipts: Vec<ErasedReceipt>,
}

impl Control {
    /// Folds one event.
    pub(super) fn add(&mut self, line: &Line) -> Result<()> {
        let event: Event = line.json()?;
        let Some(by) = event.by.clone() else {
            return Ok(());
        };
        let id = line.event_id.context("a record without an event_id")?;
        let kind = line.event_type.as_str();
        let effective = match (kind, event.object()) {
            // Nothing of this run makes tokens.
            (_, Some(object)) if !kind.starts_with("token.") => {
                let change = Change {
                    kind,
                    id,
                    offset: line.position.offset.0,
                    at: by.at,
                };
                self.change(object, &change, &event)
            }
            _ => self.order(kind, id, event, by.at)?,
        };
        self.reasons.extend(by.why.map(|why| (why, effective)));
        Ok(())
    }

    /// The event that deleted a subscription, its offset and its time.
    pub(crate) fn deleted(&self, id: SubscriptionId) -> Option<(EventId, u64, Timestamp)> {
        self.objects.get(&id.0)?.deleted
    }

    /// When no attempt of a subscription may start.
    pub(crate) fn held(&self, id: SubscriptionId) -> impl Iterator<Item = &Held> {
        let own = self.objects.get(&id.0).map(|object| &object.held);
        self.held.iter().chain(own.into_iter().flatten())
    }

    fn change(&mut self, object: Uuid, change: &Change<'_>, event: &Event) -> bool {
        let one = self.objects.entry(object).or_default();
        if one.version != event.expected || one.deleted.is_some() {
            return false;
        }
        one.version = Some(change.id);
        match change.kind {
            "subscription.paused" => one.held.hold(change.at),
            "subscription.resumed" => one.held.let_go(change.at),
            "subscription.deleted" => one.deleted = Some((change.id, change.offset, change.at)),
            _ => {}
        }
        let source = change.kind.starts_with("source.")
            || matches!(event.owner, Some(SecretOwner::Source(_)));
        if source && let Some(secret) = &event.secret {
            for old in &one.secrets {
                let until = self.secrets.entry(*old).or_default();
                *until = until.min_with(event.old_valid_until);
            }
            one.secrets.push(secret.id);
            self.secrets.insert(secret.id, None);
        }
        true
    }

    fn order(&mut self, kind: &str, id: EventId, event: Event, at: Timestamp) -> Result<bool> {
        let scope = || event.scope.clone().context("a command without a scope");
        let asked = match kind {
            "cancel.requested" => Asked::Cancel(scope()?),
            "redrive.requested" => Asked::Redrive(scope()?),
            "erasure.requested" => {
                let place = |one: &ErasedReceipt| {
                    Position::new(Topic::Webhooks, Partition(one.partition), one.offset)
                };
                let places = event.receipts.iter().map(|one| (place(one), one.receipt));
                self.erasures.extend(places);
                Asked::Erase
            }
            "deliveries.paused" => {
                self.held.hold(at);
                return Ok(true);
            }
            "deliveries.resumed" => {
                self.held.let_go(at);
                return Ok(true);
            }
            _ => return Ok(true),
        };
        self.orders.insert(id, Order { at, asked });
        Ok(true)
    }
}

impl Event {
    /// The source or subscription that it is about.
    const fn object(&self) -> Option<Uuid> {
        match self.owner {
            Some(SecretOwner::Source(id)) => Some(id.0),
            Some(SecretOwner::Subscription(id)) => Some(id.0),
            None => self.id,
        }
    }
}

/// Times that begin and end.
trait Holding {
    fn hold(&mut self, at: Timestamp);
    fn let_go(&mut self, at: Timestamp);
}

impl Holding for Vec<Held> {
    fn hold(&mut self, at: Timestamp) {
        if self.last().is_none_or(|last| last.to.is_some()) {
            self.push(Held { from: at, to: None });
        }
    }

    fn let_go(&mut self, at: Timestamp) {
        if let Some(last) = self.last_mut().filter(|last| last.to.is_none()) {
            last.to = Some(at);
        }
    }
}

/// The earlier of two ends, where none is never.
trait Earlier {
    fn min_with(self, other: Self) -> Self;
}

impl Earlier for Option<Timestamp> {
    fn min_with(self, other: Self) -> Self {
        match (self, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}
