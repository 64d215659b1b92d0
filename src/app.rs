//! The composition root: from configuration to running parts. The only file that names back ends.

pub mod admin_token;
pub mod copy;
mod demo;
pub mod log;
pub mod offline;
pub mod open;
pub mod tasks;
pub mod telemetry;

use crate::api::{self, ApiParts, CheckTarget};
use crate::cli::ServeArgs;
use crate::clock::System;
use crate::config::{self, Config, Loaded};
use crate::deliver::egress::{Egress, EgressError};
use crate::deliver::https::Https;
use crate::http::{self, HttpLimits};
use crate::metrics::Metrics;
use crate::project::stores::sqlite::{SqliteStore, SqliteTables};
use crate::project::{Projector, ProjectorParts};
use crate::query::Queries;
use crate::receive::{self, IntoLog, Receiver, ReceiverParts};
use crate::route;
use crate::secret::Secret;
use crate::worker::{Worker, WorkerParts};
use anyhow::Context as _;
use open::Opened;
use prometheus_client::registry::Registry;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tasks::Stage;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

/// The running parts.
pub struct Running {
    /// Where webhooks come in.
    pub webhooks: SocketAddr,
    /// Where the API is served.
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
/// When a part cannot start, or fails.
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
        demo::join(&mut running);
    }
    let ended = running.until(stop).await;
    drop(folder);
    ended
}

/// Opens the log and starts every part. `admin_token` is the environment's, if it gives one.
///
/// # Errors
/// When a part cannot start: each error says what to change.
pub async fn start(loaded: &Loaded, admin_token: Option<String>) -> anyhow::Result<Running> {
    let config = &loaded.config;
    // A port that is taken is found before anything is made.
    let webhooks = bind("listen", config.listen).await?;
    let api = bind("api_listen", config.api_listen).await?;
    let addresses = (webhooks.local_addr()?, api.local_addr()?);
    open::data_folder(&config.data)?;
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let (log, poisoned) = log::open(config, &metrics).await?;
    let opened = open::open(log, Arc::new(System), config, loaded.effective()).await?;
    let named = opened.control.current().has_admin();
    let admin = admin_token::bootstrap(&config.data, admin_token, named)?;
    let grace = Duration::from_millis(config.shutdown_ms);
    let egress = Egress::new(&config.deliver).listening(vec![addresses.0, addresses.1]);
    let parts = Parts {
        config,
        opened: &opened,
        metrics,
        grace,
        egress: Arc::new(egress),
    };
    let mut stages = parts.start(webhooks, api, registry, admin.clone()).await?;
    stages.push(following(&opened, poisoned));
    tracing::info!(webhooks = %addresses.0, api = %addresses.1, "serving");
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
    /// Runs until `stop` resolves or a part fails, then finishes stage by stage.
    ///
    /// # Errors
    /// The first error of a part.
    pub async fn until(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        // A stage's own deadline comes first; this one is for parts that miss theirs.
        tasks::run(self.stages, stop, self.grace + Duration::from_secs(1)).await
    }
}

/// What the parts are made of.
struct Parts<'a> {
    config: &'a Config,
    opened: &'a Opened,
    metrics: Metrics,
    grace: Duration,
    egress: Arc<Egress>,
}

