//! What is owed to whom, where each delivery stands, and every change of it.

use crate::delivery::State;
use crate::projection::{Earlier, Projection};
use crate::table::{Kind, Row, Table, Value, column, joined, optional};
use crate::webhooks::{Shared, clean, shared};
use hooklog_schemas::Timestamp;
use hooklog_schemas::deliveries::{Because, DeadReason, Match, Outcome, Routed};
use std::sync::Arc;

/// The projection.
pub const PROJECTION: Projection = Projection {
    name: "deliveries",
    version: 2,
    tables: &[&TABLE, &TRANSITIONS],
    reads: &["partitions"],
    earlier: &[Earlier {
        version: 1,
        tables: &[&TABLE_V1, &TRANSITIONS],
    }],
};

/// One row a delivery, as it stands.
pub const TABLE: Table = Table {
    name: "deliveries",
    key: 1,
    columns: &joined::<{ COLUMNS.len() + 2 }>(&[
        &COLUMNS,
        &[
            optional("first_attempt_at", Kind::Integer),
            optional("decision_offset", Kind::Integer),
        ],
    ]),
};

/// [`TABLE`] before it told when the first attempt began, and where it was first owed.
const TABLE_V1: Table = Table {
    name: "deliveries",
    key: 1,
    columns: &COLUMNS,
};

/// The first columns of [`TABLE`]; dead letters have them too.
pub(crate) const COLUMNS: [crate::table::Column; 22] = [
    column("id", Kind::Id),
    column("partition", Kind::Integer),
    column("receipt", Kind::Id),
    column("cause", Kind::Text),
    column("guid", Kind::Text),
    column("subscription", Kind::Text),
    column("subscription_id", Kind::Id),
    column("team", Kind::Text),
    column("destination", Kind::Text),
    column("state", Kind::Word),
    optional("reason", Kind::Text),
    optional("due_at", Kind::Integer),
    column("attempts", Kind::Integer),
    column("event", Kind::Text),
    optional("action", Kind::Text),
    optional("repository", Kind::Text),
    column("source", Kind::Text),
    column("host", Kind::Text),
    column("created_at", Kind::Integer),
    column("changed_at", Kind::Integer),
    column("changed_offset", Kind::Integer),
    column("received_at", Kind::Integer),
];

/// One row a change of a delivery, never changed: states of the past are read from here.
pub const TRANSITIONS: Table = Table {
    name: "transitions",
    key: 3,
    columns: &[
        column("partition", Kind::Integer),
        column("record_offset", Kind::Integer),
        column("number", Kind::Integer),
        column("delivery", Kind::Id),
        column("at", Kind::Integer),
        column("state", Kind::Word),
        optional("due_at", Kind::Integer),
        optional("reason", Kind::Text),
        column("attempts", Kind::Integer),
    ],
};

/// A delivery as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) partition: u32,
    pub(crate) receipt: [u8; 16],
    pub(crate) cause: Arc<str>,
    guid: Arc<str>,
    subscription: Arc<str>,
    subscription_id: [u8; 16],
    team: Arc<str>,
    destination: Arc<str>,
    pub(crate) state: State,
    pub(crate) reason: Option<Arc<str>>,
    pub(crate) attempts: u32,
    event: Arc<str>,
    action: Option<Arc<str>>,
    repository: Option<Arc<str>>,
    pub(crate) source: Arc<str>,
    host: Arc<str>,
    created_at: i64,
    pub(crate) changed_at: i64,
    pub(crate) changed_offset: u64,
    received_at: i64,
    pub(crate) first_attempt_at: Option<i64>,
    /// Where it was first owed; tables of version 1 do not know.
    decision_offset: Option<u64>,
}

impl Delivery {
    /// The delivery that a decision at `offset` owes for `owed`.
    pub(crate) fn owed(
        partition: u32,
        offset: u64,
        routed: &Routed,
        owed: &Match,
        texts: &Shared,
    ) -> Self {
        Self {
            partition,
            receipt: routed.receipt.0.into_bytes(),
            cause: clean(&routed.cause),
            guid: Arc::clone(&texts.guid),
            subscription: clean(&owed.name),
            subscription_id: owed.subscription.0.into_bytes(),
            team: clean(&owed.team),
            destination: clean(&owed.destination),
            state: State::Open { due: routed.at },
            reason: None,
            attempts: 0,
            event: Arc::clone(&texts.event),
            action: texts.action.clone(),
            repository: texts.repository.clone(),
            source: Arc::clone(&texts.source),
            host: Arc::clone(&texts.host),
            created_at: routed.at.0,
            changed_at: routed.at.0,
            changed_offset: offset,
            received_at: routed.received_at.0,
            first_attempt_at: None,
            decision_offset: Some(offset),
        }
    }

