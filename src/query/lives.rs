//! The whole history of a subscription, from its creation on, a batch at a time.

use super::history::change;
use super::{ChangeRow, Condition, Queries, QueryError, Select};
use hooklog_projections::subscriptions::HISTORY;
use hooklog_projections::table::Value;
use hooklog_schemas::SubscriptionId;

impl Queries {
    /// What was done to a subscription from this offset of `control` on, deleted ones too; the
    /// earliest first, at most `limit`.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn subscription_changes(
        &self,
        id: SubscriptionId,
        from: i64,
        limit: usize,
    ) -> Result<Vec<ChangeRow>, QueryError> {
        let (mut snapshot, _timer) = self.begin("subscription_changes").await?;
        let select = Select::oldest(&HISTORY, &["control_offset"])
            .and(Condition::Is("object", Value::Id(id.0.into_bytes())))
            .and(Condition::AtLeast("control_offset", Value::Int(from)))
            .limit(limit);
        let rows = snapshot.select(&select).await?;
        rows.into_iter().map(change).collect()
    }
}
