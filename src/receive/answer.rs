//! What the client is told: little, and nothing of what it sent.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hooklog_schemas::ReceiptId;

/// Why a webhook was not received.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// No source has this name, or not any more.
    #[error("no such source")]
    UnknownSource,
    /// The source is paused.
    #[error("the source is paused")]
    Paused,
    /// The client's address is not among those that may send.
    #[error("the client's address is not allowed")]
    Address,
    /// The source's rate is exceeded.
    #[error("the source's rate is exceeded")]
    Rate {
        /// When it may send again.
        retry_after_secs: u64,
    },
    /// A header is missing, there twice, or not what GitHub sends.
    #[error("the header {0} is missing, repeated or malformed")]
    Header(&'static str),
    /// The body is compressed, which GitHub never does.
    #[error("the body is encoded")]
    Encoding,
    /// The body is neither JSON nor a form.
    #[error("the content type is neither JSON nor a form")]
    ContentType,
    /// There is neither a length nor a chunked body.
    #[error("the length of the body is not given")]
    Length,
    /// The body, its decoded payload, or the record is too large.
    #[error("the body is too large")]
    TooLarge,
    /// The body did not come in time.
    #[error("the body did not come in time")]
    Slow,
    /// The client went away, or the body's framing is wrong.
    #[error("the body broke off")]
    Interrupted,
    /// Other bodies take all the memory there is for them.
    #[error("there is no memory for the body")]
    Memory,
    /// There is no signature.
    #[error("there is no signature")]
    Unsigned,
    /// No valid secret of the source made the signature.
    #[error("the signature is wrong")]
    Signature,
    /// The secret may not speak for the organisation that the body names.
    #[error("the secret may not speak for the body's organisation")]
    Organization,
    /// A secret of the source does not open, so that nobody knows.
    #[error("a secret of the source does not open")]
    Unverifiable,
    /// The time for the answer was over before the signature was verified.
    #[error("the time for an answer is over")]
    Overdue,
    /// The log did not take it.
    #[error("the log did not take it: {0}")]
    Log(String),
    /// A defect of this program.
    #[error("internal error")]
    Internal,
}

/// In how many seconds a client should try again when nobody knows better.
const RETRY_AFTER_SECS: u64 = 10;

impl Refusal {
    /// The label in metrics and events.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::UnknownSource => "unknown_source",
            Self::Paused => "paused",
            Self::Address => "address",
            Self::Rate { .. } => "rate",
            Self::Header(_) => "malformed",
            Self::Encoding => "encoding",
            Self::ContentType => "content_type",
            Self::Length => "length",
            Self::TooLarge => "too_large",
            Self::Slow => "slow",
            Self::Interrupted => "interrupted",
            Self::Memory => "memory",
            Self::Unsigned => "unsigned",
            Self::Signature => "signature",
            Self::Organization => "organization",
            Self::Unverifiable => "unverifiable",
            Self::Overdue => "overdue",
            Self::Log(_) => "log",
            Self::Internal => "internal",
        }
    }

    /// The status of the answer.
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::UnknownSource => StatusCode::NOT_FOUND,
            Self::Address | Self::Organization => StatusCode::FORBIDDEN,
            Self::Rate { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Header(_) | Self::Interrupted => StatusCode::BAD_REQUEST,
            Self::Encoding | Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Length => StatusCode::LENGTH_REQUIRED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Unsigned | Self::Signature => StatusCode::UNAUTHORIZED,
            Self::Paused | Self::Memory | Self::Unverifiable | Self::Overdue | Self::Log(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether an auditor may want to know of it: it is recorded in `control`, not only counted.
    pub(super) const fn is_evidence(&self) -> bool {
        matches!(
            self,
            Self::UnknownSource
                | Self::Address
                | Self::Rate { .. }
                | Self::Header(_)
                | Self::Encoding
                | Self::ContentType
                | Self::Length
                | Self::TooLarge
                | Self::Slow
                | Self::Unsigned
                | Self::Signature
                | Self::Organization
        )
    }

    const fn text(&self) -> &'static str {
        match self {
            Self::UnknownSource => "not found\n",
            Self::Address | Self::Organization => "forbidden\n",
            Self::Rate { .. } => "too many requests\n",
            Self::Header(_) | Self::Interrupted => "bad request\n",
            Self::Encoding | Self::ContentType => "unsupported media type\n",
            Self::Length => "length required\n",
            Self::TooLarge => "payload too large\n",
            Self::Slow => "request timeout\n",
            Self::Unsigned | Self::Signature => "unauthorized\n",
            Self::Paused | Self::Memory | Self::Unverifiable | Self::Overdue | Self::Log(_) => {
                "unavailable\n"
            }
            Self::Internal => "internal error\n",
        }
    }

    const fn retry_after_secs(&self) -> Option<u64> {
        match self {
            Self::Rate { retry_after_secs } => Some(*retry_after_secs),
            Self::Paused | Self::Memory | Self::Unverifiable | Self::Overdue | Self::Log(_) => {
                Some(RETRY_AFTER_SECS)
            }
            _ => None,
        }
    }
}

/// 200: it is in the log. The receipt to ask for is all that GitHub's delivery log shows; a person
/// with curl gets a line.
pub(super) fn accepted(receipt: ReceiptId) -> Response {
    let json = HeaderValue::from_static("application/json");
    let body = format!("{{\"receipt\":\"{receipt}\"}}\n");
    ([(CONTENT_TYPE, json)], body).into_response()
}

/// The answer to what was not received.
pub(super) fn refused(refusal: &Refusal) -> Response {
    let mut response = (refusal.status(), refusal.text()).into_response();
    if let Some(secs) = refusal.retry_after_secs() {
        let value = HeaderValue::from(secs);
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

/// 404, as for an unknown source.
pub(super) fn not_found() -> Response {
    refused(&Refusal::UnknownSource)
}

/// 405.
pub(super) fn method_not_allowed() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n").into_response()
}
