//! What is erased, and every way in which too little or too much of it is gone.

use super::*;
use crate::check::erased::{Answer, Search, compare};
use std::collections::HashMap;
use std::path::Path;

fn first() -> ReceiptId {
    ReceiptId(Uuid::from_u128(1))
}

fn order() -> String {
    let receipts = json!([{"receipt": id(1), "partition": 3, "offset": 0}]);
    let by = json!({"actor": "ann", "from": "local", "at": 9, "why": "order-20"});
    let value = json!({"receipts": receipts, "by": by});
    named(20, "control/0@20", "erasure.requested", None, &value)
}

fn blank(line: &str) -> String {
    let mut value: Value = serde_json::from_str(line).unwrap();
    let fields = value.as_object_mut().unwrap();
    fields.remove("body_base64");
    fields.remove("value");
    fields.insert("headers".into(), json!([]));
    fields.insert("erased".into(), true.into());
    value.to_string()
}

fn delivered() -> Vec<String> {
    vec![
        acquired(0),
        routed(1, 0),
        attempted(2, 0, 1, 200, &json!("delivered")),
    ]
}

/// One webhook, accepted, delivered, and erased since.
fn erased() -> Evidence {
    let lines = [vec![blank(&webhook(0, BODY))], delivered(), vec![order()]];
    evidence(&lines.concat())
}

#[test]
fn an_accepted_webhook_that_was_ordered_to_go_may_be_gone() {
    assert_eq!(check(&erased()), Vec::new());
}

#[test]
fn bytes_that_were_delivered_before_they_were_erased_are_still_compared() {
    let mut evidence = erased();
    evidence.receipts[0].sha256 = sha256_hex(b"{}");
    assert_eq!(rules(&evidence), ["byte fidelity"]);
}

#[test]
fn an_erased_webhook_that_nobody_sent_is_found() {
    let mut evidence = erased();
    evidence.operations.clear();
    assert_eq!(rules(&evidence), ["no phantom"]);
}

#[test]
fn an_erased_webhook_without_a_decision_is_found() {
    let mut evidence = evidence(&[blank(&webhook(0, BODY)), acquired(0), order()]);
    evidence.operations.clear();
    evidence.receipts.clear();
    evidence.tables = None;
    assert_eq!(rules(&evidence), ["every receipt is decided"]);
}

#[test]
fn a_webhook_that_was_ordered_to_go_and_stays_is_found() {
    let lines = [vec![webhook(0, BODY)], delivered(), vec![order()]];
    assert!(rules(&evidence(&lines.concat())).contains(&"erased is gone"));
}

#[test]
fn a_webhook_that_is_gone_and_was_never_ordered_to_go_is_found() {
    let lines = [vec![blank(&webhook(0, BODY))], delivered()];
    assert_eq!(
        rules(&evidence(&lines.concat())),
        ["durable accept", "nothing else is erased"]
    );
}

fn search(text: &str) -> Search {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("log")).unwrap();
    std::fs::write(folder.path().join("log/file"), text).unwrap();
    let erased = HashMap::from([(first(), b"0123456789abcdef".to_vec())]);
    let kept = ReceiptId(Uuid::from_u128(2));
    let kept = HashMap::from([(kept, b"fedcba9876543210".to_vec())]);
    Search::of(folder.path(), erased, kept).unwrap()
}

#[test]
fn bytes_that_are_left_in_a_file_are_found() {
    let mut evidence = erased();
    evidence.search = search("-0123456789abcdef-fedcba9876543210");
    assert_eq!(rules(&evidence), ["erased bytes are in no file"]);
    evidence.search = search("-0123456789abcdeX-fedcba9876543210");
    assert_eq!(check(&evidence), Vec::new());
}

#[test]
fn a_search_that_does_not_find_what_is_kept_is_found() {
    let mut evidence = erased();
    evidence.search = search("nothing at all");
    assert_eq!(rules(&evidence), ["the search finds what is there"]);
}

