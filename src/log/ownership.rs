//! Who decides for a partition: one owner at a time.

use async_trait::async_trait;
use hooklog_schemas::Partition;
use std::convert::Infallible;
use std::future::pending;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Tells one worker which partitions it owns.
///
/// # Rules for implementers
/// - As long as all workers hear in time, no partition is assigned to two of them.
/// - A worker that does not hear in time, because it was paused or cut off, may believe for a while
///   that it owns what another one has. Epochs in the log settle what counts then; nothing here has
///   to prevent it.
/// - Whoever drops an ownership owns nothing any more, and others may be told so.
#[async_trait]
pub trait Ownership: Send + Sync {
    /// The next change. A future that is dropped loses none.
    async fn changed(&mut self) -> Change;

    /// Whether somebody settles who owns what. Then a worker that finds its partition taken over
    /// may acquire it again if it is still assigned: the other one is late, and will be told. If
    /// not, the later worker has it, and the earlier one must stop.
    fn is_settled(&self) -> bool;

    /// Leaves, so that others get the partitions now and not when this worker is missed.
    async fn leave(&mut self) {}
}

/// What a worker is told about partitions.
#[derive(Debug)]
pub enum Change {
    /// It owns these, too. May be none, which says that all belong to others.
    Assigned(Vec<Partition>),
    /// It is to finish these. They go to another worker when the handover is dropped, or soon
    /// anyhow.
    Revoked(Vec<Partition>, Handover),
    /// These are another worker's already.
    Lost(Vec<Partition>),
}

/// Held by a worker while it finishes what it has under way in revoked partitions.
#[derive(Debug)]
pub struct Handover {
    _open: Sender<Infallible>,
}

/// The other side of a [`Handover`].
#[derive(Debug)]
pub struct HandedOver(Receiver<Infallible>);

impl Handover {
    /// A handover, and what waits for it.
    #[must_use]
    pub fn new() -> (Self, HandedOver) {
        let (open, done) = channel();
        (Self { _open: open }, HandedOver(done))
    }
}

impl HandedOver {
    /// Blocks until the worker has finished, or for `at_most`; tells whether it has.
    #[must_use]
    pub fn wait(&self, at_most: Duration) -> bool {
        matches!(
            self.0.recv_timeout(at_most),
            Err(RecvTimeoutError::Disconnected)
        )
    }
}

/// Every partition belongs to the only worker of a log.
pub(super) struct Sole {
    all: Option<Vec<Partition>>,
}

impl Sole {
    pub(super) fn new(partitions: u32) -> Self {
        Self {
            all: Some((0..partitions).map(Partition).collect()),
        }
    }
}

#[async_trait]
impl Ownership for Sole {
    async fn changed(&mut self) -> Change {
        match self.all.take() {
            Some(all) => Change::Assigned(all),
            None => pending().await,
        }
    }

    fn is_settled(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_handover_ends_when_it_is_dropped_and_at_the_latest_when_time_is_up() {
        let (held, handed_over) = Handover::new();
        assert!(!handed_over.wait(Duration::from_millis(10)));
        let finishing = thread::spawn(move || drop(held));
        assert!(handed_over.wait(Duration::from_secs(20)));
        finishing.join().unwrap();
    }

    #[tokio::test]
    async fn the_only_worker_is_told_once_that_it_owns_everything() {
        let mut sole = Sole::new(3);
        let Change::Assigned(all) = sole.changed().await else {
            panic!("nothing was assigned");
        };
        assert_eq!(all, [Partition(0), Partition(1), Partition(2)]);
        let more = tokio::time::timeout(Duration::from_millis(10), sole.changed());
        assert!(more.await.is_err());
    }
}
