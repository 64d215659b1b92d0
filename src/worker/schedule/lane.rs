//! One queue: what is live and what replays owe, with one subscriber's limits over both.

use super::{Entry, Limits, Queue};
use hooklog_schemas::control::Policy;
use hooklog_schemas::{EventId, Partition, Timestamp};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Probes of a dead subscriber follow each other at this fraction of its first delay.
const PROBE_FRACTION: u32 = 10;
/// The longest pause between two probes.
const PROBE_MAX: Duration = Duration::from_secs(1);
/// One slot of a subscription in so many is for replays.
const REPLAYS_FRACTION: u32 = 4;

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) queue: Queue,
    live: Heap,
    replays: Heap,
    pub(super) in_flight: u32,
    /// Those of them that replays owe.
    in_flight_replays: u32,
    /// Its last attempt took long.
    pub(super) slow: bool,
    /// It is in `ready`, `ready_slow` or `waiting`.
    pub(super) listed: bool,
    /// It is in `parked`.
    pub(super) parked: bool,
    /// The earliest timer that is set.
    pub(super) wakes: Option<Timestamp>,
    pub(super) failures: u32,
    pub(super) not_before: Timestamp,
    pub(super) gone: Option<EventId>,
}

type Heap = BinaryHeap<Reverse<Entry>>;

/// Slots that a lane may still take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// As many as it may hold.
    pub(super) slots: usize,
    /// As many as are left for replays.
    pub(super) replays: usize,
}

pub(super) enum Next {
    Start(Entry),
    /// Nothing before this time.
    At(Timestamp),
    /// Nothing before a slot is given back: it holds its share.
    Full,
    /// Nothing before a slot of the replays is given back, or before this time.
    Parked(Option<Timestamp>),
    /// Nothing before something else happens: an attempt ends, a version changes, an entry comes.
    Blocked,
}

impl Lane {
    pub(super) const fn new(queue: Queue) -> Self {
        Self {
            queue,
            live: Heap::new(),
            replays: Heap::new(),
            in_flight: 0,
            in_flight_replays: 0,
            slow: false,
            listed: false,
            parked: false,
            wakes: None,
            failures: 0,
            not_before: Timestamp(i64::MIN),
            gone: None,
        }
    }

    pub(super) fn push(&mut self, entry: Entry) {
        let heap = if entry.replay {
            &mut self.replays
        } else {
            &mut self.live
        };
        heap.push(Reverse(entry));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live.is_empty() && self.replays.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.live = Heap::new();
        self.replays = Heap::new();
    }

    pub(super) fn forget(&mut self, partition: Partition) {
        for heap in [&mut self.live, &mut self.replays] {
            heap.retain(|Reverse(entry)| entry.partition != partition);
        }
    }

    pub(super) const fn give_back(&mut self, replay: bool) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let replays = self.in_flight_replays.saturating_sub(replay as u32);
        self.in_flight_replays = replays;
    }

    /// What can be done now. What is live and due comes before all that replays owe.
    pub(super) fn next(
        &mut self,
        now: Timestamp,
        limits: Limits<'_>,
        room: Room,
        breaker_failures: u32,
        valid: impl Fn(&Entry) -> bool,
    ) -> Next {
        let live = first(&mut self.live, &valid);
        let replayed = first(&mut self.replays, &valid);
        if live.or(replayed).is_none() || limits.paused || self.gone == Some(limits.version) {
            return Next::Blocked;
        }
        let slots = self.slots(limits.policy, breaker_failures);
        if self.in_flight >= slots {
            return Next::Blocked;
        }
        let at = |entry: Entry| entry.due.max(self.not_before);
        let (live_at, replayed_at) = (live.map(at), replayed.map(at));
        match (live_at, replayed_at) {
            (Some(at), _) if at <= now => self.start(now, limits.policy, room, false),
            (_, Some(at)) if at <= now => {
                if self.in_flight_replays >= self.slots_replays(slots) {
                    return live_at.map_or(Next::Blocked, Next::At);
                }
                if room.replays == 0 {
                    return Next::Parked(live_at);
                }
                self.start(now, limits.policy, room, true)
            }
            (Some(one), Some(other)) => Next::At(one.min(other)),
            (one, other) => one.or(other).map_or(Next::Blocked, Next::At),
        }
    }

    fn start(&mut self, now: Timestamp, policy: &Policy, room: Room, replay: bool) -> Next {
        if self.held() >= room.slots {
            return Next::Full;
        }
        let heap = if replay {
            &mut self.replays
        } else {
            &mut self.live
        };
        let Some(Reverse(entry)) = heap.pop() else {
            return Next::Blocked;
        };
        self.in_flight += 1;
        self.in_flight_replays += u32::from(replay);
        if let Some(rate) = policy.rate_per_second.filter(|rate| *rate > 0) {
            let from = now.max(self.not_before);
            self.not_before = from.plus(Duration::from_secs(1) / rate);
        }
        Next::Start(entry)
    }

    /// A dead subscription gets one probe at a time.
    fn slots(&self, policy: &Policy, breaker_failures: u32) -> u32 {
        let broken = self.failures >= breaker_failures.max(1);
        if broken {
            1
        } else {
            policy.concurrency_max.max(1)
        }
    }

    /// What goes elsewhere disturbs nothing live.
    const fn slots_replays(&self, slots: u32) -> u32 {
        match self.queue.elsewhere {
            Some(_) => slots,
            None => slots.div_ceil(REPLAYS_FRACTION),
        }
    }

    pub(super) fn failed(&mut self, now: Timestamp, policy: &Policy, breaker_failures: u32) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= breaker_failures.max(1) {
            let pause = Duration::from_millis(policy.delay_first_ms) / PROBE_FRACTION;
            // The policy's rate may want a longer pause: the later one holds.
            self.not_before = self.not_before.max(now.plus(pause.min(PROBE_MAX)));
        }
    }

    pub(super) fn held(&self) -> usize {
        usize::try_from(self.in_flight).unwrap_or(usize::MAX)
    }

    pub(super) fn held_slow(&self) -> usize {
        if self.slow { self.held() } else { 0 }
    }
}

/// The first entry that is still owed; those before it go.
fn first(heap: &mut Heap, valid: impl Fn(&Entry) -> bool) -> Option<Entry> {
    while heap.peek().is_some_and(|Reverse(entry)| !valid(entry)) {
        heap.pop();
    }
    heap.peek().map(|Reverse(entry)| *entry)
}
