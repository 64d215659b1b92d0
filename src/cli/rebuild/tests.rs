use super::told::sentences;
use super::watched::message;
use super::*;
use crate::cli::Cli;
use crate::cli::row::Row;
use crate::project::{Phase, Progress};
use clap::Parser as _;
use std::time::Duration;

#[test]
fn progress_tells_how_much_how_fast_and_how_long() {
    let progress = Progress {
        folded: 60_000,
        total: 150_000,
        resumed_at: 10_000,
        elapsed: Duration::from_secs(2),
        phase: Phase::Folding,
    };
    assert_eq!(
        message(progress),
        "60000 of 150000 records, 25000 a second, 3 s left"
    );
    let indexing = Progress {
        phase: Phase::Indexing,
        ..progress
    };
    assert!(message(indexing).contains("indexes"));
}

#[test]
fn what_came_of_it_tells_what_was_compared_and_what_is_kept() {
    let told = json!({
        "records": 150_000, "resumed_at": 50_000, "seconds": 4.0, "rate": 25_000, "kept": "old1",
        "compared": [
            {"projection": "webhooks", "found": "same", "rows": 5, "added": []},
            {"projection": "deliveries", "found": "same", "rows": 6, "added": ["deliveries.first_attempt_at"]},
            {"projection": "counts", "found": "different", "table": "counts", "key": "3\t9"},
        ],
    });
    let told = sentences(Row(&told)).join("\n");
    for part in [
        "folded 150000 records, 50000 of them by an earlier run, in 4 s (25000 a second), and switched",
        "compared 11 rows of 2 projections: the same",
        "new, so not compared: deliveries.first_attempt_at",
        "counts DIFFERS",
        "`hooklog projection drop old1`",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

/// What `hooklog rebuild` with these flags ends with.
fn error_of(flags: &[&str]) -> String {
    let words = ["hooklog", "rebuild"]
        .into_iter()
        .chain(flags.iter().copied());
    let Cli { command } = Cli::parse_from(words);
    let crate::cli::Command::Rebuild(args) = command else {
        panic!("{flags:?}");
    };
    let mut sink = Vec::new();
    let error = here(&args, &mut Out::new(&mut sink, false)).unwrap_err();
    format!("{error:#}")
}

#[test]
fn a_folder_without_a_log_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let error = error_of(&["--data", dir.path().to_str().unwrap()]);
    assert!(error.contains("there is no log"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn while_a_server_owns_the_folder_the_error_names_it_and_the_flag() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    std::fs::create_dir(&log).unwrap();
    std::fs::write(log.join("lock"), "4711").unwrap();
    let held = std::fs::File::open(log.join("lock")).unwrap();
    held.lock().unwrap();
    let error = error_of(&["counts", "--data", dir.path().to_str().unwrap()]);
    assert!(
        error.contains("--server") && error.contains("4711"),
        "{error}"
    );
}
