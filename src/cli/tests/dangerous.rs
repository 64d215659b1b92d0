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

#[tokio::test]
async fn a_command_about_nothing_says_so_and_a_repeated_pause_too() {
    let none = json!({"count": 0}).to_string();
    let same = json!({"changed": false}).to_string();
    let paused = json!({"name": "ci", "paused": true, "changed": false}).to_string();
    let fake = Fake::start(vec![
        ("POST", REDRIVE, 200, none),
        ("POST", "/api/v1/deliveries/pause", 200, same),
        ("POST", "/api/v1/subscriptions/ci/pause", 200, paused),
    ])
    .await;
    for (line, said) in [
        (
            "dead-letter redrive --all --yes",
            "nothing to redrive: there are no such dead letters\n",
        ),
        (
            "delivery pause --all --yes",
            "all deliveries are held back already; nothing was recorded\n",
        ),
        (
            "subscription pause ci",
            "ci is paused already; nothing was recorded\n",
        ),
    ] {
        assert_eq!(fake.run(line).await.out, said);
    }
}

#[tokio::test]
async fn a_token_is_deleted_after_a_look_and_a_question() {
    let token = json!({"name": "ann", "role": "admin"}).to_string();
    let fake = Fake::start(vec![
        ("GET", "/api/v1/tokens/ann", 200, token),
        (
            "DELETE",
            "/api/v1/tokens/ann",
            200,
            json!({"changed": true}).to_string(),
        ),
    ])
    .await;
    let ran = fake.run("token delete ann --dry-run").await;
    assert_eq!(
        ran.out,
        "would delete token ann, role admin; nothing was changed\n"
    );
    let ran = fake.run_typing("token delete ann", "n\n").await;
    assert_eq!(ran.answer.unwrap(), Answer::No);
    assert!(fake.asked().iter().all(|asked| asked.method == "GET"));
    let ran = fake.run("token delete ann --yes --reason left").await;
    assert_eq!(ran.out, "token ann deleted\n");
    assert_eq!(fake.asked().last().unwrap().query, "reason=left");
}

#[tokio::test]
async fn a_repository_is_erased_by_the_name_that_webhooks_gave_it() {
    let webhook = |id: u64| json!({"repository_id": id, "host": "github.com"});
    let one = json!({"items": [webhook(7), webhook(7)], "next": null}).to_string();
    let two = json!({"items": [webhook(7), webhook(8)], "next": null}).to_string();
    let none = json!({"items": [], "next": null}).to_string();
    let fake = Fake::start(vec![
        ("GET", "/api/v1/webhooks", 200, one),
        ("GET", "/api/v1/webhooks", 200, two),
        ("GET", "/api/v1/webhooks", 200, none),
        (
            "POST",
            "/api/v1/erasures",
            200,
            json!({"count": 2}).to_string(),
        ),
    ])
    .await;
    let line = "erase --repository acme/api --reason r --dry-run";
    let ran = fake.run(line).await;
    assert!(ran.out.starts_with("would erase 2 receipts"), "{}", ran.out);
    let asked = fake.asked();
    assert_eq!(asked[0].query, "repository=acme%2Fapi&limit=500");
    assert_eq!(asked[1].body["repository_id"], 7);
    let several = fake.run(line).await.answer.unwrap_err().to_string();
    assert!(
        several.contains("7 (github.com), 8 (github.com)"),
        "{several}"
    );
    let unknown = fake.run(line).await.answer.unwrap_err().to_string();
    assert!(unknown.contains("no webhook names"), "{unknown}");
}
