//! The API as its clients see it, over a log in memory.

mod auth;
mod commands;
mod format;
mod harness;
mod past;
mod reads;
mod replays;
mod secrets;
mod sources;
mod story;
mod subscriptions;

use super::elsewhere;
use crate::health::{Health, Part};
use axum::body::{Body, to_bytes};
use axum::http::Request;
use harness::{Answer, Harness};
use prometheus_client::registry::Registry;
use serde_json::json;
use tower::ServiceExt as _;

#[tokio::test]
async fn every_error_is_a_problem_also_those_of_the_framework() {
    let api = Harness::start().await;
    let admin = Harness::BOOTSTRAP;
    let huge = "x".repeat(super::BODY_BYTES_MAX + 1);
    for (method, path, body, status) in [
        ("GET", "/api/v1/nothing", "", 404),
        ("PATCH", "/api/v1/sources", "", 405),
        ("GET", "/api/v1/sources/none", "", 404),
        ("POST", "/api/v1/sources", "{", 400),
        ("POST", "/api/v1/sources", "[]", 422),
        ("POST", "/api/v1/sources", huge.as_str(), 413),
        ("GET", "/api/v1/sources?limit=0", "", 422),
        ("GET", "/api/v1/sources?limit=many", "", 422),
        ("GET", "/api/v1/sources?cursor=%F0", "", 422),
        ("GET", "/api/v1/sources?what=1", "", 422),
        ("GET", "/api/v1/sources/%FF", "", 400),
    ] {
        let answer = api.text(admin, method, path, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{method} {path}"
        );
        assert_eq!(answer.header("cache-control"), "no-store");
        let problem = &answer.json;
        assert_eq!(problem["status"], status);
        let kind = problem["type"].as_str().unwrap();
        assert!(kind.starts_with("urn:hooklog:problem:"), "{kind}");
        assert!(!problem["title"].as_str().unwrap().is_empty());
        assert!(
            problem["detail"].as_str().unwrap().len() > 10,
            "{method} {path}: {problem}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused() {
    let api = Harness::start().await;
    let request = axum::http::Request::post("/api/v1/sources")
        .header("authorization", format!("Bearer {}", Harness::BOOTSTRAP))
        .header("content-type", "text/plain")
        .body(axum::body::Body::from("{}"));
    let answer = api.send(request.unwrap()).await;
    assert_eq!(answer.status, 415);
    assert_eq!(
        answer.json["type"],
        "urn:hooklog:problem:unsupported-media-type"
    );
}

#[tokio::test]
async fn the_description_lists_every_route_and_its_bodies() {
    let api = Harness::start().await;
    let answer = api.text("", "GET", "/api/v1/openapi.json", "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json["openapi"], "3.1.0");
    let paths = answer.json["paths"].as_object().unwrap();
    for (method, path) in harness::ROUTES {
        let operation = &paths[*path][method.to_lowercase()];
        assert!(
            operation["responses"].is_object(),
            "{method} {path} is not described"
        );
        assert!(
            operation["summary"].is_string(),
            "{method} {path} has no summary"
        );
    }
    let described: usize = paths
        .values()
        .map(|item| item.as_object().unwrap().len())
        .sum();
    assert_eq!(
        described,
        harness::ROUTES.len(),
        "a route that the tests do not know"
    );
    for reference in references(&answer.json) {
        let schema = answer.json.pointer(reference.trim_start_matches('#'));
        assert!(schema.is_some(), "{reference} is not there");
    }
}

#[tokio::test]
async fn the_description_in_the_repository_is_that_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let kept = std::fs::read_to_string(path).unwrap();
    assert!(
        kept.trim_end() == super::description(),
        "run: hooklog openapi --offline > docs/openapi.json"
    );
}

#[tokio::test]
async fn every_operation_describes_what_a_token_may_meet() {
    let document: serde_json::Value = serde_json::from_str(&super::description()).unwrap();
    for (method, path) in harness::ROUTES {
        let operation = &document["paths"][*path][method.to_lowercase()];
        let gives = |status: &str| operation["responses"][status].is_object();
        assert!(gives("401") && gives("429"), "{method} {path}");
        let forbids = auth::needed(method, path) != "read";
        assert_eq!(gives("403"), forbids, "{method} {path}");
        let one_that_changes = *method != "GET" && path.contains('{');
        assert!(
            !one_that_changes || gives("404") && gives("409"),
            "{method} {path}"
        );
    }
}

fn references(json: &serde_json::Value) -> Vec<String> {
    match json {
        serde_json::Value::Object(fields) => {
            let own = fields
                .get("$ref")
                .and_then(|to| to.as_str())
                .map(str::to_owned);
            own.into_iter()
                .chain(fields.values().flat_map(references))
                .collect()
        }
        serde_json::Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn the_process_tells_machines_how_it_is() {
    let api = Harness::start().await;
    assert_eq!(api.text("", "GET", "/healthz", "").await.status, 200);
    let answer = api.text("", "GET", "/readyz", "").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json["reasons"], json!(["work: not ready yet"]));
    api.worker_ready();
    assert_eq!(api.text("", "GET", "/readyz", "").await.status, 200);
    *api.late.lock().unwrap() = Some("no webhook in time 3 s ago".to_owned());
    let answer = api.text("", "GET", "/readyz", "").await;
    assert_eq!(answer.status, 503);
    let parts = json!([
        {"name": "receive", "ready": false, "reason": "no webhook in time 3 s ago"},
        {"name": "work", "ready": true, "reason": null},
    ]);
    assert_eq!(answer.json["parts"], parts);
    let status = api.get(Harness::BOOTSTRAP, "/api/v1/status").await;
    assert_eq!(status.json["parts"], parts);
    let answer = api.text("", "GET", "/metrics", "").await;
    assert!(
        answer
            .header("content-type")
            .starts_with("application/openmetrics-text")
    );
    assert!(
        answer
            .text
            .contains("hooklog_webhook_accept_seconds_bucket")
    );
    assert!(answer.text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn a_process_without_the_api_tells_its_health_and_who_to_ask() {
    let ready = Part::new("receive", || std::future::ready(Ok(())));
    let health = Health::new(vec![ready], Registry::default());
    let router = elsewhere(health, "receive");
    let ask = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    };
    let (status, body) = ask("/readyz").await;
    let parts = r#""parts":[{"name":"receive","ready":true,"reason":null}]"#;
    assert!(status == 200 && body.contains(parts), "{body}");
    for path in ["/healthz", "/metrics"] {
        assert_eq!(ask(path).await.0, 200, "{path}");
    }
    for path in ["/api/v1/status", "/", "/console/"] {
        let (status, body) = ask(path).await;
        assert_eq!(status, 404, "{path}");
        assert!(
            body.contains("has not the role `api`, only `receive`"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_list_is_paged_by_a_cursor_that_survives_changes() {
    let api = Harness::start().await;
    for name in ["c", "a", "e", "b", "d"] {
        api.create_source(name).await;
    }
    let names = |answer: &Answer| -> Vec<String> {
        let items = answer.json["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = api.get(Harness::BOOTSTRAP, "/api/v1/sources?limit=2").await;
    assert_eq!(names(&first), ["a", "b"]);
    let gone = api
        .text(Harness::BOOTSTRAP, "DELETE", "/api/v1/sources/b", "")
        .await;
    assert_eq!(gone.status, 200, "{}", gone.text);
    let next = first.json["next"].as_str().unwrap();
    let path = format!("/api/v1/sources?limit=2&cursor={next}");
    let second = api.get(Harness::BOOTSTRAP, &path).await;
    assert_eq!(names(&second), ["c", "d"]);
    let next = second.json["next"].as_str().unwrap();
    let path = format!("/api/v1/sources?limit=2&cursor={next}");
    let last = api.get(Harness::BOOTSTRAP, &path).await;
    assert_eq!(
        (names(&last), last.json["next"].is_null()),
        (vec!["e".to_owned()], true)
    );
}
