//! Webhooks as an enterprise's GitHub sends them: which events, how large, of which repositories.
//!
//! The shares, sizes and popularities are those of a study of public captures; field names are
//! GitHub's. Every body is different, so that no receipt looks like a replay of another.

mod body;
mod mix;
mod zipf;

use crate::chance::Chance;
use mix::Kind;
use zipf::Zipf;

/// One webhook, not signed yet.
#[derive(Debug)]
pub(crate) struct Webhook {
    /// `X-GitHub-Event`.
    pub(crate) event: &'static str,
    /// `X-GitHub-Delivery`.
    pub(crate) guid: String,
    /// The body: compact JSON.
    pub(crate) body: Vec<u8>,
}

/// An endless, repeatable stream of webhooks.
pub(crate) struct Traffic {
    seed: u64,
    body_bytes: Option<usize>,
    event: Option<&'static Kind>,
    repositories: Zipf,
    organizations: Zipf,
    senders: Zipf,
    units: Vec<String>,
}

impl Traffic {
    /// Realistic traffic, or, with `body_bytes`, the same with bodies of that size.
    pub(crate) fn new(seed: u64, body_bytes: Option<usize>) -> Self {
        Self {
            seed,
            body_bytes,
            event: None,
            repositories: Zipf::new(70_000, 1.0),
            organizations: Zipf::new(400, 0.8),
            senders: Zipf::new(10_000, 0.7),
            units: body::units(seed),
        }
    }

    /// The same traffic, but of one event only; unknown names are left to the whole mix.
    pub(crate) fn only(mut self, event: &str) -> Self {
        self.event = mix::named(event);
        self
    }

    /// The webhook of step `op`: the same for the same seed.
    pub(crate) fn webhook(&self, op: u64) -> Webhook {
        let mut chance = Chance::at(self.seed, op);
        let guid = uuid::Builder::from_random_bytes(
            ((u128::from(chance.bits()) << 64) | u128::from(chance.bits())).to_be_bytes(),
        );
        let kind = self.event.unwrap_or_else(|| mix::draw(chance.fraction()));
        let names = body::Names {
            repository: self.repositories.rank(chance.fraction()),
            organizations: &self.organizations,
            sender: self.senders.rank(chance.fraction()),
        };
        let size = self
            .body_bytes
            .unwrap_or_else(|| mix::body_bytes(chance.fraction()));
        Webhook {
            event: kind.event,
            guid: guid.into_uuid().to_string(),
            body: body::compose(kind, &names, size, &self.units, &mut chance),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_same_seed_gives_the_same_traffic() {
        let (one, two) = (Traffic::new(5, None), Traffic::new(5, None));
        for op in 0..50 {
            assert_eq!(one.webhook(op).body, two.webhook(op).body);
            assert_eq!(one.webhook(op).guid, two.webhook(op).guid);
        }
        assert_ne!(one.webhook(0).body, Traffic::new(6, None).webhook(0).body);
    }

    #[test]
    fn every_body_is_json_and_no_two_are_alike() {
        let traffic = Traffic::new(1, None);
        let mut seen = HashSet::new();
        for op in 0..2_000 {
            let webhook = traffic.webhook(op);
            let json: serde_json::Value = serde_json::from_slice(&webhook.body).unwrap();
            assert!(json["repository"]["id"].is_u64(), "{json}");
            assert!(json["sender"]["login"].is_string());
            assert!(seen.insert(webhook.body));
        }
    }

    #[test]
    fn a_fixed_size_is_met_to_the_byte() {
        let traffic = Traffic::new(1, Some(12_000));
        for op in 0..200 {
            assert_eq!(traffic.webhook(op).body.len(), 12_000);
        }
    }

    #[test]
    fn sizes_and_popularity_are_those_of_the_study() {
        let traffic = Traffic::new(1, None);
        let webhooks: Vec<_> = (0..10_000).map(|op| traffic.webhook(op)).collect();
        let mut sizes: Vec<_> = webhooks.iter().map(|webhook| webhook.body.len()).collect();
        sizes.sort_unstable();
        let mean = sizes.iter().sum::<usize>() / sizes.len();
        assert!((10_000..13_500).contains(&mean), "mean {mean}");
        assert!((9_500..11_000).contains(&sizes[5_000]), "{}", sizes[5_000]);
        let pushes = webhooks.iter().filter(|webhook| webhook.event == "push");
        assert!((800..1_100).contains(&pushes.count()));
    }
}
