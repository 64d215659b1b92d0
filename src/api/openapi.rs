//! The description of the API in OpenAPI 3.1, made from the routes themselves.

use super::Shared;
use super::problem::Problem;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa::{PartialSchema as _, ToSchema as _};

const TOKEN: &str = "token";

/// The document before the routes are in it.
pub(super) fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("hooklog")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Every webhook is kept for ever in a log, and delivered to whoever subscribed. \
             Times are microseconds since 1970.",
        ));
    let mut components = Components::new();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme(TOKEN, bearer);
    components
        .schemas
        .insert(Problem::name().into_owned(), Problem::schema());
    OpenApiBuilder::new()
        .info(info.build())
        .components(Some(components))
        .security(Some([SecurityRequirement::new(TOKEN, [""; 0])]))
        .build()
}

/// The document as JSON. It is plain data, so this does not fail; an empty text would show in the
/// test that reads it.
pub(super) fn render(document: OpenApi) -> String {
    document.to_pretty_json().unwrap_or_default()
}

/// `GET /api/v1/openapi.json`, without a token.
pub(super) async fn show(State(api): State<Shared>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/json")],
        api.document.clone(),
    )
}
