//! What people do in the demo, so that there is something to ask about: a filter is narrowed, a payload
//! is read, a receiver is down for a while.

use super::Api;
use super::receivers::Receivers;
use anyhow::Context as _;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// People who act in the demo, each with a token of their own.
pub(super) struct People {
    ann: Api,
    bo: Api,
}

impl People {
    /// Gives each of them a token.
    pub(super) async fn arrive(admin: &Api) -> anyhow::Result<Self> {
        Ok(Self {
            ann: admin.of("ann").await?,
            bo: admin.of("bo").await?,
        })
    }

    /// Plays once; then nothing more happens but the traffic, which also goes on without the plot.
    pub(super) async fn act(&self, receivers: &Receivers) -> anyhow::Result<()> {
        if let Err(error) = self.play(receivers).await {
            tracing::warn!(%error, "the demo's plot ended early");
        }
        receivers.set_down(false);
        std::future::pending().await
    }

    async fn play(&self, receivers: &Receivers) -> anyhow::Result<()> {
        tokio::time::sleep(Duration::from_secs(12)).await;
        self.read_an_alert().await?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        self.narrow_billing(receivers).await?;
        tokio::time::sleep(Duration::from_secs(5)).await;
        receivers.set_down(true);
        tokio::time::sleep(Duration::from_secs(15)).await;
        Ok(())
    }

    /// ann looks at the first alert.
    async fn read_an_alert(&self) -> anyhow::Result<()> {
        let list = "webhooks?event=secret_scanning_alert&limit=1";
        loop {
            let alerts = self.ann.ask(Method::GET, list, None).await?;
            if let Some(receipt) = alerts["items"][0]["receipt"].as_str() {
                return self.ann.read(&format!("webhooks/{receipt}/body")).await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// bo lets only pushes through to `billing`.
    async fn narrow_billing(&self, receivers: &Receivers) -> anyhow::Result<()> {
        let narrowed = json!({
            "to": receivers.healthy, "team": "payments", "sign": "standard", "policy": {},
            "filter": {"repositories": ["acme/*"], "events": ["push"]},
            "reason": "too noisy, we only need pushes",
        });
        let path = "subscriptions/billing";
        self.bo.ask(Method::PUT, path, Some(narrowed)).await?;
        Ok(())
    }
}

impl Api {
    /// A client that acts as somebody new.
    async fn of(&self, name: &str) -> anyhow::Result<Self> {
        let body = json!({"name": name, "holder": "person", "role": "operate"});
        let created: Value = self.ask(Method::POST, "tokens", Some(body)).await?;
        let token = created["token"].as_str().context("a token without one")?;
        Ok(Self {
            client: self.client.clone(),
            base: self.base.clone(),
            token: token.to_owned(),
        })
    }
}
