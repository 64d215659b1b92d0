//! What every queue in front of the log does, whatever it is made of. Each back end runs all of it:
//! `conformance::suite!(make)`, where `make().await` gives a fresh, empty queue, and something to
//! keep alive beside it.

pub(crate) mod acknowledging;
pub(crate) mod counting;
pub(crate) mod enqueuing;
pub(crate) mod receiving;
#[cfg(any(
    feature = "intake-amqp",
    feature = "intake-eventhubs",
    feature = "intake-sqs"
))]
pub(crate) mod service;
pub(crate) mod setting_aside;

use super::{Intake, Received, Token};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A limit for queues under test that take larger messages than a test should send.
pub(crate) const LIMIT: usize = 1 << 20;

/// Makes a test of every behaviour.
macro_rules! suite {
    ($make:path) => {
        $crate::intake::conformance::suite!($make =>
            enqueuing:
                what_was_enqueued_comes_out_byte_for_byte,
                an_empty_batch_is_no_work,
                a_batch_larger_than_a_queue_s_own_comes_out_whole,
                a_message_at_the_limit_passes,
                a_batch_with_a_message_over_the_limit_is_refused_whole,
                concurrent_producers_lose_nothing,
                what_was_confirmed_outlives_its_producer,
                a_dropped_enqueue_leaves_whole_messages_or_none;
            receiving:
                a_lone_consumer_receives_in_the_order_of_a_queue_that_has_one,
                no_more_is_received_than_was_asked_for,
                an_empty_queue_answers_soon_with_nothing,
                who_waits_gets_what_comes,
                several_consumers_share_the_work,
                what_a_dropped_receive_had_taken_comes_again;
            acknowledging:
                what_is_not_acknowledged_comes_again_when_its_consumer_is_gone,
                what_is_acknowledged_never_comes_again,
                a_part_of_a_batch_may_be_acknowledged_in_any_order,
                a_token_that_is_forgotten_is_no_error,
                what_nobody_acknowledges_does_not_hold_up_the_others;
            setting_aside:
                what_is_set_aside_does_not_come_again,
                what_was_set_aside_comes_back_when_it_is_asked_for,
                to_bring_nothing_back_is_no_work;
            counting:
                the_depth_grows_and_shrinks;
        );
    };
    ($make:path => $($part:ident: $($name:ident),*;)*) => {
        $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let given = $make().await;
            $crate::intake::conformance::$part::$name(given.place()).await;
        })*)*
    };
}
pub(crate) use suite;

type Open = Arc<dyn Fn() -> BoxFuture<'static, Arc<dyn Intake>> + Send + Sync>;

/// A queue under test, and what belongs to it.
pub(crate) struct Given<K> {
    place: Place,
    _kept: K,
}

/// Where a queue under test is.
#[derive(Clone)]
pub(crate) struct Place {
    open: Open,
    comes_again_within: Duration,
    /// False for a queue that promises no order at all.
    keeps_order: bool,
    /// Whether what nobody acknowledged yet comes again when another consumer comes.
    repeats: bool,
}

impl<K> Given<K> {
    /// The queue to which `open` gives another producer and consumer.
    pub(crate) fn new<I, F>(open: impl Fn() -> F + Send + Sync + 'static, kept: K) -> Self
    where
        I: Intake + 'static,
        F: Future<Output = I> + Send + 'static,
    {
        let open = move || -> BoxFuture<'static, Arc<dyn Intake>> {
            let opening = open();
            Box::pin(async move { Arc::new(opening.await) as Arc<dyn Intake> })
        };
        let place = Place {
            open: Arc::new(open),
            comes_again_within: Duration::from_secs(5),
            keeps_order: true,
            repeats: false,
        };
        Self { place, _kept: kept }
    }

    /// After this, what a dropped consumer had has come again: 5 s unless said.
    pub(crate) fn comes_again_within(mut self, time: Duration) -> Self {
        self.place.comes_again_within = time;
        self
    }

    /// It promises no order.
    #[cfg(any(feature = "intake-eventhubs", feature = "intake-sqs"))]
    pub(crate) fn keeps_no_order(mut self) -> Self {
        self.place.keeps_order = false;
        self
    }

    /// It hands its work round whenever a consumer comes or goes.
    #[cfg(feature = "intake-eventhubs")]
    pub(crate) fn repeats_when_consumers_come(mut self) -> Self {
        self.place.repeats = true;
        self
    }

    /// What a test is about.
    pub(crate) fn place(&self) -> Place {
        self.place.clone()
    }
}

impl Place {
    /// Another producer and consumer.
    async fn open(&self) -> Queue {
        Queue((self.open)().await)
    }
}

/// A producer and consumer under test, with what tests ask of it.
#[derive(Clone)]
pub(crate) struct Queue(Arc<dyn Intake>);

impl Deref for Queue {
    type Target = dyn Intake;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

/// Fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(60);

impl Queue {
    async fn put(&self, messages: &[Bytes]) {
        self.enqueue(messages.to_vec()).await.unwrap();
    }

    /// Receives until there are `many` messages, and leaves them unacknowledged.
    async fn take(&self, many: usize) -> Vec<Received> {
        let mut taken = Vec::new();
        let began = Instant::now();
        while taken.len() < many {
            let more = self.receive(many - taken.len()).await.unwrap();
            taken.extend(more);
            assert!(began.elapsed() < PATIENCE, "{} of {many} came", taken.len());
        }
        taken
    }

    /// Receives and acknowledges until all of `expected` came, each at least once.
    async fn drain(&self, expected: &[Bytes]) -> Vec<Bytes> {
        let mut missing: BTreeSet<_> = expected.iter().cloned().collect();
        let mut came = Vec::new();
        let began = Instant::now();
        while !missing.is_empty() {
            let received = self.receive(100).await.unwrap();
            self.acknowledge(tokens(&received)).await.unwrap();
            for one in received {
                assert!(expected.contains(&one.bytes), "{:?} is foreign", one.bytes);
                missing.remove(&one.bytes);
                came.push(one.bytes);
            }
            let left = missing.len();
            assert!(began.elapsed() < PATIENCE, "{left} did not come");
        }
        came
    }

    /// Nothing comes for as long as it takes until something would come again.
    async fn stays_empty(&self, place: &Place) {
        let began = Instant::now();
        while began.elapsed() < place.comes_again_within {
            let received = self.receive(10).await.unwrap();
            assert!(received.is_empty(), "{received:?} came");
        }
    }
}

fn tokens(received: &[Received]) -> Vec<Token> {
    received.iter().map(|one| one.token.clone()).collect()
}

/// `many` messages that differ.
fn messages(many: usize) -> Vec<Bytes> {
    (0..many)
        .map(|n| Bytes::from(format!("message {n:05}")))
        .collect()
}

fn sorted(mut messages: Vec<Bytes>) -> Vec<Bytes> {
    messages.sort_unstable();
    messages
}
