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
    let silent = |reason| StoreError::Failed { doing, reason };
    or_else(limit, what, silent).await
}

/// The same, where a server that does not answer is told in the words of `silent`.
pub(super) async fn or_else<T, E>(
    limit: Duration,
    what: impl Future<Output = Result<T, E>>,
    silent: impl FnOnce(String) -> E,
) -> Result<T, E> {
    match tokio::time::timeout(limit, what).await {
        Ok(done) => done,
        Err(_) => {
            let limit = limit.as_secs_f32();
            Err(silent(format!("there was no answer within {limit} s")))
        }
    }
}
