//! The rows of answers. Times are microseconds since 1970, in fields that end in `_at`.

use hooklog_schemas::{DeliveryId, EventId, ReceiptId, SourceId, SubscriptionId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One webhook, as its decision recorded it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookRow {
    /// The receipt.
    #[schema(value_type = String, format = "uuid")]
    pub receipt: ReceiptId,
    /// GitHub's id of the event.
    pub guid: String,
    /// GitHub's name of the event.
    pub event: String,
    /// The body's `action`.
    pub action: Option<String>,
    /// The source's name at the time.
    pub source: String,
    /// The source's id.
    #[schema(value_type = String, format = "uuid")]
    pub source_id: SourceId,
    /// The host.
    pub host: String,
    /// The repository's full name; none where it was erased.
    pub repository: Option<String>,
    /// The repository's id.
    pub repository_id: Option<i64>,
    /// The organisation's id.
    pub organization_id: Option<i64>,
    /// The sender's id; none where it was erased.
    pub sender_id: Option<i64>,
    /// The ref; none where it was erased.
    pub git_ref: Option<String>,
    /// When it happened, as GitHub's body tells; none where that tells none.
    pub event_at: Option<i64>,
    /// When its body was complete.
    pub received_at: i64,
    /// When its record was appended to the log.
    pub appended_at: Option<i64>,
    /// When it was decided.
    pub routed_at: i64,
    /// Bytes of the body as sent.
    pub body_bytes: i64,
    /// The body is not the JSON object that GitHub sends.
    pub unparsed: bool,
    /// How many subscriptions matched.
    pub matches: i64,
    /// What it is of an earlier receipt: `redelivery`, `other_hook`, `conflict`, `replay_suspect`.
    pub repeats: Option<String>,
    /// That earlier receipt.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub repeats_receipt: Option<ReceiptId>,
    /// Why routing failed.
    pub error: Option<String>,
    /// Its partition of `webhooks` and of `deliveries`.
    pub partition: i64,
    /// Its offset in that partition of `webhooks`.
    pub offset: i64,
    /// The offset of its decision in that partition of `deliveries`.
    pub decision_offset: i64,
    /// The offset in `control` of the configuration that decided.
    pub configuration_offset: i64,
    /// Its body was ordered to be erased.
    pub erased: bool,
}

/// One delivery as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryRow {
    /// The delivery.
    #[schema(value_type = String, format = "uuid")]
    pub id: DeliveryId,
    /// Its receipt.
    #[schema(value_type = String, format = "uuid")]
    pub receipt: ReceiptId,
    /// `live`, or a replay's id.
    pub cause: String,
    /// GitHub's id of the event.
    pub guid: String,
    /// The subscription's name when it matched.
    pub subscription: String,
    /// The subscription's id.
    #[schema(value_type = String, format = "uuid")]
    pub subscription_id: SubscriptionId,
    /// Its team when it matched.
    pub team: String,
    /// Its destination when it matched.
    pub destination: String,
    /// `open`, `dead`, `delivered` or `cancelled`.
    pub state: String,
    /// Why it is dead, cancelled or open again.
    pub reason: Option<String>,
    /// When the next attempt is due; none unless it is open.
    pub due_at: Option<i64>,
    /// What holds it back beyond that time: `all deliveries are paused`, `the subscription is paused`,
    /// or `the replay is paused`. The tables do not know: the API fills it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// Attempts since it was owed, or last requeued.
    pub attempts_made: i64,
    /// When its first attempt began; none before.
    pub first_attempt_at: Option<i64>,
    /// GitHub's name of the event.
    pub event: String,
    /// The body's `action`.
    pub action: Option<String>,
    /// The repository's full name; none where it was erased.
    pub repository: Option<String>,
    /// The source's name.
    pub source: String,
    /// The host.
    pub host: String,
    /// When it was first owed.
    pub created_at: i64,
    /// When it last changed.
    pub changed_at: i64,
    /// The offset of the record that last changed it, in its partition of `deliveries`.
    pub changed_offset: i64,
    /// When its webhook was received.
    pub received_at: i64,
    /// Its partition of `deliveries`.
    pub partition: i64,
}

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterRow {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: DeliveryRow,
    /// When it was given up.
    pub died_at: i64,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttemptRow {
    /// Counted from 1; a redrive counts from 1 again.
    pub number: i64,
    /// When it started.
    pub started_at: i64,
    /// How long it took, in microseconds.
    pub duration_us: i64,
    /// When the name was resolved, in microseconds after the start; none where there was no name, or
    /// an open connection was used.
    pub resolve_us: Option<i64>,
    /// When the connection stood, with TLS; none where an open one was used, or there was none.
    pub connect_us: Option<i64>,
    /// When the answer's status was read; none if there was no answer.
    pub headers_us: Option<i64>,
    /// SHA-256 over the headers that were sent, but for what differs in every attempt.
    pub headers_sha256: Option<String>,
    /// The HTTP status; none if there was no answer.
    pub status: Option<i64>,
    /// The class of the error; none if there was an answer.
    pub error: Option<String>,
    /// What the client said.
    pub detail: Option<String>,
    /// The target, without credentials.
    pub target: String,
    /// The peer's address, once connected.
    pub address: Option<String>,
    /// What came next: `delivered`, `retry`, `dead_lettered` or `paused`.
    pub verdict: String,
    /// The offset in `control` of the configuration that it used.
    pub configuration_offset: i64,
    /// Its record: `deliveries/3@17`.
    pub position: String,
    /// The record of the answer's excerpt, if one was kept. It is read from the log.
    pub answer_position: Option<String>,
    /// The answer's excerpt. The tables hold none: the API fills it in from the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
}

/// One look at a body, recorded before the body was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BodyReadRow {
    /// When.
    pub at: i64,
    /// Who: a token's name.
    pub actor: String,
    /// From which address.
    pub from: String,
    /// The receipt.
    #[schema(value_type = String, format = "uuid")]
    pub receipt: ReceiptId,
    /// GitHub's id of the event.
    pub guid: Option<String>,
    /// GitHub's name of the event.
    pub event: Option<String>,
    /// The body's `action`.
    pub action: Option<String>,
    /// The repository's full name; none where it was erased.
    pub repository: Option<String>,
    /// Its record: `deliveries/3@17`.
    pub position: String,
}

