//! Which delivery is tried next: a queue per subscription, served in turn, inside its limits.
//!
//! Pure: time is handed in. A slow subscriber fills its own queue and its own slots; the others
//! are served in between.
//!
//! # Shares
//! - A subscription may hold at most as many slots as are free beside it: alone half of them, one of
//!   `n` busy ones an `n + 1`-th. So there is a free slot for whoever holds none, whatever
//!   `concurrency_max` says. (Switches share their buffers like this; Choudhury and Hahne, 1998.)
//! - Subscriptions whose last attempt took a second or longer hold at most half of all slots
//!   together, by the same rule among themselves: the other half stays with the quick ones.
//! - The limit of it: until a subscriber has shown that it is slow, it counts as quick. As many new
//!   silent subscriptions as there are slots can hold them all, once, until their deadlines pass.
//! - Replays hold at most an eighth of all slots together, and at most a quarter of those of one
//!   subscription; nothing of a replay starts while its subscription has something live that is due.

mod lane;

use super::fold::Aim;
use hooklog_schemas::control::Policy;
use hooklog_schemas::{DeliveryId, EventId, Partition, SubscriptionId, Timestamp};
use lane::{Lane, Next, Room};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

/// A delivery in a queue. It may be stale by the time it comes up: the fold knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// When it is due.
    pub due: Timestamp,
    /// Which partition owes it.
    pub partition: Partition,
    /// The delivery.
    pub delivery: DeliveryId,
    /// A replay owes it.
    pub replay: bool,
}

/// Which queue: that of a subscription, or of what a replay delivers elsewhere on its behalf, so that
/// neither suffers from the other's receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Queue {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// What goes elsewhere.
    pub elsewhere: Option<Aim>,
}

impl From<SubscriptionId> for Queue {
    fn from(subscription: SubscriptionId) -> Self {
        Self {
            subscription,
            elsewhere: None,
        }
    }
}

/// The slot of an attempt under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The queue that it was started from.
    pub queue: Queue,
    /// A replay owes the delivery.
    pub replay: bool,
}

impl From<SubscriptionId> for Slot {
    fn from(subscription: SubscriptionId) -> Self {
        Self {
            queue: subscription.into(),
            replay: false,
        }
    }
}

/// What holds for a subscription now.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// Its policy.
    pub policy: &'a Policy,
    /// The event that last changed it.
    pub version: EventId,
    /// No attempt may start.
    pub paused: bool,
}

/// How an attempt ended, as far as the queue is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The subscriber answered as one that is alive.
    Alive,
    /// It is in trouble: no answer, 5xx, or too many requests.
    Trouble,
    /// It asked to be paused; nothing starts until another version of it is known.
    Gone(EventId),
}

/// All queues.
#[derive(Debug)]
pub struct Schedule {
    lanes: Vec<Lane>,
    numbers: HashMap<Queue, usize>,
    /// Lanes that may have something to start, in turn.
    ready: VecDeque<usize>,
    /// Slow lanes that found no slot for any slow one: there may be thousands, so nobody looks at
    /// them while that is so.
    ready_slow: VecDeque<usize>,
    /// Lanes that have nothing to start but replays, which hold their share of all slots. One that
    /// has something else to start by now is listed as well.
    parked: VecDeque<usize>,
    /// Lanes that have used up their share: looked at again when a slot is given back. Each holds a
    /// slot, so there are never more of them than slots.
    waiting: Vec<usize>,
    /// When to look at a lane again.
    timers: BinaryHeap<Reverse<(Timestamp, usize)>>,
    in_flight: usize,
    /// Those of them that belong to slow lanes.
    in_flight_slow: usize,
    /// Those of them that replays owe.
    in_flight_replays: usize,
    in_flight_max: usize,
    breaker_failures: u32,
}

