//! As much of the REST API as the tools need.

use anyhow::{Context as _, Result, bail};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A client of one server's API.
#[derive(Clone)]
pub(crate) struct Api {
    client: reqwest::Client,
    root: String,
    token: String,
}

/// A subscription to create.
pub(crate) struct NewSubscription<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Where it goes.
    pub(crate) to: String,
    /// The events that it wants; empty means all.
    pub(crate) events: &'a [&'a str],
    /// `standard`, `github` or `none`.
    pub(crate) sign: &'a str,
    /// What differs from the default policy.
    pub(crate) policy: Value,
    /// What signs; the server makes one if none is given.
    pub(crate) secret: Option<&'a str>,
    /// Why.
    pub(crate) reason: Option<&'a str>,
}

impl NewSubscription<'_> {
    /// As the API wants it.
    pub(crate) fn body(&self) -> Value {
        json!({
            "name": self.name,
            "to": self.to,
            "sign": self.sign,
            "filter": {"events": self.events},
            "policy": self.policy,
            "secret": self.secret,
            "reason": self.reason,
        })
    }
}

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The server was not there, so nothing was asked.
    Away,
    /// There is no answer: it may have been done.
    Lost,
    /// The status and the text of the answer.
    Answer(u16, String),
}

impl Api {
    /// A client with this token.
    pub(crate) fn new(address: SocketAddr, token: &str) -> Result<Self> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()?;
        Ok(Self {
            client,
            root: format!("http://{address}"),
            token: token.to_owned(),
        })
    }

    /// Whether the server answers `/readyz` with 200.
    pub(crate) async fn is_ready(&self) -> bool {
        let request = self.client.get(format!("{}/readyz", self.root));
        let answer = request.timeout(Duration::from_secs(2)).send().await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
    }

    /// Creates a source on github.com.
    pub(crate) async fn create_source(&self, name: &str, secret: &str) -> Result<()> {
        let body = json!({"name": name, "host": "github.com", "secret": secret});
        self.call(Method::POST, "sources", Some(body)).await?;
        Ok(())
    }

    /// Creates a subscription; tells its secret, which the server makes.
    pub(crate) async fn subscribe(&self, new: &NewSubscription<'_>) -> Result<String> {
        let body = new.body();
        let made = self.call(Method::POST, "subscriptions", Some(body)).await?;
        Ok(made["secret"].as_str().unwrap_or_default().to_owned())
    }

    /// One page of a list: its rows, and the cursor of the next.
    pub(crate) async fn page(&self, path: &str) -> Result<(Vec<Value>, Option<String>)> {
        let mut page = self.call(Method::GET, path, None).await?;
        let next = page["next"].as_str().map(str::to_owned);
        match page["items"].take() {
            Value::Array(items) => Ok((items, next)),
            _ => bail!("GET {path} gave no items"),
        }
    }

    /// Waits until nothing is owed and the tables have caught up with the log, twice in a row.
    pub(crate) async fn settled(&self, every: Duration, within: Duration) -> Result<()> {
        let start = Instant::now();
        let mut quiet = 0;
        loop {
            // First the lag: only tables without one can say that nothing is open.
            let lag = self.lag().await;
            let open = self.page("deliveries?state=open&limit=1").await;
            quiet = match (&lag, &open) {
                (Ok(0), Ok((open, _))) if open.is_empty() => quiet + 1,
                _ => 0,
            };
            if quiet == 2 {
                return Ok(());
            }
            if start.elapsed() > within {
                bail!("not settled within {within:?}: lag {lag:?}, open {open:?}");
            }
            tokio::time::sleep(every).await;
        }
    }

    /// Waits until every webhook is routed and the tables have caught up with the log.
    pub(crate) async fn caught_up(&self, within: Duration) -> Result<()> {
        let start = Instant::now();
        // The gauge of what is not routed is brought up to date every five seconds.
        tokio::time::sleep(Duration::from_secs(6)).await;
        while self.lag().await? > 0 {
            if start.elapsed() > within {
                bail!("the server did not catch up within {within:?}");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// Records that some projection has not folded yet, and webhooks that are not routed yet.
    pub(crate) async fn lag(&self) -> Result<u64> {
        let status = self.call(Method::GET, "status", None).await?;
        let projections = status["projections"].as_array();
        let projections = projections.context("/status names no projections")?;
        let lags = projections.iter().map(|one| one["lag"].as_u64());
        let lag: Option<u64> = lags.sum();
        Ok(lag.context("a projection of /status has no lag")? + self.unrouted().await?)
    }

    /// Webhooks that the server's worker has not routed yet, as it said lately.
    pub(crate) async fn unrouted(&self) -> Result<u64> {
        self.metric("hooklog_webhooks_unrouted").await
    }

    /// A metric without fractions, summed over its labels; 0 if the server does not have it.
    pub(crate) async fn metric(&self, name: &str) -> Result<u64> {
        let all = self.labelled(name).await?;
        Ok(all.into_iter().map(|(_, value)| value).sum())
    }

    /// A metric without fractions, by its labels as they are written.
    pub(crate) async fn labelled(&self, name: &str) -> Result<Vec<(String, u64)>> {
        let request = self.client.get(format!("{}/metrics", self.root));
        let text = request.send().await?.text().await?;
        let lines = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = rest.rsplit_once(' ')?;
            let is_it = labels.is_empty() || labels.starts_with('{');
            let value = value.parse().ok()?;
            is_it.then(|| (labels.to_owned(), value))
        });
        Ok(lines.collect())
    }

    /// Asks, and takes every answer, also none.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let request = self.request(method, path, body);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return Reply::Away,
            Err(_) => return Reply::Lost,
        };
        let status = answer.status().as_u16();
        let text = answer.text().await;
        text.map_or(Reply::Lost, |text| Reply::Answer(status, text))
    }

    fn request(&self, method: Method, path: &str, body: Option<Value>) -> RequestBuilder {
        let url = format!("{}/api/v1/{path}", self.root);
        let request = self.client.request(method, url).bearer_auth(&self.token);
        match body {
            Some(body) => request.json(&body),
            None => request,
        }
    }

    /// Asks, and takes nothing but success.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value> {
        let request = self.request(method.clone(), path, body);
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{method} {path}: {status}: {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("{method} {path} gave no JSON"))
    }
}