#[test]
fn an_answer_that_shows_what_is_erased_is_found() {
    let mut evidence = erased();
    evidence.search = search("fedcba9876543210");
    let path = format!("webhooks/{}", id(1));
    let body = format!("{path}/body");
    evidence.answers = vec![
        Answer::of(first(), &path, 200, "{\"erased\":true}"),
        Answer::of(first(), &body, 410, "it was erased"),
    ];
    assert_eq!(check(&evidence), Vec::new());
    evidence.answers = vec![
        Answer::of(first(), &path, 200, "... 0123456789abcdef ..."),
        Answer::of(first(), &body, 200, "{}"),
    ];
    assert_eq!(rules(&evidence), ["no answer shows what is erased"; 2]);
}

#[test]
fn a_body_that_is_kept_and_not_given_is_found() {
    let mut evidence = whole();
    let body = format!("webhooks/{}/body", id(1));
    let text = std::str::from_utf8(BODY).unwrap();
    evidence.answers = vec![Answer::of(first(), &body, 200, text)];
    assert_eq!(check(&evidence), Vec::new());
    evidence.answers = vec![Answer::of(first(), &body, 410, "it was erased")];
    assert_eq!(rules(&evidence), ["nothing else is erased"]);
}

fn compared(before: &[String], after: &[String]) -> Vec<&'static str> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, lines: &[String]| {
        let path = folder.path().join(name);
        std::fs::write(&path, lines.join("\n")).unwrap();
        path
    };
    let (before, after) = (write("before", before), write("after", after));
    let found = compare_by(&before, &after);
    found.into_iter().map(|one| one.rule).collect()
}

fn compare_by(before: &Path, after: &Path) -> Vec<Violation> {
    let mut log = Log::default();
    log.add(&order()).unwrap();
    compare(before, after, &log).unwrap()
}

#[test]
fn a_later_log_may_have_more_records_and_miss_the_bytes_that_were_ordered_to_go() {
    let before = [vec![webhook(0, BODY), webhook(1, BODY)], delivered()].concat();
    let mut after = before.clone();
    after[0] = blank(&after[0]);
    after.insert(2, webhook(2, BODY));
    assert!(compared(&before, &after).is_empty());
}

#[test]
fn a_record_that_changed_or_went_without_an_order_is_found() {
    let before = [vec![webhook(0, BODY), webhook(1, BODY)], delivered()].concat();
    let rule = ["no record changes"];
    let mut other = before.clone();
    other[1] = webhook(1, b"{}");
    assert_eq!(compared(&before, &other), rule);
    let mut blanked = before.clone();
    blanked[1] = blank(&blanked[1]);
    assert_eq!(compared(&before, &blanked), rule);
    let mut missing = before.clone();
    missing.remove(3);
    assert_eq!(compared(&before, &missing), rule);
    let mut renamed = before.clone();
    renamed[0] = blank(&renamed[0]).replace("webhook.received", "webhook.denied");
    assert_eq!(compared(&before, &renamed), rule);
}

#[test]
fn a_decision_may_lose_the_names_of_an_erased_receipt_and_nothing_else() {
    let named = |receipt: &str| {
        let named = "\"guid\":\"g1\",\"repository\":\"acme/app\"";
        let line = routed(1, 0).replace("\"guid\":\"g1\"", named);
        vec![line.replace(&id(1), receipt)]
    };
    let without = |lines: &[String]| vec![lines[0].replace(",\"repository\":\"acme/app\"", "")];
    let ordered = named(&id(1));
    assert_ne!(ordered, without(&ordered));
    assert!(compared(&ordered, &without(&ordered)).is_empty());
    let rule = ["no record changes"];
    let other = vec![ordered[0].replace("push", "pull")];
    assert_eq!(compared(&ordered, &other), rule);
    let kept = named(&id(4));
    assert_eq!(compared(&kept, &without(&kept)), rule);
}