/// One slot in so many is for replays.
const REPLAYS_FRACTION: usize = 8;
/// An attempt that takes this long makes its subscription a slow one: a receiver that puts the
/// webhook into its own queue answers within tens of milliseconds.
const SLOW: Duration = Duration::from_secs(1);

impl Schedule {
    /// Empty queues with these limits over all subscriptions.
    #[must_use]
    pub fn new(in_flight_max: usize, breaker_failures: u32) -> Self {
        Self {
            lanes: Vec::new(),
            numbers: HashMap::new(),
            ready: VecDeque::new(),
            ready_slow: VecDeque::new(),
            parked: VecDeque::new(),
            waiting: Vec::new(),
            timers: BinaryHeap::new(),
            in_flight: 0,
            in_flight_slow: 0,
            in_flight_replays: 0,
            in_flight_max,
            breaker_failures,
        }
    }

    /// Puts a delivery into its queue.
    pub fn push(&mut self, queue: impl Into<Queue>, entry: Entry) {
        let number = self.number(queue.into());
        if let Some(lane) = self.lanes.get_mut(number) {
            lane.push(entry);
        }
        self.list(number);
    }

    /// Forgets what is queued of a partition that is another worker's. What is under way keeps its
    /// slot.
    pub fn forget(&mut self, partition: Partition) {
        for lane in &mut self.lanes {
            lane.forget(partition);
        }
    }

    /// Attempts under way.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Looks at every queue again: for when limits or pauses may have changed.
    pub fn wake_all(&mut self) {
        for number in 0..self.lanes.len() {
            self.list(number);
        }
    }

