//! Given this body, then these facts.

use super::{Claim, Extracted, extract};
use proptest::prelude::{ProptestConfig, any, prop, proptest};

fn of(event: &str, body: &str) -> Extracted {
    let claim = Claim {
        guid: "g".into(),
        event: event.into(),
        host: "github.com".into(),
        ..Claim::default()
    };
    extract(claim, Some(body.as_bytes()))
}

#[test]
fn a_push_names_its_ref_repository_organisation_and_sender() {
    let body = r#"{"ref":"refs/tags/v1","after":"0","repository":{"id":1,"full_name":"acme/app",
        "url":"https://github.com/acme/app","owner":{"login":"acme","id":2,"type":"Organization"}},
        "organization":{"login":"acme","id":2},"sender":{"login":"ann","id":3,"type":"User"}}"#;
    let Extracted { facts, about, .. } = of("push", body);
    assert_eq!(facts.git_ref.as_deref(), Some("refs/tags/v1"));
    assert_eq!(facts.repository.as_deref(), Some("acme/app"));
    assert_eq!(
        (facts.repository_id, facts.organization_id, facts.sender_id),
        (Some(1), Some(2), Some(3))
    );
    assert_eq!(
        (facts.organization.as_deref(), facts.sender.as_deref()),
        (Some("acme"), Some("ann"))
    );
    assert_eq!(facts.action, None);
    assert_eq!(about.subject.as_deref(), Some("refs/tags/v1"));
    assert_eq!(about.source.as_deref(), Some("https://github.com/acme/app"));
}

