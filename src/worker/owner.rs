//! The loop that owns partitions: those that are assigned to this process.

mod acquire;
mod dispatch;
mod effects;
mod gauges;
mod gone;
mod handover;
mod outcomes;
mod record;
mod recover;
mod replay;
mod restore;
mod route;
mod save;
mod start;

use super::attempt::{Finished, Surroundings};
use super::batch::{Batch, Term};
use super::commands::Effects;
use super::fold::{Change, Fold};
use super::identities::Identities;
use super::replays::Part;
use super::routing::Compiled;
use super::schedule::{Queue, Schedule};
use super::{WorkerError, WorkerParts};
use crate::deliver::target::Target;
use crate::log::ownership::{Change as Owning, Ownership};
use crate::replay::{Course, Destinations, Planned};
use futures_util::FutureExt as _;
use handover::Leaving;
use hooklog_projections::configuration::{Configuration, Replay};
use hooklog_schemas::{
    DeliveryId, EventId, Offset, Partition, Position, ReceiptId, Record, ReplayId, SubscriptionId,
    Timestamp, Topic,
};
use recover::Unsettled;
use restore::Restore;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// The longest sleep of an idle loop: a clock that was set is noticed that soon.
const SLEEP_MAX: Duration = Duration::from_millis(100);
/// Outcomes that one append takes at the most.
const OUTCOMES_MAX: usize = 1_024;
/// A turn that appends as many events as this one had much to do.
const BUSY: usize = 8;
/// How long a stopping worker waits for attempts under way.
const FINISH_MAX: Duration = Duration::from_secs(7);
/// A turn that takes longer is reported: nothing is routed or delivered meanwhile.
const TURN_MAX: Duration = Duration::from_secs(1);
/// How often gauges are brought up to date.
const GAUGES_EVERY: Duration = Duration::from_secs(5);

/// The partitions of this worker, and what is being done about them.
pub(super) struct Owner {
    parts: WorkerParts,
    around: Arc<Surroundings>,
    ownership: Box<dyn Ownership>,
    /// Changes that came while the loop was idle.
    told: Vec<Owning>,
    /// The first assignment has come: from then on a worker without partitions has none to restore.
    assigned: bool,
    ready: watch::Sender<bool>,
    /// Assigned partitions that do not act yet.
    restoring: BTreeMap<Partition, Restore>,
    /// Those that were taken over although they are assigned here, and when to acquire them again.
    contested: BTreeMap<Partition, Timestamp>,
    /// Partitions that act, or are being left.
    owned: BTreeMap<Partition, Owned>,
    leaving: Vec<Leaving>,
    schedule: Schedule,
    configuration: Arc<Configuration>,
    compiled: Compiled,
    control: watch::Receiver<Offset>,
    targets: HashMap<Queue, Arc<Target>>,
    /// Replays that may go on, and have not finished in every partition here.
    running: Vec<Arc<Replay>>,
    /// What they route by, once that is read; none while somebody reads it.
    courses: HashMap<ReplayId, Option<Arc<Course>>>,
    /// The destinations that subscriptions had earlier, as far as replays needed them yet.
    destinations: Arc<Destinations>,
    /// Somebody reads more of them.
    reading_destinations: bool,
    in_flight: HashMap<DeliveryId, Partition>,
    unsettled: BTreeMap<Partition, Unsettled>,
    erased: HashSet<ReceiptId>,
    /// Deleted subscriptions whose deliveries are being cancelled.
    deleted: HashSet<SubscriptionId>,
    /// Versions of subscriptions that answered 410, and whose pause was asked for.
    pausing: HashSet<(SubscriptionId, EventId)>,
    news: mpsc::UnboundedReceiver<News>,
    tell: mpsc::UnboundedSender<News>,
    /// Outcomes that came while the loop was idle.
    early: Vec<News>,
    /// Webhooks of the last turn, for their first attempts.
    fresh: HashMap<(Partition, Offset), Arc<Record>>,
    changes: Vec<Change>,
    identities: Identities,
    saving: Option<tokio::task::JoinHandle<()>>,
    shutdown: CancellationToken,
    /// Decisions of this turn.
    decided: u32,
    /// Events that it appended.
    recorded: usize,
    /// There may be webhooks to route: the last look found some, or the log said so.
    look: bool,
    gauges_at: Timestamp,
    /// Asks the log how far it goes, for a gauge.
    asking: Option<tokio::task::JoinHandle<()>>,
    /// When the loop came round last.
    turned: Instant,
}

/// One partition.
struct Owned {
    partition: Partition,
    epoch: Option<Offset>,
    fold: Fold,
    /// The next webhook to read.
    cursor: Offset,
    effects: Effects,
    /// Replays that are under way in it.
    parts: HashMap<ReplayId, Part>,
    /// Where its last snapshot ends.
    saved: Offset,
    /// What is replayed into the index of identities gets its signature too, as all before it has.
    signed: bool,
    /// It is being handed over: nothing new is decided or tried.
    leaving: bool,
    /// When it was assigned.
    since: Instant,
    /// Cancelled when it is given up, for what goes on beside the loop.
    gone: CancellationToken,
}

