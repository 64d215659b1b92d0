//! What is carried into the log at once.

use crate::clock;
use crate::intake::{Body, Message, Received};
use bytes::Bytes;
use hooklog_schemas::{Append, Timestamp};

/// A message with its body.
pub(super) struct Item {
    message: Message,
    body: Bytes,
    pub(super) received: Received,
}

/// What became of an append.
pub(super) enum Landed {
    /// All are in the log.
    All,
    /// The log takes none of them, because of one.
    OneIsTooLarge,
    /// The mover was told to stop while the log was away.
    Stopped,
}

impl Item {
    pub(super) fn new(message: Message, body: Bytes, received: Received) -> Self {
        Self {
            message,
            body,
            received,
        }
    }

    /// Under a fresh key: no two records share one, also those of one message.
    pub(super) fn append(&self, now: Timestamp) -> Append {
        self.message
            .clone()
            .into_append(self.body.clone(), clock::key(), now)
    }

    pub(super) fn enqueued_at(&self) -> Timestamp {
        self.message.enqueued_at
    }

    /// Where its body lies, if it is not in the message.
    pub(super) fn object(&self) -> Option<String> {
        match &self.message.body {
            Body::Inline(_) => None,
            Body::Claim(claim) => Some(claim.object.clone()),
        }
    }
}
