//! Over HTTP/1.1 and TLS: one request, one answer, one deadline, no redirect, no retry.

use super::egress::{Egress, EgressError, Reach};
use super::phases::{self, MarkConnected, Marks, Phases};
use super::{Answer, Excerpt, Outgoing, Transport, micros};
use async_trait::async_trait;
use hooklog_schemas::deliveries::{ErrorClass, Outcome};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response};
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
const IDLE_MAX: Duration = Duration::from_secs(30);
const IDLE_PER_HOST_MAX: usize = 64;

/// Delivers over HTTPS, and over plain HTTP to allowed networks.
pub struct Https {
    egress: Arc<Egress>,
    usual: Clients,
    /// For targets at one of our own ports.
    beside_own: Clients,
    excerpt_bytes_max: usize,
}

/// A client for each reach: a connection that one of them keeps open is inside its rules.
struct Clients {
    public: Client,
    allowed: Client,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[error("the HTTPS client cannot be made: {0}")]
pub struct HttpsError(#[from] reqwest::Error);

impl Https {
    /// A client inside these rules, which keeps at most `excerpt_bytes_max` bytes of an answer.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(egress: Arc<Egress>, excerpt_bytes_max: usize) -> Result<Self, HttpsError> {
        // An error says that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            usual: Clients::new(&egress, false)?,
            beside_own: Clients::new(&egress, true)?,
            egress,
            excerpt_bytes_max,
        })
    }

    fn client(&self, url: &url::Url, reach: Reach) -> &Client {
        let port = url.port_or_known_default().unwrap_or_default();
        let clients = if self.egress.is_own_port(port) {
            &self.beside_own
        } else {
            &self.usual
        };
        match reach {
            Reach::Public => &clients.public,
            Reach::Allowed => &clients.allowed,
        }
    }

    async fn send(&self, request: Outgoing, started: Instant) -> Result<Answer, Answer> {
        let deadline = request.deadline.saturating_sub(READ_MARGIN);
        let end = tokio::time::Instant::from_std(started) + deadline;
        let failed = |class, detail: &str| Answer::failed(class, detail, started.elapsed());
        let refused = |error: &EgressError| failed(error.class(), &error.to_string());
        let reach = self
            .egress
            .reach(&request.url)
            .map_err(|error| refused(&error))?;
        let client = self.client(&request.url, reach);
        let request = client
            .post(request.url)
            .headers(request.headers)
            .body(request.body);
        let response = request.send().await.map_err(|error| {
            let (class, detail) = classify(&error);
            failed(class, &detail)
        })?;
        let address = response.remote_addr();
        if let Some(address) = address {
            self.egress
                .admit(address.ip(), reach)
                .map_err(|error| refused(&error))?;
        }
        let retry_after = response.headers().get_all(RETRY_AFTER).iter();
        let retry_after = retry_after.filter_map(|value| Some(value.to_str().ok()?.to_owned()));
        let answer = Answer {
            outcome: Outcome::Status(response.status().as_u16()),
            phases: Phases {
                headers_us: Some(micros(started.elapsed())),
                ..Phases::default()
            },
            duration_us: 0,
            address,
            retry_after: retry_after.collect(),
            excerpt: None,
        };
        let (mut kept, truncated) = beginning(response, self.excerpt_bytes_max, end).await;
        if !address.is_some_and(|address| self.egress.may_quote(address.ip(), reach)) {
            kept.clear();
        }
        Ok(answer.with_excerpt(&kept, truncated, started.elapsed()))
    }
}

#[async_trait]
impl Transport for Https {
    async fn attempt(&self, request: Outgoing) -> Answer {
        let started = Instant::now();
        let deadline = request.deadline;
        let end = tokio::time::Instant::from_std(started) + deadline;
        let marks = Marks::new(started);
        let sending = marks.over(self.send(request, started));
        let mut answer = match tokio::time::timeout_at(end, sending).await {
            Ok(Ok(answer) | Err(answer)) => answer,
            Err(_) => {
                let detail = format!("no answer within {} ms", deadline.as_millis());
                Answer::failed(ErrorClass::Timeout, &detail, started.elapsed())
            }
        };
        answer.phases = marks.read(answer.phases.headers_us);
        answer
    }
}

