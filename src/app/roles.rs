//! The roles of this process: a file each, which starts one and says when it is ready.

mod api;
mod append;
mod project;
mod receive;
mod work;

use super::intake;
use super::open::Opened;
use super::tasks::Stage;
use crate::config::{Config, Role, Roles};
use crate::deliver::egress::Egress;
use crate::health::{Health, Part};
use crate::metrics::Metrics;
use crate::secret::Secret;
use crate::worker::SnapshotStore;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// What roles are made of.
pub(super) struct Parts<'a> {
    pub(super) config: &'a Config,
    pub(super) roles: &'a Roles,
    pub(super) opened: &'a Opened,
    pub(super) snapshots: Arc<dyn SnapshotStore>,
    pub(super) metrics: Metrics,
    pub(super) grace: Duration,
    pub(super) egress: Arc<Egress>,
}

/// What listens and answers, whatever the roles are.
pub(super) struct Doors {
    /// Where webhooks come in; the role `receive` has it.
    pub(super) webhooks: Option<TcpListener>,
    /// Where API, health and metrics are served.
    pub(super) api: TcpListener,
    /// The first admin token, while there is no named one.
    pub(super) admin: Option<Secret>,
    /// What is counted.
    pub(super) registry: Registry,
}

/// A role that runs.
struct Started {
    /// How it stops.
    stage: Stage,
    /// When it is ready.
    part: Part,
}

impl Parts<'_> {
    /// Starts every role of this process, in the order in which they stop: first nothing comes in
    /// any more, then what is under way is finished and projected, and the API answers to the end.
    ///
    /// # Errors
    /// When a role cannot start.
    pub(super) async fn start(&self, doors: Doors) -> anyhow::Result<Vec<Stage>> {
        let mut started = Vec::new();
        let mut draining = None;
        let queue = match self.roles.has(Role::Receive) || self.roles.has(Role::Append) {
            true => intake::open(self.config).await?,
            false => None,
        };
        if let Some(webhooks) = doors.webhooks {
            let (receiving, spool) = receive::start(self, webhooks, queue.clone())?;
            started.push(receiving);
            draining = spool;
        }
        if let Some(queue) = queue.filter(|_| self.roles.has(Role::Append)) {
            started.push(append::start(self, queue));
        }
        if self.roles.has(Role::Work) {
            started.push(work::start(self)?);
        }
        let mut desks = None;
        if self.roles.has(Role::Project) {
            let (projecting, taking) = project::start(self).await?;
            started.push(projecting);
            desks = Some(taking);
        }
        let (mut stages, mut ready) = apart(started);
        // Right after the receiver, which is the first: nothing comes into it any more.
        if let Some(draining) = draining {
            stages.insert(1, draining);
        }
        let queries = match self.roles.has(Role::Api) {
            true => Some(api::queries(self)?),
            false => None,
        };
        ready.extend(queries.as_ref().map(|queries| api::part(self, queries)));
        let health = Health::new(ready, doors.registry);
        stages.push(match queries {
            Some(queries) => api::start(self, doors.api, health, queries, desks, doors.admin),
            None => api::elsewhere(self, doors.api, health),
        });
        Ok(stages)
    }
}

fn apart(started: Vec<Started>) -> (Vec<Stage>, Vec<Part>) {
    let pair = |role: Started| (role.stage, role.part);
    started.into_iter().map(pair).unzip()
}
