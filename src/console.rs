//! The web console: pages over the public API, in the binary.
//!
//! It serves files and nothing else: what a page shows, the browser asks of `/api/v1` with the token
//! of whoever looks. So it knows no more than any other client, and needs no session of its own.

mod files;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use files::{FILES, File};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Scripts, styles and requests of this server only; nothing inline; in no frame of another page.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// Where the pages are.
const ROOT: &str = "/console/";

/// Where their files are.
const ASSETS: &str = "/console/assets/";

/// The file that every page begins with.
const PAGE: &str = "index.html";

/// Pages that list something, each of which has a page of its own.
const LISTS: &[&str] = &[
    "webhooks",
    "deliveries",
    "subscriptions",
    "sources",
    "replays",
];

/// Pages without others below them.
const LEAVES: &[&str] = &["", "dead-letters", "changes", "system"];

/// The routes of the console: `/` and `/console` lead to `/console/…`, its pages and their files.
pub fn router() -> Router {
    let to_root = get(|| std::future::ready(Redirect::temporary(ROOT)));
    let served: Arc<[Served]> = FILES.iter().map(Served::new).collect();
    Router::new()
        .route("/", to_root.clone())
        .route("/console", to_root)
        .route(ROOT, get(page))
        .route("/console/{*page}", get(page))
        .route("/console/assets/{*file}", get(asset))
        .with_state(served)
        .layer(map_response(harden))
}

/// `app` with the console beside it, unless it is switched off.
pub fn beside(app: Router, is_on: bool) -> Router {
    match is_on {
        true => app.merge(router()),
        false => app,
    }
}

/// A file, and the tag by which a browser knows whether it has it already.
struct Served {
    file: &'static File,
    tag: HeaderValue,
}

impl Served {
    fn new(file: &'static File) -> Self {
        let digest = hex::encode(Sha256::digest(file.bytes));
        let tag = HeaderValue::from_str(&format!("\"{}\"", &digest[..32]));
        // Hexadecimal digits always fit into a header; without a tag the file would only not be cached.
        let tag = tag.unwrap_or(HeaderValue::from_static("\"\""));
        Self { file, tag }
    }

    /// The file, or that the browser has it.
    fn answer(&self, status: StatusCode, asked: &HeaderMap) -> Response {
        let has_it = status == StatusCode::OK && self.is_known(asked);
        let (status, body) = match has_it {
            true => (StatusCode::NOT_MODIFIED, Body::empty()),
            false => (status, Body::from(self.file.bytes)),
        };
        let kind = HeaderValue::from_static(self.file.kind());
        let headers = [
            (header::CONTENT_TYPE, kind),
            (header::ETAG, self.tag.clone()),
        ];
        (status, headers, body).into_response()
    }

    fn is_known(&self, asked: &HeaderMap) -> bool {
        let tags = asked.get_all(header::IF_NONE_MATCH).iter();
        let texts = tags.filter_map(|value| value.to_str().ok());
        let mut each = texts.flat_map(|text| text.split(',')).map(str::trim);
        each.any(|tag| tag == "*" || tag.trim_start_matches("W/").as_bytes() == self.tag.as_bytes())
    }
}

/// A page by its path. A path that is no page gets the same file, which says so, and 404.
async fn page(State(served): State<Arc<[Served]>>, request: Request) -> Response {
    let status = match is_page(request.uri().path()) {
        true => StatusCode::OK,
        false => StatusCode::NOT_FOUND,
    };
    match find(&served, PAGE) {
        Some(page) => page.answer(status, request.headers()),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn asset(State(served): State<Arc<[Served]>>, request: Request) -> Response {
    let name = request.uri().path().strip_prefix(ASSETS);
    match name.and_then(|name| find(&served, name)) {
        Some(found) => found.answer(StatusCode::OK, request.headers()),
        None => (StatusCode::NOT_FOUND, "the console has no such file\n").into_response(),
    }
}

fn find<'a>(served: &'a [Served], name: &str) -> Option<&'a Served> {
    served.iter().find(|one| one.file.name == name)
}

fn is_page(path: &str) -> bool {
    let below = path.strip_prefix(ROOT).unwrap_or_default();
    let below = below.strip_suffix('/').unwrap_or(below);
    match below.split_once('/') {
        None => LISTS.contains(&below) || LEAVES.contains(&below),
        Some((list, one)) => LISTS.contains(&list) && !one.is_empty() && !one.contains('/'),
    }
}

/// What every answer of the console says to the browser.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
