//! Who may do what.

use super::super::failures::{FAILURES_MAX, WINDOW};
use super::harness::{Harness, ROUTES};
use serde_json::json;

/// The least role that a route needs; the routes that are not named need `read`.
pub(super) fn needed(method: &str, path: &str) -> &'static str {
    let path = path.trim_start_matches("/api/v1");
    match (method, path) {
        (_, "/erasures") => "admin",
        (_, path) if path.starts_with("/tokens") => "admin",
        ("GET", "/webhooks/{receipt}/body") => "operate",
        ("GET", _) | ("POST", "/what-if") => "read",
        (_, "/format") => "admin",
        (_, path) if path.starts_with("/projections") => "admin",
        (_, path) if path.starts_with("/sources") => "admin",
        _ => "operate",
    }
}

#[tokio::test]
async fn each_role_may_do_what_the_contract_says_and_no_more() {
    let api = Harness::start().await;
    let mut tokens = Vec::new();
    for role in ["read", "operate", "admin"] {
        tokens.push((role, api.create_token(role, role).await));
    }
    for (method, path) in ROUTES {
        let uri = path.replace("{name}", "none").replace("{guid}", "none");
        let uri = uri.replace("{receipt}", "none").replace("{id}", "none");
        let uri = uri.replace("{set}", "none");
        // A stream would not end: an unknown parameter stops it after the role was checked.
        let uri = uri.replace("/tail", "/tail?unknown=1");
        let anonymous = api.text("", method, &uri, "").await;
        assert_eq!(anonymous.status, 401, "{method} {path}");
        assert_eq!(anonymous.header("www-authenticate"), "Bearer");
        let rank = |role: &str| ["read", "operate", "admin"].iter().position(|r| *r == role);
        for (role, token) in &tokens {
            // A body that is not JSON stops those who may before anything is done.
            let status = api.text(token, method, &uri, "{").await.status;
            let may = rank(role) >= rank(needed(method, path));
            assert_eq!(status != 403, may, "{role}: {method} {path} gave {status}");
            assert_ne!(status, 401, "{role}: {method} {path}");
        }
    }
}

