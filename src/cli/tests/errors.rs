//! What went wrong, in words, with what to do.

use super::fake::Fake;
use super::*;

fn told(error: &anyhow::Error) -> String {
    let mut told = Vec::new();
    let _ = report(error, &mut told);
    String::from_utf8(told).unwrap()
}

fn problem(status: u16, slug: &str, title: &str, detail: &str) -> String {
    let kind = format!("urn:hooklog:problem:{slug}");
    json!({"type": kind, "title": title, "status": status, "detail": detail}).to_string()
}

#[tokio::test]
async fn without_a_server_the_error_names_the_url_and_how_to_start_one() {
    // The port was free a moment ago, and nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let api = Api::new(url.parse().unwrap(), None).unwrap();
    let error = api.get(&["status"], &Vec::new()).await.err().unwrap();
    let told = told(&error.into());
    assert!(
        told.contains(&format!("no server answers at {url}: ")),
        "{told}"
    );
    assert!(told.contains("hooklog serve --data DIR"), "{told}");
}

#[tokio::test]
async fn problems_are_shown_with_their_detail_and_a_hint() {
    for (status, slug, hint) in [
        (401, "unauthorized", "HOOKLOG_TOKEN"),
        (403, "forbidden", "role"),
        (503, "unavailable", "hooklog doctor"),
    ] {
        let text = problem(status, slug, "The title", "the detail");
        let fake = Fake::start(vec![("GET", "/api/v1/sources/a", status, text)]).await;
        let told = told(&fake.run("source show a").await.answer.unwrap_err());
        assert!(told.starts_with("error: The title: the detail\n"), "{told}");
        assert!(told.contains(hint), "{told}");
    }
}

#[tokio::test]
async fn something_else_that_answers_is_not_taken_for_the_api() {
    let fake = Fake::start(vec![("GET", "/api/v1/sources/a", 404, "<html>".to_owned())]).await;
    let told = told(&fake.run("source show a").await.answer.unwrap_err());
    assert!(told.contains("is not the API of hooklog"), "{told}");
    assert!(told.contains("8081"), "{told}");
}

#[tokio::test]
async fn a_change_expects_the_version_that_was_seen() {
    let seen = json!({"name": "a", "host": "github.com", "allow": ["10.0.0.0/8"], "rate_per_second": 5,
        "version": "v7", "paused": false, "secrets": []});
    let fake = Fake::start(vec![
        ("GET", "/api/v1/sources/a", 200, seen.to_string()),
        (
            "PUT",
            "/api/v1/sources/a",
            409,
            problem(
                409,
                "conflict",
                "It does not fit what is there now",
                "look again",
            ),
        ),
    ])
    .await;
    let ran = fake.run("source change a --no-rate --reason why").await;
    assert!(
        told(&ran.answer.unwrap_err()).contains("It does not fit what is there now: look again")
    );
    let expected = json!({"host": "github.com", "allow": ["10.0.0.0/8"], "rate_per_second": null,
        "expected": "v7", "reason": "why"});
    let asked = &fake.asked()[1];
    assert_eq!(asked.method, "PUT");
    assert_eq!(asked.body, expected);
}

#[tokio::test]
async fn the_doctor_stops_at_a_server_that_does_not_know_the_token() {
    let fake = Fake::start(vec![
        ("GET", "/healthz", 200, "ok".to_owned()),
        (
            "GET",
            "/readyz",
            503,
            json!({"ready": false, "reasons": ["partition 3 is not owned"]}).to_string(),
        ),
        (
            "GET",
            "/api/v1/status",
            401,
            problem(401, "unauthorized", "A valid token is needed", "unknown"),
        ),
    ])
    .await;
    let ran = fake.run("doctor").await;
    assert_eq!(ran.answer.unwrap(), Answer::No);
    assert!(ran.out.contains("fail  ready"), "{}", ran.out);
    assert!(
        ran.out
            .contains("/readyz answers 503: partition 3 is not owned\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("fail  token"), "{}", ran.out);
}