    /// When there may be something to start, if nothing else happens.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    /// The next delivery to start at `now`, taking its slot; none if nothing can start.
    ///
    /// `limits` tells what holds for a queue, none if there is no such subscription; `valid` whether
    /// an entry is still owed at that time.
    pub fn start<'a>(
        &mut self,
        now: Timestamp,
        limits: impl Fn(Queue) -> Option<Limits<'a>>,
        valid: impl Fn(&Entry) -> bool,
    ) -> Option<(Queue, Entry)> {
        self.fire_timers(now);
        while self.in_flight < self.in_flight_max {
            let number = self.next_lane()?;
            let room = self.room(number);
            let lane = self.lanes.get_mut(number)?;
            lane.listed = false;
            let Some(limits) = limits(lane.queue) else {
                // It is deleted: what was open is being cancelled.
                lane.clear();
                continue;
            };
            match lane.next(now, limits, room, self.breaker_failures, &valid) {
                Next::Start(entry) => {
                    let queue = lane.queue;
                    self.in_flight += 1;
                    self.in_flight_slow += usize::from(lane.slow);
                    self.in_flight_replays += usize::from(entry.replay);
                    self.list(number);
                    return Some((queue, entry));
                }
                Next::Parked(wakes) => {
                    self.park(number);
                    wakes.into_iter().for_each(|at| self.set_timer(number, at));
                }
                Next::Full => {
                    lane.listed = true;
                    self.waiting.push(number);
                }
                Next::At(at) => self.set_timer(number, at),
                Next::Blocked => {}
            }
        }
        None
    }

    /// Gives the slot of an attempt back, which took `took`.
    pub fn finish(
        &mut self,
        slot: impl Into<Slot>,
        ended: Ended,
        took: Duration,
        now: Timestamp,
        policy: &Policy,
    ) {
        let slot = slot.into();
        let number = self.number(slot.queue);
        let was_slow = self.is_slow(number);
        self.in_flight = self.in_flight.saturating_sub(1);
        let replays = usize::from(slot.replay);
        self.in_flight_replays = self.in_flight_replays.saturating_sub(replays);
        if let Some(lane) = self.lanes.get_mut(number) {
            let held = lane.held_slow();
            lane.give_back(slot.replay);
            lane.slow = took >= SLOW;
            self.in_flight_slow = (self.in_flight_slow + lane.held_slow()).saturating_sub(held);
            match ended {
                Ended::Alive => lane.failures = 0,
                Ended::Gone(version) => lane.gone = Some(version),
                Ended::Trouble => lane.failed(now, policy, self.breaker_failures),
            }
        }
        // They stay listed: only the queue changes in which they are.
        if was_slow && !self.is_slow(number) {
            self.leave_slow(number);
        }
        self.ready.extend(self.waiting.drain(..));
        self.list(number);
    }

    /// A lane that has become quick waits for no slot of the slow ones any more.
    fn leave_slow(&mut self, number: usize) {
        let place = self.ready_slow.iter().position(|slow| *slow == number);
        self.ready
            .extend(place.and_then(|place| self.ready_slow.remove(place)));
    }

    /// The next lane to look at. Slow ones are passed over while no slow one may start.
    fn next_lane(&mut self) -> Option<usize> {
        let room = self.room_slow() > 0;
        loop {
            match self.ready.pop_front() {
                Some(number) if !room && self.is_slow(number) => self.ready_slow.push_back(number),
                Some(number) => return Some(number),
                None => break,
            }
        }
        let slow = if room {
            self.ready_slow.pop_front()
        } else {
            None
        };
        slow.or_else(|| self.unpark())
    }

    /// The next lane that waits for a slot of the replays, if there is one.
    fn unpark(&mut self) -> Option<usize> {
        if self.room_replays() == 0 {
            return None;
        }
        let number = self.parked.pop_front()?;
        if let Some(lane) = self.lanes.get_mut(number) {
            lane.parked = false;
        }
        Some(number)
    }

    fn park(&mut self, number: usize) {
        if let Some(lane) = self.lanes.get_mut(number)
            && !std::mem::replace(&mut lane.parked, true)
        {
            self.parked.push_back(number);
        }
    }

    /// How many slots a lane may hold: as many as are free for lanes like it.
    fn room(&self, number: usize) -> Room {
        let slow = self.is_slow(number);
        Room {
            slots: if slow { self.room_slow() } else { self.free() },
            replays: self.room_replays(),
        }
    }

    /// Slots that are free for replays.
    fn room_replays(&self) -> usize {
        let share = self.in_flight_max.div_ceil(REPLAYS_FRACTION);
        self.free()
            .min(share.saturating_sub(self.in_flight_replays))
    }

    /// Slots that are free for slow lanes.
    fn room_slow(&self) -> usize {
        let half = self.in_flight_max.div_ceil(2);
        self.free().min(half.saturating_sub(self.in_flight_slow))
    }

    const fn free(&self) -> usize {
        self.in_flight_max.saturating_sub(self.in_flight)
    }

    fn is_slow(&self, number: usize) -> bool {
        self.lanes.get(number).is_some_and(|lane| lane.slow)
    }

    fn fire_timers(&mut self, now: Timestamp) {
        while let Some(Reverse((at, number))) = self.timers.peek().copied() {
            if at > now {
                return;
            }
            self.timers.pop();
            if let Some(lane) = self.lanes.get_mut(number) {
                lane.wakes = None;
            }
            self.list(number);
        }
    }

    fn set_timer(&mut self, number: usize, at: Timestamp) {
        if let Some(lane) = self.lanes.get_mut(number)
            && lane.wakes.is_none_or(|wakes| at < wakes)
        {
            lane.wakes = Some(at);
            self.timers.push(Reverse((at, number)));
        }
    }

    fn list(&mut self, number: usize) {
        if let Some(lane) = self.lanes.get_mut(number)
            && !lane.listed
            && !lane.is_empty()
        {
            lane.listed = true;
            self.ready.push_back(number);
        }
    }

    fn number(&mut self, queue: Queue) -> usize {
        let lanes = &mut self.lanes;
        *self.numbers.entry(queue).or_insert_with(|| {
            lanes.push(Lane::new(queue));
            lanes.len() - 1
        })
    }
}

#[cfg(test)]
mod tests;
