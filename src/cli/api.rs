//! The client of the REST API.

mod error;

pub(crate) use error::{ApiError, shown};

use super::row::Row;
use crate::secret::Secret;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::time::Duration;
use url::Url;

const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);
/// The API's longest page.
const PAGE_ROWS: u32 = 500;

/// Query parameters.
pub(crate) type Query = Vec<(&'static str, String)>;

/// A server's API.
pub(crate) struct Api {
    http: reqwest::Client,
    base: Url,
    token: Option<HeaderValue>,
}

/// An answer: as it came, and read.
pub(crate) struct Reply {
    /// As it came.
    pub(crate) text: String,
    /// Read.
    pub(crate) value: Value,
}

impl Reply {
    /// The answer as an object.
    pub(crate) const fn row(&self) -> Row<'_> {
        Row(&self.value)
    }
}

/// A part of a list. Items stay as they came.
#[derive(Serialize, Deserialize)]
pub(crate) struct Page {
    items: Vec<Box<RawValue>>,
    /// Where the list goes on.
    #[serde(default)]
    pub(crate) next: Option<String>,
}

impl Page {
    /// The items, read.
    pub(crate) fn values(&self) -> Vec<Value> {
        let read = |item: &RawValue| serde_json::from_str(item.get()).unwrap_or_default();
        self.items.iter().map(|item| read(item)).collect()
    }
}

impl Api {
    /// A client of the server at `base`.
    ///
    /// # Errors
    /// When the token cannot stand in a header, or TLS cannot be set up.
    pub(crate) fn new(base: Url, token: Option<&Secret>) -> Result<Self, ApiError> {
        // An error means that another part of this process has chosen before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("hooklog/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_DEADLINE)
            .redirect(reqwest::redirect::Policy::none());
        if base.scheme() == "http" {
            // Plain HTTP works also on machines without any root certificates.
            builder = builder.tls_certs_only([]);
        }
        if is_local(&base) {
            // A proxy of the environment would ask its own machine.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(ApiError::Client)?;
        Ok(Self {
            http,
            base,
            token: token.map(bearer).transpose()?,
        })
    }

    /// The server's URL.
    pub(crate) const fn base(&self) -> &Url {
        &self.base
    }

    /// Whether there is a token to show.
    pub(crate) const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Asks for `/api/v1/…`.
    ///
    /// # Errors
    /// When there is no answer, or it is a problem.
    pub(crate) async fn get(&self, path: &[&str], query: &Query) -> Result<Reply, ApiError> {
        let answer = self.send(Method::GET, self.url(path, query), None).await?;
        self.read(answer).await
    }

    /// Asks for rows of a list, page by page.
    ///
    /// # Errors
    /// When there is no answer, or it is a problem.
    pub(crate) async fn list(
        &self,
        path: &[&str],
        query: &Query,
        limit: u32,
    ) -> Result<Page, ApiError> {
        let mut all = Page {
            items: Vec::new(),
            next: None,
        };
        loop {
            let missing = limit.saturating_sub(u32::try_from(all.items.len()).unwrap_or(u32::MAX));
            let mut query = query.clone();
            query.push(("limit", missing.min(PAGE_ROWS).to_string()));
            if let Some(next) = all.next.take() {
                query.retain(|(name, _)| *name != "cursor");
                query.push(("cursor", next));
            }
            let reply = self.get(path, &query).await?;
            let page: Page = serde_json::from_str(&reply.text).map_err(|_| self.foreign())?;
            let empty = page.items.is_empty();
            all.items.extend(page.items);
            all.next = page.next;
            if all.next.is_none() || empty || all.items.len() >= limit as usize {
                return Ok(all);
            }
        }
    }

    /// Sends a change or a command.
    ///
    /// # Errors
    /// When there is no answer, or it is a problem.
    pub(crate) async fn post(&self, path: &[&str], body: &Value) -> Result<Reply, ApiError> {
        let answer = self
            .send(Method::POST, self.url(path, &Vec::new()), Some(body))
            .await?;
        self.read(answer).await
    }

    /// Replaces a description.
    ///
    /// # Errors
    /// When there is no answer, or it is a problem.
    pub(crate) async fn put(&self, path: &[&str], body: &Value) -> Result<Reply, ApiError> {
        let answer = self
            .send(Method::PUT, self.url(path, &Vec::new()), Some(body))
            .await?;
        self.read(answer).await
    }

    /// Deletes.
    ///
    /// # Errors
    /// When there is no answer, or it is a problem.
    pub(crate) async fn delete(&self, path: &[&str], query: &Query) -> Result<Reply, ApiError> {
        let answer = self
            .send(Method::DELETE, self.url(path, query), None)
            .await?;
        self.read(answer).await
    }

    /// Opens an answer that is not JSON, or that has no end.
    ///
    /// # Errors
    /// When there is no answer, or it is a problem.
    pub(crate) async fn stream(&self, path: &[&str], query: &Query) -> Result<Response, ApiError> {
        self.send(Method::GET, self.url(path, query), None).await
    }

    /// The status and text of a page at the root, whatever it is.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) async fn probe(&self, page: &str) -> Result<(u16, String), ApiError> {
        let mut url = self.base.clone();
        push(&mut url, &[page]);
        let answer = self.http.get(url).timeout(ANSWER_DEADLINE).send().await;
        let answer = answer.map_err(|error| self.unreachable(&error))?;
        let status = answer.status().as_u16();
        let text = answer
            .text()
            .await
            .map_err(|error| self.unreachable(&error))?;
        Ok((status, text))
    }

