//! Points that have a name.

use super::Folded;
use hooklog_schemas::Point;
use hooklog_schemas::control::{BookmarkCreated, BookmarkDeleted, By};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All bookmarks that are not deleted, by name. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Bookmarks(BTreeMap<String, Arc<Bookmark>>);

/// A point with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bookmark {
    /// The name.
    pub name: String,
    /// The point.
    pub point: Point,
    /// Who made it, when, from where, and why.
    pub by: By,
}

impl Bookmarks {
    /// The bookmark with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Bookmark>> {
        self.0.get(name)
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Bookmark>> {
        self.0.values()
    }

    /// A name in use stays with its point: a report that quotes it must not change its meaning.
    pub(super) fn create(&mut self, created: &BookmarkCreated) -> Folded {
        if self.0.contains_key(&created.name) {
            return Folded::Conflict;
        }
        let bookmark = Bookmark {
            name: created.name.clone(),
            point: created.point.clone(),
            by: created.by.clone(),
        };
        self.0.insert(bookmark.name.clone(), Arc::new(bookmark));
        Folded::Applied
    }

    pub(super) fn delete(&mut self, deleted: &BookmarkDeleted) -> Folded {
        match self.0.remove(&deleted.name) {
            Some(_) => Folded::Applied,
            None => Folded::Ignored,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hooklog_schemas::{EventId, Offset, Timestamp};
    use uuid::Uuid;

    fn by() -> By {
        By {
            actor: "ann".into(),
            from: "local".into(),
            at: Timestamp(1),
            why: None,
        }
    }

    fn create(bookmarks: &mut Bookmarks, name: &str, control: u64) -> Folded {
        bookmarks.create(&BookmarkCreated {
            name: name.into(),
            point: Point {
                log: EventId(Uuid::nil()),
                webhooks: Vec::new(),
                deliveries: Vec::new(),
                control: Offset(control),
            },
            by: by(),
        })
    }

    #[test]
    fn a_name_in_use_stays_with_its_point_and_is_free_when_deleted() {
        let mut bookmarks = Bookmarks::default();
        assert_eq!(create(&mut bookmarks, "audit", 1), Folded::Applied);
        assert_eq!(create(&mut bookmarks, "audit", 2), Folded::Conflict);
        assert_eq!(bookmarks.get("audit").unwrap().point.control, Offset(1));
        let deleted = BookmarkDeleted {
            name: "audit".into(),
            by: by(),
        };
        assert_eq!(bookmarks.delete(&deleted), Folded::Applied);
        assert_eq!(bookmarks.delete(&deleted), Folded::Ignored);
        assert_eq!(create(&mut bookmarks, "audit", 2), Folded::Applied);
        assert_eq!(bookmarks.iter().count(), 1);
    }
}
