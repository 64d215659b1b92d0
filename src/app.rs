//! The composition root: from configuration to running roles. It and the files below it alone name
//! back ends.

pub mod admin_token;
pub mod as_of;
pub mod copy;
mod demo;
pub mod intake;
pub mod log;
pub mod offline;
pub mod open;
pub mod own;
mod roles;
mod signals;
pub mod spool;
mod tables;
pub mod tasks;
pub mod telemetry;

pub(crate) use signals::told_to_stop;

use crate::cli::ServeArgs;
use crate::config::{self, Config, Loaded, Role, Roles};
use crate::control::Control;
use crate::deliver::egress::Egress;
use crate::metrics::Metrics;
use crate::secret::Secret;
use anyhow::Context as _;
use open::{Begun, Opened, Reached};
use prometheus_client::registry::Registry;
use roles::{Doors, Parts};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tasks::Stage;
use tokio::net::TcpListener;

/// The running roles.
pub struct Running {
    /// Where webhooks come in; none without the role `receive`.
    pub webhooks: Option<SocketAddr>,
    /// Where the API is served; only health and metrics without the role `api`.
    pub api: SocketAddr,
    /// The log, the configuration, the keys.
    pub opened: Opened,
    admin: Option<Secret>,
    stages: Vec<Stage>,
    grace: Duration,
}

/// Runs `hooklog serve` until it is told to stop.
///
/// # Errors
/// When a role cannot start, or fails.
pub async fn serve(args: ServeArgs) -> anyhow::Result<()> {
    telemetry::start(telemetry::filter(args.demo).as_deref())?;
    let mut loaded = config::load(args.configuration.sources())?;
    let folder = if args.demo {
        Some(demo::prepare(&mut loaded.config)?)
    } else {
        None
    };
    let stop = told_to_stop()?;
    let mut running = start(&loaded, admin_token::from_environment()).await?;
    if args.demo {
        demo::join(&mut running)?;
    }
    let ended = running.until(stop).await;
    drop(folder);
    ended
}

/// Opens the log and starts the roles. `admin_token` is the environment's, if it gives one.
///
/// # Errors
/// When a role cannot start: each error says what to change.
pub async fn start(loaded: &Loaded, admin_token: Option<String>) -> anyhow::Result<Running> {
    begin(loaded, admin_token, None).await
}

/// Starts the roles on a log that is open already, as one in memory, which no configuration names.
///
/// # Errors
/// As [`start`].
pub async fn start_on(
    log: log::Log,
    loaded: &Loaded,
    admin_token: Option<String>,
) -> anyhow::Result<Running> {
    begin(loaded, admin_token, Some(log)).await
}

async fn begin(
    loaded: &Loaded,
    admin_token: Option<String>,
    log: Option<log::Log>,
) -> anyhow::Result<Running> {
    let config = &loaded.config;
    let roles = Roles::of(config);
    // A port that is taken is found before anything is made.
    let webhooks = match roles.has(Role::Receive) {
        true => Some(bind("listen", config.listen).await?),
        false => None,
    };
    let api = bind("api_listen", config.api_listen).await?;
    let addresses = (
        webhooks.as_ref().map(TcpListener::local_addr).transpose()?,
        api.local_addr()?,
    );
    open::data_folder(&config.data)?;
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let Begun {
        opened,
        reached,
        snapshots,
    } = match log {
        Some(found) => open::begin(found, loaded).await?,
        None => open::reach(loaded, &metrics).await?,
    };
    let admin = first_admin(config, &roles, &opened, admin_token)?;
    let grace = Duration::from_millis(config.shutdown_ms);
    let listening = addresses.0.into_iter().chain([addresses.1]).collect();
    let parts = Parts {
        config,
        roles: &roles,
        opened: &opened,
        snapshots,
        metrics,
        grace,
        egress: Arc::new(Egress::new(&config.deliver).listening(listening)),
    };
    let doors = Doors {
        webhooks,
        api,
        admin: admin.clone(),
        registry,
    };
    let mut stages = parts.start(doors).await?;
    stages.push(following(&opened, reached));
    tell(&roles, addresses);
    Ok(Running {
        webhooks: addresses.0,
        api: addresses.1,
        opened,
        admin,
        stages,
        grace,
    })
}

impl Running {
    /// Runs until `stop` resolves or a role fails, then finishes stage by stage.
    ///
    /// # Errors
    /// The first error of a role.
    pub async fn until(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        // A stage's own deadline comes first; this one is for parts that miss theirs.
        tasks::run(self.stages, stop, self.grace + Duration::from_secs(1)).await
    }
}

/// The token that is an admin until the first named one exists; only the API asks for any.
fn first_admin(
    config: &Config,
    roles: &Roles,
    opened: &Opened,
    given: Option<String>,
) -> anyhow::Result<Option<Secret>> {
    if !roles.has(Role::Api) {
        return Ok(None);
    }
    let named = opened.control.current().has_admin();
    admin_token::bootstrap(&config.data, given, named)
}

/// Follows the configuration to the very end, and ends the process when the log stops, but not when
/// it is away for a while.
fn following(opened: &Opened, reached: Reached) -> Stage {
    let mut stage = Stage::new("log");
    let control = Arc::clone(&opened.control);
    let stop = stage.token();
    stage.spawn(async move {
        let followed = follow(&control, reached);
        stop.run_until_cancelled(followed).await.unwrap_or(Ok(()))
    });
    stage
}

async fn follow(control: &Control, reached: Reached) -> anyhow::Result<()> {
    let mut poisoned = match reached {
        Reached::There(poisoned) => poisoned,
        Reached::Awaited(awaited) => awaited.come().await?,
    };
    let following = async {
        loop {
            match control.follow().await {
                Err(error) if error.is_for_a_while() => {
                    tracing::warn!(%error, "the configuration cannot be followed now");
                    tokio::time::sleep(PATIENCE).await;
                }
                ended => return ended,
            }
        }
    };
    tokio::select! {
        ended = following => Ok(ended?),
        reason = poisoned.wait_for(Option::is_some) => {
            let reason = reason.ok().and_then(|reason| reason.clone()).unwrap_or_default();
            Err(anyhow::anyhow!("the log stopped ({reason}); start again to recover what it has"))
        }
    }
}

/// How long a process waits before it asks a log that is away again.
const PATIENCE: Duration = Duration::from_secs(5);

async fn bind(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("{key} = {address}: is another program listening there?"))
}

fn tell(roles: &Roles, (webhooks, api): (Option<SocketAddr>, SocketAddr)) {
    let webhooks = webhooks.map(tracing::field::display);
    tracing::info!(%roles, webhooks, %api, "serving");
}

#[cfg(test)]
mod tests;
