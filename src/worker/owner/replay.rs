//! Delivers history again: decides, at the replay's pace, about what was planned beside the loop.

use super::{Batch, News, Owned, Owner};
use crate::deliver::Again;
use crate::replay::{self, Course, Destinations, Fate, Place, Planned, ReplayError, Scan};
use crate::worker::batch::Term;
use crate::worker::fold::Aim;
use crate::worker::replays::{Part, range};
use crate::worker::schedule::{Entry, Queue};
use hooklog_projections::configuration::{Configuration, Replay};
use hooklog_projections::delivery::State;
use hooklog_schemas::control::ReplayMode;
use hooklog_schemas::deliveries::{
    LIVE, Match, MatchOutcome, Passed, ReplayFinished, ReplayProgressed, ReplayStarted, Routed,
};
use hooklog_schemas::{
    DeliveryId, Offset, Partition, ReceiptId, ReplayId, SubscriptionId, Timestamp,
};
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// The pause before history is read again that could not be read.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Owner {
    /// Adds the next decisions of all replays, and how far they are.
    pub(super) fn gather_replays(&mut self, batch: &mut Batch) {
        if self.running.is_empty() {
            return;
        }
        let now = self.parts.clock.now();
        let acting: Vec<Partition> = self.acting().map(|owned| owned.partition).collect();
        for replay in self.running.clone() {
            for partition in &acting {
                self.go_on(&replay, *partition, now, batch);
            }
        }
    }

    /// Takes a replay one step further in one partition.
    fn go_on(
        &mut self,
        replay: &Arc<Replay>,
        partition: Partition,
        now: Timestamp,
        batch: &mut Batch,
    ) {
        let Some(owned) = self.owned.get_mut(&partition) else {
            return;
        };
        if !owned.may_go_on(replay) {
            return;
        }
        let term = owned.term();
        let Some(replayed) = owned.fold.replays.get(replay.id) else {
            batch.add(term, started(replay, partition, now));
            return;
        };
        let Some(course) = self.courses.get(&replay.id).cloned() else {
            self.prepare(Arc::clone(replay));
            return;
        };
        let Some(course) = course else {
            return;
        };
        let begin = || Part::begin(replay, partition, Some(replayed), now);
        let part = owned.parts.entry(replay.id).or_insert_with(begin);
        // What was decided in earlier turns is folded by now.
        if part.is_done() {
            batch.add(term, finished(replay, part, now));
            owned.parts.remove(&replay.id);
            return;
        }
        if let Some((next, passed)) = part.note(now) {
            batch.add(term, progressed(replay, next, passed, now));
        }
        let wanted = part.begin_plan();
        let fold = &owned.fold;
        let configuration = &self.configuration;
        part.take(now, |planned, passed| {
            if replayed.is_decided(planned.webhook) {
                return 0;
            }
            match planned.fate {
                Fate::Passed(passing) => {
                    passing.count(passed);
                    0
                }
                Fate::Decided(mut decision) => {
                    replay::settle(&course, configuration, partition, now, &mut decision);
                    let owed = owed(&decision);
                    batch.add(term, *decision);
                    owed
                }
            }
        });
        if let Some(webhooks) = wanted {
            let scan = scan(fold, webhooks.start);
            self.plan(course, term, webhooks, scan);
        }
    }

    /// Reads what a replay routes by, beside the loop.
    fn prepare(&mut self, replay: Arc<Replay>) {
        self.courses.insert(replay.id, None);
        let log = Arc::clone(&self.parts.log);
        let tell = self.tell.clone();
        tokio::spawn(async move {
            let prepare = || replay::prepare(log.as_ref(), Arc::clone(&replay));
            let course = until_read(&replay.id.to_string(), prepare).await;
            // An error says that the owner has stopped: the next one reads it again.
            let _ = tell.send(News::Prepared(course));
        });
    }

    /// Plans what comes next in a partition, beside the loop.
    fn plan(&self, course: Arc<Course>, term: Term, webhooks: Range<Offset>, scan: Option<Scan>) {
        let Term { partition, .. } = term;
        let gone = self.owned.get(&partition).map(|owned| owned.gone.clone());
        let configuration = Arc::clone(&self.configuration);
        let (log, tell) = (Arc::clone(&self.parts.log), self.tell.clone());
        tokio::spawn(async move {
            let id = course.replay.id;
            let read = || async {
                let Some(mut scan) = scan.clone() else {
                    return Ok(Vec::new());
                };
                let (log, webhooks) = (log.as_ref(), webhooks.clone());
                let part = Place {
                    partition,
                    webhooks,
                };
                replay::plan_part(log, &course, &configuration, part, &mut scan).await
            };
            let name = id.to_string();
            let reading = until_read(&name, read);
            let planned = match gone {
                Some(gone) => gone.run_until_cancelled(reading).await,
                None => None,
            };
            if let Some(planned) = planned {
                let _ = tell.send(News::Planned(term, id, planned));
            }
        });
    }

    /// What a replay routes by is known.
    pub(super) fn prepared(&mut self, course: Course) {
        if let Some(destinations) = course.destinations() {
            self.take_destinations(Arc::clone(destinations));
        }
        if let Some(known) = self.courses.get_mut(&course.replay.id) {
            *known = Some(Arc::new(course));
        }
    }

    /// A plan counts for the owner in whose term it was asked for.
    pub(super) fn planned(&mut self, term: Term, replay: ReplayId, planned: Vec<Planned>) {
        let owned = self.owned.get_mut(&term.partition);
        let owned = owned.filter(|owned| owned.term() == term);
        if let Some(part) = owned.and_then(|owned| owned.parts.get_mut(&replay)) {
            part.plan(planned);
        }
    }

    /// Takes over which replays may go on. What waits of one that was paused goes on with it.
    pub(super) fn follow_replays(&mut self, before: &Configuration) {
        let configuration = Arc::clone(&self.configuration);
        let resumed = |replay: ReplayId| {
            let was_paused = before.replays.get(&replay).is_some_and(|r| r.paused);
            was_paused && configuration.replays.get(&replay).is_some_and(|r| r.runs())
        };
        if configuration.replays.keys().any(|id| resumed(*id)) {
            for partition in self.owned.keys().copied().collect::<Vec<_>>() {
                if let Some(owned) = self.owned.remove(&partition) {
                    self.push_open(&owned, |aim| aim.is_some_and(|aim| resumed(aim.replay)));
                    self.owned.insert(partition, owned);
                }
            }
        }
        for owned in self.owned.values_mut() {
            let replays = &configuration.replays;
            owned
                .parts
                .retain(|id, _| replays.get(id).is_some_and(|replay| !replay.cancelled));
        }
        self.find_running();
    }

    /// Looks which replays have something to do here.
    pub(super) fn find_running(&mut self) {
        let all = self.configuration.replays.values();
        let unfinished = |replay: &&Arc<Replay>| {
            let mut acting = self.acting();
            replay.runs() && acting.any(|owned| owned.has_part(replay))
        };
        let running: Vec<Arc<Replay>> = all.filter(unfinished).cloned().collect();
        self.courses
            .retain(|id, _| running.iter().any(|replay| replay.id == *id));
        self.running = running;
    }

    /// Queues what is open in a partition, of those that `wanted` names.
    pub(super) fn push_open(&mut self, owned: &Owned, wanted: impl Fn(Option<Aim>) -> bool) {
        for (id, delivery) in &owned.fold.deliveries {
            let aim = owned.fold.aim(delivery);
            if let State::Open { due } = delivery.state
                && wanted(aim)
                && !self.in_flight.contains_key(id)
            {
                let entry = Entry {
                    due,
                    partition: owned.partition,
                    delivery: *id,
                    replay: aim.is_some(),
                };
                let subscription = owned.fold.subscription(delivery);
                let queue = queue(&self.configuration, subscription, aim);
                self.schedule.push(queue, entry);
                self.want_destinations(queue);
            }
        }
    }

    /// Reads earlier destinations of subscriptions, if what waits in a queue goes to one that is not
    /// known yet.
    pub(super) fn want_destinations(&mut self, queue: Queue) {
        let set_by = queue.elsewhere.and_then(|aim| aim.set_by);
        let known = set_by.is_none_or(|set_by| self.destinations.reach(set_by.next()));
        if known || std::mem::replace(&mut self.reading_destinations, true) {
            return;
        }
        let (log, tell) = (Arc::clone(&self.parts.log), self.tell.clone());
        let end = self.configuration.next;
        tokio::spawn(async move {
            let read = || Destinations::read(log.as_ref(), end);
            let found = until_read("earlier destinations", read).await;
            let _ = tell.send(News::Destinations(found));
        });
    }

    /// Earlier destinations are known.
    pub(super) fn know_destinations(&mut self, found: Destinations) {
        self.reading_destinations = false;
        self.take_destinations(Arc::new(found));
    }

    fn take_destinations(&mut self, found: Arc<Destinations>) {
        if !self.destinations.covers(&found) {
            self.destinations = found;
            self.schedule.wake_all();
        }
    }

    /// Where a replay's delivery goes that does not go to its subscription; an empty text, which no
    /// rule lets through, if nobody knows.
    pub(super) fn elsewhere(&self, subscription: SubscriptionId, aim: Aim) -> &str {
        let found = match aim.set_by {
            Some(set_by) => self.destinations.set_by(subscription, set_by),
            None => {
                let replay = self.configuration.replays.get(&aim.replay);
                replay.and_then(|replay| replay.spec.to.as_deref())
            }
        };
        found.unwrap_or_default()
    }

    /// What a replay's delivery says of itself.
    pub(super) fn again(
        &self,
        aim: Aim,
        receipt: ReceiptId,
        subscription: SubscriptionId,
    ) -> Again {
        let replay = self.configuration.replays.get(&aim.replay);
        let original = replay.is_some_and(|r| r.spec.mode == ReplayMode::OriginalTargets);
        Again {
            replay: aim.replay,
            receipt,
            original: original.then(|| DeliveryId::derive(receipt, subscription, LIVE)),
        }
    }
}

