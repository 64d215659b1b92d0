//! Identities. All are 16 bytes, and print as UUIDs.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

id!(
    /// Names an event. It is stable over retries of its append: the first record with an id counts.
    EventId
);
id!(
    /// The key of a record, drawn anew for every append. Only a tombstone repeats one.
    Key
);
id!(
    /// One arrival of a webhook here (UUIDv7, so that receipts sort by time).
    ReceiptId
);
id!(
    /// One receipt owed to one subscription for one cause; derived, see [`DeliveryId::derive`].
    DeliveryId
);
id!(
    /// A replay. As text it is the cause of its deliveries.
    ReplayId
);
id!(
    /// A source of webhooks.
    SourceId
);
id!(
    /// A subscription; a name that is used again gets a new id.
    SubscriptionId
);
id!(
    /// One secret of a source or a subscription; retired secrets keep theirs.
    SecretId
);
id!(
    /// An API token.
    TokenId
);

impl DeliveryId {
    /// The id of the delivery of `receipt` to `subscription` for `cause`.
    ///
    /// It is the first 16 bytes of SHA-256 over the three, as a UUIDv8 (RFC 9562 §5.8), so that two
    /// workers that plan the same delivery name it alike. `cause` is `live` or a replay's id.
    #[must_use]
    pub fn derive(receipt: ReceiptId, subscription: SubscriptionId, cause: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(receipt.0.as_bytes());
        hash.update(subscription.0.as_bytes());
        hash.update(cause.as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(Uuid::new_v8(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_named_by_receipt_subscription_and_cause() {
        let receipt = ReceiptId(Uuid::from_u128(1));
        let subscription = SubscriptionId(Uuid::from_u128(2));
        let live = DeliveryId::derive(receipt, subscription, "live");
        assert_eq!(live, DeliveryId::derive(receipt, subscription, "live"));
        assert_ne!(live, DeliveryId::derive(receipt, subscription, "replay-1"));
        assert_eq!(live.0.get_version_num(), 8);
    }
}
