//! Commands that change much: scope, count, question.

use super::fake::Fake;
use super::*;

const REDRIVE: &str = "/api/v1/dead-letters/redrive";

async fn server() -> Fake {
    let counted = json!({"count": 3}).to_string();
    let done = json!({"count": 3, "command": "c-1", "offset": 9}).to_string();
    Fake::start(vec![
        ("POST", REDRIVE, 200, counted),
        ("POST", REDRIVE, 200, done),
    ])
    .await
}

#[tokio::test]
async fn without_a_scope_nothing_is_asked_of_the_server() {
    let fake = server().await;
    let error = fake
        .run("dead-letter redrive --yes")
        .await
        .answer
        .unwrap_err();
    assert_eq!(report(&error, &mut Vec::new()), ExitCode::from(2));
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn a_dry_run_counts_and_changes_nothing() {
    let fake = server().await;
    let ran = fake
        .run("dead-letter redrive --subscription ci --since 2h --dry-run")
        .await;
    assert_eq!(
        ran.out,
        "would redrive 3 dead letters; nothing was changed\n"
    );
    let asked = fake.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].body["dry_run"], json!(true));
    assert_eq!(asked[0].body["scope"]["subscription"], json!("ci"));
}

#[tokio::test]
async fn a_script_must_say_yes() {
    let fake = server().await;
    let error = fake
        .run("dead-letter redrive --all")
        .await
        .answer
        .unwrap_err();
    assert!(error.to_string().contains("--yes"), "{error}");
    assert_eq!(report(&error, &mut Vec::new()), ExitCode::from(2));
    assert_eq!(fake.asked().len(), 1, "the count alone");
}

#[tokio::test]
async fn a_person_is_asked_and_may_say_no() {
    let fake = server().await;
    let ran = fake.run_typing("dead-letter redrive --all", "\n").await;
    assert_eq!(ran.answer.unwrap(), Answer::No);
    assert_eq!(fake.asked().len(), 1);
}

#[tokio::test]
async fn a_person_who_agrees_gets_the_command_s_id() {
    let fake = server().await;
    let ran = fake
        .run_typing("dead-letter redrive --all --reason repaired", "y\n")
        .await;
    assert_eq!(ran.out, "asked to redrive 3 dead letters (command c-1)\n");
    let body = &fake.asked()[1].body;
    assert_eq!(*body, json!({"scope": {"all": true}, "reason": "repaired"}));
}

#[tokio::test]
async fn an_erasure_without_a_reason_is_refused() {
    let fake = Fake::start(Vec::new()).await;
    let error = fake.run("erase --sender 7 --yes").await.answer.unwrap_err();
    assert!(error.to_string().contains("--reason"), "{error}");
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn pausing_everything_shows_what_it_holds_back() {
    let open = json!({"items": [{}, {}], "next": null}).to_string();
    let fake = Fake::start(vec![("GET", "/api/v1/deliveries", 200, open)]).await;
    let ran = fake.run("delivery pause --all --dry-run").await;
    assert!(
        ran.out.starts_with("would hold back 2 open deliveries"),
        "{}",
        ran.out
    );
}

#[tokio::test]
async fn an_unknown_count_is_not_taken_for_none() {
    let counted = json!({"count": null}).to_string();
    let fake = Fake::start(vec![("POST", REDRIVE, 200, counted)]).await;
    let ran = fake.run("dead-letter redrive --all --dry-run").await;
    assert!(
        ran.out.contains("an unknown number of dead letters"),
        "{}",
        ran.out
    );
}

#[tokio::test]
async fn deleting_a_subscription_counts_what_it_cancels() {
    let counted = json!({"count": 2}).to_string();
    let fake = Fake::start(vec![("DELETE", "/api/v1/subscriptions/ci", 200, counted)]).await;
    let ran = fake
        .run_typing("subscription delete ci --reason gone", "y\n")
        .await;
    assert_eq!(ran.out, "subscription ci deleted, with 2 open deliveries\n");
    let asked: Vec<_> = fake.asked().into_iter().map(|asked| asked.query).collect();
    assert_eq!(asked, ["dry_run=true", "reason=gone"]);
}