impl Owned {
    /// Whether a replay has something to decide here.
    fn has_part(&self, replay: &Replay) -> bool {
        let replayed = self.fold.replays.get(replay.id);
        let finished = replayed.is_some_and(|replayed| replayed.finished);
        !finished && !range(replay, self.partition).is_empty()
    }

    /// Whether it can be decided: every webhook of its part has its original decision.
    fn may_go_on(&self, replay: &Replay) -> bool {
        let routed = self.fold.routed.first_missing(Offset(0));
        self.has_part(replay) && range(replay, self.partition).to <= routed
    }

    /// Whether what is queued is still owed, and its replay goes on.
    pub(super) fn owes(&self, entry: &Entry, configuration: &Configuration) -> bool {
        let Some(delivery) = self.fold.deliveries.get(&entry.delivery) else {
            return false;
        };
        let aim = self.fold.aim(delivery);
        let replay = aim.and_then(|aim| configuration.replays.get(&aim.replay));
        delivery.state == State::Open { due: entry.due }
            && replay.is_none_or(|replay| replay.runs())
    }
}

/// The queue of a delivery.
pub(super) fn queue(
    configuration: &Configuration,
    subscription: SubscriptionId,
    aim: Option<Aim>,
) -> Queue {
    let elsewhere = aim.filter(|aim| {
        let replay = configuration.replays.get(&aim.replay);
        aim.set_by.is_some() || replay.is_some_and(|replay| replay.spec.to.is_some())
    });
    Queue {
        subscription,
        elsewhere,
    }
}

