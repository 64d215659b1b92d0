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
async fn a_stream_shows_a_line_an_event_and_is_taken_up_again_when_it_ends() {
    let text = "{\"position\":\"control/0@1\",\"at\":1793534400000000,\"type\":\"source.created\",\"name\":\"a\"}\n\n";
    let starting = json!({"type": "urn:hooklog:problem:unavailable", "title": "t", "status": 503, "detail": "d"});
    let starting = starting.to_string();
    let fake = Fake::start(vec![
        ("GET", "/api/v1/tail", 200, text.to_owned()),
        ("GET", "/api/v1/tail", 503, starting),
        ("GET", "/api/v1/tail", 200, text.to_owned()),
        ("GET", "/api/v1/tail", 404, "gone".to_owned()),
    ])
    .await;
    let ran = fake.run("tail").await;
    assert_eq!(ran.out.lines().count(), 2, "{}", ran.out);
    assert!(ran.out.contains("source.created"), "{}", ran.out);
    assert_eq!(
        fake.asked().len(),
        4,
        "what a restart does not cure ends it"
    );
    assert!(ran.answer.is_err());
}

#[tokio::test]
async fn what_is_due_says_what_it_waits_for() {
    let delivery = |due: &str, held: Option<&str>| {
        let due = due.parse::<hooklog_schemas::Timestamp>().unwrap().0;
        json!({"id": "d", "state": "open", "due_at": due, "held": held})
    };
    let items = json!({"items": [
        delivery("2026-11-01T12:03:00Z", None),
        delivery("2026-11-01T11:59:59Z", None),
        delivery("2026-11-01T11:57:00Z", None),
        delivery("2026-11-01T11:57:00Z", Some("the subscription is paused")),
    ], "next": null});
    let fake = Fake::start(vec![("GET", "/api/v1/deliveries", 200, items.to_string())]).await;
    let said = fake.run("delivery list --host github.com").await.out;
    let lines: Vec<_> = said.lines().collect();
    for (line, part) in lines[1..].iter().zip([
        "in 3m",
        "now",
        "its turn, since 3m",
        "held: the subscription is paused",
    ]) {
        assert!(line.contains(part), "{line}: {part}");
    }
    assert_eq!(
        parameter(&fake.asked()[0], "host").as_deref(),
        Some("github.com")
    );
}

#[tokio::test]
async fn all_receipts_of_an_event_are_verified_by_its_guid() {
    let verified = |verdict: &str| {
        json!({"receipt": "r", "verdict": verdict, "secret": "s", "secret_retired": true})
            .to_string()
    };
    let items = json!({"items": [{"receipt": "r-1"}, {"receipt": "r-2"}], "next": null});
    let fake = Fake::start(vec![
        ("GET", "/api/v1/webhooks", 200, items.to_string()),
        (
            "GET",
            "/api/v1/webhooks/g/verification",
            404,
            json!({"type": "urn:hooklog:problem:not-found", "title": "t", "status": 404, "detail": "d"})
                .to_string(),
        ),
        ("GET", "/api/v1/webhooks/r-1/verification", 200, verified("verified")),
        ("GET", "/api/v1/webhooks/r-2/verification", 200, verified("differs")),
    ])
    .await;
    let ran = fake.run("webhook verify g").await;
    assert!(
        ran.out.contains("verified  by secret s, retired since\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("DIFFERS"), "{}", ran.out);
    assert_eq!(ran.answer.unwrap(), Answer::No);
    let ran = fake.run("webhook verify r-1").await;
    assert_eq!(ran.answer.unwrap(), Answer::Yes);
}
