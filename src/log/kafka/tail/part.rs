//! What is known of the end of one partition.

use crate::log::ReadLimit;
use hooklog_schemas::{Key, Offset, Record, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How many places with known append times are remembered.
const FLOORS_MAX: usize = 64;

/// One partition.
pub(crate) struct Part {
    state: Mutex<State>,
    /// A record came, or something else became known.
    pub(crate) appended: Notify,
}

impl Part {
    pub(crate) fn new(bytes_max: usize) -> Self {
        let state = State {
            bytes_max,
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
            appended: Notify::new(),
        }
    }

    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // Every change below is whole before anything could panic.
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What memory knows about a place.
#[derive(Debug)]
pub(crate) enum Found {
    /// These records, and perhaps more.
    Records(Vec<Arc<Record>>),
    /// There is nothing yet.
    Nothing,
    /// There is a record that the follower will have in a moment.
    Soon,
    /// Only the brokers know.
    Unknown,
}

/// Whether a partition is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Follow {
    #[default]
    No,
    /// From here on, once the follower gets to it.
    Asked(Offset),
    /// Every record from here on is in `recent` or was, up to the last one that came.
    From(Offset),
}

#[derive(Default)]
pub(crate) struct State {
    follow: Follow,
    /// Everything before this is written.
    end: Offset,
    /// A record that is certainly there; none of a higher offset is known.
    last: Option<Offset>,
    /// No record stands from the first on and before the second: compaction took them.
    empty: Option<(Offset, Offset)>,
    recent: VecDeque<Arc<Record>>,
    bytes: usize,
    bytes_max: usize,
    /// When somebody waited last.
    wanted: Option<Instant>,
    /// Somebody is finding out about a place before the followed end.
    pub(crate) asking: bool,
    /// The append time of what stands before an offset, where readers stand.
    floors: BTreeMap<Offset, Timestamp>,
    /// The same places in the order in which they were learned.
    learned: VecDeque<Offset>,
    /// The same of the record after the last that left `recent`.
    gone: Option<(Offset, Timestamp)>,
}

impl State {
    pub(crate) fn find(&mut self, from: Offset, limit: ReadLimit) -> Found {
        let Follow::From(start) = self.follow else {
            return Found::Unknown;
        };
        self.wanted = Some(Instant::now());
        if from >= start {
            let first = self
                .recent
                .partition_point(|record| record.position.offset < from);
            if first < self.recent.len() {
                return Found::Records(within(self.recent.range(first..), limit));
            }
        }
        if from >= self.end || self.is_empty_from(from) {
            return Found::Nothing;
        }
        if from >= start {
            return Found::Soon;
        }
        Found::Unknown
    }

    /// Whether there is a record at `from` or after it; none when only the brokers know.
    pub(crate) fn readable(&mut self, from: Offset) -> Option<bool> {
        self.wanted = Some(Instant::now());
        if self.last >= Some(from) {
            return Some(true);
        }
        match self.follow {
            // More is written than came: the consumer will have it soon, or somebody else reads it.
            Follow::From(start) if from >= start || self.is_empty_from(from) => {
                Some(from < self.end && !self.is_empty_from(from))
            }
            _ => None,
        }
    }

    fn is_empty_from(&self, from: Offset) -> bool {
        let empty = |(start, end): (Offset, Offset)| from >= start && self.end <= end;
        self.empty.is_some_and(empty)
    }

    /// Everything before `end` is written; tells whether that is news.
    pub(crate) fn ends(&mut self, end: Offset) -> bool {
        let news = end > self.end;
        self.end = self.end.max(end);
        news
    }

    /// There is a record at `offset`.
    pub(crate) fn exists(&mut self, offset: Offset) {
        self.ends(offset.next());
        self.last = self.last.max(Some(offset));
    }

    /// There is none from `start` on before `end`.
    pub(crate) fn nothing(&mut self, start: Offset, end: Offset) {
        if start < end {
            self.empty = Some((start, end));
        }
    }

    /// Whether it is followed.
    pub(crate) const fn is_followed(&self) -> bool {
        matches!(self.follow, Follow::From(_))
    }

    /// Where following begins; none while it has not begun.
    pub(crate) fn followed_from(&self) -> Option<Offset> {
        match self.follow {
            Follow::No => None,
            Follow::Asked(start) | Follow::From(start) => Some(start),
        }
    }

    pub(crate) fn end(&self) -> Offset {
        self.end
    }

    pub(crate) fn is_certain(&self, from: Offset) -> bool {
        self.last >= Some(from)
    }

    /// Asks to be followed from `start` on.
    pub(crate) fn ask(&mut self, start: Offset) {
        if self.follow == Follow::No {
            self.follow = Follow::Asked(start);
        }
    }

    /// Begins to be followed, if somebody asked.
    pub(super) fn begin(&mut self) -> Option<Offset> {
        let Follow::Asked(start) = self.follow else {
            return None;
        };
        self.follow = Follow::From(start);
        Some(start)
    }

    pub(super) fn end_if_idle(&mut self, now: Instant, after: Duration) -> bool {
        let wanted = self.wanted.is_some_and(|at| now.duration_since(at) < after);
        if wanted || !matches!(self.follow, Follow::From(_)) {
            return false;
        }
        self.follow = Follow::No;
        if let Some(last) = self.recent.back() {
            self.gone = Some((last.position.offset.next(), last.appended_at));
        }
        self.recent.clear();
        self.bytes = 0;
        true
    }

    /// Takes the next record. The latest one is kept however large it is.
    pub(super) fn push(&mut self, record: Arc<Record>) {
        let Follow::From(mut start) = self.follow else {
            return;
        };
        let offset = record.position.offset;
        let before = self.recent.back().map(|last| last.position.offset);
        if offset < start || before >= Some(offset) {
            // It was on its way when the partition was followed last.
            return;
        }
        if record.value.is_none() {
            self.erase(record.key);
        }
        self.exists(offset);
        self.bytes += record.size();
        self.recent.push_back(record);
        while self.bytes > self.bytes_max && self.recent.len() > 1 {
            if let Some(gone) = self.recent.pop_front() {
                self.bytes -= gone.size();
                start = gone.position.offset.next();
                self.gone = Some((start, gone.appended_at));
            }
        }
        self.follow = Follow::From(start);
    }

    /// What is erased leaves memory at once; the brokers' files follow when their cleaner runs.
    fn erase(&mut self, key: Key) {
        for record in self.recent.iter_mut().filter(|record| record.key == key) {
            self.bytes -= record.size();
            let record = Arc::make_mut(record);
            record.headers.clear();
            record.value = None;
        }
    }

    /// The append time of what stands before `at`, as far as it is known.
    pub(crate) fn floor(&self, at: Offset) -> Timestamp {
        let passed = self.floors.range(..=at).next_back().map(|(_, time)| *time);
        let gone = self.gone.filter(|(next, _)| *next <= at);
        let before = self.recent.back();
        let before = before.filter(|record| record.position.offset < at);
        let known = [
            passed,
            gone.map(|(_, time)| time),
            before.map(|record| record.appended_at),
        ];
        let latest = known.into_iter().flatten().max();
        latest.unwrap_or(Timestamp(i64::MIN))
    }

    /// `time` is the append time of what stands before `next`.
    pub(crate) fn passed(&mut self, next: Offset, time: Timestamp) {
        if self.floors.insert(next, time).is_none() {
            self.learned.push_back(next);
        }
        // Not the first place: somebody may just have begun to read from the start again.
        if self.learned.len() > FLOORS_MAX
            && let Some(oldest) = self.learned.pop_front()
        {
            self.floors.remove(&oldest);
        }
    }
}

fn within<'a>(
    records: impl Iterator<Item = &'a Arc<Record>>,
    limit: ReadLimit,
) -> Vec<Arc<Record>> {
    let mut bytes = 0;
    let fits = |record: &&Arc<Record>| {
        let first = bytes == 0;
        bytes += record.size().max(1);
        first || bytes <= limit.bytes
    };
    let some = records.take(limit.records.max(1));
    some.take_while(fits).cloned().collect()
}

#[cfg(test)]
mod tests;
