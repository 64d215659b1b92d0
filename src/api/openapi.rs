//! The description of the API in OpenAPI 3.1, made from the routes themselves.

use super::Shared;
use super::problem::Problem;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response,
    ResponseBuilder,
};
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

/// A status, what it means here, and whether an operation may give it.
type MayGive = (&'static str, &'static str, fn(&Asked<'_>) -> bool);

/// Answers that many operations share. Every error is a problem.
const SHARED: [MayGive; 9] = [
    ("400", "The body is not JSON", |asked| asked.body),
    ("401", "There is no valid token", |_| true),
    ("403", "The token's role does not allow it", |asked| {
        asked.needs_more_than_read()
    }),
    ("404", "There is no such thing", |asked| asked.names_one),
    ("409", "It does not fit what is there now", |asked| {
        asked.names_one && asked.method != "get"
    }),
    ("415", "The body must be JSON", |asked| asked.body),
    ("422", "A value is wrong", |asked| asked.body || asked.query),
    ("429", "The address showed too many wrong tokens", |_| true),
    ("503", "Log or tables cannot be used now", |_| true),
];

/// What decides which answers an operation may give.
struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    body: bool,
    query: bool,
    names_one: bool,
}

impl Asked<'_> {
    /// As the handlers ask for it; a test asks each of them.
    fn needs_more_than_read(&self) -> bool {
        // A question may be too long for a query, and is posted then.
        let asks = self.method == "get" || self.path.ends_with("/what-if");
        !asks || self.path.ends_with("/body") || self.path.contains("/tokens")
    }
}

/// Adds to every operation the answers that many share, unless it describes them itself.
pub(super) fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let operations = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("put", &mut item.put),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                answers(method, path, operation);
            }
        }
    }
}

fn answers(method: &str, path: &str, operation: &mut Operation) {
    let mut parameters = operation.parameters.iter().flatten();
    let is_query = |one: &RefOr<Parameter>| matches!(one, RefOr::T(one) if one.parameter_in == ParameterIn::Query);
    let asked = Asked {
        method,
        path,
        body: method == "post" || method == "put",
        query: parameters.any(is_query),
        // The timeline of an unknown event is an empty one.
        names_one: path.contains('{') && !path.contains("/timeline/"),
    };
    let responses = &mut operation.responses.responses;
    for (status, meaning, gives) in SHARED {
        if gives(&asked) {
            let answer = || problem(meaning).into();
            responses.entry(status.to_owned()).or_insert_with(answer);
        }
    }
}

fn problem(meaning: &str) -> Response {
    let schema = Ref::from_schema_name(Problem::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description(meaning)
        .content(super::problem::MEDIA_TYPE, content)
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