/// What tasks that this loop started have to say.
enum News {
    /// An attempt was made.
    Finished(Box<Finished>),
    /// A partition's part of an erasure is done.
    Erased(Term, EventId, u64),
    /// So many webhooks of a partition had no decision.
    Unrouted(Partition, u64),
    /// What a replay routes by is known.
    Prepared(Course),
    /// The next receipts of a replay are planned.
    Planned(Term, ReplayId, Vec<Planned>),
    /// Earlier destinations of subscriptions are known.
    Destinations(Destinations),
}

impl Owner {
    /// Works until `shutdown`, or until the log fails.
    pub(super) async fn work(&mut self) -> Result<(), WorkerError> {
        while !self.shutdown.is_cancelled() {
            self.show_turn();
            self.follow_ownership();
            self.look_around().await?;
            self.restore_some().await?;
            self.turn().await?;
            self.pace().await;
            self.leave_some().await;
            self.show_ready();
            self.idle().await;
        }
        self.finish().await
    }

    /// Gathers, records, folds, acts.
    async fn turn(&mut self) -> Result<(), WorkerError> {
        let started = Instant::now();
        let mut batch = self.settle().await?;
        self.refresh();
        // Decisions come first: what they subtract is what was true before this turn's outcomes.
        if let Err(error) = self.route(&mut batch).await {
            self.keep_outcomes(batch);
            return Err(error);
        }
        let routed = started.elapsed();
        let finished = self.gather_news(&mut batch);
        self.gather_replays(&mut batch);
        self.gather_effects(&mut batch);
        let outcome = self.record(batch).await;
        let recorded = started.elapsed();
        for _ in 0..std::mem::take(&mut self.decided) {
            self.parts
                .metrics
                .routed
                .observe(started.elapsed().as_secs_f64());
        }
        self.release(finished);
        outcome?;
        self.dispatch();
        self.fresh.clear();
        self.save_some();
        let saved = started.elapsed();
        self.show_gauges();
        let took = started.elapsed();
        if took > TURN_MAX {
            tracing::warn!(
                ?routed,
                ?recorded,
                ?saved,
                ?took,
                "a turn of the worker was slow"
            );
        }
        Ok(())
    }

    /// Lets more come together after a turn with much to record, where the log asks for it.
    async fn pace(&mut self) {
        let pace = self.parts.log.pace();
        if std::mem::take(&mut self.recorded) >= BUSY && !pace.is_zero() {
            tokio::time::sleep(pace).await;
        }
    }

    /// Waits until there is something to do.
    async fn idle(&mut self) {
        if self.look || !self.news.is_empty() || self.has_effects() || self.is_restoring() {
            // Nothing to wait for; the attempts get their turn all the same.
            return tokio::task::yield_now().await;
        }
        let cursors: Vec<Position> = self
            .acting()
            .map(|owned| Position::new(Topic::Webhooks, owned.partition, owned.cursor))
            .collect();
        let now = self.parts.clock.now();
        let wake = self.schedule.next_wake();
        let sleep = wake.map_or(SLEEP_MAX, |at| at.since(now)).min(SLEEP_MAX);
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            got = self.news.recv() => self.early.extend(got),
            change = self.ownership.changed() => self.told.push(change),
            changed = self.control.changed() => {
                if changed.is_err() {
                    tokio::time::sleep(sleep).await;
                }
            }
            () = self.parts.log.wait(&cursors) => self.look = true,
            () = tokio::time::sleep(sleep) => {}
        }
    }

    /// Takes over what is assigned to this worker and what is not any more.
    fn follow_ownership(&mut self) {
        let mut told = std::mem::take(&mut self.told);
        while let Some(change) = self.ownership.changed().now_or_never() {
            told.push(change);
        }
        for change in told {
            match change {
                Owning::Assigned(partitions) => self.assign(partitions),
                Owning::Revoked(partitions, handover) => self.revoke(partitions, handover),
                Owning::Lost(partitions) => self.lose(partitions),
            }
        }
    }

    /// Partitions for which this worker decides.
    fn acting(&self) -> impl Iterator<Item = &Owned> {
        self.owned.values().filter(|owned| !owned.leaving)
    }

    /// Ready is who has restored everything that is assigned.
    fn show_ready(&self) {
        let restored = self.restoring.is_empty() && self.contested.is_empty();
        let ready = self.assigned && restored;
        self.ready
            .send_if_modified(|before| std::mem::replace(before, ready) != ready);
    }

    async fn finish(&mut self) -> Result<(), WorkerError> {
        let end = tokio::time::Instant::now() + FINISH_MAX;
        while self.schedule.in_flight() > 0 {
            match tokio::time::timeout_at(end, self.news.recv()).await {
                Ok(Some(news)) => self.early.push(news),
                Ok(None) | Err(_) => break,
            }
            let mut batch = Batch::default();
            let finished = self.gather_news(&mut batch);
            self.record(batch).await?;
            self.release(finished);
        }
        self.save_all().await;
        self.ownership.leave().await;
        Ok(())
    }
}

impl Owned {
    const fn term(&self) -> Term {
        Term {
            partition: self.partition,
            epoch: self.epoch,
        }
    }

    /// Whether a higher epoch in the partition is somebody else's.
    fn is_superseded(&self) -> bool {
        self.fold.epoch > self.epoch
    }
}
