//! The events of the `control` topic: configuration, commands and evidence, all in JSON.
//!
//! Every change says who, when, from where, and why if given ([`By`]). A change names the last
//! event that its writer had seen of the object: of two that race, the fold decides, and the
//! loser is told.

mod spec;
pub use spec::{Filter, Policy, SealedSecret, Signing, SourceSpec, SubscriptionSpec};

use crate::{
    DeliveryId, EventId, Offset, Point, ReceiptId, SourceId, SubscriptionId, Timestamp, TokenId,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Names a configuration: the last event that changed a source, subscription, secret or token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct ConfigurationVersion {
    /// Its offset in `control`.
    pub offset: Offset,
    /// Its id.
    pub event: EventId,
}

impl ConfigurationVersion {
    /// What decisions name before there is any configuration: the start of the log.
    pub const START: Self = Self {
        offset: Offset(0),
        event: EventId(uuid::Uuid::nil()),
    };
}

/// Who did something, when, from where, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct By {
    /// A token's name, or `hooklog` for what the program does on its own.
    pub actor: String,
    /// The client's address, or `local`.
    pub from: String,
    /// When.
    pub at: Timestamp,
    /// The reason that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

macro_rules! event {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    };
}

mod replay;
pub use replay::{
    ReplayCancelled, ReplayFilter, ReplayMode, ReplayPaused, ReplayRange, ReplayRequested,
    ReplayResumed, ReplaySpec,
};

event!(
    /// `log.created`: the first event. It fixes what can never change.
    LogCreated {
        /// Names the log; checkpoints and snapshots of another log are refused.
        log_id: EventId,
        /// Partitions of `webhooks` and of `deliveries`.
        partitions: u32,
        /// The id of the key that seals secrets from the start: every process must have it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// When.
        at: Timestamp,
    }
);
event!(
    /// `log.filler`: holds the place of a record that a copy did not find any more, so that the
    /// records behind it keep their offsets. It may stand in every topic, and folds into nothing.
    LogFiller {
        /// When the copy was made.
        at: Timestamp,
    }
);
event!(
    /// `process.started`: which build, with which configuration.
    ProcessStarted {
        /// `all`, or the roles it plays.
        role: String,
        /// The release.
        build: String,
        /// The highest format that it can read.
        format: u32,
        /// The name of its machine, if that has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        /// The effective configuration, secrets masked.
        configuration: BTreeMap<String, String>,
        /// When.
        at: Timestamp,
    }
);

event!(
    /// `format.raised`: writers may use events of this format from here on. A release that does not
    /// read it stops here; until it stands in the log, every earlier release can come back.
    FormatRaised {
        /// The format in force from here on.
        format: u32,
        /// By whom.
        by: By,
    }
);

event!(
    /// `source.created`.
    SourceCreated {
        /// Its id.
        id: SourceId,
        /// What it is.
        spec: SourceSpec,
        /// Its first secret.
        secret: SealedSecret,
        /// By whom.
        by: By,
    }
);
event!(
    /// `source.changed`: the whole new description.
    SourceChanged {
        /// Its id.
        id: SourceId,
        /// The last event of this source that the writer had seen.
        expected: EventId,
        /// What it is from now on.
        spec: SourceSpec,
        /// By whom.
        by: By,
    }
);
event!(
    /// `source.paused`: it answers 503 until resumed.
    SourcePaused {
        /// Its id.
        id: SourceId,
        /// The last event of this source that the writer had seen.
        expected: EventId,
        /// By whom.
        by: By,
    }
);
event!(
    /// `source.resumed`.
    SourceResumed {
        /// Its id.
        id: SourceId,
        /// The last event of this source that the writer had seen.
        expected: EventId,
        /// By whom.
        by: By,
    }
);
event!(
    /// `source.deleted`: it answers 404. Its secrets stay, so that old signatures can be verified.
    SourceDeleted {
        /// Its id.
        id: SourceId,
        /// The last event of this source that the writer had seen.
        expected: EventId,
        /// By whom.
        by: By,
    }
);

event!(
    /// `subscription.created`.
    SubscriptionCreated {
        /// Its id.
        id: SubscriptionId,
        /// What it is.
        spec: SubscriptionSpec,
        /// What signs its deliveries; none if it does not sign.
        secret: Option<SealedSecret>,
        /// By whom.
        by: By,
    }
);
event!(
    /// `subscription.changed`: the whole new description.
    SubscriptionChanged {
        /// Its id.
        id: SubscriptionId,
        /// The last event of this subscription that the writer had seen.
        expected: EventId,
        /// What it is from now on.
        spec: SubscriptionSpec,
        /// By whom.
        by: By,
    }
);
event!(
    /// `subscription.paused`: its deliveries wait.
    SubscriptionPaused {
        /// Its id.
        id: SubscriptionId,
        /// The last event of this subscription that the writer had seen.
        expected: EventId,
        /// By whom.
        by: By,
    }
);
event!(
    /// `subscription.resumed`.
    SubscriptionResumed {
        /// Its id.
        id: SubscriptionId,
        /// The last event of this subscription that the writer had seen.
        expected: EventId,
        /// By whom.
        by: By,
    }
);
event!(
    /// `subscription.deleted`: its open deliveries are cancelled.
    SubscriptionDeleted {
        /// Its id.
        id: SubscriptionId,
        /// The last event of this subscription that the writer had seen.
        expected: EventId,
        /// By whom.
        by: By,
    }
);