impl Answer {
    fn with_excerpt(mut self, kept: &[u8], truncated: bool, elapsed: Duration) -> Self {
        let success = matches!(self.outcome, Outcome::Status(200..=299));
        if !success && !kept.is_empty() {
            let text = String::from_utf8_lossy(kept).into_owned();
            self.excerpt = Some(Excerpt { text, truncated });
        }
        self.duration_us = micros(elapsed);
        self
    }
}

/// At most `max` bytes of the body, and whether there was more. The status line has decided
/// already, so a body that breaks or that is slower than the deadline only cuts the excerpt; what
/// is not read closes the connection.
async fn beginning(
    mut response: Response,
    max: usize,
    end: tokio::time::Instant,
) -> (Vec<u8>, bool) {
    let mut kept: Vec<u8> = Vec::new();
    loop {
        match tokio::time::timeout_at(end, response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                let room = max.saturating_sub(kept.len());
                kept.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
                if chunk.len() > room {
                    return (kept, true);
                }
            }
            Ok(Ok(None)) => return (kept, false),
            Ok(Err(_)) | Err(_) => return (kept, true),
        }
    }
}

/// What is left of the deadline to hand the answer over.
const READ_MARGIN: Duration = Duration::from_millis(2);

impl Clients {
    fn new(egress: &Arc<Egress>, beside_own: bool) -> Result<Self, reqwest::Error> {
        let guard = |reach| Guard {
            egress: Arc::clone(egress),
            reach,
            beside_own,
        };
        Ok(Self {
            public: client(guard(Reach::Public))?,
            allowed: client(guard(Reach::Allowed))?,
        })
    }
}

fn client(guard: Guard) -> Result<Client, reqwest::Error> {
    Client::builder()
        .user_agent(concat!("hooklog/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .retry(reqwest::retry::never())
        .referer(false)
        .http1_only()
        .tls_backend_rustls()
        .dns_resolver(Arc::new(guard))
        .connector_layer(MarkConnected)
        .connect_timeout(CONNECT_DEADLINE)
        .pool_idle_timeout(IDLE_MAX)
        .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
        .build()
}

/// A resolver that refuses a name of which any address is refused.
struct Guard {
    egress: Arc<Egress>,
    reach: Reach,
    /// The resolver is not told the port, so that every address of ours is refused.
    beside_own: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (egress, reach) = (Arc::clone(&self.egress), self.reach);
        let beside_own = self.beside_own;
        Box::pin(async move {
            // Port 0 stands for the URL's own port.
            let found = if beside_own {
                egress.resolve_beside_own(name.as_str(), reach).await?
            } else {
                egress.resolve_and_check(name.as_str(), 0, reach).await?
            };
            phases::resolved();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn classify(error: &reqwest::Error) -> (ErrorClass, String) {
    let mut class = match error {
        e if e.is_timeout() => ErrorClass::Timeout,
        e if e.is_connect() => ErrorClass::Connect,
        _ => ErrorClass::Protocol,
    };
    let mut detail = String::new();
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<EgressError>() {
            return (refused.class(), refused.to_string());
        }
        if inner.is::<rustls::Error>() || wraps_tls(inner) {
            class = ErrorClass::Tls;
        }
        detail = inner.to_string();
        cause = inner.source();
    }
    // The innermost cause says most; the outer ones repeat the URL, which may hold a secret.
    (class, detail)
}

/// An I/O error hides what it wraps from `source`, and one may wrap another.
fn wraps_tls(error: &(dyn Error + 'static)) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.and_then(std::io::Error::get_ref)
        .is_some_and(|inner| inner.is::<rustls::Error>() || wraps_tls(inner))
}

#[cfg(test)]
mod tests;
