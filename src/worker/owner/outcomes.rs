//! Takes outcomes of attempts in, and gives their slots back once they are recorded.

use super::{Batch, News, OUTCOMES_MAX, Owner};
use crate::deliver::outcome;
use crate::deliver::target::Target;
use crate::worker::attempt::Finished;
use crate::worker::batch::Term;
use crate::worker::lines;
use crate::worker::schedule::{Ended, Entry, Slot};
use hooklog_projections::delivery::State;
use hooklog_schemas::deliveries::{Attempted, CommandApplied, Outcome, Verdict};
use hooklog_schemas::{DeliveryId, EventId, Partition, SubscriptionId};
use std::sync::Arc;
use std::time::Duration;

/// An outcome that stands in the batch: what is left to do once it is recorded.
pub(super) struct Done {
    partition: Partition,
    delivery: DeliveryId,
    subscription: SubscriptionId,
    slot: Slot,
    ended: Ended,
    took: Duration,
    target: Arc<Target>,
}

impl Owner {
    /// Adds what has come in: one append takes it all.
    pub(super) fn gather_news(&mut self, batch: &mut Batch) -> Vec<Done> {
        let mut all = std::mem::take(&mut self.early);
        while all.len() < OUTCOMES_MAX
            && let Ok(news) = self.news.try_recv()
        {
            all.push(news);
        }
        let mut done = Vec::with_capacity(all.len());
        for news in all {
            let finished = match news {
                News::Finished(finished) => finished,
                News::Erased(term, command, count) => {
                    self.erased_here(term, command, count, batch);
                    continue;
                }
                News::Unrouted(partition, unrouted) => {
                    self.show_unrouted(partition, unrouted);
                    continue;
                }
                News::Prepared(course) => {
                    self.prepared(course);
                    continue;
                }
                News::Planned(term, replay, planned) => {
                    self.planned(term, replay, planned);
                    continue;
                }
                News::Destinations(found) => {
                    self.know_destinations(found);
                    continue;
                }
            };
            self.count(&finished);
            done.push(Done::new(&finished));
            let term = finished.term;
            batch.add(term, finished.attempted);
            let answered = finished
                .answered
                .filter(|a| !self.erased.contains(&a.receipt));
            if let Some(answered) = answered {
                batch.add(term, answered);
            }
        }
        done
    }

    /// Records that an erasure is done, unless the partition went to another owner meanwhile, who
    /// erases again.
    fn erased_here(&self, term: Term, command: EventId, count: u64, batch: &mut Batch) {
        let owned = self.owned.get(&term.partition);
        if owned.is_some_and(|owned| owned.term() == term) {
            let at = self.parts.clock.now();
            let applied = CommandApplied {
                command,
                count,
                left: 0,
                at,
            };
            batch.add(term, applied);
        }
    }

    /// Gives the slots of recorded attempts back.
    pub(super) fn release(&mut self, all: Vec<Done>) {
        let now = self.parts.clock.now();
        for done in all {
            self.in_flight.remove(&done.delivery);
            let policy = &done.target.subscription().spec.policy;
            self.schedule
                .finish(done.slot, done.ended, done.took, now, policy);
            let owned = self.owned.get(&done.partition);
            let delivery = owned.and_then(|owned| owned.fold.deliveries.get(&done.delivery));
            if let Some(State::Open { due }) = delivery.map(|delivery| delivery.state) {
                let Done {
                    partition,
                    delivery,
                    ..
                } = done;
                self.schedule.push(
                    done.slot.queue,
                    Entry {
                        due,
                        partition,
                        delivery,
                        replay: done.slot.replay,
                    },
                );
            }
            if let Ended::Gone(version) = done.ended {
                self.pause(done.subscription, version);
            }
        }
    }

    fn count(&self, finished: &Finished) {
        let metrics = &self.parts.metrics;
        let attempted = &finished.attempted;
        metrics.attempt.observe(seconds(attempted));
        match attempted.verdict {
            Verdict::Delivered => _ = metrics.delivered.inc(),
            Verdict::Retry { .. } => _ = metrics.retried.inc(),
            Verdict::DeadLettered { .. } => _ = metrics.dead_lettered.inc(),
            Verdict::Paused => {}
        }
        if attempted.verdict != Verdict::Delivered {
            metrics.failed.inc();
        }
        lines::attempted(finished);
    }

    pub(super) fn show_in_flight(&self) {
        let in_flight = i64::try_from(self.schedule.in_flight()).unwrap_or(i64::MAX);
        self.parts.metrics.in_flight.set(in_flight);
    }
}

impl Done {
    fn new(finished: &Finished) -> Self {
        let attempted = &finished.attempted;
        let ended = match (&attempted.verdict, &attempted.outcome) {
            (Verdict::Paused, _) => Ended::Gone(finished.target.subscription().version),
            (_, Outcome::Status(_) | Outcome::Error { .. })
                if outcome::is_trouble(&attempted.outcome) =>
            {
                Ended::Trouble
            }
            _ => Ended::Alive,
        };
        Self {
            partition: finished.term.partition,
            delivery: attempted.delivery,
            subscription: attempted.subscription,
            slot: finished.slot,
            ended,
            took: Duration::from_micros(attempted.duration_us),
            target: Arc::clone(&finished.target),
        }
    }
}

fn seconds(attempted: &Attempted) -> f64 {
    Duration::from_micros(attempted.duration_us).as_secs_f64()
}
