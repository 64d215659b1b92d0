//! Tells how it is: in the list of projections, in metrics, and in the program's log.

use super::Keeper;
use crate::log::EventLog;
use crate::metrics::OwnLabel;
use crate::project::own::definition::Definition;
use crate::project::own::store::{OwnError, OwnStored};
use crate::project::own::{OwnState, events, reading};
use std::time::{Duration, Instant};

/// How often the log is asked how far behind the tables are.
const LAG_EVERY: Duration = Duration::from_secs(1);

impl Keeper {
    /// Tells how far it is: when it has caught up, and now and then before.
    pub(super) async fn tell(
        &mut self,
        definition: &Definition,
        idle: bool,
    ) -> Result<(), OwnError> {
        let recently = self.asked.is_some_and(|at| at.elapsed() < LAG_EVERY);
        if recently && !(idle && self.status.borrow().lag != Some(0)) {
            return Ok(());
        }
        let kept = self.parts.store.kept().await?;
        let Some(sets) = self.sets.clone() else {
            return Ok(());
        };
        let log = self.parts.log.as_ref();
        let lag = behind(log, definition, sets.answers.as_ref()).await?;
        let left = behind(log, definition, sets.next.as_ref()).await?;
        self.asked = Some(Instant::now());
        self.show_lag(lag.or(left).unwrap_or_default());
        let failing = &self.parts.metrics.own_projection_failing;
        let fails = self.rests.is_some();
        failing.get_or_create(&self.label()).set(i64::from(fails));
        self.status.send_modify(|status| {
            status.state = match sets.next {
                _ if fails => OwnState::Fails,
                Some(_) => OwnState::Builds,
                None => OwnState::Follows,
            };
            status.version = Some(definition.version);
            status.answers = sets.answers.as_ref().map(|stored| stored.version);
            status.folded = sets.answers.as_ref().map_or(0, folded);
            (status.lag, status.left) = (lag, left);
            status.kept = kept;
            if !fails {
                status.error = None;
            }
        });
        Ok(())
    }

    /// The next step begins with what is stored then.
    pub(super) fn tell_failure(&mut self, error: &OwnError) {
        let answers = self.sets.take().and_then(|sets| sets.answers);
        self.last = answers.or(self.last.take());
        self.asked = None;
        let told = error.to_string();
        let news = self.status.borrow().error.as_ref() != Some(&told);
        if news {
            let projection = &self.status.borrow().name;
            tracing::warn!(%projection, error = %told, "a projection of your own stands still");
        }
        let failing = &self.parts.metrics.own_projection_failing;
        failing.get_or_create(&self.label()).set(1);
        let version = self
            .definition
            .as_ref()
            .map(|definition| definition.version);
        self.status.send_modify(|status| {
            status.state = OwnState::Fails;
            status.version = version;
            status.error = Some(told);
        });
    }

    /// Tells how far it has fallen behind while it stands still, if the log says so.
    pub(super) async fn tell_lag(&mut self) {
        let (Some(definition), Some(last)) = (&self.definition, &self.last) else {
            return;
        };
        let behind = behind(self.parts.log.as_ref(), definition, Some(last)).await;
        if let Ok(Some(lag)) = behind {
            self.show_lag(lag);
            self.status.send_modify(|status| status.lag = Some(lag));
        }
    }

    /// Tells nothing any more: whoever keeps it now does.
    pub(super) fn tell_nothing(&self) {
        let (metrics, label) = (&self.parts.metrics, self.label());
        metrics.own_projection_lag.remove(&label);
        metrics.own_projection_failing.remove(&label);
    }

    fn show_lag(&self, lag: u64) {
        let lags = &self.parts.metrics.own_projection_lag;
        let gauge = lags.get_or_create(&self.label());
        gauge.set(i64::try_from(lag).unwrap_or(i64::MAX));
    }

    fn label(&self) -> OwnLabel {
        OwnLabel {
            projection: self.status.borrow().name.clone(),
        }
    }
}

/// Records that a set has not read.
async fn behind(
    log: &dyn EventLog,
    definition: &Definition,
    stored: Option<&OwnStored>,
) -> Result<Option<u64>, OwnError> {
    let Some(stored) = stored else {
        return Ok(None);
    };
    let topics = events::topics(&definition.events);
    let behind = reading::behind(log, &topics, &stored.place.checkpoint).await?;
    Ok(Some(behind))
}

fn folded(stored: &OwnStored) -> u64 {
    stored
        .place
        .checkpoint
        .positions()
        .map(|p| p.offset.0)
        .sum()
}
