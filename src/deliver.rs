//! One attempt at a time: signed, over HTTPS, inside the egress rules, with one deadline.
//!
//! Nothing here retries or sleeps: [`outcome::verdict`] says what comes next, and the worker
//! records it before it acts on it.

mod again;
pub mod backoff;
pub mod egress;
pub mod https;
pub mod outcome;
pub mod phases;
pub mod retry_after;
pub mod sent;
pub mod sign;
pub mod target;

pub use again::Again;

use async_trait::async_trait;
use bytes::Bytes;
use hooklog_schemas::deliveries::{ErrorClass, Outcome};
use phases::Phases;
use reqwest::header::HeaderMap;
use std::net::SocketAddr;
use std::time::Duration;
use url::Url;

/// Makes one attempt.
///
/// # Rules for implementers
/// - One call is one attempt: never retry, never sleep, never follow a redirect.
/// - Return within the deadline, whatever the other side does.
/// - The egress rules are checked at every call, after resolution.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends `request` and tells what happened.
    async fn attempt(&self, request: Outgoing) -> Answer;
}

/// A request that is ready to be sent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Where to.
    pub url: Url,
    /// Everything but `host`, `content-length` and `user-agent`.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// From the start of the attempt to the end of the answer.
    pub deadline: Duration,
}

/// What happened in one attempt.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status, or the class of error.
    pub outcome: Outcome,
    /// When its parts ended.
    pub phases: Phases,
    /// In all, in microseconds.
    pub duration_us: u64,
    /// The peer, once connected.
    pub address: Option<SocketAddr>,
    /// The values of `Retry-After`.
    pub retry_after: Vec<String>,
    /// The beginning of the answer's body, where it was not a success.
    pub excerpt: Option<Excerpt>,
}

impl Answer {
    /// An attempt that ended without an answer.
    #[must_use]
    pub fn failed(class: ErrorClass, detail: &str, after: Duration) -> Self {
        Self {
            outcome: Outcome::Error {
                class,
                detail: detail.chars().take(DETAIL_CHARS_MAX).collect(),
            },
            phases: Phases::default(),
            duration_us: micros(after),
            address: None,
            retry_after: Vec::new(),
            excerpt: None,
        }
    }
}

/// The beginning of an answer's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// As text; what is not UTF-8 is replaced.
    pub text: String,
    /// There was more.
    pub truncated: bool,
}

/// Characters of an error's detail that are kept.
const DETAIL_CHARS_MAX: usize = 300;

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