    pub(crate) fn row(&self, id: [u8; 16]) -> Row {
        vec![
            Value::Id(id),
            Value::Int(i64::from(self.partition)),
            Value::Id(self.receipt),
            Value::Text(Arc::clone(&self.cause)),
            Value::Text(Arc::clone(&self.guid)),
            Value::Text(Arc::clone(&self.subscription)),
            Value::Id(self.subscription_id),
            Value::Text(Arc::clone(&self.team)),
            Value::Text(Arc::clone(&self.destination)),
            word(self.state),
            shared(self.reason.as_ref()),
            due(self.state),
            Value::Int(i64::from(self.attempts)),
            Value::Text(Arc::clone(&self.event)),
            shared(self.action.as_ref()),
            shared(self.repository.as_ref()),
            Value::Text(Arc::clone(&self.source)),
            Value::Text(Arc::clone(&self.host)),
            Value::Int(self.created_at),
            Value::Int(self.changed_at),
            Value::count(self.changed_offset),
            Value::Int(self.received_at),
            Value::int_or_null(self.first_attempt_at),
            self.decision_offset.map_or(Value::Null, Value::count),
        ]
    }

    /// The id and the delivery of a row; `None` if it is not a row of this table.
    pub(crate) fn read(row: &[Value]) -> Option<([u8; 16], Self)> {
        let text = |place: usize| row.get(place)?.as_text().cloned();
        let int = |place: usize| row.get(place)?.as_int();
        let id = |place: usize| row.get(place)?.as_id();
        let delivery = Self {
            partition: u32::try_from(int(1)?).ok()?,
            receipt: id(2)?,
            cause: text(3)?,
            guid: text(4)?,
            subscription: text(5)?,
            subscription_id: id(6)?,
            team: text(7)?,
            destination: text(8)?,
            state: state(&text(9)?, int(11), text(10).as_deref())?,
            reason: text(10),
            attempts: u32::try_from(int(12)?).ok()?,
            event: text(13)?,
            action: text(14),
            repository: text(15),
            source: text(16)?,
            host: text(17)?,
            created_at: int(18)?,
            changed_at: int(19)?,
            changed_offset: u64::try_from(int(20)?).ok()?,
            received_at: int(21)?,
            first_attempt_at: int(22),
            decision_offset: int(23).and_then(|offset| u64::try_from(offset).ok()),
        };
        Some((id(0)?, delivery))
    }

    /// The row of the change that led here; the `number`th of the record at `changed_offset`.
    pub(crate) fn transition(&self, id: [u8; 16], number: usize) -> Row {
        vec![
            Value::Int(i64::from(self.partition)),
            Value::count(self.changed_offset),
            Value::count(number as u64),
            Value::Id(id),
            Value::Int(self.changed_at),
            word(self.state),
            due(self.state),
            shared(self.reason.as_ref()),
            Value::Int(i64::from(self.attempts)),
        ]
    }
}

/// Why a delivery waits again after `outcome`: `status:503`, `error:timeout`.
pub(crate) fn outcome_reason(outcome: &Outcome) -> Arc<str> {
    match outcome {
        Outcome::Status(status) => format!("status:{status}").into(),
        Outcome::Error { class, .. } => format!("error:{}", class.as_str()).into(),
    }
}

/// What led to a decision, with its id: `command:…`, `redelivery:…`, `subscription_deleted:…`.
pub(crate) fn because_reason(because: &Because) -> Arc<str> {
    match because {
        Because::Command(id) => format!("command:{id}").into(),
        Because::Redelivery(id) => format!("redelivery:{id}").into(),
        Because::SubscriptionDeleted(id) => format!("subscription_deleted:{id}").into(),
    }
}

fn word(state: State) -> Value {
    Value::text(state.as_str())
}

const fn due(state: State) -> Value {
    match state {
        State::Open { due } => Value::Int(due.0),
        _ => Value::Null,
    }
}

fn state(word: &str, due: Option<i64>, reason: Option<&str>) -> Option<State> {
    match word {
        "open" => Some(State::Open {
            due: Timestamp(due?),
        }),
        "delivered" => Some(State::Delivered),
        "cancelled" => Some(State::Cancelled),
        "dead" => {
            let all = [
                DeadReason::AttemptsExhausted,
                DeadReason::BodyErased,
                DeadReason::Undeliverable,
            ];
            let reason = all.into_iter().find(|r| Some(r.as_str()) == reason)?;
            Some(State::Dead { reason })
        }
        _ => None,
    }
}
