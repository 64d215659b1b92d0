//! How much there is in all: receipts, and deliveries by state.

use super::{Condition, Queries, QueryError, Select, past};
use hooklog_projections::table::Value;
use hooklog_projections::{deliveries, webhooks};
use serde::Serialize;
use utoipa::ToSchema;

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Totals {
    /// Records of webhooks that were decided.
    pub receipts: u64,
    /// Deliveries that are owed.
    pub open: u64,
    /// Deliveries that were delivered.
    pub delivered: u64,
    /// Dead letters.
    pub dead: u64,
    /// Deliveries that are owed no more.
    pub cancelled: u64,
}

impl Totals {
    fn of(&mut self, state: &str) -> Option<&mut u64> {
        match state {
            "open" => Some(&mut self.open),
            "delivered" => Some(&mut self.delivered),
            "dead" => Some(&mut self.dead),
            "cancelled" => Some(&mut self.cancelled),
            _ => None,
        }
    }
}

impl Queries {
    /// How much there is in all. It walks over all deliveries.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn totals(&self) -> Result<Totals, QueryError> {
        let (mut snapshot, _timer) = self.begin("totals").await?;
        let receipts = Select::newest(&webhooks::TABLE, &[]).and_if(self.inside("decision_offset"));
        let mut totals = Totals {
            receipts: snapshot.count(&receipts).await?,
            ..Totals::default()
        };
        for state in ["open", "delivered", "dead", "cancelled"] {
            let select = Select::newest(&deliveries::TABLE, &[])
                .and(Condition::Is("state", Value::text(state)))
                .and_if(self.inside("changed_offset"));
            let count = snapshot.count(&select).await?;
            if let Some(total) = totals.of(state) {
                *total = count;
            }
        }
        if let Some(cut) = &self.cut {
            for (state, count) in past::moved_states(snapshot.as_mut(), cut).await? {
                if let Some(total) = totals.of(&state) {
                    *total += count;
                }
            }
        }
        Ok(totals)
    }
}
