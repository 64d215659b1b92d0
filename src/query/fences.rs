//! Which webhooks are routed, as far as the tables know.

use super::{Queries, QueryError, Select};
use hooklog_projections::partitions::{Fences, TABLE};
use std::collections::BTreeMap;

impl Queries {
    /// The fences of every partition that has any, by its number.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn fences(&self) -> Result<BTreeMap<u32, Fences>, QueryError> {
        let (mut snapshot, _timer) = self.begin("fences").await?;
        let rows = snapshot
            .select(&Select::oldest(&TABLE, &["partition"]))
            .await?;
        let unreadable = || QueryError::Unavailable("a row of partitions cannot be read".into());
        let read = |row: Vec<_>| Fences::read(&row).ok_or_else(unreadable);
        rows.into_iter().map(read).collect()
    }
}