/// One change of a delivery's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransitionRow {
    /// When.
    pub at: i64,
    /// The state from then on.
    pub state: String,
    /// When the next attempt was due from then on.
    pub due_at: Option<i64>,
    /// Why.
    pub reason: Option<String>,
    /// Its record: `deliveries/3@17`.
    pub position: String,
}

/// A delivery with its attempts and transitions, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryDetail {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: DeliveryRow,
    /// Its attempts.
    pub attempts: Vec<AttemptRow>,
    /// Its states.
    pub transitions: Vec<TransitionRow>,
}

/// The whole life of one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Timeline {
    /// GitHub's id of the event.
    pub guid: String,
    /// Its receipts, in the order of their arrival.
    pub receipts: Vec<WebhookRow>,
    /// Their deliveries.
    pub deliveries: Vec<DeliveryDetail>,
    /// Up to where the tables had read the log: what came later is not in this answer.
    pub as_of: Vec<ReadUpTo>,
}

/// What happened to the webhooks of one source in one minute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CountRow {
    /// The minute's beginning.
    pub minute_at: i64,
    /// The source's name.
    pub source: String,
    /// Webhooks received in it.
    pub received: i64,
    /// Deliveries owed in it.
    pub owed: i64,
    /// Deliveries that ended delivered in it.
    pub delivered: i64,
    /// Attempts that failed in it.
    pub failed: i64,
    /// Deliveries given up in it.
    pub dead: i64,
}

/// One change of a subscription, a source or a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeRow {
    /// When.
    pub at: i64,
    /// Who: a token's name.
    pub actor: String,
    /// From which address.
    pub from: String,
    /// The reason that was given.
    pub why: Option<String>,
    /// What was done: `subscription.changed`.
    pub event_type: String,
    /// The event.
    #[schema(value_type = String, format = "uuid")]
    pub event: EventId,
    /// Its offset in `control`.
    pub offset: i64,
    /// `applied`; or `conflict` or `ignored`, when it had no effect.
    pub outcome: String,
    /// The whole new description, where it gave one.
    #[schema(value_type = Option<Object>)]
    pub spec: Option<serde_json::Value>,
}

/// Up to where one partition was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadUpTo {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The next offset to read: everything before it is in the tables.
    pub next: u64,
}
