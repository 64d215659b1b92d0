//! `hooklog log copy`, from one folder to another.

use super::{Line, encoded, filled, open, say};
use crate::cli::log::LogCommand;
use crate::log::EventLog as _;
use hooklog_schemas::control::LogCreated;
use hooklog_schemas::{Timestamp, Topic};
use std::collections::BTreeSet;
use tempfile::TempDir;

#[tokio::test]
async fn a_copy_is_whole_and_has_the_same_numbers() {
    let from = filled().await;
    let to = TempDir::new().unwrap();
    let line = |from: &TempDir, to: &TempDir| {
        let places = [from.path(), to.path()].map(|path| path.to_str().unwrap().to_owned());
        let words = ["log", "copy"].map(str::to_owned).into_iter().chain(places);
        let LogCommand::Copy(copy) = <Line as clap::Parser>::parse_from(words).command else {
            unreachable!("it says copy");
        };
        copy
    };
    let copy = line(&from, &to);
    let copied = tokio::task::spawn_blocking(move || {
        let mut out = Vec::new();
        copy.run(&mut out).map(|_| String::from_utf8(out).unwrap())
    });
    let said = copied.await.unwrap().unwrap();
    assert!(said.contains("62 records, equal in both"), "{said}");
    let (verified, whole) = say(&to, &["verify"]).unwrap();
    assert!(whole, "{verified}");
    // Partitions may interleave otherwise, and what is erased already is shown as a tombstone.
    let lines = |dir: &TempDir| -> BTreeSet<String> {
        let (text, _) = say(dir, &["dump", "--bodies"]).unwrap();
        let kept = text.lines().filter(|line| !line.contains("webhooks/0@0\""));
        kept.map(str::to_owned).collect()
    };
    assert!(lines(&from) == lines(&to), "the copy's records differ");
}

#[tokio::test]
async fn a_copy_names_the_log_that_it_is_of_and_no_other_is_copied_into_it() {
    let created = |log_id| {
        let created = LogCreated {
            log_id,
            partitions: 2,
            key: None,
            at: Timestamp(1),
        };
        hooklog_schemas::Append {
            partition: hooklog_schemas::Partition(0),
            ..encoded(created)
        }
    };
    let (from, other, to) = (TempDir::new(), TempDir::new(), TempDir::new());
    let (from, other, to) = (from.unwrap(), other.unwrap(), to.unwrap());
    for dir in [&from, &other] {
        let log = open(dir);
        let first = created(log.id().unwrap());
        log.append(Topic::Control, vec![first]).await.unwrap();
    }
    let ids = [&from, &other].map(|dir| open(dir).id());
    let copied = crate::app::copy::between(from.path(), to.path(), |_| {});
    assert_eq!(copied.await.unwrap().records, 1);
    assert_eq!(open(&to).id(), ids[0]);
    let mixed = crate::app::copy::between(other.path(), to.path(), |_| {});
    let error = format!("{:#}", mixed.await.unwrap_err());
    assert!(error.contains("copy into an empty folder"), "{error}");
}

#[test]
fn an_embedded_log_needs_no_preparation_and_says_so() {
    let dir = TempDir::new().unwrap();
    let (said, done) = say(&dir, &["init"]).unwrap();
    assert!(done && said.contains("nothing to do"), "{said}");
}

#[test]
fn a_folder_whose_log_is_elsewhere_is_not_called_whole() {
    let dir = TempDir::new().unwrap();
    std::fs::create_dir(dir.path().join("log")).unwrap();
    let refused = say(&dir, &["verify"]).unwrap_err();
    assert!(refused.to_string().contains("log.kind"), "{refused}");
}
