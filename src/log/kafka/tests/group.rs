//! The group of workers, on a real broker.

use super::broker::Topics;
use crate::log::EventLog as _;
use crate::log::conformance::PARTITIONS;
use crate::log::ownership::{Change, Ownership};
use hooklog_schemas::Partition;
use std::collections::BTreeSet;
use std::time::Duration;

/// One member, as a worker that has nothing under way.
struct Member {
    ownership: Box<dyn Ownership>,
    owned: BTreeSet<Partition>,
}

impl Member {
    /// Takes the next change over.
    async fn hear(&mut self) {
        match self.ownership.changed().await {
            Change::Assigned(more) => self.owned.extend(more),
            Change::Revoked(less, _) | Change::Lost(less) => {
                self.owned.retain(|partition| !less.contains(partition));
            }
        }
    }
}

/// Hears until the members own all partitions, and the second one so many or more.
async fn until(first: &mut Member, second: &mut Member, least: usize) {
    let all = usize::try_from(PARTITIONS).unwrap();
    let heard = async {
        while first.owned.len() + second.owned.len() < all || second.owned.len() < least {
            tokio::select! {
                () = first.hear() => {}
                () = second.hear() => {}
            }
            assert!(first.owned.is_disjoint(&second.owned), "both own one");
        }
    };
    let heard = tokio::time::timeout(Duration::from_secs(60), heard).await;
    heard.unwrap_or_else(|_| panic!("{:?} and {:?}", first.owned, second.owned));
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_move_to_who_joins_and_back_from_who_leaves() {
    let topics = Topics::make().await;
    let (here, there) = (topics.open().await, topics.open().await);
    let member = |log: &crate::log::kafka::KafkaLog| Member {
        ownership: log.own().unwrap(),
        owned: BTreeSet::new(),
    };
    let mut first = member(&here);
    while first.owned.len() < 3 {
        first.hear().await;
    }
    let mut second = member(&there);
    until(&mut first, &mut second, 1).await;
    assert!(!first.owned.is_empty(), "some stay where they are");
    second.ownership.leave().await;
    second.owned.clear();
    while first.owned.len() < 3 {
        first.hear().await;
    }
}
