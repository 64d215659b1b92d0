//! The command line as a whole: every command is described, and answers as the contract says.

mod dangerous;
mod errors;
mod fake;
mod lists;
mod upgrade;

use super::api::Api;
use super::run::{report, whole};
use super::session::{Answer, Usage};
use super::*;
use clap::builder::StyledStr;
use fake::Fake;
use serde_json::json;

#[test]
fn the_command_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_and_every_flag_says_what_it_is_for() {
    fn check(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        assert!(command.get_about().is_some(), "{path} has no description");
        for arg in command.get_arguments() {
            let help = arg.get_help().map(StyledStr::to_string).unwrap_or_default();
            assert!(!help.is_empty(), "{path}: {} has no help", arg.get_id());
            assert!(
                !help.ends_with('.'),
                "{path}: {} is a phrase, so it has no full stop",
                arg.get_id()
            );
        }
        for sub in command.get_subcommands() {
            check(sub, &path);
        }
    }
    let mut command = Cli::command();
    command.build();
    check(&command, "");
}

const SPELLINGS: &[&str] = &[
    "serve --data D --listen 127.0.0.1:8080 --api-listen 127.0.0.1:8081 --config F",
    "serve --demo",
    "serve --role receive,append --role work",
    "source create github --secret-file F",
    "source create ghes --secret-file F --host github.acme.example --server http://127.0.0.1:1",
    "subscription create ci --to https://a/ --event push --event create --repository acme/* --team t --sign github --secret-file F",
    "subscription create ci --to https://a/ --sha1 --form=false --sign none",
    "timeline G --output json",
    "signature sign --mode github --secret-file F",
    "signature verify --mode standard --secret-file F --id a --timestamp 1 --signature v1,a",
    "explain G --subscription ci",
    "explain --subscription ci --since 2h --missed --limit 5",
    "what-if --as-it-was 30d --subscription ci --since 30d",
    "what-if -f F --since 1d --repository acme/api --repository acme/site",
    "subscription blame ci",
    "subscription revert ci --to 2h --dry-run",
    "subscription revert ci --to control/0@41 --yes --reason r",
    "subscription received ci --from 2026-11-01 --to 2026-11-02",
    "attempt diff 019a3c5e-7d1f-7c3a-b1de-0242ac120002 1 2",
    "attempts diff 019a3c5e-7d1f-7c3a-b1de-0242ac120002",
    "webhook who-received G",
    "webhook who-received --event push --repository acme/api --repository acme/site",
    "webhook reads --by ann --since 30d",
    "dead-letter redrive --all --dry-run --reason r",
    "delivery cancel --subscription ci --yes",
    "delivery pause --all --dry-run",
    "erase --receipt 019a3c5e-7d1f-7c3a-b1de-0242ac120002 --reason r",
    "erase --repository 1 --reason r",
    "erase --repository acme/api --reason r",
    "source history github --limit 5",
    "token history ann",
    "token show ann",
    "token delete ann --yes",
    "delivery resume --all --dry-run",
    "delivery list --host github.com",
    "dead-letter show D",
    "dead-letter list --host github.com",
    "webhook verify G",
    "webhook list --subscription ci --state unparsed",
    "source pause github --expected 019a3c5e-7d1f-7c3a-b1de-0242ac120002",
    "subscription change ci --team t --expected 019a3c5e-7d1f-7c3a-b1de-0242ac120002",
    "openapi --offline",
    "erase --sender 1 --reason r --dry-run",
    "rebuild",
    "rebuild counts --restart --no-compare --detach --server http://127.0.0.1:1",
    "rebuild --data D",
    "rebuild --data D counts",
    "key create --key-file F",
    "key check --data D",
    "key rotate --data D",
    "config show --config F",
    "completion fish",
    "sources list",
    "deliveries list --since 2h",
    "dead-letters list",
    "webhooks list --from 2026-11-01T12:00Z --to now",
    "counts",
    "tail --guid G",
    "doctor --data D",
    "log stats --data D -o json",
    "log verify --data D --output json",
    "projection hash --data D --output json",
    "projection list",
    "projection list --config F -o json",
    "projection switch --back",
    "projection switch old1 --data D",
    "projection drop old1",
    "projection stop",
];

#[test]
fn the_spellings_that_scripts_rely_on_parse() {
    for line in SPELLINGS {
        let words = ["hooklog"].into_iter().chain(line.split(' '));
        if let Err(error) = Cli::try_parse_from(words) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn what_must_be_said_is_not_assumed() {
    for line in [
        "delivery pause",
        "source create github",
        "subscription create ci",
        "erase --reason r",
        "erase --receipt R --sender 1",
        "explain G",
        "what-if --since 1d",
        "attempt diff D",
        "webhook who-received G --guid G",
        "signature verify --mode github --secret-file F",
        "serve --demo --data D",
        "projection switch",
        "projection switch old1 --back",
        "source list --limit 0",
        "webhook list --since yesterday",
        "subscription create ci --to https://a/ --attempts 101",
    ] {
        let words = ["hooklog"].into_iter().chain(line.split(' '));
        let error = Cli::try_parse_from(words).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let closed = io::Error::from(io::ErrorKind::BrokenPipe);
    let error = anyhow::Error::from(closed).context("writing");
    let mut told = Vec::new();
    assert_eq!(report(&error, &mut told), ExitCode::SUCCESS);
    assert!(told.is_empty());
}

#[test]
fn a_wrong_command_line_is_exit_code_2_and_a_failure_1() {
    let mut told = Vec::new();
    let usage = anyhow::Error::from(Usage("say which".to_owned()));
    assert_eq!(report(&usage, &mut told), ExitCode::from(2));
    assert_eq!(
        report(&anyhow::anyhow!("it failed"), &mut told),
        ExitCode::FAILURE
    );
    assert_eq!(
        String::from_utf8(told).unwrap(),
        "error: say which\nerror: it failed\n"
    );
}

#[test]
fn a_cause_that_is_quoted_already_is_not_said_twice() {
    let cause = anyhow::anyhow!("no such file")
        .context("reading F: no such file")
        .context("starting");
    assert_eq!(whole(&cause), "starting: reading F: no such file");
}

#[tokio::test]
async fn a_timeline_for_scripts_is_the_answer_of_the_api_unchanged() {
    let text = r#"{"guid":"g","receipts":[{"receipt":"r"}],"deliveries":[{"subscription":"ci","state":"open","attempts":[]}],"zz":1,"as_of":[]}"#;
    let fake = Fake::start(vec![("GET", "/api/v1/timeline/g", 200, text.to_owned())]).await;
    let ran = fake.run("timeline g --output json").await;
    assert_eq!(ran.out, format!("{text}\n"));
    assert_eq!(ran.answer.unwrap(), Answer::Yes);
}

#[tokio::test]
async fn a_timeline_of_nothing_is_a_no() {
    let text = json!({"guid": "g", "receipts": [], "deliveries": []}).to_string();
    let fake = Fake::start(vec![("GET", "/api/v1/timeline/g", 200, text)]).await;
    assert_eq!(fake.run("timeline g").await.answer.unwrap(), Answer::No);
}