impl Parts<'_> {
    /// Starts every part, in the order in which they stop: first nothing comes in any more, then
    /// what is under way is finished and projected, and the API answers to the end.
    async fn start(
        &self,
        webhooks: TcpListener,
        api: TcpListener,
        registry: Registry,
        admin: Option<Secret>,
    ) -> anyhow::Result<Vec<Stage>> {
        let (worker_ready, ready) = watch::channel(false);
        let working = self.working(worker_ready)?;
        let projecting = self.projecting().await?;
        let receiver = self.receiver();
        let serving = self.serving(api, registry, ready, &receiver, admin);
        let receiving = receiving(webhooks, receiver);
        Ok(vec![receiving, working, projecting, serving])
    }

    fn receiver(&self) -> Arc<Receiver> {
        let opened = self.opened;
        Receiver::new(ReceiverParts {
            log: Arc::clone(&opened.log),
            inlet: Arc::new(IntoLog(Arc::clone(&opened.log))),
            control: Arc::clone(&opened.control),
            keyring: Arc::clone(&opened.keyring),
            clock: Arc::clone(&opened.clock),
            config: self.config.receive.clone(),
            shutdown: self.grace,
            metrics: self.metrics.clone(),
        })
    }

    fn working(&self, ready: watch::Sender<bool>) -> anyhow::Result<Stage> {
        let mut stage = Stage::new("worker");
        let opened = self.opened;
        let excerpt = self.config.deliver.excerpt_bytes_max;
        let parts = WorkerParts {
            log: Arc::clone(&opened.log),
            control: Arc::clone(&opened.control),
            keyring: Arc::clone(&opened.keyring),
            clock: Arc::clone(&opened.clock),
            config: self.config.deliver.clone(),
            metrics: self.metrics.clone(),
            transport: Arc::new(Https::new(Arc::clone(&self.egress), excerpt)?),
            egress: Arc::clone(&self.egress),
            data: self.config.data.clone(),
            process: opened.process,
        };
        let stop = stage.token();
        stage.spawn(Worker::run(parts, ready, stop));
        Ok(stage)
    }

    async fn projecting(&self) -> anyhow::Result<Stage> {
        let mut stage = Stage::new("projector");
        let opened = self.opened;
        let projector = Projector::open(ProjectorParts {
            log: Arc::clone(&opened.log),
            store: Box::new(SqliteStore::open(&offline::tables(&self.config.data)).await?),
            metrics: self.metrics.clone(),
            config: self.config.project.clone(),
        })
        .await?;
        let stop = stage.token();
        stage.spawn(projector.run(stop));
        Ok(stage)
    }

    fn serving(
        &self,
        listener: TcpListener,
        registry: Registry,
        worker_ready: watch::Receiver<bool>,
        receiver: &Arc<Receiver>,
        admin: Option<Secret>,
    ) -> Stage {
        let mut stage = Stage::new("api");
        let opened = self.opened;
        let tables = SqliteTables::new(&offline::tables(&self.config.data));
        let app = api::router(ApiParts {
            log: Arc::clone(&opened.log),
            control: Arc::clone(&opened.control),
            keyring: Arc::clone(&opened.keyring),
            clock: Arc::clone(&opened.clock),
            metrics: self.metrics.clone(),
            registry: Arc::new(registry),
            queries: Queries::new(Arc::new(tables), self.metrics.clone()),
            check_target: check_target(&self.egress),
            check_filter: Arc::new(|filter| {
                route::validate(filter).map_err(|error| error.to_string())
            }),
            trusted_proxies: self.config.receive.trusted_proxies.clone(),
            bootstrap_admin: admin,
            worker_ready,
            appends_in_time: {
                let receiver = Arc::clone(receiver);
                Arc::new(move || receiver.appends_in_time())
            },
            stop: stage.token(),
            build: env!("CARGO_PKG_VERSION").into(),
        });
        let limits = HttpLimits::api(self.grace, &self.metrics);
        let stop = stage.token();
        stage.spawn(async move {
            http::serve(listener, app, limits, stop).await;
            anyhow::Ok(())
        });
        stage
    }
}

fn receiving(listener: TcpListener, receiver: Arc<Receiver>) -> Stage {
    let mut stage = Stage::new("receiver");
    let stop = stage.token();
    stage.spawn(async move {
        receive::serve(listener, receiver, stop).await;
        anyhow::Ok(())
    });
    stage
}

/// Follows the configuration to the very end, and ends the process when the log stops.
fn following(opened: &Opened, mut poisoned: watch::Receiver<Option<String>>) -> Stage {
    let mut stage = Stage::new("log");
    let control = Arc::clone(&opened.control);
    let stop = stage.token();
    stage.spawn(async move {
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = control.follow() => ended.map_err(anyhow::Error::from),
            reason = poisoned.wait_for(Option::is_some) => {
                let reason = reason.ok().and_then(|reason| reason.clone()).unwrap_or_default();
                Err(anyhow::anyhow!("the log stopped ({reason}); start again to recover what it has"))
            }
        }
    });
    stage
}

/// The check of a destination at registration. A name that does not resolve yet may be registered:
/// every attempt resolves and checks again.
fn check_target(egress: &Arc<Egress>) -> CheckTarget {
    let egress = Arc::clone(egress);
    Arc::new(move |to: &str| {
        let (egress, to) = (Arc::clone(&egress), to.to_owned());
        Box::pin(async move {
            match egress.check_target(&to).await {
                Ok(()) | Err(EgressError::Unresolved { .. }) => Ok(()),
                Err(error) => Err(error.to_string()),
            }
        })
    })
}

async fn bind(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("{key} = {address}: is another program listening there?"))
}

/// A signal this soon after the first one is the same one, sent to the process and to its group, as
/// `timeout` does.
const SIGNAL_ECHO: Duration = Duration::from_millis(500);

/// Resolves at SIGTERM or SIGINT; a second one ends the process at once, which is safe too.
fn told_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
        tracing::info!("stopping; once more to stop at once");
        let first = Instant::now();
        tokio::spawn(async move {
            while first.elapsed() < SIGNAL_ECHO {
                tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
            }
            std::process::exit(130);
        });
    })
}

#[cfg(test)]
mod tests;
