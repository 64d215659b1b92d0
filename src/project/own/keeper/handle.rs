//! A projection of somebody's own, as seen by who asks and orders.

use crate::project::own::status::OwnStatus;
use crate::project::own::store::OwnError;
use tokio::sync::{mpsc, oneshot, watch};

/// Tells how a projection is, and takes orders about it.
#[derive(Clone)]
pub struct OwnHandle {
    status: watch::Receiver<OwnStatus>,
    orders: mpsc::Sender<Order>,
}

impl OwnHandle {
    pub(super) const fn new(
        status: watch::Receiver<OwnStatus>,
        orders: mpsc::Sender<Order>,
    ) -> Self {
        Self { status, orders }
    }

    /// How it is.
    #[must_use]
    pub fn status(&self) -> OwnStatus {
        self.status.borrow().clone()
    }

    /// Whether nobody keeps it any more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.orders.is_closed()
    }

    /// Has new tables built from the start of the log, beside the ones that answer.
    pub fn rebuild(&self) {
        // When several are waiting, one more makes no difference.
        let _ = self.orders.try_send(Order::Rebuild);
    }

    /// Drops the tables that are kept of a version; tells whether there were any.
    ///
    /// # Errors
    /// The store's.
    pub async fn drop_kept(&self, version: u32) -> Result<bool, OwnError> {
        let (done, told) = oneshot::channel();
        let ended = || OwnError::Refused("it is not kept by this process any more".to_owned());
        let sent = self.orders.send(Order::Drop { version, done }).await;
        sent.map_err(|_| ended())?;
        told.await.map_err(|_| ended())?
    }
}

/// Something to do about the tables.
pub(super) enum Order {
    /// Build new ones beside those that answer.
    Rebuild,
    /// Drop those that are kept of a version.
    Drop {
        version: u32,
        done: oneshot::Sender<Result<bool, OwnError>>,
    },
}
