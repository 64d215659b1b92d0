//! Raising the format of a log: who would stop, a question, and then one event.

use super::fake::Fake;
use super::*;

const FORMAT: &str = "/api/v1/format";

/// A server whose release reads format `highest`, of a log in format 1.
async fn server(highest: u64) -> Fake {
    let start = |build: &str, format: u64| {
        json!({"role": "work", "build": build, "host": "node-7", "format": format,
            "at": 1_793_534_400_000_000_i64, "would_stop": format < highest})
    };
    let starts = [start("0.2.0", highest), start("0.1.0", 1)];
    let found = json!({"in_force": 1, "highest": highest, "build": "0.2.0", "starts": starts});
    let raised = json!({"changed": true, "event": "e-1", "offset": 9});
    let again = json!({"changed": false});
    Fake::start(vec![
        ("GET", FORMAT, 200, found.to_string()),
        ("POST", FORMAT, 200, raised.to_string()),
        ("POST", FORMAT, 200, again.to_string()),
    ])
    .await
}

#[tokio::test]
async fn an_upgrade_lists_who_would_stop_and_asks_first() {
    let fake = server(2).await;
    let refused = fake.run("log upgrade").await;
    let error = refused.answer.unwrap_err();
    assert_eq!(report(&error, &mut Vec::new()), ExitCode::from(2));
    let question = "raise the format from 1 to 2, at which 1 of 2 recent starts would stop?";
    assert!(error.to_string().contains(question), "{error}");
    let stops: Vec<_> = refused.out.lines().filter(|l| l.ends_with("yes")).collect();
    assert!(matches!(stops[..], [one] if one.contains("0.1.0") && one.contains("node-7")));

    let no = fake.run_typing("log upgrade", "\n").await;
    assert_eq!(no.answer.unwrap(), Answer::No);
    let dry = fake.run("log upgrade --dry-run").await;
    assert!(
        dry.out.ends_with("would stop; nothing was changed\n"),
        "{}",
        dry.out
    );
    assert!(fake.asked().iter().all(|asked| asked.method == "GET"));
}

#[tokio::test]
async fn who_agrees_raises_the_format_that_was_shown() {
    let fake = server(2).await;
    let ran = fake.run_typing("log upgrade --reason done", "y\n").await;
    let said = "format 2 is in force (control/0@9); older releases stop\n";
    assert!(ran.out.ends_with(said), "{}", ran.out);
    let asked = fake.asked().pop().unwrap();
    assert_eq!(asked.body, json!({"format": 2, "reason": "done"}));
    let ran = fake.run("log upgrade --yes").await;
    let said = "format 2 is in force already; nothing was recorded\n";
    assert!(ran.out.ends_with(said), "{}", ran.out);
}

#[tokio::test]
async fn with_nothing_to_raise_an_upgrade_says_so_and_asks_nobody() {
    let fake = server(1).await;
    let ran = fake.run("log upgrade").await;
    assert_eq!(ran.answer.unwrap(), Answer::Yes);
    let said = "format 1 is in force, and it is the highest that 0.2.0 writes: there is nothing to raise\n";
    assert!(ran.out.ends_with(said), "{}", ran.out);
    assert_eq!(fake.asked().len(), 1);
}
