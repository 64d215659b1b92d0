//! Secrets are shown once if they were made here, and otherwise never.

use super::harness::{Harness, ROUTES};
use hooklog_schemas::Topic;
use serde_json::json;

const GIVEN: &str = "whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5";

/// Everything that was given or shown once.
async fn fill(api: &Harness) -> Vec<String> {
    api.create_source("acme").await;
    let body = json!({ "secret": "canary-rotated" });
    assert_eq!(
        api.post("/api/v1/sources/acme/secrets", body).await.status,
        200
    );
    let mut canaries = vec!["canary-source".to_owned(), "canary-rotated".to_owned()];
    for sign in ["standard", "github"] {
        let body = json!({ "name": sign, "to": "https://example.com/", "sign": sign });
        let answer = api.post("/api/v1/subscriptions", body).await;
        canaries.push(answer.json["secret"].as_str().unwrap().to_owned());
        let path = format!("/api/v1/subscriptions/{sign}/secrets");
        let answer = api.post(&path, json!({})).await;
        canaries.push(answer.json["secret"].as_str().unwrap().to_owned());
    }
    let given = json!({ "name": "given", "to": "https://example.com/", "secret": GIVEN });
    let answer = api.post("/api/v1/subscriptions", given).await;
    assert!(
        answer.status == 201 && answer.json.get("secret").is_none(),
        "{}",
        answer.text
    );
    canaries.push(GIVEN.to_owned());
    canaries.push(api.create_token("ann", "read").await);
    canaries
}

#[tokio::test]
async fn what_is_made_looks_as_promised() {
    let api = Harness::start().await;
    let canaries = fill(&api).await;
    let starts = |text: &str| canaries.iter().filter(|c| c.starts_with(text)).count();
    assert_eq!(starts("whsec_"), 3);
    let token = canaries.last().unwrap();
    assert!(
        token.starts_with("hl_") && token.len() == 46,
        "{}",
        token.len()
    );
    let hex = |c: &&String| c.len() == 64 && c.chars().all(|c| c.is_ascii_hexdigit());
    assert_eq!(canaries.iter().filter(hex).count(), 2);
}

#[tokio::test]
async fn no_answer_no_record_and_no_debug_output_holds_a_secret() {
    let api = Harness::start().await;
    let canaries = fill(&api).await;
    let mut seen = api.records(Topic::Control).await;
    seen.push(format!("{:?}", api.control.current()));
    for (_, path) in ROUTES
        .iter()
        .filter(|(method, path)| *method == "GET" && !path.ends_with("/tail"))
    {
        for name in ["acme", "standard", "github", "given", "ann"] {
            let path = path.replace("{name}", name);
            seen.push(api.text(Harness::BOOTSTRAP, "GET", &path, "").await.text);
        }
    }
    for canary in &canaries {
        let found = seen.iter().find(|text| text.contains(canary.as_str()));
        assert!(found.is_none(), "{canary} is in {found:?}");
    }
}

#[tokio::test]
async fn no_error_quotes_a_secret() {
    let api = Harness::start().await;
    api.create_source("taken").await;
    for (path, body) in [
        ("sources", r#"{"name":"taken","secret":"canary"}"#),
        ("sources", r#"{"name":"A","secret":"canary"}"#),
        ("sources", r#"{"name":"a","secret":["canary"]}"#),
        (
            "sources",
            r#"{"name":"a","secret":"canary","secret":"canary"}"#,
        ),
        ("sources", r#"{"name":"a","secret":"canary","x":"canary"}"#),
        ("sources", r#"{"name":"a","secret":"canary"#),
        (
            "subscriptions",
            r#"{"name":"a","to":"https://a.example/","secret":"canary"}"#,
        ),
        (
            "subscriptions",
            r#"{"name":"a","to":"https://a.example/","secret":"canary","sign":"none"}"#,
        ),
    ] {
        let path = format!("/api/v1/{path}");
        let answer = api.text(Harness::BOOTSTRAP, "POST", &path, body).await;
        assert!(
            (400..500).contains(&answer.status),
            "{body}: {}",
            answer.text
        );
        assert!(!answer.text.contains("canary"), "{}", answer.text);
    }
}
