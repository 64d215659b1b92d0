//! How long a server may take.

use crate::project::store::StoreError;
use std::future::Future;
use std::time::Duration;

/// Gives up after `limit`: a server that is gone without a word does not say so.
pub(super) async fn within<T>(
    limit: Duration,
    doing: &'static str,
    what: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, what).await {
        Ok(done) => done,
        Err(_) => Err(StoreError::Failed {
            doing,
            reason: format!("there was no answer within {} s", limit.as_secs_f32()),
        }),
    }
}
