//! `hooklog serve --demo`: a source, a few subscriptions, signed webhooks, and what becomes of them.
//!
//! It needs nothing but the binary. Everything goes over HTTP, as it would in production: the
//! webhooks to the webhook listener, the configuration to the API, the deliveries to receivers.

mod plot;
mod receivers;
mod story;
mod traffic;

use super::Running;
use super::open::Opened;
use super::tasks::Stage;
use crate::config::Config;
use crate::secret::Secret;
use anyhow::{Context as _, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use tempfile::TempDir;

/// The secret that the demo's GitHub shares with its source.
const SECRET: &str = "It's a Secret to Everybody";

/// Turns a configuration into the demo's: a temporary folder, and receivers on this machine.
///
/// # Errors
/// When there can be no temporary folder.
pub(super) fn prepare(config: &mut Config) -> anyhow::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("hooklog-demo-").tempdir()?;
    config.data = folder.path().join("data");
    config.deliver.allow.push("127.0.0.0/8".parse()?);
    config.deliver.excerpts_of_allowed = true;
    // A small disk is no reason not to look at the demo, which writes a few megabytes.
    config.log.reserve_bytes = config.log.reserve_bytes.min(64 << 20);
    config.log.segment_bytes = config.log.segment_bytes.min(config.log.reserve_bytes);
    for address in [&mut config.listen, &mut config.api_listen] {
        if TcpListener::bind(*address).is_err() {
            address.set_port(0);
        }
    }
    Ok(folder)
}

/// Plays beside the roles, and stops before them.
///
/// # Errors
/// When they take no webhooks.
pub(super) fn join(running: &mut Running) -> anyhow::Result<()> {
    let token = running.admin.as_ref().map_or(&[][..], Secret::expose);
    let scene = Scene {
        webhooks: running.webhooks.context("the demo needs every role")?,
        api: running.api,
        opened: running.opened.clone(),
        token: String::from_utf8_lossy(token).into_owned(),
    };
    let mut stage = Stage::new("demo");
    let stop = stage.token();
    stage.spawn(async move {
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            played = play(scene) => played,
        }
    });
    running.stages.insert(0, stage);
    Ok(())
}

/// What the demo needs of the running parts.
struct Scene {
    webhooks: SocketAddr,
    api: SocketAddr,
    opened: Opened,
    token: String,
}

async fn play(scene: Scene) -> anyhow::Result<()> {
    let receivers = receivers::start().await?;
    // Everything is on this machine, which a proxy of the environment would not find.
    let client = reqwest::Client::builder().no_proxy().build()?;
    let api = Api::new(&scene, client.clone());
    configure(&api, &receivers).await?;
    let people = plot::People::arrive(&api).await?;
    greet(&scene)?;
    let webhooks = format!("http://{}/webhooks/github", scene.webhooks);
    tokio::select! {
        told = story::tell(&scene.opened) => told,
        sent = traffic::send(&client, &webhooks, SECRET) => sent,
        played = people.act(&receivers) => played,
    }
}

async fn configure(api: &Api, receivers: &receivers::Receivers) -> anyhow::Result<()> {
    api.post("sources", json!({"name": "github", "secret": SECRET}))
        .await?;
    let quick = json!({"attempts_max": 3, "delay_first_ms": 700, "deadline_ms": 3000});
    let subscriptions = [
        json!({"name": "billing", "team": "payments", "to": receivers.healthy,
               "filter": {"repositories": ["acme/*"]}, "reason": "invoices"}),
        json!({"name": "security", "team": "security", "to": receivers.healthy,
               "filter": {"events": ["secret_scanning_alert"]}, "reason": "alerts of all teams"}),
        json!({"name": "dashboard", "team": "platform", "to": receivers.sometimes,
               "filter": {"events": ["workflow_run", "check_run"]}, "policy": quick}),
        json!({"name": "deploy-bot", "team": "platform", "to": receivers.flaky,
               "filter": {"events": ["push", "workflow_run"]}, "policy": quick}),
        json!({"name": "old-ci", "team": "platform", "to": receivers.broken, "sign": "github",
               "filter": {"events": ["pull_request"]}, "policy": quick}),
    ];
    for subscription in subscriptions {
        api.post("subscriptions", subscription).await?;
    }
    Ok(())
}

fn greet(scene: &Scene) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "
hooklog demo: webhooks come in at http://{webhooks}/webhooks/github, about one a second.

  billing      wants everything of acme/*, and answers 200; after 15 s bo narrows it to pushes
  security     wants secret_scanning_alert; after 12 s ann reads the body of one
  dashboard    wants workflow_run and check_run; its receiver is down from 20 s to 35 s
  deploy-bot   wants push and workflow_run, and fails at first
  old-ci       wants pull_request, and always fails: its deliveries end as dead letters

In a browser: http://{api}/ with the token {token}

Try in another terminal:

  export HOOKLOG_SERVER=http://{api} HOOKLOG_TOKEN={token}
  hooklog webhook list
  hooklog timeline GUID                       # the whole life of one event
  hooklog explain GUID --subscription old-ci  # why it was delivered, or why not
  hooklog webhook who-received --event secret_scanning_alert
  hooklog subscription blame billing
  hooklog explain --subscription dashboard --since 5m --missed
  hooklog dead-letter list
  hooklog dead-letter redrive --subscription old-ci --dry-run
  hooklog doctor

(hooklog is this binary: cargo run --release -- webhook list, or target/release/hooklog.)
Stop with Ctrl-C; the data was in a temporary folder and goes with it.
",
        webhooks = scene.webhooks,
        api = scene.api,
        token = scene.token,
    )?;
    Ok(())
}

/// The demo's own client of the API.
struct Api {
    client: reqwest::Client,
    base: String,
    token: String,
}

impl Api {
    fn new(scene: &Scene, client: reqwest::Client) -> Self {
        let base = format!("http://{}/api/v1", scene.api);
        Self {
            client,
            base,
            token: scene.token.clone(),
        }
    }

    async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let text = self.send(method, path, body).await?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Reads what is not JSON of ours, and drops it.
    async fn read(&self, path: &str) -> anyhow::Result<()> {
        self.send(Method::GET, path, None).await.map(drop)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<String> {
        let url = format!("{}/{path}", self.base);
        let mut request = self.client.request(method, &url).bearer_auth(&self.token);
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = request.timeout(Duration::from_secs(60)).send().await;
        let answer = answer.with_context(|| format!("asking {url}"))?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{url} answered {status}: {text}");
        Ok(text)
    }
}
