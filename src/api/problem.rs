//! Errors as RFC 9457 problem details, also those that the framework makes.

use crate::control::SubmitError;
use crate::keyring::KeyringError;
use crate::log::{AppendError, ReadError};
use crate::query::QueryError;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of RFC 9457.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// A longer text of the framework's own errors is cut off here.
const DETAIL_BYTES_MAX: usize = 4 << 10;

/// What went wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// `urn:hooklog:problem:` and a word that programs can rely on.
    #[serde(rename = "type")]
    kind: String,
    /// The kind of problem, for people.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// This problem: which value, why, what to do.
    detail: String,
    #[serde(skip)]
    retry_after_secs: Option<u32>,
}

/// Every status that is answered, with its slug and its title.
const KINDS: &[(StatusCode, &str, &str)] = &[
    (
        StatusCode::BAD_REQUEST,
        "bad-request",
        "The request does not parse",
    ),
    (
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "A valid token is needed",
    ),
    (
        StatusCode::FORBIDDEN,
        "forbidden",
        "The token's role does not allow this",
    ),
    (StatusCode::NOT_FOUND, "not-found", "There is no such thing"),
    (
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "The method is not allowed here",
    ),
    (
        StatusCode::CONFLICT,
        "conflict",
        "It does not fit what is there now",
    ),
    (StatusCode::GONE, "gone", "It was erased"),
    (
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-large",
        "The body is too large",
    ),
    (
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "The body must be JSON",
    ),
    (
        StatusCode::UNPROCESSABLE_ENTITY,
        "bad-value",
        "A value is wrong",
    ),
    (
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-requests",
        "Too many requests",
    ),
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "Not available now",
    ),
];

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let kind = KINDS.iter().find(|(known, _, _)| *known == status);
        let (slug, title) = kind.map_or(("internal", "hooklog failed"), |(_, slug, title)| {
            (*slug, *title)
        });
        Self {
            kind: format!("urn:hooklog:problem:{slug}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            retry_after_secs: None,
        }
    }

    /// 400.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 409.
    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 422.
    pub(super) fn bad_value(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// 503, with the advice to come back.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(5)
    }

    /// 500. The detail goes to the log of the program, not to the client.
    pub(super) fn internal(detail: impl std::fmt::Display) -> Self {
        tracing::error!(error = %detail, "a request of the API failed");
        let said = "the reason is in the server's own log";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, said)
    }

    pub(super) fn retry_after(mut self, secs: u32) -> Self {
        self.retry_after_secs = Some(secs);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(secs) = self.retry_after_secs {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        response
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Conflict => Self::conflict(error.to_string()),
            SubmitError::Gone => Self::not_found(error.to_string()),
            SubmitError::Append(error) => error.into(),
            SubmitError::Stopped => Self::unavailable(error.to_string()),
        }
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Unavailable(_) | QueryError::Behind { .. } => {
                Self::unavailable(error.to_string())
            }
            QueryError::OtherLog { .. } => Self::conflict(error.to_string()),
            QueryError::Page(_) => Self::bad_value(error.to_string()),
        }
    }
}

impl From<KeyringError> for Problem {
    fn from(error: KeyringError) -> Self {
        Self::internal(error)
    }
}

/// Gives every answer the headers that all have, and errors of the framework the form of ours.
pub(super) async fn finish(request: Request, next: Next) -> Response {
    let uri = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    if is_error(&response) && !is_ours(&response) {
        response = reword(response, &uri).await;
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

fn is_error(response: &Response) -> bool {
    response.status().is_client_error() || response.status().is_server_error()
}

/// What the framework says on its own is plain text or nothing.
fn is_ours(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().ends_with(b"json"))
}

async fn reword(response: Response, uri: &str) -> Response {
    let (parts, body) = response.into_parts();
    let text = text(body).await;
    let detail = match (parts.status, text) {
        (StatusCode::NOT_FOUND, None) => format!("there is no {uri}; see /api/v1/openapi.json"),
        (StatusCode::METHOD_NOT_ALLOWED, None) => format!("{uri} takes other methods"),
        (_, Some(text)) => text,
        (status, None) => status.to_string(),
    };
    let mut response = Problem::new(parts.status, detail).into_response();
    if let Some(allow) = parts.headers.get(header::ALLOW) {
        response.headers_mut().insert(header::ALLOW, allow.clone());
    }
    response
}

async fn text(body: Body) -> Option<String> {
    let bytes = to_bytes(body, DETAIL_BYTES_MAX).await.ok()?;
    let text = String::from_utf8(bytes.to_vec()).ok()?;
    (!text.is_empty()).then_some(text)
}
