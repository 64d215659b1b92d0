//! The running parts: the first that fails ends the process, and all end in order.

use std::future::Future;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// One stage of a stop. Stages end one after the other, in the order in which they were made.
pub struct Stage {
    name: &'static str,
    stop: CancellationToken,
    parts: JoinSet<anyhow::Result<()>>,
}

impl Stage {
    /// A stage without parts.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            stop: CancellationToken::new(),
            parts: JoinSet::new(),
        }
    }

    /// The token that tells the parts of this stage to finish.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a part.
    pub fn spawn<E>(&mut self, part: impl Future<Output = Result<(), E>> + Send + 'static)
    where
        E: Into<anyhow::Error>,
    {
        self.parts.spawn(async { part.await.map_err(Into::into) });
    }

    /// Resolves when a part ends, which none should before it is told to.
    async fn ended(&mut self) -> anyhow::Result<()> {
        match self.parts.join_next().await {
            Some(result) => {
                let name = self.name;
                outcome(name, result)?;
                Err(anyhow::anyhow!("{name} ended on its own"))
            }
            None => std::future::pending().await,
        }
    }

    /// Tells the parts to finish, and waits for them up to `grace` each.
    async fn finish(mut self, grace: Duration) -> anyhow::Result<()> {
        self.stop.cancel();
        let mut first_error = Ok(());
        let all = async {
            while let Some(result) = self.parts.join_next().await {
                let result = outcome(self.name, result);
                first_error = std::mem::replace(&mut first_error, Ok(())).and(result);
            }
        };
        if tokio::time::timeout(grace, all).await.is_err() {
            tracing::warn!(
                stage = self.name,
                "did not finish in time; what is durable stays so"
            );
        }
        first_error
    }
}

/// Runs until `stop` resolves or a part ends on its own, then finishes stage by stage.
///
/// # Errors
/// The first error of a part.
pub async fn run(
    mut stages: Vec<Stage>,
    stop: impl Future<Output = ()>,
    grace: Duration,
) -> anyhow::Result<()> {
    let mut result = {
        let ended = stages.iter_mut().map(|stage| Box::pin(stage.ended()));
        tokio::select! {
            () = stop => Ok(()),
            (first, _, _) = futures_util::future::select_all(ended) => first,
        }
    };
    if let Err(error) = &result {
        tracing::error!(error = format!("{error:#}"), "a part failed; stopping");
    }
    for stage in stages {
        result = result.and(stage.finish(grace).await);
    }
    result
}

fn outcome(name: &str, joined: Result<anyhow::Result<()>, JoinError>) -> anyhow::Result<()> {
    match joined {
        Ok(result) => result.map_err(|error| error.context(format!("{name} failed"))),
        Err(error) => Err(anyhow::anyhow!("{name} panicked: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[tokio::test]
    async fn stages_finish_in_order() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let stage = |name: &'static str| {
            let mut stage = Stage::new(name);
            let (token, order) = (stage.token(), Arc::clone(&order));
            stage.spawn(async move {
                token.cancelled().await;
                order.lock().unwrap().push(name);
                anyhow::Ok(())
            });
            stage
        };
        let stages = vec![stage("receive"), stage("work"), stage("api")];
        run(stages, async {}, Duration::from_secs(5)).await.unwrap();
        assert_eq!(*order.lock().unwrap(), ["receive", "work", "api"]);
    }

    #[tokio::test]
    async fn a_part_that_fails_stops_the_others_and_is_reported() {
        let mut good = Stage::new("receive");
        let token = good.token();
        good.spawn(async move {
            token.cancelled().await;
            anyhow::Ok(())
        });
        let mut bad = Stage::new("work");
        bad.spawn(async { Err::<(), _>(anyhow::anyhow!("boom")) });
        let never = std::future::pending();
        let error = run(vec![good, bad], never, Duration::from_secs(5))
            .await
            .unwrap_err();
        assert_eq!(format!("{error:#}"), "work failed: boom");
    }
}
