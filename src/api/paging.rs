//! Pages of what is held in memory: sources, subscriptions, tokens.

use super::check;
use super::problem::Problem;
use crate::query::{Page, Paged};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// Rows at the most, 1 to 500; 50 if not given.
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// What it was then: a time (RFC 3339), a record (`webhooks/3@1042`), or a bookmark (`@NAME`).
    pub(super) as_of: Option<String>,
}

impl PageQuery {
    /// The page that is asked for.
    pub(super) fn page(&self) -> Result<Page, Problem> {
        page(self.limit, self.cursor.clone())
    }

    /// Cuts the page out of `rows`, which are sorted by their `name`s.
    pub(super) fn cut<T>(
        &self,
        rows: impl Iterator<Item = T>,
        name: impl Fn(&T) -> String,
    ) -> Result<Paged<T>, Problem> {
        let page = self.page()?;
        let after = page.cursor.as_deref().map(read).transpose()?;
        let mut rows =
            rows.skip_while(|row| after.as_ref().is_some_and(|after| name(row) <= *after));
        let items: Vec<T> = rows.by_ref().take(page.limit as usize).collect();
        let more = rows.next().is_some();
        let last = items.last().filter(|_| more);
        let next = last.map(|row| URL_SAFE_NO_PAD.encode(name(row)));
        Ok(Paged { items, next })
    }
}

/// A page, with its limit checked.
pub(super) fn page(limit: Option<u32>, cursor: Option<String>) -> Result<Page, Problem> {
    let limit = limit.unwrap_or(Page::first().limit);
    check::within("limit", u64::from(limit), 1..=u64::from(Page::LIMIT_MAX))?;
    Ok(Page { limit, cursor })
}

fn read(cursor: &str) -> Result<String, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let name = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    name.ok_or_else(|| check::wrong("cursor", cursor, "take the `next` of the page before"))
}