fn started(replay: &Replay, partition: Partition, at: Timestamp) -> ReplayStarted {
    let range = range(replay, partition);
    ReplayStarted {
        replay: replay.id,
        from: range.from,
        to: range.to,
        at,
    }
}

fn progressed(replay: &Replay, next: Offset, passed: Passed, at: Timestamp) -> ReplayProgressed {
    let replay = replay.id;
    ReplayProgressed {
        replay,
        next,
        passed,
        at,
    }
}

fn finished(replay: &Replay, part: &Part, at: Timestamp) -> ReplayFinished {
    let (replay, passed) = (replay.id, part.passed());
    ReplayFinished { replay, passed, at }
}

fn owed(decision: &Routed) -> u64 {
    let owed = |found: &&Match| found.outcome == MatchOutcome::Owed;
    let count = decision.matches.iter().filter(owed).count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Where the decisions about a block of webhooks stand.
fn scan(fold: &crate::worker::fold::Fold, webhook: Offset) -> Option<Scan> {
    let mark = fold.marks.of(webhook)?;
    Some(Scan {
        within: mark.first..mark.last.next(),
        epoch: mark.epoch,
    })
}

/// Reads until it succeeds: a replay is never given up because the log is away.
async fn until_read<T, R>(what: &str, read: impl Fn() -> R) -> T
where
    R: Future<Output = Result<T, ReplayError>>,
{
    loop {
        match read().await {
            Ok(found) => return found,
            Err(error) => {
                tracing::error!(what, %error, "history cannot be read for a replay; it is tried again");
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        }
    }
}
