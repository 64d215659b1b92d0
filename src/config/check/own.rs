//! `[project.own]`, when there are any.

use super::postgres::address;
use crate::config::{ProjectConfig, StoreKind};

/// The key that is wrong, and why.
pub(super) fn check(project: &ProjectConfig) -> Option<(&'static str, &'static str)> {
    let own = &project.own;
    let folder = own.folder.as_ref()?;
    if folder.as_os_str().is_empty() {
        return Some(("project.own.folder", "it must name a folder"));
    }
    match project.store {
        StoreKind::Sqlite => None,
        StoreKind::Mongodb => {
            let reason = "there are no projections of your own on MongoDB, since they are SQL: set \
                          project.store to \"sqlite\" or \"postgres\"";
            Some(("project.own.folder", reason))
        }
        StoreKind::Postgres if own.postgres_url.is_none() => {
            let reason = "statements that are not hooklog's run as a user of their own: name one who \
                          has no right on its tables, as in postgres://USER@HOST:PORT/DATABASE";
            Some(("project.own.postgres_url", reason))
        }
        StoreKind::Postgres => {
            address(own.postgres_url.as_deref()).map(|reason| ("project.own.postgres_url", reason))
        }
    }
}
