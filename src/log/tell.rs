//! Waiting for records, for back ends that notify of appends by partition.

use futures_util::future::select_all;
use tokio::sync::{Notify, watch};

/// Resolves when `readable`, which is asked after each notification, or when `poison` says that the
/// log stopped. Without any `appended` there is nothing to wait for but that.
pub(super) async fn until(
    appended: &[&Notify],
    readable: impl Fn() -> bool,
    mut poison: watch::Receiver<Option<String>>,
) {
    loop {
        let told = appended.iter().map(|notify| Box::pin(notify.notified()));
        let mut told: Vec<_> = told.collect();
        // Enabled before the check, so that nothing is missed in between.
        told.iter_mut().for_each(|told| {
            told.as_mut().enable();
        });
        if readable() {
            return;
        }
        let stopped = poison.wait_for(Option::is_some);
        if told.is_empty() {
            let _ = stopped.await;
            return;
        }
        tokio::select! {
            _ = stopped => return,
            _ = select_all(told) => {}
        }
    }
}
