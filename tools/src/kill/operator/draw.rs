//! What chance decides about an order.

use crate::chance::Chance;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// A sort of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Pause,
    Resume,
    Cancel,
    Redrive,
    Replay,
    Create,
    Delete,
    RotateSource,
    RotateSubscription,
    Erase,
}

/// How often each is drawn, of a hundred. A source may have ten valid secrets, and each stays valid
/// for twenty seconds, so its secret is rotated seldom.
const SHARES: [(Order, u64); 10] = [
    (Order::Pause, 14),
    (Order::Resume, 20),
    (Order::Cancel, 16),
    (Order::Redrive, 12),
    (Order::Replay, 4),
    (Order::Create, 8),
    (Order::Delete, 8),
    (Order::RotateSource, 4),
    (Order::RotateSubscription, 5),
    (Order::Erase, 9),
];

impl Order {
    /// The next one.
    pub(super) fn draw(chance: &mut Chance) -> Self {
        let mut left = chance.below(SHARES.iter().map(|(_, share)| share).sum());
        for (order, share) in SHARES {
            match left.checked_sub(share) {
                Some(rest) => left = rest,
                None => return order,
            }
        }
        Self::Resume
    }
}

/// A secret in the form of Standard Webhooks, of 24 bytes.
pub(in crate::kill) fn secret(chance: &mut Chance) -> String {
    let bytes: Vec<u8> = (0..3).flat_map(|_| chance.bits().to_be_bytes()).collect();
    format!("whsec_{}", BASE64.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sort_of_order_is_drawn() {
        let mut chance = Chance::at(3, 0);
        let drawn: Vec<_> = (0..1_000).map(|_| Order::draw(&mut chance)).collect();
        for (order, _) in SHARES {
            assert!(drawn.contains(&order), "{order:?}");
        }
    }
}
