//! The events of the `deliveries` topic: decisions, attempts and evidence, all in JSON.

mod replay;
pub use replay::{Passed, ReplayFinished, ReplayProgressed, ReplayStarted};

use crate::control::ConfigurationVersion;
use crate::{DeliveryId, EventId, Offset, ReceiptId, SourceId, SubscriptionId, Timestamp};
use serde::{Deserialize, Serialize};

/// The cause of a delivery that nobody asked for: the webhook itself.
pub const LIVE: &str = "live";

/// `webhook.routed`: the one effective decision about one receipt, also when nothing matched.
///
/// A replay decides about a receipt once more: then `cause` is its id, `configuration` is the one
/// that it routed by, and an `error` says why the receipt was left out. It carries what tables need for ever, so that they never read `webhooks`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Routed {
    /// The receipt.
    pub receipt: ReceiptId,
    /// Its offset in the `webhooks` partition of the same number.
    pub webhook: Offset,
    /// `live`, or a replay's id.
    pub cause: String,
    /// When it was decided.
    pub at: Timestamp,
    /// When the webhook was received.
    pub received_at: Timestamp,
    /// The source.
    pub source: SourceId,
    /// Its name at the time.
    pub source_name: String,
    /// What is kept of the webhook for ever.
    pub summary: Summary,
    /// The configuration that decided.
    pub configuration: ConfigurationVersion,
    /// The version of the matcher that decided.
    pub matcher: u32,
    /// Every subscription that matched, with what became of the match.
    pub matches: Vec<Match>,
    /// What this receipt is of an earlier one, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Repeats>,
    /// Why routing failed; nothing is owed then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What tables keep of a webhook: no body, and of names only the repository's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Summary {
    /// `X-GitHub-Delivery`.
    pub guid: String,
    /// `X-GitHub-Event`.
    pub event: String,
    /// The body's `action`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The host.
    pub host: String,
    /// `X-GitHub-Hook-ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook_id: Option<String>,
    /// The ref.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_ref: Option<String>,
    /// The repository's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository_id: Option<i64>,
    /// The repository's full name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The organisation's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<i64>,
    /// The sender's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_id: Option<i64>,
    /// When it happened, as GitHub's body tells; none where that tells none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_at: Option<Timestamp>,
    /// When its record was appended to `webhooks`: none in decisions that did not tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appended_at: Option<Timestamp>,
    /// Bytes of the body as sent.
    pub body_bytes: u64,
    /// The body is not the JSON object that GitHub sends.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unparsed: bool,
}

/// What a receipt is of an earlier one in the same partition with the same GUID, or with the same
/// signature. Webhooks of another repository may be in another partition, and are not compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Repeats {
    /// How it repeats it.
    pub kind: RepeatKind,
    /// The earlier receipt.
    pub receipt: ReceiptId,
}

/// How a receipt repeats an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RepeatKind {
    /// The same GUID, hook and body: GitHub sent the event again. Or the same receipt, handed over to
    /// the log twice: it owes nothing anew.
    Redelivery,
    /// The same GUID through another hook.
    OtherHook,
    /// The same GUID and hook with another body.
    Conflict,
    /// Another GUID with the same signature, so the same body: perhaps a replayed capture.
    ReplaySuspect,
}

/// One subscription that matched, as it was at that time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Match {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// Its name.
    pub name: String,
    /// Its team.
    pub team: String,
    /// Its destination, without credentials.
    pub destination: String,
    /// The event of `control` that set the destination, where a replay delivers to one that the
    /// subscription had earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_by: Option<Offset>,
    /// The delivery that this match is about.
    pub delivery: DeliveryId,
    /// What became of the match.
    pub outcome: MatchOutcome,
}

/// What the owner made of a match before it appended the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MatchOutcome {
    /// A new delivery is owed, due at once.
    Owed,
    /// Subtracted: an earlier delivery of this event is still open.
    AlreadyOpen,
    /// Subtracted: an earlier delivery of this event was delivered.
    AlreadyDelivered,
    /// An earlier delivery of this event was dead-lettered, and is requeued instead.
    RequeuedDeadLetter,
    /// Left out of a replay: the subscription is deleted, so nobody gets what it wanted.
    SubscriptionDeleted,
}

