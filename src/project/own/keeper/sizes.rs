//! How many events the next batch of a set has.

use crate::project::own::store::Set;

/// Events in the next batch of each set at the most: fewer after one failed, to find which event it is.
pub(super) struct Sizes {
    most: usize,
    live: usize,
    next: usize,
}

impl Sizes {
    pub(super) const fn new(most: usize) -> Self {
        Self {
            most,
            live: most,
            next: most,
        }
    }

    pub(super) const fn of(&self, set: Set) -> usize {
        match set {
            Set::Live => self.live,
            Set::Next => self.next,
        }
    }

    /// After a batch was folded.
    pub(super) fn grow(&mut self, set: Set) {
        let most = self.most;
        let size = self.size(set);
        *size = size.saturating_mul(2).min(most);
    }

    /// After one of `count` events, more than one, was not.
    pub(super) const fn halve(&mut self, set: Set, count: usize) {
        *self.size(set) = count / 2;
    }

    /// Other tables are built: what is known of those before says nothing of them.
    pub(super) const fn begun(&mut self) {
        self.next = self.most;
    }

    /// Those that were built answer.
    pub(super) const fn switched(&mut self) {
        (self.live, self.next) = (self.next, self.most);
    }

    const fn size(&mut self, set: Set) -> &mut usize {
        match set {
            Set::Live => &mut self.live,
            Set::Next => &mut self.next,
        }
    }
}
