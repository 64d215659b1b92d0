//! Lists: tables for people, the API's JSON for scripts, a next step when there is nothing.

use super::fake::{Fake, Gone, parameter};
use super::*;

fn source(name: &str) -> serde_json::Value {
    json!({"id": "i", "name": name, "host": "github.com", "allow": [], "rate_per_second": null,
        "paused": name == "old", "version": "v", "created_at": 1_793_534_220_000_000_i64, "secrets": [{"id": "s"}]})
}

#[tokio::test]
async fn a_list_is_a_table_with_relative_times() {
    let text = json!({"items": [source("github"), source("old")], "next": null}).to_string();
    let fake = Fake::start(vec![("GET", "/api/v1/sources", 200, text)]).await;
    let expected = "\
NAME    STATE   HOST        SECRETS  RATE/S  CREATED
github  active  github.com        1  –       3m ago
old     paused  github.com        1  –       3m ago
";
    assert_eq!(fake.run("source list").await.out, expected);
    assert_eq!(fake.asked()[0].token.as_deref(), Some("Bearer hl_test"));
}

#[tokio::test]
async fn an_empty_list_says_what_to_do_next() {
    let text = json!({"items": [], "next": null}).to_string();
    let fake = Fake::start(vec![
        ("GET", "/api/v1/subscriptions", 200, text.clone()),
        ("GET", "/api/v1/sources", 200, text),
    ])
    .await;
    let said = fake.run("subscription list").await.out;
    assert!(said.contains("hooklog subscription create"), "{said}");
    let json = fake.run("source list -o json").await.out;
    assert_eq!(json, "{\"items\":[],\"next\":null}\n");
}

#[tokio::test]
async fn pages_are_put_together_up_to_the_limit_and_items_stay_as_they_came() {
    let page = |items: &str, next: &str| format!(r#"{{"items":[{items}],"next":{next}}}"#);
    let fake = Fake::start(vec![
        (
            "GET",
            "/api/v1/webhooks",
            200,
            page(r#"{"z":1,"a":1.0}"#, r#""two""#),
        ),
        (
            "GET",
            "/api/v1/webhooks",
            200,
            page(r#"{"z":2}"#, r#""three""#),
        ),
    ])
    .await;
    let ran = fake
        .run("webhook list --limit 2 --since 2h --event push --output json")
        .await;
    assert_eq!(
        ran.out,
        "{\"items\":[{\"z\":1,\"a\":1.0},{\"z\":2}],\"next\":\"three\"}\n"
    );
    let asked = fake.asked();
    assert_eq!(parameter(&asked[0], "limit").as_deref(), Some("2"));
    assert_eq!(
        parameter(&asked[0], "from").as_deref(),
        Some("2026-11-01T10:00:00.000000Z")
    );
    assert_eq!(parameter(&asked[0], "event").as_deref(), Some("push"));
    assert_eq!(parameter(&asked[1], "cursor").as_deref(), Some("two"));
    assert_eq!(parameter(&asked[1], "limit").as_deref(), Some("1"));
}

#[tokio::test]
async fn a_reader_that_has_gone_is_no_failure() {
    let text = json!({"items": [source("github")], "next": null}).to_string();
    let fake = Fake::start(vec![("GET", "/api/v1/sources", 200, text)]).await;
    let error = fake
        .run_into("source list", false, "", &mut Gone)
        .await
        .unwrap_err();
    assert_eq!(report(&error, &mut Vec::new()), ExitCode::SUCCESS);
}

#[tokio::test]
async fn a_name_with_special_characters_stays_one_part_of_the_path() {
    let fake = Fake::start(Vec::new()).await;
    let _ = fake.run("source show a/../b?c").await;
    assert_eq!(fake.asked()[0].path, "/api/v1/sources/a%2F..%2Fb%3Fc");
}

#[tokio::test]
async fn a_stream_shows_a_line_an_event_and_says_when_it_ends() {
    let text = "{\"position\":\"control/0@1\",\"at\":1793534400000000,\"type\":\"source.created\",\"name\":\"a\"}\n\n";
    let fake = Fake::start(vec![("GET", "/api/v1/tail", 200, text.to_owned())]).await;
    let ran = fake.run("tail").await;
    assert_eq!(ran.out.lines().count(), 1);
    assert!(ran.out.contains("source.created"), "{}", ran.out);
    assert!(ran.answer.unwrap_err().to_string().contains("ended"));
}