/// `delivery.attempted`: one try, its outcome, and what comes next.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Attempted {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its receipt.
    pub receipt: ReceiptId,
    /// Its subscription.
    pub subscription: SubscriptionId,
    /// Counted from 1; a redrive counts from 1 again.
    pub number: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// How long it took in all, in microseconds.
    pub duration_us: u64,
    /// When the target's name was resolved, in microseconds after the start; none where there was no
    /// name, or an open connection was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolve_us: Option<u64>,
    /// When the connection stood, with TLS, in microseconds after the start; none where an open one
    /// was used, or there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_us: Option<u64>,
    /// When the answer's status was read, in microseconds after the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers_us: Option<u64>,
    /// SHA-256 in hex over the headers that were sent: in the order of their names, each as
    /// `name:value` and a line feed. Of `webhook-timestamp` and `webhook-signature`, which differ in
    /// every attempt, only the names count. None where nothing could be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers_sha256: Option<String>,
    /// The target, without credentials.
    pub target: String,
    /// The peer's address, once connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What happened.
    pub outcome: Outcome,
    /// What comes next.
    pub verdict: Verdict,
    /// The configuration that the attempt used.
    pub configuration: ConfigurationVersion,
}

/// What happened in an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The subscriber answered with this HTTP status.
    Status(u16),
    /// There was no answer.
    Error {
        /// The class of the error.
        class: ErrorClass,
        /// What the client said, at most 300 characters.
        detail: String,
    },
}

/// Classes of attempts without an answer. New ones need a new version of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The name has no address, or the resolver failed.
    Resolve,
    /// The egress rules refuse the target.
    Refused,
    /// No connection.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The deadline passed.
    Timeout,
    /// The connection broke, or the answer is not HTTP.
    Protocol,
    /// The body was erased before it was delivered.
    Erased,
    /// hooklog itself failed; the detail says how.
    Internal,
}

impl ErrorClass {
    /// The class's name, as in the log, in tables and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Refused => "refused",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Erased => "erased",
            Self::Internal => "internal",
        }
    }
}

/// What comes after an attempt. The due time stands here, so a restart needs no arithmetic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Done.
    Delivered,
    /// Another attempt is due.
    Retry {
        /// At this time.
        at: Timestamp,
    },
    /// Given up.
    DeadLettered {
        /// Because of this.
        reason: DeadReason,
    },
    /// The subscription is paused by this answer (410); the delivery waits.
    Paused,
}

/// Why a delivery was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeadReason {
    /// The policy's attempts are used up.
    AttemptsExhausted,
    /// The body was erased.
    BodyErased,
    /// The target can never be reached: its address is not one, the rules forbid it, or what a replay
    /// delivers elsewhere was answered with 410 Gone.
    Undeliverable,
}

impl DeadReason {
    /// The reason's name, as in the log and in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AttemptsExhausted => "attempts_exhausted",
            Self::BodyErased => "body_erased",
            Self::Undeliverable => "undeliverable",
        }
    }
}

/// `delivery.answered`: what the subscriber said. It may quote the body, so it can be erased.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Answered {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its receipt: an erasure of the receipt erases this too.
    pub receipt: ReceiptId,
    /// The attempt's number.
    pub number: u32,
    /// When that attempt started.
    pub started_at: Timestamp,
    /// The answer's first bytes, as text; what is not UTF-8 is replaced.
    pub excerpt: String,
    /// The answer was longer.
    pub truncated: bool,
}

/// `delivery.requeued`: a dead delivery is owed again, from attempt 1, due at once.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Requeued {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its receipt.
    pub receipt: ReceiptId,
    /// Its subscription.
    pub subscription: SubscriptionId,
    /// The command, or the redelivery's receipt, that asked for it.
    pub because: Because,
    /// When it was decided; it is due from then on.
    pub at: Timestamp,
}

/// `delivery.cancelled`: owed no more.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Cancelled {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its receipt.
    pub receipt: ReceiptId,
    /// Its subscription.
    pub subscription: SubscriptionId,
    /// Why.
    pub because: Because,
    /// When it was decided.
    pub at: Timestamp,
}

/// What led to a decision about a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// An operator's command in `control`.
    Command(EventId),
    /// Another receipt of the same event.
    Redelivery(ReceiptId),
    /// The subscription was deleted by this event in `control`.
    SubscriptionDeleted(EventId),
}

/// `partition.acquired`: a new owner. Its offset is the epoch of all that the owner writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Acquired {
    /// The `process.started` event of the owner.
    pub process: EventId,
    /// When.
    pub at: Timestamp,
}

/// `command.applied`: an operator's command took effect in this partition.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct CommandApplied {
    /// The command in `control`.
    pub command: EventId,
    /// How many deliveries or records it changed here.
    pub count: u64,
    /// How many dead letters it left alone here, because their subscriptions are deleted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left: u64,
    /// When.
    pub at: Timestamp,
}

/// `body.read`: evidence of who looked at a payload.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct BodyRead {
    /// The receipt.
    pub receipt: ReceiptId,
    /// Who: the token's name.
    pub actor: String,
    /// From which address.
    pub from: String,
    /// When.
    pub at: Timestamp,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}
