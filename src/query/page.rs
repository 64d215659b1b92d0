//! Pages: a limit, and a cursor that names the last row of the page before.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Rows at the most, 1 to [`Page::LIMIT_MAX`].
    pub limit: u32,
    /// The `next` of the page before; none for the first page.
    pub cursor: Option<String>,
}

impl Page {
    /// The most rows of one page.
    pub const LIMIT_MAX: u32 = 500;

    /// The first page, with the usual limit.
    #[must_use]
    pub const fn first() -> Self {
        Self {
            limit: 50,
            cursor: None,
        }
    }

    /// The page after the one whose `next` was `cursor`.
    #[must_use]
    pub fn after(cursor: impl Into<String>, limit: u32) -> Self {
        Self {
            limit,
            cursor: Some(cursor.into()),
        }
    }

    /// The limit, brought into its bounds.
    pub(super) fn limit(&self) -> usize {
        self.limit.clamp(1, Self::LIMIT_MAX) as usize
    }

    /// The key of the last row of the page before.
    pub(super) fn key(&self) -> Result<Option<Key>, PageError> {
        let Some(cursor) = &self.cursor else {
            return Ok(None);
        };
        let wrong = || PageError(cursor.clone());
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| wrong())?;
        let (number, rest) = bytes.split_first_chunk().ok_or_else(wrong)?;
        let (id, offset) = rest.split_first_chunk().ok_or_else(wrong)?;
        let (offset, _) = offset.split_first_chunk().ok_or_else(wrong)?;
        Ok(Some(Key {
            number: i64::from_be_bytes(*number),
            id: *id,
            offset: i64::from_be_bytes(*offset),
        }))
    }
}

/// What a cursor says: a time or an offset, then the id and the offset that break ties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) number: i64,
    pub(super) id: [u8; 16],
    pub(super) offset: i64,
}

impl Key {
    pub(super) fn cursor(self) -> String {
        let mut bytes = self.number.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&self.offset.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// The cursor is not one that a list gave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a cursor; take the `next` of the page before, or none for the first page")]
pub struct PageError(String);

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Paged<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The cursor of the page that follows; none at the end.
    pub next: Option<String>,
}

impl<T> Paged<T> {
    /// Takes `limit` rows of `rows`, which hold one more where another page follows.
    pub(super) fn cut(mut rows: Vec<T>, limit: usize, key: impl Fn(&T) -> Key) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more);
        let next = last.map(|row| key(row).cursor());
        Self { items: rows, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_as_it_was_given() {
        let key = Key {
            number: -7,
            id: [9; 16],
            offset: 4,
        };
        let page = Page::after(key.cursor(), 10);
        assert_eq!(page.key(), Ok(Some(key)));
        assert_eq!(Page::first().key(), Ok(None));
    }

    #[test]
    fn a_wrong_cursor_says_where_to_get_a_right_one() {
        for wrong in ["", "AA", "nö", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            let error = Page::after(wrong, 10).key().unwrap_err();
            assert!(error.to_string().contains("page before"), "{error}");
        }
    }

    #[test]
    fn the_last_page_has_no_next() {
        let key = |n: &i64| Key {
            number: *n,
            ..Key::default()
        };
        assert_eq!(Paged::cut(vec![3, 2], 2, key).next, None);
        let cut = Paged::cut(vec![3, 2, 1], 2, key);
        assert_eq!(cut.items, [3, 2]);
        assert_eq!(cut.next, Some(key(&2).cursor()));
    }
}