/// Whose secret it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SecretOwner {
    /// A source's: it verifies.
    Source(SourceId),
    /// A subscription's: it signs.
    Subscription(SubscriptionId),
}

event!(
    /// `secret.rotated`: a new secret; the old ones stay valid until `old_valid_until`.
    ///
    /// Of a source every secret of the overlap verifies. Of a subscription every secret of the
    /// overlap signs (Standard Webhooks), or the newest alone (GitHub mode).
    SecretRotated {
        /// Whose.
        owner: SecretOwner,
        /// The last event of the owner that the writer had seen.
        expected: EventId,
        /// The new secret.
        secret: SealedSecret,
        /// When the older secrets retire.
        old_valid_until: Timestamp,
        /// By whom.
        by: By,
    }
);

/// What a token may do. Each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks.
    Read,
    /// Also changes subscriptions, redrives, cancels, pauses; reads bodies.
    Operate,
    /// Also changes sources and tokens, and erases.
    Admin,
}

/// Whether a token names a person or a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// A person.
    Person,
    /// A program.
    Service,
}

event!(
    /// `token.created`.
    TokenCreated {
        /// Its id.
        id: TokenId,
        /// The name of the person or service.
        name: String,
        /// Which of the two.
        holder: Holder,
        /// What it may do.
        role: Role,
        /// SHA-256 of the token, in hex. The token has 256 random bits, so no salt is needed.
        sha256: String,
        /// By whom.
        by: By,
    }
);
event!(
    /// `token.revoked`.
    TokenRevoked {
        /// Its id.
        id: TokenId,
        /// By whom.
        by: By,
    }
);

/// What a command of an operator is about. All given clauses must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    /// These deliveries, at most 1,000.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deliveries: Vec<DeliveryId>,
    /// Those of this subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionId>,
    /// Those received at or after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Those received before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Everything; must be said when nothing else is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
}

event!(
    /// `deliveries.paused`: no attempt starts, of one subscription's source or of all.
    DeliveriesPaused {
        /// By whom.
        by: By,
    }
);
event!(
    /// `deliveries.resumed`.
    DeliveriesResumed {
        /// By whom.
        by: By,
    }
);
event!(
    /// `cancel.requested`: open deliveries in scope are to be cancelled.
    CancelRequested {
        /// Which.
        scope: Scope,
        /// By whom.
        by: By,
    }
);
event!(
    /// `redrive.requested`: dead deliveries in scope are to be tried again.
    RedriveRequested {
        /// Which.
        scope: Scope,
        /// By whom.
        by: By,
    }
);
event!(
    /// `erasure.requested`: the bodies of these receipts go. It lives for ever.
    ErasureRequested {
        /// The receipts.
        receipts: Vec<ErasedReceipt>,
        /// A repository whose name is blanked in tables.
        repository_id: Option<i64>,
        /// A sender whose id is blanked in tables.
        sender_id: Option<i64>,
        /// By whom; the reason must be given.
        by: By,
    }
);

/// A receipt to erase, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct ErasedReceipt {
    /// The receipt.
    pub receipt: ReceiptId,
    /// Its partition of `webhooks`.
    pub partition: u32,
    /// Its offset there.
    pub offset: Offset,
}

event!(
    /// `bookmark.created`: a point has a name from here on.
    BookmarkCreated {
        /// The name, which no other bookmark has now.
        name: String,
        /// The point.
        point: Point,
        /// By whom.
        by: By,
    }
);
event!(
    /// `bookmark.deleted`: the name is free again. The point stays in `bookmark.created`.
    BookmarkDeleted {
        /// The name.
        name: String,
        /// By whom.
        by: By,
    }
);

event!(
    /// `webhooks.rejected`: at most one a minute per source and reason.
    WebhooksRejected {
        /// The source's name; `unknown` for all names that are no source.
        source: String,
        /// The reason: `signature`, `organization`, `address`, …
        reason: String,
        /// How many.
        count: u64,
        /// The GUIDs that they claimed, up to a bound. Nothing about them is verified.
        claimed_guids: Vec<String>,
        /// The first of them.
        from: Timestamp,
        /// The last of them.
        to: Timestamp,
    }
);
