//! What an earlier receipt of an event means for a later one.

use super::marks::Marks;
use super::seen::Seen;
use hooklog_schemas::deliveries::{RepeatKind, Repeats};
use hooklog_schemas::{DeliveryId, Offset, ReceiptId, SubscriptionId};

/// What is known of an earlier receipt of the same event.
pub(in crate::worker) struct Earlier {
    /// What the receipt is of the earlier one.
    pub(in crate::worker) repeats: Repeats,
    /// Where the earlier webhook stands, if the two bodies must be compared.
    pub(in crate::worker) compare: Option<Offset>,
    pub(super) seen: Option<Seen>,
}

impl Earlier {
    /// The delivery that the event already has for this subscription, if any.
    pub(in crate::worker) fn delivery(&self, subscription: SubscriptionId) -> Option<DeliveryId> {
        self.seen.as_ref()?.delivery(subscription)
    }

    /// An event with the same GUID; whether its body is the same may have to be looked up.
    pub(super) fn of(seen: Seen, marks: &Marks) -> Self {
        let same_hook = seen.hook == marks.hook;
        let kind = if same_hook {
            RepeatKind::Redelivery
        } else {
            RepeatKind::OtherHook
        };
        let receipt = seen.receipt;
        let unproven = same_hook && seen.signed != marks.signed;
        Self {
            repeats: Repeats { kind, receipt },
            compare: unproven.then_some(seen.webhook),
            seen: Some(seen),
        }
    }

    /// One of the same capture: nothing is subtracted.
    pub(super) const fn suspect(receipt: ReceiptId) -> Self {
        let kind = RepeatKind::ReplaySuspect;
        Self {
            repeats: Repeats { kind, receipt },
            compare: None,
            seen: None,
        }
    }

    /// Other bytes under the same name are no redelivery: nothing is subtracted.
    pub(in crate::worker) fn conflicts(&mut self) {
        self.repeats.kind = RepeatKind::Conflict;
        self.seen = None;
    }

    /// Whether the earlier receipt is this very one: the same, or handed over to the log twice.
    pub(in crate::worker) fn is(&self, receipt: ReceiptId) -> bool {
        self.repeats.receipt == receipt
    }

    /// Whether the earlier receipt stands at this offset.
    pub(in crate::worker) fn is_at(&self, webhook: Offset) -> bool {
        self.seen
            .as_ref()
            .is_none_or(|seen| seen.webhook == webhook)
    }
}
