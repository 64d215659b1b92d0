//! What holds open deliveries back beyond their due times.

use super::problem::Problem;
use super::view::View;
use crate::query::DeliveryRow;

impl View<'_> {
    /// Says of open deliveries whether a pause holds them back. Tables know when they are due; whether
    /// somebody paused them is a matter of the configuration in force.
    pub(super) async fn fill_held<'a>(
        &self,
        rows: impl IntoIterator<Item = &'a mut DeliveryRow>,
    ) -> Result<(), Problem> {
        let open: Vec<_> = rows.into_iter().filter(|row| row.state == "open").collect();
        if open.is_empty() {
            return Ok(());
        }
        let configuration = self.configuration().await?;
        for row in open {
            let subscription = configuration.subscriptions.get(&row.subscription_id);
            let replay = row.cause.parse().ok();
            let replay = replay.and_then(|id| configuration.replays.get(&id));
            let elsewhere = replay.is_some_and(|replay| replay.spec.to.is_some());
            let held = if configuration.deliveries_paused {
                Some("all deliveries are paused")
            } else if replay.is_some_and(|replay| replay.paused) {
                Some("the replay is paused")
            } else if subscription.is_some_and(|one| one.paused) && !elsewhere {
                Some("the subscription is paused")
            } else {
                None
            };
            row.held = held.map(str::to_owned);
        }
        Ok(())
    }
}