    fn url(&self, path: &[&str], query: &Query) -> Url {
        let mut url = self.base.clone();
        push(&mut url, &["api", "v1"]);
        push(&mut url, path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn send(
        &self,
        method: Method,
        url: Url,
        body: Option<&Value>,
    ) -> Result<Response, ApiError> {
        let endless = url.path().ends_with("/tail") || url.path().ends_with("/body");
        let mut request = self.http.request(method, url);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        if !endless {
            request = request.timeout(ANSWER_DEADLINE);
        }
        let answer = request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        Err(self.refused(status, &text))
    }

    async fn read(&self, answer: Response) -> Result<Reply, ApiError> {
        let text = answer
            .text()
            .await
            .map_err(|error| self.unreachable(&error))?;
        if text.is_empty() {
            return Ok(Reply {
                text: "{}".to_owned(),
                value: Value::Null,
            });
        }
        let value = serde_json::from_str(&text).map_err(|_| self.foreign())?;
        Ok(Reply { text, value })
    }

    fn refused(&self, status: StatusCode, text: &str) -> ApiError {
        let problem: Value = serde_json::from_str(text).unwrap_or_default();
        let row = Row(&problem);
        if row.maybe("title").is_none() && row.maybe("detail").is_none() {
            return self.foreign();
        }
        let slug = row.maybe("type").unwrap_or_default();
        ApiError::Problem {
            status: status.as_u16(),
            slug: slug.rsplit(':').next().unwrap_or_default().to_owned(),
            title: row.maybe("title").unwrap_or_else(|| status.to_string()),
            detail: row.maybe("detail").unwrap_or_default(),
            had_token: self.has_token(),
        }
    }

    fn foreign(&self) -> ApiError {
        ApiError::Foreign {
            url: self.base.clone(),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> ApiError {
        ApiError::unreachable(&self.base, error)
    }
}

/// Whether this URL is of this machine.
pub(crate) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn push(url: &mut Url, path: &[&str]) {
    // It fails for URLs that cannot have a path, which the flag's parser refuses.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
}

fn bearer(token: &Secret) -> Result<HeaderValue, ApiError> {
    let bytes = [b"Bearer ", token.expose().trim_ascii()].concat();
    let mut value = HeaderValue::from_bytes(&bytes).map_err(|_| ApiError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}