#[test]
fn an_event_tells_when_it_happened_by_what_it_is_about() {
    let first = "2026-11-01T12:00:00Z";
    let other = "2026-10-01T12:00:00Z";
    for (event, body, expected) in [
        // A push tells seconds, others a text; the commit's own time is not that of the push.
        (
            "push",
            r#"{"ref":"refs/heads/main","repository":{"pushed_at":1793534400},
                "head_commit":{"timestamp":"2026-10-01T12:00:00+02:00"}}"#
                .to_owned(),
            Some(first),
        ),
        (
            "issue_comment",
            format!(
                r#"{{"comment":{{"created_at":"{other}","updated_at":"{first}"}},
                    "issue":{{"number":1,"updated_at":"{other}"}}}}"#
            ),
            Some(first),
        ),
        (
            "pull_request",
            format!(
                r#"{{"pull_request":{{"updated_at":"{first}"}},"repository":{{"pushed_at":1}}}}"#
            ),
            Some(first),
        ),
        (
            "check_run",
            format!(r#"{{"check_run":{{"started_at":"{first}","completed_at":null}}}}"#),
            Some(first),
        ),
        (
            "secret_scanning_alert",
            format!(r#"{{"alert":{{"number":7,"created_at":"{first}","updated_at":7.5}}}}"#),
            Some(first),
        ),
        (
            "status",
            format!(r#"{{"updated_at":"{first}"}}"#),
            Some(first),
        ),
        (
            "star",
            format!(r#"{{"repository":{{"pushed_at":"{first}"}}}}"#),
            None,
        ),
        (
            "odd",
            r#"{"comment":"a text","review":[{"updated_at":1}],"alert":"soon"}"#.to_owned(),
            None,
        ),
        (
            "push",
            r#"{"ref":"r","repository":{"pushed_at":9223372036854775807}}"#.to_owned(),
            None,
        ),
    ] {
        let Extracted { facts, .. } = of(event, &body);
        assert!(!facts.unparsed, "{event}");
        let expected = expected.map(|text| text.parse().unwrap());
        assert_eq!(facts.event_at, expected, "{event}: {body}");
    }
}

#[test]
fn every_event_with_a_branch_tells_it_in_full() {
    for (event, body, git_ref) in [
        (
            "create",
            r#"{"ref":"main","ref_type":"branch"}"#,
            "refs/heads/main",
        ),
        ("delete", r#"{"ref":"v1","ref_type":"tag"}"#, "refs/tags/v1"),
        (
            "pull_request",
            r#"{"pull_request":{"base":{"ref":"main"}}}"#,
            "refs/heads/main",
        ),
        (
            "pull_request_review",
            r#"{"pull_request":{"base":{"ref":"a/b"}}}"#,
            "refs/heads/a/b",
        ),
        (
            "check_run",
            r#"{"check_run":{"check_suite":{"head_branch":"x"}}}"#,
            "refs/heads/x",
        ),
        (
            "check_suite",
            r#"{"check_suite":{"head_branch":"x"}}"#,
            "refs/heads/x",
        ),
        (
            "workflow_run",
            r#"{"workflow_run":{"head_branch":"x"}}"#,
            "refs/heads/x",
        ),
        (
            "workflow_job",
            r#"{"workflow_job":{"head_branch":"x"}}"#,
            "refs/heads/x",
        ),
        ("status", r#"{"branches":[{"name":"x"}]}"#, "refs/heads/x"),
        (
            "workflow_dispatch",
            r#"{"ref":"refs/heads/x"}"#,
            "refs/heads/x",
        ),
    ] {
        let facts = of(event, body).facts;
        assert_eq!(facts.git_ref.as_deref(), Some(git_ref), "{event}");
    }
}

#[test]
fn an_event_about_no_branch_or_several_has_none() {
    for (event, body) in [
        ("issues", r#"{"issue":{"number":1}}"#),
        ("status", r#"{"branches":[{"name":"x"},{"name":"y"}]}"#),
        ("check_suite", r#"{"check_suite":{"head_branch":null}}"#),
        ("push", r#"{"ref":null}"#),
    ] {
        let facts = of(event, body).facts;
        assert_eq!((facts.git_ref, facts.unparsed), (None, false), "{event}");
    }
}

#[test]
fn a_repositorys_owner_is_the_organisation_only_if_it_is_one() {
    let body =
        |kind| format!(r#"{{"repository":{{"owner":{{"login":"a","id":2,"type":"{kind}"}}}}}}"#);
    assert_eq!(
        of("push", &body("Organization")).facts.organization_id,
        Some(2)
    );
    assert_eq!(of("push", &body("User")).facts.organization_id, None);
}

#[test]
fn escapes_in_names_are_resolved() {
    let facts = of(
        "push",
        r#"{"ref":"refs\/heads\/f\u00fcr","sender":{"login":"a\u0062"}}"#,
    )
    .facts;
    assert_eq!(facts.git_ref.as_deref(), Some("refs/heads/für"));
    assert_eq!(facts.sender.as_deref(), Some("ab"));
}

#[test]
fn a_body_that_is_not_read_still_tells_what_the_headers_said() {
    for payload in [
        None,
        Some(&b"[]"[..]),
        Some(b"{"),
        Some(b"null"),
        Some(b"{} {}"),
    ] {
        let claim = Claim {
            guid: "g".into(),
            event: "push".into(),
            body_bytes: 7,
            form: true,
            ..Claim::default()
        };
        let facts = extract(claim, payload).facts;
        assert!(facts.unparsed && facts.form);
        assert_eq!((facts.guid.as_str(), facts.event.as_str()), ("g", "push"));
        assert_eq!(facts.body_bytes, 7);
    }
}

#[test]
fn the_subject_is_the_ref_the_number_or_the_id() {
    for (event, body, subject) in [
        ("push", r#"{"ref":"refs/heads/x"}"#, Some("refs/heads/x")),
        (
            "pull_request",
            r#"{"pull_request":{"number":5}}"#,
            Some("5"),
        ),
        ("issues", r#"{"issue":{"number":6}}"#, Some("6")),
        ("check_run", r#"{"check_run":{"id":7}}"#, Some("7")),
        ("star", "{}", None),
    ] {
        assert_eq!(of(event, body).about.subject.as_deref(), subject, "{event}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_whatever_make_it_fail(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let claim = Claim { guid: "g".into(), ..Claim::default() };
        assert_eq!(extract(claim, Some(&payload)).facts.guid, "g");
    }

    #[test]
    fn no_change_of_a_right_body_makes_it_fail(at in 0..90_usize, byte in any::<u8>()) {
        let mut body = br#"{"ref":"x","repository":{"id":1,"owner":{"id":2}},"sender":{"id":3},
            "branches":[{"name":"y"}]}"#.to_vec();
        let at = at % body.len();
        body[at] = byte;
        let facts = extract(Claim::default(), Some(&body)).facts;
        assert!(!facts.unparsed || facts.repository_id.is_none());
    }
}
