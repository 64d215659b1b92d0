//! Bodies, queries and paths, with problem details for what is wrong with them.

use super::problem::Problem;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

/// A JSON body. No body is an empty object, since many requests need none.
pub(crate) struct Json<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let json = is_json(&request);
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|error| Problem::new(error.status(), error.body_text()))?;
        if bytes.is_empty() {
            return parse(b"{}");
        }
        if !json {
            let detail = "send it with `Content-Type: application/json`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        parse(&bytes)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<Json<T>, Problem> {
    let parsed = serde_json::from_slice(bytes);
    parsed.map(Json).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Problem::bad_value(error.to_string()),
        _ => Problem::bad_request(format!("the body is not JSON: {error}")),
    })
}

fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// The query of the URL. Unknown parameters are refused by the types that use this.
pub(crate) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        query
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|error| Problem::bad_value(error.body_text()))
    }
}

/// The one variable part of a path, decoded.
pub(crate) struct Name(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(path)| Self(path))
            .map_err(|error| Problem::bad_request(error.body_text()))
    }
}

impl Name {
    /// The path's part as an id; a text that is none names nothing that exists.
    pub(super) fn id<T: std::str::FromStr>(&self, kind: &str) -> Result<T, Problem> {
        self.0
            .parse()
            .map_err(|_| Problem::not_found(format!("{:?} is not the id of a {kind}", self.0)))
    }
}