#[tokio::test]
async fn a_token_s_life_is_told_and_its_holder_sees_its_role() {
    let api = Harness::start().await;
    let reader = api.create_token("ann", "read").await;
    let status = api.get(&reader, "/api/v1/status").await;
    assert_eq!(status.json["token"], json!({"name": "ann", "role": "read"}));
    let shown = api.get(Harness::BOOTSTRAP, "/api/v1/tokens/ann").await;
    assert_eq!(shown.json["role"], "read");
    assert!(shown.json.get("token").is_none());
    let gone = "/api/v1/tokens/ann?reason=left";
    assert_eq!(
        api.text(Harness::BOOTSTRAP, "DELETE", gone, "")
            .await
            .status,
        200
    );
    api.create_token("ann", "operate").await;
    let path = "/api/v1/tokens/ann/history?limit=2";
    let first = api.get(Harness::BOOTSTRAP, path).await;
    let types = |answer: &serde_json::Value| -> Vec<String> {
        let items = answer["items"].as_array().unwrap().iter();
        items
            .map(|item| item["event_type"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(types(&first.json), ["token.created", "token.revoked"]);
    assert_eq!(first.json["items"][1]["why"], "left");
    let next = first.json["next"].as_str().unwrap();
    let second = api
        .get(Harness::BOOTSTRAP, &format!("{path}&cursor={next}"))
        .await;
    assert_eq!(types(&second.json), ["token.created"]);
    assert_eq!(second.json["items"][0]["spec"]["role"], "read");
    let nobody = "/api/v1/tokens/bob/history";
    assert_eq!(
        api.text(Harness::BOOTSTRAP, "GET", nobody, "").await.status,
        404
    );
}

#[tokio::test]
async fn a_token_must_come_in_one_authorization_header() {
    let api = Harness::start().await;
    for (values, status) in [
        (vec!["Bearer bootstrap-token"], 200),
        (vec!["bearer bootstrap-token"], 200),
        (vec![], 401),
        (vec!["Basic bootstrap-token"], 401),
        (vec!["Bearer"], 401),
        (vec!["Bearer "], 401),
        (vec!["Bearer bootstrap-toke"], 401),
        (vec!["Bearer bootstrap-token2"], 401),
        (
            vec!["Bearer bootstrap-token", "Bearer bootstrap-token"],
            401,
        ),
    ] {
        let mut request = axum::http::Request::get("/api/v1/sources");
        for value in &values {
            request = request.header("authorization", *value);
        }
        let answer = api
            .send(request.body(axum::body::Body::empty()).unwrap())
            .await;
        assert_eq!(answer.status, status, "{values:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn the_first_token_dies_with_the_first_named_admin() {
    let api = Harness::start().await;
    let path = "/api/v1/tokens";
    api.create_token("watcher", "read").await;
    assert_eq!(
        api.get(Harness::BOOTSTRAP, path).await.json["items"][0]["name"],
        "watcher"
    );
    let ann = api.create_token("ann", "admin").await;
    assert_eq!(
        api.text(Harness::BOOTSTRAP, "GET", path, "").await.status,
        401
    );
    assert_eq!(api.text(&ann, "GET", path, "").await.status, 200);
    let last = api.text(&ann, "DELETE", "/api/v1/tokens/ann", "").await;
    assert_eq!(last.status, 409, "nobody could make another: {}", last.text);
    let bob = json!({ "name": "bob", "holder": "service", "role": "admin" }).to_string();
    assert_eq!(api.text(&ann, "POST", path, &bob).await.status, 201);
    let revoked = api.text(&ann, "DELETE", "/api/v1/tokens/ann", "").await;
    assert_eq!(revoked.status, 200, "{}", revoked.text);
    assert_eq!(api.text(&ann, "GET", path, "").await.status, 401);
    assert_eq!(
        api.text(Harness::BOOTSTRAP, "GET", path, "").await.status,
        401
    );
}

#[tokio::test]
async fn an_address_that_guesses_is_stopped_and_others_are_not() {
    let api = Harness::start().await;
    let reader = api.create_token("ann", "read").await;
    for _ in 0..FAILURES_MAX {
        assert_eq!(
            api.text("guess", "GET", "/api/v1/sources", "").await.status,
            401
        );
    }
    let stopped = api.text("guess", "GET", "/api/v1/sources", "").await;
    assert_eq!(stopped.status, 429);
    assert_eq!(stopped.header("retry-after"), "61");
    let right_guess = api
        .text(Harness::BOOTSTRAP, "GET", "/api/v1/sources", "")
        .await;
    assert_eq!(
        right_guess.status, 429,
        "a guess that is right at last must not be told so"
    );
    assert_eq!(
        api.text(&reader, "GET", "/api/v1/sources", "").await.status,
        200
    );
    api.clock.advance(WINDOW);
    assert_eq!(
        api.text(Harness::BOOTSTRAP, "GET", "/api/v1/sources", "")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_token_names_one_holder() {
    let api = Harness::start().await;
    api.create_token("ann@example.com", "read").await;
    for (name, status, part) in [
        ("ann@example.com", 409, "already"),
        ("bootstrap", 422, "hooklog itself"),
        ("hooklog", 422, "hooklog itself"),
        ("", 422, "1 to 63"),
        ("a b", 422, "1 to 63"),
        ("a\nb", 422, "1 to 63"),
    ] {
        let body = json!({ "name": name, "holder": "person", "role": "read" });
        let answer = api.post("/api/v1/tokens", body).await;
        assert_eq!(answer.status, status, "{name:?}");
        assert!(
            answer.json["detail"].as_str().unwrap().contains(part),
            "{}",
            answer.text
        );
    }
    let unknown = json!({ "name": "x", "holder": "person", "role": "root" });
    let answer = api.post("/api/v1/tokens", unknown).await;
    assert!(
        answer.status == 422 && answer.text.contains("admin"),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn a_trusted_proxy_tells_who_the_client_is_and_nobody_else_may() {
    for (peer, client) in [("10.9.0.1", "203.0.113.5"), ("192.0.2.9", "192.0.2.9")] {
        let api = Harness::start().await;
        let body = json!({ "name": "a", "secret": "s" }).to_string();
        let mut request = axum::http::Request::post("/api/v1/sources")
            .header("authorization", format!("Bearer {}", Harness::BOOTSTRAP))
            .header("content-type", "application/json")
            .header("x-forwarded-for", "203.0.113.5")
            .body(axum::body::Body::from(body))
            .unwrap();
        let peer = crate::http::ClientAddress(peer.parse().unwrap());
        request.extensions_mut().insert(peer);
        assert_eq!(api.send(request).await.status, 201);
        let records = api.records(hooklog_schemas::Topic::Control).await;
        assert!(
            records[0].contains(&format!(r#""from":"{client}""#)),
            "{}",
            records[0]
        );
    }
}
