//! `hooklog serve --demo`: a source, a few subscriptions, signed webhooks, and what becomes of them.
//!
//! It needs nothing but the binary. Everything goes over HTTP, as it would in production: the
//! webhooks to the webhook listener, the configuration to the API, the deliveries to receivers.

mod receivers;
mod story;
mod traffic;

use super::Running;
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::io::Write as _;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The secret that the demo's GitHub shares with its source.
const SECRET: &str = "It's a Secret to Everybody";

/// Plays until `stop` is cancelled.
///
/// # Errors
/// When a receiver cannot listen, or the API refuses the demo's configuration.
pub async fn play(running: &Running, token: &str, stop: CancellationToken) -> anyhow::Result<()> {
    let receivers = receivers::start().await?;
    let api = Api::new(running, token);
    configure(&api, &receivers).await?;
    greet(running, token)?;
    let webhooks = format!("http://{}/webhooks/github", running.webhooks);
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        told = story::tell(running) => told,
        sent = traffic::send(&webhooks, SECRET) => sent,
    }
}

async fn configure(api: &Api, receivers: &receivers::Receivers) -> anyhow::Result<()> {
    api.post("sources", json!({"name": "github", "secret": SECRET})).await?;
    let quick = json!({"attempts_max": 3, "delay_first_ms": 700, "deadline_ms": 3000});
    let subscriptions = [
        json!({"name": "billing", "team": "payments", "to": receivers.healthy,
               "filter": {"repositories": ["acme/*"]}}),
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

fn greet(running: &Running, token: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "
hooklog demo: webhooks come in at http://{webhooks}/webhooks/github, about one a second.

  billing      wants everything of acme/*, and answers 200
  deploy-bot   wants push and workflow_run, and fails at first
  old-ci       wants pull_request, and always fails: its deliveries end as dead letters

Try in another terminal:

  export HOOKLOG_SERVER=http://{api} HOOKLOG_TOKEN={token}
  hooklog webhook list
  hooklog timeline GUID                       # the whole life of one event
  hooklog explain GUID --subscription old-ci  # why it was delivered, or why not
  hooklog dead-letter list
  hooklog dead-letter redrive --subscription old-ci --dry-run
  hooklog doctor

(hooklog is this binary: cargo run --release -- webhook list, or target/release/hooklog.)
Stop with Ctrl-C; the data was in a temporary folder and goes with it.
",
        webhooks = running.webhooks,
        api = running.api,
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
    fn new(running: &Running, token: &str) -> Self {
        let base = format!("http://{}/api/v1", running.api);
        Self { client: reqwest::Client::new(), base, token: token.to_owned() }
    }

    async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        let url = format!("{}/{path}", self.base);
        let request = self.client.post(&url).bearer_auth(&self.token).json(&body);
        let answer = request.timeout(Duration::from_secs(10)).send().await;
        let answer = answer.with_context(|| format!("asking {url}"))?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{url} answered {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }
}
