//! Room in memory for the bodies of attempts under way.
//!
//! A small body needs none: as many of them as there are slots are a few megabytes. Large ones share
//! a fixed number of bytes, whoever they are for; an attempt that finds no room waits, and holds
//! nothing while it waits.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// A body up to this many bytes needs no room. Nine webhooks in ten are smaller (a push has 10 kB).
const SMALL: usize = 64 << 10;
/// Room is counted in units of this many bytes.
const UNIT: usize = 1 << 10;
/// Bodies that are read at once, before anybody knows how large they are.
const READING: usize = 8;

/// The room of all attempts together.
#[derive(Clone)]
pub(super) struct Room {
    large: Arc<Semaphore>,
    units: usize,
    reading: Arc<Semaphore>,
}

/// What one attempt has of it.
#[derive(Default)]
pub(super) struct Held(Option<OwnedSemaphorePermit>);

impl Room {
    /// Room for `bytes` of large bodies.
    pub(super) fn new(bytes: usize) -> Self {
        let units = (bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            large: Arc::new(Semaphore::new(units)),
            units,
            reading: Arc::new(Semaphore::new(READING)),
        }
    }

    /// The leave to read one body from the log.
    pub(super) async fn reading(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.reading.acquire().await.ok()
    }

    /// Units that a body of `bytes` needs; one that is larger than all the room gets all of it.
    fn needed(&self, bytes: usize) -> u32 {
        if bytes <= SMALL {
            return 0;
        }
        u32::try_from(bytes.div_ceil(UNIT).min(self.units)).unwrap_or(u32::MAX)
    }
}

impl Held {
    /// Takes room for a body of `bytes`, unless there is enough already; waits for it.
    pub(super) async fn grow(&mut self, room: &Room, bytes: usize) {
        if !self.is_enough(room, bytes) {
            self.0 = None;
            let large = Arc::clone(&room.large);
            // It is never closed.
            self.0 = large.acquire_many_owned(room.needed(bytes)).await.ok();
        }
    }

    /// Takes room for a body of `bytes`, unless there is enough already; false if there is none.
    pub(super) fn try_grow(&mut self, room: &Room, bytes: usize) -> bool {
        if self.is_enough(room, bytes) {
            return true;
        }
        self.0 = None;
        let large = Arc::clone(&room.large);
        self.0 = large.try_acquire_many_owned(room.needed(bytes)).ok();
        self.0.is_some()
    }

    fn is_enough(&self, room: &Room, bytes: usize) -> bool {
        let held = self.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        usize::try_from(room.needed(bytes)).is_ok_and(|needed| held >= needed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    const LARGE: usize = 1 << 20;

    #[test]
    fn small_bodies_need_no_room() {
        let room = Room::new(LARGE);
        let mut large = Held::default();
        assert!(large.try_grow(&room, LARGE));
        assert!(Held::default().try_grow(&room, SMALL));
    }

    #[test]
    fn a_large_body_waits_until_another_one_has_gone() {
        let room = Room::new(LARGE);
        let mut first = Held::default();
        assert!(first.try_grow(&room, LARGE / 2 + 1));
        let mut second = Held::default();
        assert!(!second.try_grow(&room, LARGE / 2));
        {
            let mut waiting = Box::pin(second.grow(&room, LARGE / 2));
            assert!(waiting.as_mut().now_or_never().is_none());
            drop(first);
            assert!(waiting.now_or_never().is_some());
        }
        assert!(second.try_grow(&room, LARGE / 2), "it has it already");
    }

    #[test]
    fn a_body_larger_than_all_the_room_gets_all_of_it() {
        let room = Room::new(LARGE);
        assert!(Held::default().try_grow(&room, 40 << 20));
        let mut whole = Held::default();
        assert!(whole.try_grow(&room, 40 << 20));
        assert!(!Held::default().try_grow(&room, SMALL + 1));
    }
}
